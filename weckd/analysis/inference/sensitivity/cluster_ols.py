"""Mean difference by least squares, with a variance that is robust to clusters of seeds and of groups."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weckd.analysis.inference.estimate import Estimate, t_estimate
from weckd.analysis.inference.reader_study import ROUNDING
from weckd.analysis.inference.sensitivity.paired import Paired


def cluster_variance(paired: Paired) -> float:
    """Return the two-way cluster-robust variance of the mean difference (Cameron, Gelbach & Miller 2011).

    With residuals e = D - mean over all k * n, and sums S over what a cluster holds:

        V = ( k/(k-1) sum_s S_s^2 + G/(G-1) sum_g S_g^2 - kG/(kG-1) sum_{s,g} S_{s,g}^2 ) / (k n)^2

    It is 0 where this is negative, and NaN with one seed or one group.
    """
    if not paired.crossed:
        return float("nan")
    sums = paired.group_sums - paired.difference.mean() * paired.group_sizes
    total = (
        _corrected_squares(sums.sum(axis=1))
        + _corrected_squares(sums.sum(axis=0))
        - _corrected_squares(sums.ravel())
    )
    variance = total / paired.difference.size**2
    return variance if variance > ROUNDING**2 else 0.0


def cluster_ols(pairs: Sequence[Paired], level: float, null: float = 0.0) -> Estimate:
    """Return the mean over data sets, V = sum V_j / J^2, by t with Welch-Satterthwaite df from k-1 a data set.

    With one data set it is the t test with k - 1 df.
    """
    variances = np.array([cluster_variance(paired) for paired in pairs])
    seed_df = np.array([paired.n_seeds - 1 for paired in pairs])
    total = float(variances.sum())
    df = total**2 / float((variances**2 / seed_df).sum()) if total > 0 else float("nan")
    estimate = float(np.mean([paired.difference.mean() for paired in pairs]))
    return t_estimate(estimate, float(np.sqrt(total)) / len(pairs), df, level, null)


def _corrected_squares(sums: NDArray[np.float64]) -> float:
    """Return the sum of squares over m clusters, times m / (m - 1)."""
    return float((sums**2).sum()) * len(sums) / (len(sums) - 1)
