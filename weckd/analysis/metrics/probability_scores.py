"""Proper scores of the predicted probabilities; lower is better."""

import numpy as np
from numpy.typing import NDArray

from weckd.analysis.metrics.means import mean_score
from weckd.analysis.metrics.scored import Predicted, Scored

SMALLEST = float(np.finfo(np.float32).tiny)  # the smallest normal float32, 1.2e-38
"""Stands for a saved probability of 0 where a logarithm is taken: an image costs at most 87.3 nats."""


def brier(predicted: Predicted) -> Scored:
    """Return the mean over images of the sum over classes of (p - one-hot)^2, 0..2 (Brier 1950)."""
    one_hot = np.eye(predicted.probabilities.shape[2])[predicted.y]
    return mean_score(((predicted.probabilities - one_hot) ** 2).sum(axis=2), predicted.groups)


def nll(predicted: Predicted) -> Scored:
    """Return the mean over images of -log p of the label, in nats; p below `SMALLEST` counts as that."""
    of_label = predicted.probabilities[:, np.arange(len(predicted.y)), predicted.y]
    return mean_score(-log_probabilities(of_label), predicted.groups)


def log_probabilities(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the natural logarithm, finite everywhere: what is below `SMALLEST` counts as that."""
    logs: NDArray[np.float64] = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))
    return logs
