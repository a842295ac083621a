"""Whether confidence is as high as accuracy; confidence is the highest probability of an image."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from weckd.analysis.metrics.group_bootstrap import image_weights
from weckd.analysis.metrics.means import correct
from weckd.analysis.metrics.ranked import bin_sums
from weckd.analysis.metrics.scored import Predicted, Scored
from weckd.analysis.metrics.temperature import scaled, temperatures

BINS = 15


@dataclasses.dataclass(frozen=True)
class ReliabilityCurve:
    """The bins of a reliability diagram, lowest confidence first."""

    confidence: NDArray[np.float64]  # (BINS,), mean in the bin
    accuracy: NDArray[np.float64]  # (BINS,)
    count: NDArray[np.float64]  # (BINS,), predictions in the bin; equal, and seldom whole


def ece(predicted: Predicted) -> Scored:
    """Return the expected calibration error of the most probable class: sum over bins of |accuracy - confidence| / 15.

    15 bins of equal mass (Nguyen & O'Connor 2015), cut as `ranked` says: an image at a cut counts in both bins by its
    share, images of equal confidence alike. The value is the plain error, not corrected for its upward bias in small
    test sets. The case part comes from a bootstrap of groups that all seeds and methods of a data set share, with
    bins cut anew in every draw; its variance is (G - 1) / G of that of influence values.
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


def reliability_curve(probabilities: NDArray[np.float32], y: NDArray[np.int64]) -> ReliabilityCurve:
    """Return the bins that `ece` compares, of the predictions of all seeds given, pooled.

    Args:
        probabilities: (k, n, C), without NaN; k = 1 for the curve of one seed.
        y: (n,), 0..C-1.
    """
    confidence = probabilities.max(axis=2).ravel()
    right = correct(probabilities, y).ravel()
    once = np.ones((1, len(right)))
    count = bin_sums(confidence, once[0], once, BINS)[0]
    return ReliabilityCurve(
        confidence=bin_sums(confidence, confidence.astype(np.float64), once, BINS)[0] / count,
        accuracy=bin_sums(confidence, right, once, BINS)[0] / count,
        count=count,
    )
