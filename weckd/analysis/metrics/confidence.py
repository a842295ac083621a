"""Scores of the probabilities: proper scores, calibration, and accuracy where the least confident are withheld.

Confidence is the highest probability of an image. Where images are ranked by it, parts are cut at exact shares of the
images: an image at a cut counts in both parts, by its share in each. Images of the same confidence count alike, all
with the same share. So neither the order of rows nor a copy of every image matters.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import rankdata

from weckd.analysis.metrics.scores import (
    Predicted,
    Scored,
    Validation,
    correct,
    from_influence,
    mean_score,
    with_level,
)
from weckd.seeds import generator

SMALLEST = float(np.finfo(np.float32).tiny)  # the smallest normal float32, 1.2e-38
"""Taken for a saved probability of 0 in a logarithm: an image costs at most 87.3 nats."""
LOG_TEMPERATURES = (-3.0, 3.0)
"""Bounds of log T: T from 0.05 to 20."""
LEAST_WITHOUT_ERRORS = 0.5
"""T where every validation image is right: the least NLL is at T = 0, and nothing says how near to go."""
BINS = 15
DRAWS = 200  # of groups, for metrics without influence values
COVERAGE = 0.8
NEIGHBOURS = 0.1  # of the images, on either side of the cut


def brier(predicted: Predicted) -> Scored:
    """Return the mean over images of the sum over classes of (p - one-hot)^2, 0..2 (Brier 1950)."""
    one_hot = np.eye(predicted.probabilities.shape[2])[predicted.y]
    return mean_score(((predicted.probabilities - one_hot) ** 2).sum(axis=2), predicted.groups)


def nll(predicted: Predicted) -> Scored:
    """Return the mean over images of -log p of the label, in nats; p below `SMALLEST` counts as that."""
    of_label = predicted.probabilities[:, np.arange(len(predicted.y)), predicted.y]
    return mean_score(-_logs(of_label), predicted.groups)


def _logs(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    logs: NDArray[np.float64] = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))
    return logs


def temperatures(validation: tuple[Validation, ...]) -> NDArray[np.float64]:
    """Return each seed's temperature, the one with the least NLL on its validation images (Guo et al. 2017).

    The logits are the logarithms of the probabilities, those of 0 as `SMALLEST` says. The NLL is convex in 1/T, so a
    bounded search of log T finds its only minimum. Without an error there is none, and T is `LEAST_WITHOUT_ERRORS`.

    Returns:
        (k,), 0.05 to 20; 1 leaves probabilities as they are.
    """
    return np.array([LEAST_WITHOUT_ERRORS if all_right(one) else _temperature(one) for one in validation])


def all_right(validation: Validation) -> bool:
    """Say whether every validation image is right, so that no temperature can be chosen."""
    return bool(correct(validation.probabilities[None], validation.y).all())


def _temperature(validation: Validation) -> float:
    logits = _logs(validation.probabilities)
    logits -= logits.max(axis=1, keepdims=True)  # no exponential overflows
    of_label = logits[np.arange(len(validation.y)), validation.y]

    def nll_at(log_temperature: float) -> float:
        inverse = np.exp(-log_temperature)
        return float(np.mean(np.log(np.exp(inverse * logits).sum(axis=1)) - inverse * of_label))

    found = minimize_scalar(nll_at, bounds=LOG_TEMPERATURES, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def scaled(probabilities: NDArray[np.float32], temperatures: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return softmax(log p / T) of each seed.

    Args:
        probabilities: (k, n, C).
        temperatures: (k,).

    Returns:
        (k, n, C) float32, as saved predictions are.
    """
    return softmax(_logs(probabilities) / temperatures[:, None, None], axis=2).astype(np.float32)


def ece(predicted: Predicted) -> Scored:
    """Return the expected calibration error of the most probable class: sum over bins of |accuracy - confidence| / 15.

    15 bins of equal mass (Nguyen & O'Connor 2015): an image at a cut counts in both bins by its share, images of equal
    confidence alike. The value is the plain error, not corrected for its upward bias in small test sets. The case part
    comes from a bootstrap of groups that all seeds and methods of a data set share, with bins cut for each draw; its
    variance is (G - 1) / G of that of influence values.
    """
    confidence = predicted.probabilities.max(axis=2)
    gaps = correct(predicted.probabilities, predicted.y) - confidence
    n = len(predicted.y)
    weights = np.vstack([np.ones(n), image_weights(predicted.groups)])  # first the test images as they are
    sums = [bin_sums(row, gap, weights, BINS) for row, gap in zip(confidence, gaps, strict=True)]
    errors = np.abs(sums).sum(axis=2) / weights.sum(axis=1)  # (k, 1 + draws)
    return Scored(errors[:, 0], errors[:, 1:], int(predicted.groups.max()), n)


def ece_scaled(predicted: Predicted) -> Scored:
    """Return `ece` after temperature scaling, with each seed's temperature from its validation images.

    The temperatures are the same in all bootstrap draws: they are not made from test images.
    """
    probabilities = scaled(predicted.probabilities, temperatures(predicted.validation))
    return ece(dataclasses.replace(predicted, probabilities=probabilities))


@dataclasses.dataclass(frozen=True)
class ReliabilityCurve:
    """The bins of a reliability diagram, lowest confidence first."""

    confidence: NDArray[np.float64]  # (BINS,), mean in the bin
    accuracy: NDArray[np.float64]  # (BINS,)
    count: NDArray[np.float64]  # (BINS,), predictions in the bin; equal, and seldom whole


def reliability_curve(probabilities: NDArray[np.float32], y: NDArray[np.int64]) -> ReliabilityCurve:
    """Return the bins that `ece` compares, of the predictions of all seeds given, pooled.

    Args:
        probabilities: (k, n, C), without NaN; k = 1 for the curve of one seed.
        y: (n,), 0..C-1.
    """
    confidence = probabilities.max(axis=2).ravel()
    once = np.ones((1, len(confidence)))
    of_bins = (confidence.astype(np.float64), correct(probabilities, y).ravel(), once[0])
    sums, right, count = (bin_sums(confidence, values, once, BINS)[0] for values in of_bins)
    return ReliabilityCurve(sums / count, right / count, count)


def image_weights(groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how often each image is drawn when G groups are drawn from G with replacement.

    The draws depend on G alone, so that all seeds and methods of a data set share them.

    Args:
        groups: (n,), 0..G-1.

    Returns:
        (DRAWS, n), whole numbers.
    """
    n_groups = int(groups.max()) + 1
    drawn = generator("group bootstrap", n_groups).integers(n_groups, size=(DRAWS, n_groups))
    times = np.stack([np.bincount(row, minlength=n_groups) for row in drawn])
    return times[:, groups].astype(np.float64)


def accuracy_at_80(predicted: Predicted) -> Scored:
    """Return the accuracy of the 80 % of the images whose highest probability is highest (Geifman & El-Yaniv 2017).

    Images at the cut count by their share, so that exactly 0.8 n are covered. With q = 0.8, x_i = 1 where image i is
    right, f_i the share of it that is covered, and a the accuracy at the cut, the influence is

        ( f_i (x_i - a) - q (value - a) ) / (q n)

    which is that of a mean above an estimated quantile: an image above the cut also pushes one like those at the cut
    out of the part that is covered. a is estimated from the neighbours of the cut in rank, 10 % of the images on
    either side: one image alone is right or wrong.
    """
    confidence = predicted.probabilities.max(axis=2)
    right = correct(predicted.probabilities, predicted.y)
    covered_images = COVERAGE * right.shape[1]
    cut = 1 - COVERAGE
    covered = shares(confidence, cut, 1.0)
    near = shares(confidence, cut - NEIGHBOURS, cut + NEIGHBOURS)
    values = (covered * right).sum(axis=1) / covered_images
    at_cut = ((near * right).sum(axis=1) / near.sum(axis=1))[:, None]
    influence = (covered * (right - at_cut) - COVERAGE * (values[:, None] - at_cut)) / covered_images
    return with_level(from_influence(values, influence, predicted.groups))


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
    confidence: NDArray[np.float32], values: NDArray[np.float64], weights: NDArray[np.float64], n_bins: int
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
