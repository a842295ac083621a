"""Suspected variants: pairs of images that look like one photograph turned by any angle, mirrored, shifted or zoomed.

Each image is described by what such changes leave nearly alike: quantiles, over two discs in its middle, of colour and
of slope and curvature at three scales, whitened. Nearest neighbours by that are candidates. The two images of a
candidate are registered, coarse to fine, and their fine detail is correlated where they overlap: photographs of one
kind are alike in large, seldom in detail. What the search finds and misses is measured in benchmarks/variants.md.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from weckd.data.duplicates import Pairs

THRESHOLD = 0.9
"""Correlation of registered fine detail above which two images are suspected."""
_Floats: TypeAlias = NDArray[np.float32]
_SIDE, _COARSE = 64, 32  # pixels of the squares that are compared
_SCALES = (0.7, 1.4, 2.8)  # of slopes and curvatures, pixels
_QUANTILES = (0.03, 0.10, 0.25, 0.50, 0.75, 0.90, 0.97)
_COMPONENTS = 128  # of the whitened description
_NEIGHBOURS = 10
_BLOCK = 256  # images at a time
_FINE = 2.0  # pixels: what is wider is no fine detail
_HOPELESS = 0.25  # correlation of detail after the first round of refinement below which no other follows
_ROUNDS = (1.0, 0.5, 0.25)  # of refinement: parts of its steps of 5 degrees, 5 % and a pixel


def suspected_variants(
    images: NDArray[np.uint8], shapes: NDArray[np.float64], kept_together: NDArray[np.int64]
) -> Pairs:
    """Return pairs of suspected variants, with the correlation of their registered fine detail.

    Args:
        images: uint8 (N, S, S, 3), squeezed to squares.
        shapes: (N, 2), width and height of the sources, which tell true proportions.
        kept_together: (N,) a number for each group that a split keeps together; no pair is sought within one.
    """
    squares = _middle_squares(images, shapes)
    candidates = _candidates(_descriptions(squares), kept_together)
    grey = squares.mean(axis=3, dtype=np.float32)
    coarse = grey.reshape(len(grey), _COARSE, 2, _COARSE, 2).mean(axis=(2, 4))
    fine = grey - gaussian_filter(grey, (0, _FINE, _FINE))
    correlations = np.empty(len(candidates))
    turned_of, turned = -1, coarse[:0]
    for number, (a, b) in enumerate(candidates.tolist()):
        if a != turned_of:
            turned_of, turned = a, _standard(_sampled(coarse[a], _COARSE_POINTS))
        pose = _coarse_pose(turned, coarse[b])
        for size in _ROUNDS:
            pose = _refined(grey[a], grey[b], pose, size)
            correlations[number] = _detail(fine[a], fine[b], pose)
            if correlations[number] < _HOPELESS:
                break
    found = correlations > THRESHOLD
    return Pairs(candidates[found], correlations[found])


def _middle_squares(images: NDArray[np.uint8], shapes: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the square in the middle of each image in its true proportions, uint8 (N, 64, 64, 3)."""
    size = images.shape[1]
    squares = np.empty((len(images), _SIDE, _SIDE, 3), dtype=np.uint8)
    halves = size / 2 * shapes.min(axis=1, keepdims=True) / shapes
    for number, (across, down) in enumerate(halves.tolist()):
        box = (size / 2 - across, size / 2 - down, size / 2 + across, size / 2 + down)
        image = Image.fromarray(images[number])
        squares[number] = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC, box=box))
    return squares


def _descriptions(squares: NDArray[np.uint8]) -> _Floats:
    """Return vectors (N, at most 128) of length 1 whose products tell how alike two images are."""
    ranks = []
    for start in range(0, len(squares), _BLOCK):
        colours = squares[start : start + _BLOCK].astype(np.float32)
        maps = list(np.moveaxis(colours, 3, 0))
        for scale in _SCALES:
            smooth = gaussian_filter(colours.mean(axis=3), (0, scale, scale))
            dy, dx = np.gradient(smooth, axis=(1, 2))
            (dyy, dyx), dxx = np.gradient(dy, axis=(1, 2)), np.gradient(dx, axis=2)
            maps += [np.hypot(dy, dx), dyy + dxx, np.sqrt((dyy - dxx) ** 2 + 4 * dyx**2)]
        parts = []
        for radius in (0.30, 0.45):
            inside = np.hypot(*_grid(_SIDE)) < radius * _SIDE
            ordered = np.rint(np.array(_QUANTILES) * (inside.sum() - 1)).astype(np.int64)
            parts += [np.sort(values[:, inside], axis=1)[:, ordered] for values in maps]
        ranks.append(np.concatenate(parts, axis=1))
    vectors = np.concatenate(ranks).astype(np.float64)
    vectors = (vectors - vectors.mean(axis=0)) / (vectors.std(axis=0) + 1e-6)
    powers, axes = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    kept = slice(None, -1 - max(1, min(_COMPONENTS, len(vectors) // 3)), -1)  # the largest first
    vectors = vectors @ axes[:, kept] / np.sqrt(powers[kept] + 1e-6 * powers[-1] + 1e-12)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: _Floats = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return unit


def _candidates(described: _Floats, kept_together: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the pairs (P, 2) of each image and its nearest ones of other groups, in order, none twice."""
    found = [np.empty((0, 2), dtype=np.int64)]
    count = min(_NEIGHBOURS, len(described))
    for start in range(0, len(described), _BLOCK):
        alike = described[start : start + _BLOCK] @ described.T
        alike[kept_together[start : start + _BLOCK, np.newaxis] == kept_together] = -2.0
        nearest = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        rows = np.repeat(np.arange(start, start + len(alike)), count)
        found.append(np.column_stack([rows, nearest.ravel()]))
    pairs = np.sort(np.concatenate(found), axis=1)
    return np.unique(pairs[kept_together[pairs[:, 0]] != kept_together[pairs[:, 1]]], axis=0)


def _grid(side: int) -> _Floats:
    """Return y and x (2, side, side) of each pixel, from the middle."""
    grid: _Floats = (np.mgrid[:side, :side] - (side / 2 - 0.5)).astype(np.float32)
    return grid


def _disc(side: int, radius: float) -> _Floats:
    """Return y and x (2, K) of the pixels of a disc whose radius is a part of the side."""
    grid = _grid(side)
    return grid[:, np.hypot(*grid) <= radius * side]


def _points(poses: NDArray[np.float64], seen: _Floats) -> _Floats:
    """Return where points (2, K) of the second image lie in the first (2, M, K).

    Args:
        poses: (M, 5): turn in radians, 1 or -1 for mirrored, zoom, and shift in y and x, of the second image.
        seen: y and x, from the middle of the second image.
    """
    turn, mirror, zoom, *shift = poses.T[:, :, np.newaxis]
    y, x = (seen[axis] - shift[axis] for axis in (0, 1))
    sine, cosine = np.sin(turn) / zoom, np.cos(turn) / zoom
    return np.stack([cosine * y - mirror * sine * x, sine * y + mirror * cosine * x]).astype(np.float32)


def _sampled(image: _Floats, points: _Floats) -> _Floats:
    """Return an image's values at points from its middle, between pixels linearly."""
    values: _Floats = map_coordinates(image, points + (len(image) / 2 - 0.5), order=1, mode="nearest")
    return values


def _standard(values: _Floats) -> _Floats:
    """Return rows of mean 0 and length 1, so that their products are correlations."""
    values = values - values.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    unit: _Floats = values / np.maximum(length, np.float32(1e-6))
    return unit


_COARSE_DISC, _REFINED_DISC = _disc(_COARSE, 0.33), _disc(_SIDE, 0.33)[:, ::3]  # a third of it is enough
_DETAIL_DISC = _disc(_SIDE, 0.36)
_COARSE_POSES = np.array(
    [
        (turn, mirror, zoom, 0, 0)
        for mirror in (1, -1)
        for turn in np.arange(24) * np.pi / 12
        for zoom in (0.8, 0.9, 1.0, 1.12, 1.25)
    ]
)
_COARSE_POINTS = _points(_COARSE_POSES, _COARSE_DISC)
_COARSE_SHIFTS = np.array([(y, x) for y in range(-5, 6) for x in range(-5, 6)])
_SHIFTED_PIXELS = np.ravel_multi_index(  # (shifts, K) of the second image
    tuple(
        (_COARSE_DISC[:, np.newaxis] + _COARSE_SHIFTS.T[:, :, np.newaxis] + _COARSE / 2 - 0.5).astype(
            np.int64
        )
    ),
    (_COARSE, _COARSE),
)
_STEPS = np.array([(first, second) for first in (-1, 0, 1) for second in (-1, 0, 1)])


def _coarse_pose(turned: _Floats, other: _Floats) -> NDArray[np.float64]:
    """Return the pose (5,), in pixels of the fine square, in which the middle of one image is most like the other's.

    Args:
        turned: (poses, K), the disc of the first image in all poses.
        other: (32, 32), the second image.
    """
    products = turned @ _standard(other.ravel()[_SHIFTED_PIXELS]).T
    best, shift = divmod(int(products.argmax()), products.shape[1])
    pose: NDArray[np.float64] = _COARSE_POSES[best].copy()
    pose[3:] = _COARSE_SHIFTS[shift] * (_SIDE / _COARSE)
    return pose


def _refined(a: _Floats, b: _Floats, pose: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """Return the best of the poses one step beside this one, in turn, zoom and shift; `size` is a part of a step."""
    poses = np.tile(pose, (len(_STEPS), 1))
    poses[:, 0] += size * np.deg2rad(5) * _STEPS[:, 0]
    poses[:, 2] *= 1 + size * 0.05 * _STEPS[:, 1]
    poses[:, 3:] = 0
    shifts = (pose[3:] + size * _STEPS).astype(np.float32)
    first = _standard(_sampled(a, _points(poses, _REFINED_DISC)))
    second = _standard(_sampled(b, _REFINED_DISC[:, np.newaxis] + shifts.T[:, :, np.newaxis]))
    products = first @ second.T
    best, shift = divmod(int(products.argmax()), len(shifts))
    found: NDArray[np.float64] = poses[best]
    found[3:] = shifts[shift]
    return found


def _detail(a: _Floats, b: _Floats, pose: NDArray[np.float64]) -> float:
    """Return the correlation of two images' fine detail in a disc, where both have any."""
    points = _points(pose[np.newaxis], _DETAIL_DISC)[:, 0]
    inside = np.hypot(*points) < 0.48 * _SIDE
    first = _standard(_sampled(a, points[:, inside]))
    second = _standard(_sampled(b, _DETAIL_DISC[:, inside]))
    return float(first @ second)
