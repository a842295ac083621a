"""Temperature scaling on validation images (Guo et al. 2017)."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from weckd.analysis.metrics.probability_scores import log_probabilities
from weckd.analysis.metrics.scored import Validation

LOG_TEMPERATURES = (-3.0, 3.0)
"""Bounds of log T: T from 0.05 to 20. Without an error on validation T would be 0; the search ends at the bound."""


def temperatures(validation: tuple[Validation, ...]) -> NDArray[np.float64]:
    """Return each seed's temperature, the one with the least NLL on its validation images.

    The logits are the logarithms of the probabilities, those of 0 as `probability_scores.SMALLEST` says. The NLL is
    convex in 1/T, so a bounded search of log T finds its only minimum.

    Returns:
        (k,), 0.05 to 20; 1 leaves probabilities as they are.
    """
    return np.array([_temperature(one) for one in validation])


def scaled(probabilities: NDArray[np.float32], temperatures: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return softmax(log p / T) of each seed.

    Args:
        probabilities: (k, n, C).
        temperatures: (k,).

    Returns:
        (k, n, C) float32, as saved predictions are.
    """
    logits = log_probabilities(probabilities) / temperatures[:, None, None]
    return softmax(logits, axis=2).astype(np.float32)


def _temperature(validation: Validation) -> float:
    logits = log_probabilities(validation.probabilities)
    logits -= logits.max(axis=1, keepdims=True)  # no exponential overflows
    of_label = logits[np.arange(len(validation.y)), validation.y]

    def nll(log_temperature: float) -> float:
        per_temperature = np.exp(-log_temperature)
        return float(
            np.mean(np.log(np.exp(per_temperature * logits).sum(axis=1)) - per_temperature * of_label)
        )

    found = minimize_scalar(nll, bounds=LOG_TEMPERATURES, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))
