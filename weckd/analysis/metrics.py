"""Per-image correctness, and the metrics that are means of it."""

import numpy as np
from numpy.typing import NDArray

METRICS = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"}
"""Key in files -> name in tables."""


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


def strata(metric: str, y: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each image the stratum whose means the metric averages with equal weights.

    Accuracy has one stratum, the whole test set; balanced accuracy has one a class.
    """
    if metric == "accuracy":
        return np.zeros_like(y)
    if metric == "balanced_accuracy":
        return y
    raise ValueError(f"unknown metric {metric!r}")


def stratum_means(scores: NDArray[np.float64], stratum: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean score in each stratum, (k, K), of scores (k, n) with strata 0..K-1 (n,)."""
    return np.stack([scores[:, stratum == s].mean(axis=1) for s in range(int(stratum.max()) + 1)], axis=1)


def per_seed(scores: NDArray[np.float64], y: NDArray[np.int64], metric: str) -> NDArray[np.float64]:
    """Return the metric for each seed, (k,), from scores (k, n) and labels (n,)."""
    means: NDArray[np.float64] = stratum_means(scores, strata(metric, y)).mean(axis=1)
    return means
