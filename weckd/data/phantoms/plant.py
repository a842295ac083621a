"""Groups of near-duplicates: planted so that a clustering of thumbnails finds exactly them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from weckd.data.phantoms.canvas import Canvas, finish
from weckd.data.phantoms.frame import Frame
from weckd.seeds import generator

Drawing = Callable[[str, np.random.Generator, Frame, int], Canvas]

GROUP_SIZES = (1, 2, 3)
GROUP_SHARES = (0.60, 0.25, 0.15)
NEAR, FAR = 0.978, 0.962
"""Correlation that two pictures of a group exceed, and that two of different groups stay below; clusters are cut at
0.97."""
NOISE = 0.012
SMALL = 32  # pixels a side of the thumbnails
_ATTEMPTS = 200


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
    frames: Callable[[np.random.Generator, Frame], Frame],
    alike: bool,
) -> tuple[Picture, ...]:
    """Return the pictures of a data set, class by class, group by group.

    Scenes are drawn until each group is far from all before it; within a group, frames are brought closer to the
    first until they are near it.

    Args:
        key: of the data set; names the random streams.
        counts: images of each class.
        drawing: draws a class.
        frames: draws a further frame of a scene after its first.
        alike: whether the pictures of a group must be near-duplicates.

    Raises:
        RuntimeError: no scene could be found that is far from the others.
    """
    pictures: list[Picture] = []
    seen = np.empty((sum(counts.values()), SMALL * SMALL), dtype=np.float32)
    scene = 0
    for class_key, count in counts.items():
        planned = 0
        while planned < count:
            size = int(generator("phantom", key, "size", scene).choice(GROUP_SIZES, p=GROUP_SHARES))
            group, rows = _far_group(
                key,
                class_key,
                scene,
                min(size, count - planned),
                drawing,
                frames,
                alike,
                seen[: len(pictures)],
            )
            seen[len(pictures) : len(pictures) + len(rows)] = rows
            pictures += group
            planned += len(group)
            scene += 1
    return tuple(pictures)


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


def _far_group(
    key: str,
    class_key: str,
    scene: int,
    size: int,
    drawing: Drawing,
    frames: Callable[[np.random.Generator, Frame], Frame],
    alike: bool,
    seen: NDArray[np.float32],
) -> tuple[list[Picture], NDArray[np.float32]]:
    for attempt in range(_ATTEMPTS):

        def picture(frame: Frame, attempt: int = attempt) -> Picture:
            small = render(key, class_key, scene, attempt, frame, drawing, SMALL)
            return Picture(class_key, scene, attempt, frame, small)

        group = [picture(Frame())]
        rows = _unit(group)
        if len(seen) and _best_correlations(rows, seen).max() >= FAR:
            continue
        stream = generator("phantom", key, "frames", scene, attempt)
        group += [_further(picture, frames, alike, rows, stream, number) for number in range(1, size)]
        rows = _unit(group)
        near = not alike or _best_correlations(rows, rows[:1]).min() > NEAR
        if near and (not len(seen) or _best_correlations(rows, seen).max() < FAR):
            return group, rows
    raise RuntimeError(f"{key}: no scene of class {class_key} is far enough from all others")


def _further(
    picture: Callable[[Frame], Picture],
    frames: Callable[[np.random.Generator, Frame], Frame],
    alike: bool,
    first: NDArray[np.float32],
    stream: np.random.Generator,
    number: int,
) -> Picture:
    """Return another frame of a scene, with its shift halved until it is near the first (or four times)."""
    frame = frames(stream, Frame(noise_stream=number))
    found = picture(frame)
    for _ in range(4):
        if not alike or _best_correlations(_unit([found]), first).min() > NEAR:
            break
        frame = replace(frame, shift=(frame.shift[0] / 2, frame.shift[1] / 2))
        found = picture(frame)
    return found


def _unit(pictures: Sequence[Picture]) -> NDArray[np.float32]:
    """Return thumbnails (P, pixels) as vectors of mean 0 and length 1, so that products are correlations."""
    flat = luma(np.stack([p.small for p in pictures])).reshape(len(pictures), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    unit: NDArray[np.float32] = (flat / np.linalg.norm(flat, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _best_correlations(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each row's largest correlation (R,) with any other over the eight flips and rotations."""
    squares = rows.reshape(-1, SMALL, SMALL)
    turns = [np.rot90(squares, quarter, axes=(1, 2)) for quarter in range(4)]
    variants = np.concatenate([v.reshape(rows.shape) for turn in turns for v in (turn, turn[:, :, ::-1])])
    # One product of all variants reads the others once.
    best: NDArray[np.float32] = (variants @ others.T).max(axis=1).reshape(8, len(rows)).max(axis=0)
    return best
