"""Two-way random-effects t test with seeds as readers and groups of images as cases.

Obuchowski & Rockette 1995, Hillis 2007 (multi-reader multi-case studies). Columns of the case part are ratio residuals
over groups, so that uneven groups do not enter as variance. A group is a patient or a cluster of near-duplicates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from weckd.analysis.metrics.scored import Scored

ROUNDING = 1e-12  # scores are of order 1: what is smaller is the rounding of sums
DIGITS = 14
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
    all_zero: bool  # the value is zero for every seed, and so is every group's part in it

    @property
    def se(self) -> float:
        """Standard error of the estimate."""
        return float(np.sqrt(self.seed_part + self.case_part))

    @property
    def seed_share(self) -> float:
        """Share of the variance that is due to seeds, 0..1; NaN where there is none."""
        variance = self.seed_part + self.case_part
        return self.seed_part / variance if variance > 0 else float("nan")


def two_way(scored: Scored) -> Study:
    """Estimate a metric of one method, or a contrast of several, with the variance due to seeds and to cases.

    With d_s the value of seed s, k seeds, and Z[s] its row of `cases`:

        A      = var(d_s, ddof=1) / k
        c      = max(0, mean over pairs s != s' of Cov(Z[s], Z[s'], ddof=1))
        df     = (A + c)^2 / (A^2 / (k - 1) + c^2 / (G - 1))
    """
    d, k = scored.values, len(scored.values)
    seed_part = _floored(float(d.var(ddof=1)) / k) if k > 1 else float("nan")
    case_part = _floored(_mean_covariance(scored.cases)) if k > 1 and scored.case_df > 0 else float("nan")
    return Study(
        estimate=_rounded(float(d.mean())),
        per_seed=tuple(float(value) for value in d),
        seed_part=seed_part,
        case_part=case_part,
        df=_satterthwaite([(seed_part, k - 1), (case_part, scored.case_df)]),
        n_images=scored.n_images,
        n_groups=scored.n_groups,
        all_zero=not (np.abs(d) > ROUNDING).any() and not (np.abs(scored.cases) > ROUNDING).any(),
    )


def mean_study(studies: Sequence[Study]) -> Study:
    """Return the unweighted mean over independent data sets.

    SE = sqrt(sum SE_j^2) / J, with the Welch-Satterthwaite df over the J components.
    """
    J = len(studies)
    per_seed = np.mean([study.per_seed for study in studies], axis=0)
    return Study(
        estimate=_rounded(float(np.mean([study.estimate for study in studies]))),
        per_seed=tuple(float(value) for value in per_seed),
        seed_part=sum(study.seed_part for study in studies) / J**2,
        case_part=sum(study.case_part for study in studies) / J**2,
        df=_satterthwaite([(study.se**2, study.df) for study in studies]),
        n_images=sum(study.n_images for study in studies),
        n_groups=sum(study.n_groups for study in studies),
        all_zero=all(study.all_zero for study in studies),
    )


def difference(one: Study, other: Study) -> Study:
    """Return the difference of two studies of other test cases, taken as independent, by Welch and Satterthwaite.

    Where seeds or images are shared after all, the interval is rather too wide.
    """
    return Study(
        estimate=_rounded(one.estimate - other.estimate),
        per_seed=tuple(a - b for a, b in zip(one.per_seed, other.per_seed, strict=True)),
        seed_part=one.seed_part + other.seed_part,
        case_part=one.case_part + other.case_part,
        df=_satterthwaite([(study.se**2, study.df) for study in (one, other)]),
        n_images=one.n_images + other.n_images,
        n_groups=one.n_groups + other.n_groups,
        all_zero=one.all_zero and other.all_zero,
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


def _rounded(value: float) -> float:
    """Return a sum of scores without the rounding of its summation, which would decide ties of the last digit shown."""
    return round(value, DIGITS) + 0.0


def _floored(variance: float) -> float:
    """Return a variance, or 0 where it is negative or no more than rounding."""
    return variance if variance > ROUNDING**2 else 0.0


def _mean_covariance(z: NDArray[np.float64]) -> float:
    """Return the mean over pairs of rows of their covariance (ddof=1); z is (k, m)."""
    k, n = z.shape
    centred = z - z.mean(axis=1, keepdims=True)
    pairs = centred.sum(axis=0) ** 2 - (centred**2).sum(axis=0)  # sum over s != s' of z_s z_s', a case
    return float(pairs.sum() / ((n - 1) * k * (k - 1)))


def _satterthwaite(parts: Sequence[tuple[float, float]]) -> float:
    """Return the df of a sum of variances, each with its own df; a part of 0 carries none."""
    total = sum(variance for variance, _ in parts)
    if not total > 0:
        return float("nan")
    spread = sum(variance**2 / df for variance, df in parts if variance > 0)
    return float(total**2 / spread)
