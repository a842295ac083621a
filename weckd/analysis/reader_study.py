"""Two-way random-effects t test with seeds as readers and groups of images as cases.

Obuchowski & Rockette 1995, Hillis 2007 (multi-reader multi-case studies), on the paired score
D[s, i] of seed s and image i. Columns of the case part are ratio residuals over groups, so that uneven
groups do not enter as variance. A group is a patient or a cluster of near-duplicates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from weckd.analysis.metrics import strata, stratum_means

ROUNDING = 1e-12  # scores are of order 1: what is smaller is the rounding of sums
POWER = 0.80  # of the minimum detectable gain


@dataclass(frozen=True)
class Study:
    """An estimate with its two sources of variance. Fractions, not percentage points."""

    estimate: float  # mean over seeds
    per_seed: tuple[float, ...]  # k values
    seed_part: float  # A; NaN with one seed
    case_part: float  # c; NaN with one seed or one group
    df: float  # Satterthwaite; NaN where the standard error is 0 or NaN
    n_images: int
    n_groups: int
    all_zero: bool  # the score is zero for every seed and image

    @property
    def se(self) -> float:
        """Standard error of the estimate."""
        return float(np.sqrt(self.seed_part + self.case_part))

    @property
    def seed_share(self) -> float:
        """Share of the variance that is due to seeds, 0..1; NaN where there is none."""
        variance = self.seed_part + self.case_part
        return self.seed_part / variance if variance > 0 else float("nan")


def two_way(
    scores: NDArray[np.float64], y: NDArray[np.int64], groups: NDArray[np.int64], metric: str
) -> Study:
    """Estimate a metric of paired scores, with the variance due to seeds and to cases.

    With N images in G groups and K strata (one for accuracy, the classes for balanced accuracy):

        d_s    = mean over strata of mean_i D[s, i]
        Z[s,g] = G * sum_{i in g} (D[s, i] - d_{s, stratum(i)}) / (K * n_stratum(i))
        A      = var(d_s, ddof=1) / k
        c      = max(0, mean over pairs s != s' of Cov_g(Z[s], Z[s'], ddof=1) / G)
        df     = (A + c)^2 / (A^2 / (k - 1) + c^2 / (G - 1))

    Args:
        scores: (k, N), the paired score D; seeds in rows.
        y: (N,) labels.
        groups: (N,), 0..G-1.
        metric: a key of `weckd.analysis.metrics.METRICS`.
    """
    k, n_images = scores.shape
    n_groups = int(groups.max()) + 1
    stratum = strata(metric, y)
    means = stratum_means(scores, stratum)
    d = means.mean(axis=1)
    weights = 1.0 / (means.shape[1] * np.bincount(stratum)[stratum])
    residuals = n_groups * (scores - means[:, stratum]) * weights
    z = np.stack([_group_sums(row, groups, n_groups) for row in residuals])
    seed_part = _floored(float(d.var(ddof=1)) / k) if k > 1 else float("nan")
    case_part = _floored(_mean_covariance(z) / n_groups) if k > 1 and n_groups > 1 else float("nan")
    return Study(
        estimate=_snapped(float(d.mean())),
        per_seed=tuple(float(value) for value in d),
        seed_part=seed_part,
        case_part=case_part,
        df=_satterthwaite([(seed_part, k - 1), (case_part, n_groups - 1)]),
        n_images=n_images,
        n_groups=n_groups,
        all_zero=not np.any(np.abs(scores) > ROUNDING),
    )


def mean_study(studies: Sequence[Study]) -> Study:
    """Return the unweighted mean over independent data sets.

    SE = sqrt(sum SE_j^2) / J, with the Welch-Satterthwaite df over the J components.
    """
    J = len(studies)
    per_seed = np.mean([study.per_seed for study in studies], axis=0)
    return Study(
        estimate=_snapped(float(np.mean([study.estimate for study in studies]))),
        per_seed=tuple(float(value) for value in per_seed),
        seed_part=sum(study.seed_part for study in studies) / J**2,
        case_part=sum(study.case_part for study in studies) / J**2,
        df=_satterthwaite([(study.se**2, study.df) for study in studies]),
        n_images=sum(study.n_images for study in studies),
        n_groups=sum(study.n_groups for study in studies),
        all_zero=all(study.all_zero for study in studies),
    )


def p_value(study: Study, null: float = 0.0) -> float:
    """Return the two-sided p of estimate = null; NaN where the standard error is 0 or not known."""
    if not study.se > 0:
        return float("nan")
    return float(2 * stdtr(study.df, -abs(study.estimate - null) / study.se))


def half_width(study: Study, level: float) -> float:
    """Return half the width of the two-sided interval: 0 where nothing varies, NaN where not known."""
    if not study.se > 0:
        return study.se
    return float(stdtrit(study.df, (1 + level) / 2)) * study.se


def minimum_detectable(study: Study, alpha: float) -> float:
    """Return the gain found with 80 % power at this standard error; NaN where that is 0 or not known."""
    if not study.se > 0:
        return float("nan")
    return float(stdtrit(study.df, 1 - alpha / 2) + stdtrit(study.df, POWER)) * study.se


def _group_sums(values: NDArray[np.float64], groups: NDArray[np.int64], n_groups: int) -> NDArray[np.float64]:
    sums: NDArray[np.float64] = np.bincount(groups, weights=values, minlength=n_groups).astype(np.float64)
    return sums


def _snapped(value: float) -> float:
    """Return a sum of scores, or 0 where it is no more than rounding."""
    return value if abs(value) > ROUNDING else 0.0


def _floored(variance: float) -> float:
    """Return a variance, or 0 where it is negative or no more than rounding."""
    return variance if variance > ROUNDING**2 else 0.0


def _mean_covariance(z: NDArray[np.float64]) -> float:
    """Return the mean over pairs of rows of their covariance (ddof=1); z is (k, G)."""
    k, n = z.shape
    centred = z - z.mean(axis=1, keepdims=True)
    pairs = centred.sum(axis=0) ** 2 - (centred**2).sum(axis=0)  # sum over s != s' of z_s z_s', per case
    return float(pairs.sum() / ((n - 1) * k * (k - 1)))


def _satterthwaite(parts: Sequence[tuple[float, float]]) -> float:
    """Return the df of a sum of variances, each with its own df; a part of 0 carries none."""
    total = sum(variance for variance, _ in parts)
    if not total > 0:
        return float("nan")
    spread = sum(variance**2 / df for variance, df in parts if variance > 0)
    return float(total**2 / spread)
