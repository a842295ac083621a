"""Phantoms: small synthetic stand-ins for the six data sets, drawn by the suite from named random streams.

They have the classes, modality and imbalance of what they represent (no class under 8 %), near-duplicates and patients
as the real sets have them, and say nothing about real images.
"""

import itertools
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weckd.data.phantoms.blood import draw_cell
from weckd.data.phantoms.brain import draw_head
from weckd.data.phantoms.canvas import Frame
from weckd.data.phantoms.otoscopy import draw_ear
from weckd.data.phantoms.scenes import SMALL, Picture, Plan, luma, plan_pictures, render
from weckd.errors import UserError
from weckd.seeds import generator
from weckd.yaml_files import read_yaml

SCENES_FILE = Path(__file__).with_name("scenes.yaml")
IMAGES = 600
SMALLEST_CLASS = 48  # 8 % of the images


@dataclass(frozen=True)
class Phantom:
    """All images of one phantom, class by class."""

    images: NDArray[np.uint8]  # (600, S, S, 3) RGB
    thumbnails: NDArray[np.uint8]  # (600, 32, 32) grey
    image_ids: list[str]
    classes: list[str]
    given_groups: list[str]  # patient ids, "" where the data set has none
    planted_groups: list[str]  # which images belong together; for tests, never for splits


def draw(key: str, image_size: int) -> Phantom:
    """Draw a phantom at `image_size` pixels a side; the same scenes at every size.

    Raises:
        UserError: there is no such phantom.
    """
    if key == _DERIVED:
        return _derived(image_size)
    if key not in PLANS:
        raise UserError(f"no phantom {key!r}; known phantoms: {', '.join([*PLANS, _DERIVED])}")
    plan, pictures = PLANS[key], _pictures(key)
    small = np.stack([p.small for p in pictures])
    images = small
    if image_size != SMALL:
        images = np.stack(
            [render(plan, p.class_key, p.scene, p.attempt, p.frame, image_size) for p in pictures]
        )
    groups = [f"s{p.scene:03d}" for p in pictures]
    return _assembled(images, small, [p.class_key for p in pictures], groups, plan.patients)


def class_counts(weights: dict[str, int]) -> dict[str, int]:
    """Return images a class: in proportion to the weights, none below 8 %, 600 in all (largest remainders)."""
    total = sum(weights.values())
    floored = {key for key, weight in weights.items() if IMAGES * weight / total < SMALLEST_CLASS}
    left = IMAGES - SMALLEST_CLASS * len(floored)
    free = sum(weight for key, weight in weights.items() if key not in floored)
    shares = {k: float(SMALLEST_CLASS) if k in floored else left * w / free for k, w in weights.items()}
    counts = {key: int(share) for key, share in shares.items()}
    by_remainder = sorted(shares, key=lambda key: counts[key] - shares[key])
    for key in by_remainder[: IMAGES - sum(counts.values())]:
        counts[key] += 1
    return counts


def _video(stream: np.random.Generator, frame: Frame) -> Frame:
    """Draw another frame of the same view; one in five is an exact copy, some are turned or mirrored."""
    shift = (stream.uniform(-0.05, 0.05), stream.uniform(-0.05, 0.05))
    frame = replace(frame, shift=shift, gain=stream.uniform(0.92, 1.08))
    turned = replace(frame, turn=int(stream.integers(4)), mirror=stream.random() < 0.5)
    if stream.random() < 0.2:
        return Frame()
    return frame if stream.random() < 0.5 else turned


def _slices(stream: np.random.Generator, frame: Frame) -> Frame:
    """Draw another slice of the same head; one in five is an exact copy."""
    moved = replace(
        frame,
        slice=stream.uniform(-1, 1),
        shift=(stream.uniform(-0.06, 0.06), stream.uniform(-0.06, 0.06)),
        gain=stream.uniform(0.9, 1.1),
    )
    return Frame() if stream.random() < 0.2 else moved


PLANS = {
    plan.key: plan
    for plan in (
        Plan("phantom_ear_chile", draw_ear, _video),
        Plan("phantom_ear_ohio", draw_ear, _video),
        Plan("phantom_ear_turkiye", draw_ear, _video),
        Plan("phantom_blood_cells", draw_cell, _video),
        Plan("phantom_brain_mri", draw_head, _slices, patients=True),
    )
}

_DERIVED, _COPIES, _ORIGINALS = "phantom_ear_kaggle", 3, 40
_ORIGIN = {
    "acute_otitis_media": ("phantom_ear_turkiye", "acute_otitis_media"),
    "cerumen_impaction": ("phantom_ear_chile", "earwax_plug"),
    "chronic_otitis_media": ("phantom_ear_chile", "chronic_otitis_media"),
    "myringosclerosis": ("phantom_ear_chile", "myringosclerosis"),
    "normal": ("phantom_ear_chile", "normal"),
}


@cache
def _pictures(key: str) -> tuple[Picture, ...]:
    attempts: dict[int, int] = _attempts()[key]
    return plan_pictures(PLANS[key], class_counts(PLANS[key].weights), attempts)


@cache
def _attempts() -> Any:
    return read_yaml(SCENES_FILE, "restore it")


def _derived(image_size: int) -> Phantom:
    """Draw the set that is made of another's images: three flips or rotations each of 40 originals a class."""
    images, small, classes, groups = [], [], [], []
    sources = {key: (draw(key, image_size), draw(key, SMALL)) for key, _ in _ORIGIN.values()}
    for class_key, (source_key, source_class) in _ORIGIN.items():
        source, thumbnail = sources[source_key]
        firsts = [
            row
            for row, group in enumerate(source.planted_groups)
            if source.classes[row] == source_class and group not in source.planted_groups[:row]
        ]
        for row in firsts[:_ORIGINALS]:
            stream = generator("phantom", _DERIVED, class_key, row)
            for variant in stream.choice(8, size=_COPIES, replace=False).tolist():
                images.append(_turned(source.images[row], variant))
                small.append(_turned(thumbnail.images[row], variant))
                classes.append(class_key)
                groups.append(f"{source_key.removeprefix('phantom_')}-{row:03d}")
    return _assembled(np.stack(images), np.stack(small), classes, groups)


def _turned(image: NDArray[np.uint8], variant: int) -> NDArray[np.uint8]:
    turned = np.rot90(image, variant % 4)
    return turned[:, ::-1] if variant >= 4 else turned


def _assembled(
    images: NDArray[np.uint8],
    small: NDArray[np.uint8],
    classes: list[str],
    groups: list[str],
    given: bool = False,
) -> Phantom:
    numbers = {key: itertools.count(1) for key in classes}
    image_ids = [f"{key}/{next(numbers[key]):04d}.png" for key in classes]
    return Phantom(images, luma(small), image_ids, classes, groups if given else [""] * len(groups), groups)
