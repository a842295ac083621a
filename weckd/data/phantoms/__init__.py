"""Phantoms: small synthetic stand-ins for the six data sets, drawn by the suite from named random streams.

They have the classes, modality and imbalance of what they stand for (no class under 8 %), near-duplicates and patients
as the real sets have them, and say nothing about real images.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weckd.data.phantoms.blood import draw_cell
from weckd.data.phantoms.brain import draw_head
from weckd.data.phantoms.frame import Frame
from weckd.data.phantoms.otoscopy import draw_ear
from weckd.data.phantoms.plant import SMALL, Drawing, Picture, luma, plan_pictures, render
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


@dataclass(frozen=True)
class _Plan:
    """How a phantom is drawn: weights of its classes are the counts of the real set."""

    drawing: Drawing
    weights: dict[str, int]
    frames: Callable[[np.random.Generator, Frame], Frame]
    patients: bool = False
    passed_over: frozenset[tuple[int, int]] = (
        frozenset()
    )  # scenes and attempts that resemble another phantom's


def draw(key: str, image_size: int) -> Phantom:
    """Draw a phantom at `image_size` pixels a side; the same scenes at every size.

    Raises:
        UserError: there is no such phantom.
    """
    if key == "phantom_ear_kaggle":
        return _derived(image_size)
    if key not in PLANS:
        known = ", ".join([*PLANS, "phantom_ear_kaggle"])
        raise UserError(f"no phantom {key!r}; known phantoms: {known}")
    plan = PLANS[key]
    pictures = _pictures(key)
    small = np.stack([picture.small for picture in pictures])
    images = small if image_size == SMALL else np.stack([_at_size(key, p, image_size) for p in pictures])
    groups = [f"s{picture.scene:03d}" for picture in pictures]
    return _assembled(
        images,
        small,
        [p.class_key for p in pictures],
        groups if plan.patients else [""] * len(groups),
        groups,
    )


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
    shift = (float(stream.uniform(-0.05, 0.05)), float(stream.uniform(-0.05, 0.05)))
    gain = float(stream.uniform(0.92, 1.08))
    turn, mirror = int(stream.integers(4)), bool(stream.random() < 0.5)
    if stream.random() < 0.2:
        return Frame()
    if stream.random() < 0.5:
        return replace(frame, shift=shift, gain=gain)
    return replace(frame, shift=shift, gain=gain, turn=turn, mirror=mirror)


def _slices(stream: np.random.Generator, frame: Frame) -> Frame:
    """Draw another slice of the same head; one in five is an exact copy."""
    moved = replace(
        frame,
        slice=float(stream.uniform(-1, 1)),
        shift=(float(stream.uniform(-0.06, 0.06)), float(stream.uniform(-0.06, 0.06))),
        gain=float(stream.uniform(0.9, 1.1)),
    )
    return Frame() if stream.random() < 0.2 else moved


PLANS = {
    "phantom_ear_chile": _Plan(
        draw_ear,
        {"chronic_otitis_media": 220, "earwax_plug": 220, "myringosclerosis": 220, "normal": 220},
        _video,
    ),
    "phantom_ear_ohio": _Plan(draw_ear, {"effusion": 179, "normal": 179, "tube": 96}, _video),
    "phantom_ear_turkiye": _Plan(
        draw_ear,
        {
            "acute_otitis_media": 119,
            "chronic_suppurative_otitis_media": 63,
            "earwax": 140,
            "normal": 535,
            "otitis_externa": 41,
        },
        _video,
    ),
    "phantom_blood_cells": _Plan(
        draw_cell,
        {
            "basophil": 1218,
            "eosinophil": 3117,
            "erythroblast": 1551,
            "immature_granulocyte": 2895,
            "lymphocyte": 1214,
            "monocyte": 1420,
            "neutrophil": 3329,
            "platelet": 2348,
        },
        _video,
    ),
    "phantom_brain_mri": _Plan(
        draw_head, {"meningioma": 708, "glioma": 1426, "pituitary": 930}, _slices, patients=True
    ),
}

_COPIES, _ORIGINALS = 3, 40
_ORIGIN = {
    "acute_otitis_media": ("phantom_ear_turkiye", "acute_otitis_media"),
    "cerumen_impaction": ("phantom_ear_chile", "earwax_plug"),
    "chronic_otitis_media": ("phantom_ear_chile", "chronic_otitis_media"),
    "myringosclerosis": ("phantom_ear_chile", "myringosclerosis"),
    "normal": ("phantom_ear_chile", "normal"),
}


@cache
def _pictures(key: str) -> tuple[Picture, ...]:
    plan, attempts = PLANS[key], _attempts()[key]
    return plan_pictures(
        key, class_counts(plan.weights), plan.drawing, plan.frames, not plan.patients, attempts
    )


@cache
def _attempts() -> dict[str, dict[int, int]]:
    attempts: dict[str, dict[int, int]] = read_yaml(SCENES_FILE, "restore it")
    return attempts


def _at_size(key: str, picture: Picture, size: int) -> NDArray[np.uint8]:
    p, drawing = picture, PLANS[key].drawing
    return render(key, p.class_key, p.scene, p.attempt, p.frame, drawing, size)


def _derived(image_size: int) -> Phantom:
    """Draw the set that is made of another's images: three flips or rotations each of 40 originals a class."""
    sources = {
        key: (draw(key, image_size), draw(key, SMALL)) for key in sorted({o[0] for o in _ORIGIN.values()})
    }
    images, small, classes, groups = [], [], [], []
    for class_key, (source_key, source_class) in _ORIGIN.items():
        source, thumbnail = sources[source_key]
        firsts = [
            row
            for row, group in enumerate(source.planted_groups)
            if source.classes[row] == source_class and group not in source.planted_groups[:row]
        ]
        for row in firsts[:_ORIGINALS]:
            stream = generator("phantom", "phantom_ear_kaggle", class_key, row)
            for variant in stream.choice(8, size=_COPIES, replace=False).tolist():
                images.append(_turned(source.images[row], variant))
                small.append(_turned(thumbnail.images[row], variant))
                classes.append(class_key)
                groups.append(f"{source_key.removeprefix('phantom_')}-{row:03d}")
    return _assembled(np.stack(images), np.stack(small), classes, [""] * len(classes), groups)


def _turned(image: NDArray[np.uint8], variant: int) -> NDArray[np.uint8]:
    turned = np.rot90(image, variant % 4)
    return turned[:, ::-1] if variant >= 4 else turned


def _assembled(
    images: NDArray[np.uint8],
    small: NDArray[np.uint8],
    classes: list[str],
    given: list[str],
    planted: list[str],
) -> Phantom:
    numbers: dict[str, int] = {}
    image_ids = []
    for class_key in classes:
        numbers[class_key] = numbers.get(class_key, 0) + 1
        image_ids.append(f"{class_key}/{numbers[class_key]:04d}.png")
    return Phantom(images, luma(small), image_ids, classes, given, planted)
