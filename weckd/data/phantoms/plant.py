"""Groups of near-duplicates, planted so that a clustering of thumbnails finds exactly them.

A scene is drawn from the random stream of its attempt. Which attempt is taken stands in scenes.yaml: the first whose
pictures are far from all other scenes of the modality (see `weckd.data.phantoms.choose`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from weckd.data.phantoms.canvas import Canvas, finish
from weckd.data.phantoms.frame import Frame
from weckd.seeds import generator

Drawing = Callable[[str, np.random.Generator, Frame, int], Canvas]
Frames = Callable[[np.random.Generator, Frame], Frame]

GROUP_SIZES = (1, 2, 3)
GROUP_SHARES = (0.60, 0.25, 0.15)
NEAR = 0.978
"""Correlation that pictures of a group exceed; clusters are cut at 0.97."""
NOISE = 0.012
SMALL = 32  # pixels a side of the thumbnails


@dataclass(frozen=True)
class Picture:
    """What draws one image again, at any size, and the image itself at the thumbnails' size."""

    class_key: str
    scene: int
    attempt: int
    frame: Frame
    small: NDArray[np.uint8] = field(repr=False, compare=False)  # (32, 32, 3)


def plan_pictures(
    key: str,
    counts: dict[str, int],
    drawing: Drawing,
    frames: Frames,
    alike: bool,
    attempts: Mapping[int, int],
) -> tuple[Picture, ...]:
    """Return the pictures of a data set, class by class, group by group.

    Args:
        key: of the data set; names the random streams.
        counts: images of each class.
        drawing: draws a class.
        frames: draws a further frame of a scene after its first.
        alike: whether the pictures of a group must be near-duplicates.
        attempts: the attempt that each scene is drawn from, where it is not the first (0).
    """
    pictures: list[Picture] = []
    for scene, (class_key, size) in enumerate(scene_sizes(key, counts)):
        pictures += draw_scene(key, class_key, scene, attempts.get(scene, 0), size, drawing, frames, alike)
    return tuple(pictures)


def scene_sizes(key: str, counts: dict[str, int]) -> list[tuple[str, int]]:
    """Return class and number of pictures of each scene."""
    sizes: list[tuple[str, int]] = []
    for class_key, count in counts.items():
        planned = 0
        while planned < count:
            drawn = int(generator("phantom", key, "size", len(sizes)).choice(GROUP_SIZES, p=GROUP_SHARES))
            sizes.append((class_key, min(drawn, count - planned)))
            planned += sizes[-1][1]
    return sizes


def draw_scene(
    key: str,
    class_key: str,
    scene: int,
    attempt: int,
    size: int,
    drawing: Drawing,
    frames: Frames,
    alike: bool,
) -> list[Picture]:
    """Return the pictures of one scene: its first, and further frames that are brought closer until they are near."""

    def picture(frame: Frame) -> Picture:
        small = render(key, class_key, scene, attempt, frame, drawing, SMALL)
        return Picture(class_key, scene, attempt, frame, small)

    group = [picture(Frame())]
    first = unit_thumbnails(group)
    stream = generator("phantom", key, "frames", scene, attempt)
    return group + [_further(picture, frames, alike, first, stream, number) for number in range(1, size)]


def render(
    key: str, class_key: str, scene: int, attempt: int, frame: Frame, drawing: Drawing, size: int
) -> NDArray[np.uint8]:
    """Return a picture of a scene as uint8 (size, size, 3); equal arguments give equal bytes."""
    axes = ("phantom", key, "scene", scene, attempt)
    canvas = drawing(class_key, generator(*axes), frame, size)
    canvas.rgb *= np.float32(frame.gain)
    image = finish(canvas, NOISE, generator(*axes, "noise", frame.noise_stream, size))
    image = np.rot90(image, frame.turn)
    return np.ascontiguousarray(image[:, ::-1] if frame.mirror else image)


def luma(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the grey values (ITU-R BT.601) of RGB images."""
    grey: NDArray[np.uint8] = np.rint(images @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    return grey


def _further(
    picture: Callable[[Frame], Picture],
    frames: Frames,
    alike: bool,
    first: NDArray[np.float32],
    stream: np.random.Generator,
    number: int,
) -> Picture:
    """Return another frame of a scene, with its shift halved until it is near the first (or four times)."""
    frame = frames(stream, Frame(noise_stream=number))
    found = picture(frame)
    for _ in range(4):
        if not alike or best_correlations(unit_thumbnails([found]), first).min() > NEAR:
            break
        frame = replace(frame, shift=(frame.shift[0] / 2, frame.shift[1] / 2))
        found = picture(frame)
    return found


def unit_thumbnails(pictures: Sequence[Picture]) -> NDArray[np.float32]:
    """Return thumbnails (P, pixels) as vectors of mean 0 and length 1, so that products are correlations."""
    flat = luma(np.stack([p.small for p in pictures])).reshape(len(pictures), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    unit: NDArray[np.float32] = (flat / np.linalg.norm(flat, axis=1, keepdims=True)).astype(np.float32)
    return unit


def best_correlations(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each row's largest correlation (R,) with any other over the eight flips and rotations."""
    squares = rows.reshape(-1, SMALL, SMALL)
    turns = [np.rot90(squares, quarter, axes=(1, 2)) for quarter in range(4)]
    variants = np.concatenate([v.reshape(rows.shape) for turn in turns for v in (turn, turn[:, :, ::-1])])
    # One product of all variants reads the others once.
    best: NDArray[np.float32] = (variants @ others.T).max(axis=1).reshape(8, len(rows)).max(axis=0)
    return best
