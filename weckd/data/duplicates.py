"""Near-duplicates: pairs of images whose thumbnails correlate, over the eight flips and rotations.

The correlation is Pearson's over the pixels of two grey thumbnails, at its largest over the eight flips and rotations
of one of them. Images without any contrast have no correlation; they are near-duplicates of each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

FLOOR = 0.90
"""Correlation from which clusters are known at every threshold."""
_T = TypeVar("_T", bound=np.generic)
_BLOCK = 256  # rows of correlations at a time: memory grows with N, not with its square
_EXACT_BLOCK = 200  # pairs whose correlation is computed exactly at a time
_ROUNDING = 1e-4  # more than float32 can be off in a product of two unit vectors of 1,024 pixels (6e-5)


@dataclass(frozen=True)
class Pairs:
    """Pairs of images above a threshold, ordered by the first and then the second."""

    rows: NDArray[np.int64]  # (P, 2); within one set the first is before the second
    correlations: NDArray[np.float64]  # (P,)


@dataclass(frozen=True)
class Duplicates:
    """What a search finds in one set of thumbnails."""

    pairs: Pairs  # all above the threshold
    forest: Pairs  # fewer than N: a maximum spanning forest of all above FLOOR; all clusters follow from it
    count: int  # N

    def clusters(self, threshold: float) -> NDArray[np.int64]:
        """Return the cluster number (N,) of each image at a threshold of FLOOR or more."""
        return components(self.count, self.forest.rows[self.forest.correlations > threshold])


def near_duplicates(thumbnails: NDArray[np.uint8], threshold: float) -> Duplicates:
    """Search all pairs of thumbnails, in blocks of matrix products.

    Pairs too near the threshold for float32 are decided in exact integers, so that the result depends neither on the
    number of threads nor on the machine's matrix library.

    Args:
        thumbnails: uint8 (N, 32, 32).
        threshold: correlation, from 0 to 1.
    """
    floor = min(FLOOR, threshold)
    found = []
    edges = Pairs(np.empty((0, 2), dtype=np.int64), np.empty(0))
    for start, block in _blocks(thumbnails, thumbnails, within=True):
        rows = np.argwhere(block > floor - _ROUNDING)
        correlations = block[rows[:, 0], rows[:, 1]].astype(np.float64)
        rows += start
        edges = _forest(len(thumbnails), _stacked([edges, Pairs(rows, correlations)]))
        near = correlations > threshold - _ROUNDING
        found.append(_exactly_above(thumbnails, thumbnails, rows[near], threshold))
    blank = np.flatnonzero(np.ptp(thumbnails, axis=(1, 2)) == 0)
    first, second = np.triu_indices(len(blank), k=1)
    alike = Pairs(np.column_stack([blank[first], blank[second]]), np.ones(len(first)))
    pairs = _ordered([*found, alike])
    # In float32 an edge may fall on the wrong side of a threshold, so clusters are counted on exact correlations.
    edges = _exactly_above(thumbnails, thumbnails, edges.rows, floor)
    below = edges.correlations <= threshold  # all others are among the pairs
    rest = Pairs(edges.rows[below], edges.correlations[below])
    return Duplicates(pairs, _forest(len(thumbnails), _stacked([rest, pairs])), len(thumbnails))


def pairs_between(first: NDArray[np.uint8], second: NDArray[np.uint8], threshold: float) -> Pairs:
    """Return the pairs of an image of one set and one of another that correlate above the threshold.

    Args:
        first: uint8 (N, 32, 32).
        second: uint8 (M, 32, 32).
        threshold: correlation, from 0 to 1.
    """
    found = []
    for start, block in _blocks(first, second, within=False):
        rows = np.argwhere(block > threshold - _ROUNDING)
        rows[:, 0] += start
        found.append(_exactly_above(first, second, rows, threshold))
    return _ordered(found)


def components(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the component number (count,) of each image, numbered in the order of first images."""
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    return np.asarray(pd.factorize(pd.Series(labels))[0], dtype=np.int64)


def _blocks(
    first: NDArray[np.uint8], second: NDArray[np.uint8], *, within: bool
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the first row's number and the correlations of a block of rows.

    Within one set columns begin at the same row, and pairs in both orders, or of an image with itself, are -1.
    """
    unit = standardised(second)
    for start in range(0, len(first), _BLOCK):
        # The eight variants are a group, so turning one side of each pair is enough.
        variants = eight_variants(first[start : start + _BLOCK])
        columns = unit[start:] if within else unit
        largest = np.full((len(variants[0]), len(columns)), -1.0, dtype=np.float32)
        product = np.empty_like(largest)
        for variant in variants:
            np.matmul(standardised(variant), columns.T, out=product)
            np.maximum(largest, product, out=largest)
        if within:
            largest[:, : len(largest)][np.tril_indices(len(largest))] = -1.0
        yield start, largest


def _exactly_above(
    first: NDArray[np.uint8], second: NDArray[np.uint8], rows: NDArray[np.int64], threshold: float
) -> Pairs:
    """Return those pairs whose correlation exceeds the threshold; sums of integers are exact in float64."""
    correlations = np.empty(len(rows))
    for start in range(0, len(rows), _EXACT_BLOCK):
        some = rows[start : start + _EXACT_BLOCK]
        turned = [*eight_variants(first[some[:, 0]]), second[some[:, 1]]]
        *x_variants, y = (images.reshape(len(some), -1).astype(np.float64) for images in turned)
        products = np.max([np.einsum("ij,ij->i", variant, y) for variant in x_variants], axis=0)
        # Turning changes no sum of one image.
        x, pixels = x_variants[0], y.shape[1]
        x_spread, y_spread = (pixels * (v**2).sum(axis=1) - v.sum(axis=1) ** 2 for v in (x, y))
        covariance = pixels * products - x.sum(axis=1) * y.sum(axis=1)
        correlations[start : start + len(some)] = covariance / (np.sqrt(x_spread) * np.sqrt(y_spread))
    above = correlations > threshold
    return Pairs(rows[above], correlations[above])


def _forest(count: int, pairs: Pairs) -> Pairs:
    """Return a maximum spanning forest of the pairs; no pair may be there twice."""
    lengths = 2.0 - pairs.correlations  # positive, the shorter the more alike
    graph = coo_array((lengths, (pairs.rows[:, 0], pairs.rows[:, 1])), shape=(count, count))
    tree = minimum_spanning_tree(graph.tocsr()).tocoo()
    return Pairs(np.column_stack([tree.row, tree.col]).astype(np.int64), 2.0 - tree.data)


def _stacked(parts: list[Pairs]) -> Pairs:
    return Pairs(
        np.vstack([np.empty((0, 2), dtype=np.int64), *(part.rows for part in parts)]),
        np.concatenate([np.empty(0), *(part.correlations for part in parts)]),
    )


def _ordered(parts: list[Pairs]) -> Pairs:
    pairs = _stacked(parts)
    order = np.lexsort((pairs.rows[:, 1], pairs.rows[:, 0]))
    return Pairs(pairs.rows[order], pairs.correlations[order])


def eight_variants(thumbnails: NDArray[_T]) -> list[NDArray[_T]]:
    """Return thumbnails (N, S, S) in the eight flips and rotations, unturned ones first."""
    turns = [np.rot90(thumbnails, quarter, axes=(1, 2)) for quarter in range(4)]
    return turns + [turn[:, :, ::-1] for turn in turns]


def standardised(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return rows (N, pixels) of mean 0 and length 1, so that their products are correlations."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(flat, length, out=np.zeros_like(flat), where=length > 0)
    return unit.astype(np.float32)
