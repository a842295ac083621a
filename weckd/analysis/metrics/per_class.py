"""Sensitivity, precision and F1 of each class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weckd.analysis.metrics.scored import Predicted, Scored, from_influence


@dataclass(frozen=True)
class ClassScores:
    """How well one method's stage finds one class."""

    label: int  # 0..C-1
    n_images: int  # test images of the class
    n_groups: int  # groups with an image of the class
    recall: Scored  # sensitivity
    precision: Scored
    f1: Scored


def per_class(predicted: Predicted) -> tuple[ClassScores, ...]:
    """Return the scores of every class, in the order of the labels."""
    return tuple(
        ClassScores(
            label=label,
            n_images=int((predicted.y == label).sum()),
            n_groups=len(np.unique(predicted.groups[predicted.y == label])),
            recall=recall(predicted, label),
            precision=precision(predicted, label),
            f1=f1(predicted, label),
        )
        for label in range(predicted.probabilities.shape[2])
    )


def recall(predicted: Predicted, label: int) -> Scored:
    """Return the share of the class's images that are predicted as the class."""
    chosen, true = _chosen_and_true(predicted, label)
    return _ratio(chosen * true, np.broadcast_to(true, chosen.shape), predicted.groups)


def precision(predicted: Predicted, label: int) -> Scored:
    """Return the share of the images predicted as the class that are of it; 0 where there is none."""
    chosen, true = _chosen_and_true(predicted, label)
    return _ratio(chosen * true, chosen, predicted.groups)


def f1(predicted: Predicted, label: int) -> Scored:
    """Return 2 TP / (predicted as the class + images of the class), the harmonic mean of precision and recall."""
    chosen, true = _chosen_and_true(predicted, label)
    return _ratio(2 * chosen * true, chosen + true, predicted.groups)


def _chosen_and_true(predicted: Predicted, label: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return whether the class is the most probable (k, n), the lowest class winning a tie, and the label (n,)."""
    chosen = (predicted.probabilities.argmax(axis=2) == label).astype(np.float64)
    return chosen, (predicted.y == label).astype(np.float64)


def _ratio(
    numerator: NDArray[np.float64], denominator: NDArray[np.float64], groups: NDArray[np.int64]
) -> Scored:
    """Return sum a_i / sum b_i of each seed; both are (k, n).

    An image's influence is (a_i - ratio b_i) / sum b. Where sum b is 0 (a class that is never predicted), the ratio
    and all influence are 0.
    """
    total = denominator.sum(axis=1)
    defined = np.maximum(total, 1.0)  # counts: below 1 is 0, and the numerator is 0 there
    values = numerator.sum(axis=1) / defined
    return from_influence(values, (numerator - values[:, None] * denominator) / defined[:, None], groups)
