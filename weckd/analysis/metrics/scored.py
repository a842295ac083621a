"""What every metric returns: a value a seed, and how the test cases carry its variance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
    )
