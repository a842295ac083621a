"""Groups of near-duplicates, planted so that a clustering of thumbnails finds exactly them.

A scene is drawn from the random stream of its attempt. Which attempt is taken says scenes.yaml: the first whose
pictures are far from all other scenes of the modality (see `weckd.data.phantoms.choose`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from weckd.data.catalogue import find_dataset
from weckd.data.phantoms.canvas import Canvas, Frame
from weckd.seeds import generator

GROUP_SIZES = (1, 2, 3)
GROUP_SHARES = (0.60, 0.25, 0.15)
NEAR = 0.978
"""Correlation that pictures of a group exceed; clusters are cut at 0.97."""
NOISE = 0.012
SMALL = 32  # pixels a side of the thumbnails


@dataclass(frozen=True)
class Plan:
    """How a phantom is drawn."""

    key: str  # of the data set; names the random streams
    drawing: Callable[[str, np.random.Generator, Frame, int], Canvas]  # of a class
    frames: Callable[[np.random.Generator, Frame], Frame]  # a further frame of a scene after its first
    patients: bool = False  # whether groups are patients, whose pictures need not be near-duplicates

    @property
    def weights(self) -> dict[str, int]:
        """Return of each class how many images the real set has."""
        real = {entry.key: entry.count for entry in find_dataset(self.key.removeprefix("phantom_")).classes}
        return {entry.key: real[entry.key] or 0 for entry in find_dataset(self.key).classes}


@dataclass(frozen=True)
class Picture:
    """What draws one image again, at any size, and the image itself at the thumbnails' size."""

    class_key: str
    scene: int
    attempt: int
    frame: Frame
    small: NDArray[np.uint8] = field(repr=False, compare=False)  # (32, 32, 3)


def plan_pictures(plan: Plan, counts: Mapping[str, int], attempts: Mapping[int, int]) -> tuple[Picture, ...]:
    """Return the pictures of a data set, class by class, group by group.

    Args:
        plan: of the data set.
        counts: images of each class.
        attempts: the attempt that each scene is drawn from, where it is not the first (0).
    """
    return tuple(
        picture
        for scene, (class_key, size) in enumerate(scene_sizes(plan.key, counts))
        for picture in draw_scene(plan, class_key, scene, attempts.get(scene, 0), size)
    )


def scene_sizes(key: str, counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return class and number of pictures of each scene."""
    sizes: list[tuple[str, int]] = []
    for class_key, count in counts.items():
        planned = 0
        while planned < count:
            drawn = int(generator("phantom", key, "size", len(sizes)).choice(GROUP_SIZES, p=GROUP_SHARES))
            sizes.append((class_key, min(drawn, count - planned)))
            planned += sizes[-1][1]
    return sizes


def draw_scene(plan: Plan, class_key: str, scene: int, attempt: int, size: int) -> list[Picture]:
    """Return the pictures of one scene: its first, and further frames, whose shift is halved until they are near it."""

    def picture(frame: Frame) -> Picture:
        small = render(plan, class_key, scene, attempt, frame, SMALL)
        return Picture(class_key, scene, attempt, frame, small)

    group = [picture(Frame())]
    first = unit_thumbnails(group)
    stream = generator("phantom", plan.key, "frames", scene, attempt)
    for number in range(1, size):
        group.append(picture(plan.frames(stream, Frame(noise_stream=number))))
        for _ in range(4):
            if plan.patients or best_correlations(unit_thumbnails(group[-1:]), first).min() > NEAR:
                break
            (x, y), frame = group[-1].frame.shift, group[-1].frame
            group[-1] = picture(replace(frame, shift=(x / 2, y / 2)))
    return group


def render(
    plan: Plan, class_key: str, scene: int, attempt: int, frame: Frame, size: int
) -> NDArray[np.uint8]:
    """Return a picture of a scene as uint8 (size, size, 3); equal arguments give equal bytes."""
    axes = ("phantom", plan.key, "scene", scene, attempt)
    canvas = plan.drawing(class_key, generator(*axes), frame, size)
    canvas.rgb *= np.float32(frame.gain)
    image = canvas.finish(NOISE, generator(*axes, "noise", frame.noise_stream, size))
    image = np.rot90(image, frame.turn)
    return np.ascontiguousarray(image[:, ::-1] if frame.mirror else image)


def luma(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the grey values (ITU-R BT.601) of RGB images."""
    grey: NDArray[np.uint8] = np.rint(images @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    return grey


def unit_thumbnails(pictures: Sequence[Picture]) -> NDArray[np.float32]:
    """Return thumbnails (P, pixels) as vectors of mean 0 and length 1, so that products are correlations."""
    from weckd.data.duplicates import standardised  # noqa: PLC0415 - brings SciPy, which no plan needs

    return standardised(luma(np.stack([picture.small for picture in pictures])))


def best_correlations(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each row's largest correlation (R,) with any other over the eight flips and rotations."""
    from weckd.data.duplicates import eight_variants  # noqa: PLC0415 - likewise

    turned = eight_variants(rows.reshape(-1, SMALL, SMALL))
    # One product of all variants reads the others once.
    variants = np.concatenate([variant.reshape(rows.shape) for variant in turned])
    best: NDArray[np.float32] = (variants @ others.T).max(axis=1).reshape(8, len(rows)).max(axis=0)
    return best
