"""Parts of the test images when they are ranked by confidence.

Parts are cut at exact shares of the images: an image at a cut counts in both parts, by its share in each. Images of the
same confidence count alike, all with the same share. So neither the order of rows nor a copy of every image matters.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def shares(confidence: NDArray[np.float32], start: float, stop: float) -> NDArray[np.float64]:
    """Return how much of each image lies between two cuts, lowest confidence first.

    Args:
        confidence: (k, n), each row ranked by itself.
        start: share of the images below the first cut, 0..1.
        stop: share of the images below the second cut.

    Returns:
        (k, n), 0..1; rows sum to (stop - start) n.
    """
    n = confidence.shape[1]
    below = rankdata(confidence, method="min", axis=1) - 1  # images of lower confidence
    up_to = rankdata(confidence, method="max", axis=1)
    between = np.clip(up_to, start * n, stop * n) - np.clip(below, start * n, stop * n)
    found: NDArray[np.float64] = between / (up_to - below)
    return found


def bin_sums(
    confidence: NDArray[np.float32],
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    n_bins: int,
) -> NDArray[np.float64]:
    """Return the weighted sums of values in bins of equal weight, lowest confidence first.

    Args:
        confidence: (n,).
        values: (n,).
        weights: (d, n), d sets of weights with bins of their own; 0 leaves an image out.
        n_bins: how many bins.

    Returns:
        (d, n_bins).
    """
    order = np.argsort(confidence, kind="stable")
    ranked = confidence[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # last of each run of ties
    weights = weights[:, order]
    mass = _cumulated(weights, ends)
    weights *= values[order]
    sums = _cumulated(weights, ends)
    at_cuts = _interpolated(mass[:, -1:] * np.linspace(0, 1, n_bins + 1), mass, sums)
    return np.diff(at_cuts, axis=1)


def _cumulated(values: NDArray[np.float64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each row's sums up to the ends, and before them 0."""
    whole = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=whole[:, 1:])
    return whole if len(ends) == values.shape[1] else whole[:, np.append(0, ends + 1)]


def _interpolated(
    at: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return y at the places `at` of each row, linear between rising x that begin at 0; all rows in one search."""
    step = x[:, -1].max() + 1
    start = step * np.arange(len(x))[:, None]
    found: NDArray[np.float64] = np.interp((at + start).ravel(), (x + start).ravel(), y.ravel())
    return found.reshape(at.shape)
