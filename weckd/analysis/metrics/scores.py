"""Scores of the predicted classes: means over images, of each class, correlation; and of how classes are ranked.

Every metric returns a value a seed, and how the test cases carry its variance.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


@dataclass(frozen=True)
class Validation:
    """One seed's predictions of its validation images: m images, C classes."""

    probabilities: NDArray[np.float32]  # (m, C)
    y: NDArray[np.int64]  # (m,)


@dataclass(frozen=True)
class Predicted:
    """One method's stage on one data set: k seeds, n test images in G groups, C classes; no NaN."""

    probabilities: NDArray[np.float32]  # (k, n, C)
    y: NDArray[np.int64]  # (n,), 0..C-1
    groups: NDArray[np.int64]  # (n,), 0..G-1
    validation: tuple[Validation, ...]  # one a seed; empty where there is none


@dataclass(frozen=True)
class Scored:
    """One metric of one method's stage, or a weighted sum of several. Fractions, not percent.

    Rows of `cases` carry the part of the variance that is due to the test cases: the mean over pairs of seeds
    of the covariance (ddof=1) of their rows estimates it.
    """

    values: NDArray[np.float64]  # (k,)
    cases: NDArray[np.float64]  # (k, m): scaled sums over groups, or values in bootstrap draws
    case_df: int  # groups - 1
    n_images: int
    levels: tuple[tuple[float, float], ...] = ()
    """The weight of each method, and its mean over seeds, where this is a share of right answers."""

    @property
    def n_groups(self) -> int:
        """Number of groups among the test images."""
        return self.case_df + 1


def from_influence(
    values: NDArray[np.float64], influence: NDArray[np.float64], groups: NDArray[np.int64]
) -> Scored:
    """Return the score of a metric whose value moves by `influence` (k, n) for each image, relative to its mean.

    An image's influence is the derivative of the metric with respect to the image's weight, divided by n, so that a
    seed's row sums to zero: (x_i - mean) / n for a mean. With G groups, the columns are sqrt(G) times the
    sums over groups, which makes their covariance that of the metric (ratio residuals, statistics of uneven groups).
    """
    n_groups = int(groups.max()) + 1
    sums = np.stack([np.bincount(groups, weights=row, minlength=n_groups) for row in influence])
    return Scored(values, np.sqrt(n_groups) * sums, n_groups - 1, len(groups))


def weighted_sum(terms: Sequence[tuple[float, Scored]]) -> Scored:
    """Return the sum of paired scores, each times its weight; all are of the same seeds and test images."""
    first = terms[0][1]
    return Scored(
        values=np.sum([weight * scored.values for weight, scored in terms], axis=0),
        cases=np.sum([weight * scored.cases for weight, scored in terms], axis=0),
        case_df=first.case_df,
        n_images=first.n_images,
        levels=tuple((weight * its, level) for weight, scored in terms for its, level in scored.levels),
    )


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
    return share_right(correct(predicted.probabilities, predicted.y), predicted.groups)


def balanced_accuracy(predicted: Predicted) -> Scored:
    """Return the unweighted mean over the classes of the share of their images that is right."""
    right = correct(predicted.probabilities, predicted.y)
    return with_level(class_mean_score(right, predicted.y, predicted.groups))


def share_right(right: NDArray[np.float64], groups: NDArray[np.int64]) -> Scored:
    """Return the share of right answers, (k, n) of 1 and 0, of one method; groups (n,) are 0..G-1."""
    return with_level(mean_score(right, groups))


def with_level(scored: Scored) -> Scored:
    """Return one method's share of right answers as what the test near the ceiling asks for."""
    return replace(scored, levels=((1.0, float(scored.values.mean())),))


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


def recall(predicted: Predicted, label: int) -> Scored:
    """Return the share of the class's images that are predicted as the class."""
    chosen, true = _chosen_and_true(predicted, label)
    return _ratio(chosen * true, true, predicted.groups)


def precision(predicted: Predicted, label: int) -> Scored:
    """Return the share of the images predicted as the class that are of it; 0 where there is none."""
    chosen, true = _chosen_and_true(predicted, label)
    return _ratio(chosen * true, chosen, predicted.groups)


def f1(predicted: Predicted, label: int) -> Scored:
    """Return 2 TP / (predicted as the class + images of the class), the harmonic mean of precision and recall."""
    chosen, true = _chosen_and_true(predicted, label)
    return _ratio(2 * chosen * true, chosen + true, predicted.groups)


CLASS_SCORES = {"sensitivity": recall, "precision": precision, "F1": f1}
"""How well one class is found."""


def macro_f1(predicted: Predicted) -> Scored:
    """Return the mean over the C classes of F1; a class that is never predicted has F1 = 0 and no influence."""
    n_classes = predicted.probabilities.shape[2]
    return weighted_sum([(1 / n_classes, f1(predicted, label)) for label in range(n_classes)])


def _chosen_and_true(predicted: Predicted, label: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return whether the class is the most probable (the lowest wins a tie), and the label; both (k, n)."""
    chosen = (predicted.probabilities.argmax(axis=2) == label).astype(np.float64)
    return chosen, np.broadcast_to((predicted.y == label).astype(np.float64), chosen.shape)


def _ratio(
    numerator: NDArray[np.float64], denominator: NDArray[np.float64], groups: NDArray[np.int64]
) -> Scored:
    """Return sum a_i / sum b_i of each seed; both are (k, n).

    An image's influence is (a_i - ratio b_i) / sum b. Where sum b is 0 (a class that is never predicted), the ratio
    and all influence are 0.
    """
    total = np.maximum(denominator.sum(axis=1), 1.0)  # counts: below 1 is 0, and the numerator is 0 there
    values = numerator.sum(axis=1) / total
    return from_influence(values, (numerator - values[:, None] * denominator) / total[:, None], groups)


def mcc(predicted: Predicted) -> Scored:
    """Return the multiclass Matthews correlation, R_K of Gorodkin 2004, -1..1.

    With n images, c of them right, t_j of class j and p_j predicted as class j (the lowest class wins a tie):

        N   = c n - sum_j p_j t_j,      P = n^2 - sum_j p_j^2,      T = n^2 - sum_j t_j^2
        MCC = N / sqrt(P T)

    An image's influence is the derivative with respect to its weight, dN / sqrt(P T) - MCC / 2 (dP / P + dT / T).
    Where all predictions are of one class (P = 0), MCC and all influence are 0.
    """
    y, n_classes = predicted.y, predicted.probabilities.shape[2]
    n = len(y)
    chosen = predicted.probabilities.argmax(axis=2)  # (k, n)
    right = (chosen == y).astype(np.float64)
    n_right = right.sum(axis=1, keepdims=True)
    of_class = np.bincount(y, minlength=n_classes).astype(np.float64)
    as_class = np.stack([np.bincount(row, minlength=n_classes) for row in chosen]).astype(np.float64)

    above = n * n_right - (as_class * of_class).sum(axis=1, keepdims=True)  # N, (k, 1)
    predicted_spread = n**2 - (as_class**2).sum(axis=1, keepdims=True)  # P, (k, 1)
    true_spread = n**2 - (of_class**2).sum()  # T
    defined = predicted_spread > 0  # whole numbers
    predicted_spread = np.where(defined, predicted_spread, 1.0)
    root = np.sqrt(predicted_spread * true_spread)
    values = np.where(defined, above / root, 0.0)

    as_chosen = np.take_along_axis(as_class, chosen, axis=1)  # p of the class predicted for the image, (k, n)
    d_above = n * right + n_right - as_class[:, y] - of_class[chosen]
    half_d_spread = (n - as_chosen) / predicted_spread + (n - of_class[y]) / true_spread
    influence = np.where(defined, d_above / root - values * half_d_spread, 0.0)
    return from_influence(values[:, 0], influence, predicted.groups)


def confusion(predicted: Predicted) -> NDArray[np.int64]:
    """Return each seed's counts of images by true and predicted class, (k, C, C); the lowest class wins a tie."""
    n_classes = predicted.probabilities.shape[2]
    pairs = n_classes * predicted.y + predicted.probabilities.argmax(axis=2)
    counts = [np.bincount(row, minlength=n_classes**2) for row in pairs]
    return np.reshape(counts, (-1, n_classes, n_classes))


def roc(
    scores: NDArray[np.float32], true: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the false and true positive rates of a ROC curve, from (0, 0) to (1, 1).

    A point for each threshold that is a score: images of the same score (n,) are one step, a straight line, so that
    the area below the line counts a tie half.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)  # of the images of its score
    rates = []
    for of in (~true, true):
        passed = np.cumsum(of[order])[last]
        rates.append(np.concatenate([[0.0], passed / passed[-1]]))
    return rates[0], rates[1]


def macro_auroc(predicted: Predicted) -> Scored:
    """Return the mean over the C classes of the area under the ROC curve of the class against all others.

    The area is the share of pairs (one image of the class, one of another) in which the first has the higher
    probability of the class; a tie counts half (mid-ranks). With V_i the share of image i's own pairs that it wins,
    its influence is (V_i - area) / (images of the class), or of the others (DeLong et al. 1988).
    """
    y, (k, n, n_classes) = predicted.y, predicted.probabilities.shape
    values, influence = np.zeros(k), np.zeros((k, n))
    for label in range(n_classes):
        scores, true = predicted.probabilities[:, :, label], y == label
        of_class, others = int(true.sum()), int((~true).sum())
        ranks = rankdata(scores, axis=1)
        won = np.empty((k, n))
        won[:, true] = (ranks[:, true] - rankdata(scores[:, true], axis=1)) / others
        won[:, ~true] = 1 - (ranks[:, ~true] - rankdata(scores[:, ~true], axis=1)) / of_class
        area = won[:, true].mean(axis=1)
        values += area / n_classes
        influence += (won - area[:, None]) / (n_classes * np.where(true, of_class, others))
    return from_influence(values, influence, predicted.groups)
