"""Metrics that are means of a score of each image, over all images or over the means of the classes."""

import numpy as np
from numpy.typing import NDArray

from weckd.analysis.metrics.scored import Predicted, Scored, from_influence


def correct(probabilities: NDArray[np.float32], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 1 where the most probable class is the label, else 0; the lowest class wins a tie.

    Args:
        probabilities: (k, n, C), without NaN.
        y: (n,), 0..C-1.

    Returns:
        (k, n) float64.
    """
    right: NDArray[np.float64] = (probabilities.argmax(axis=2) == y).astype(np.float64)
    return right


def accuracy(predicted: Predicted) -> Scored:
    """Return the share of test images whose most probable class is the label."""
    return mean_score(correct(predicted.probabilities, predicted.y), predicted.groups)


def balanced_accuracy(predicted: Predicted) -> Scored:
    """Return the unweighted mean over the classes of the share of their images that is right."""
    right = correct(predicted.probabilities, predicted.y)
    return class_mean_score(right, predicted.y, predicted.groups)


def mean_score(scores: NDArray[np.float64], groups: NDArray[np.int64]) -> Scored:
    """Return the mean over images of scores (k, n); groups (n,) are 0..G-1."""
    means = scores.mean(axis=1)
    return from_influence(means, (scores - means[:, None]) / scores.shape[1], groups)


def class_mean_score(scores: NDArray[np.float64], y: NDArray[np.int64], groups: NDArray[np.int64]) -> Scored:
    """Return the mean over the K classes of their means of scores (k, n); every class has an image."""
    counts = np.bincount(y)
    means = np.stack([scores[:, y == label].mean(axis=1) for label in range(len(counts))], axis=1)
    influence = (scores - means[:, y]) / (len(counts) * counts[y])
    return from_influence(means.mean(axis=1), influence, groups)
