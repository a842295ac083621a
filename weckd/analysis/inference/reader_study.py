"""Two-way random-effects t test with seeds as readers and groups of images as cases.

Obuchowski & Rockette 1995, Hillis 2007 (multi-reader multi-case studies). Columns of the case part are ratio residuals
over groups, so that uneven groups do not enter as variance. A group is a patient or a cluster of near-duplicates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit
from scipy.stats import false_discovery_control

from weckd.analysis.metrics.scores import Scored
from weckd.analysis_plan import AnalysisPlan

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


@dataclass(frozen=True)
class Estimate:
    """An estimate with its two-sided interval. Fractions, not percentage points; NaN where not known."""

    value: float
    se: float
    df: float
    low: float
    high: float
    p: float  # two-sided; NaN where the standard error is 0 or not known


def t_estimate(value: float, se: float, df: float, level: float, null: float = 0.0) -> Estimate:
    """Return value -+ t(df) * se and the p of value = null; the interval has no width where nothing varies."""
    value, half = _rounded(value), t_half_width(se, df, level)
    return Estimate(value, se, df, value - half, value + half, _t_p(value - null, se, df))


def mean_t(values: Sequence[float], level: float, null: float = 0.0) -> Estimate:
    """Return the one-sample t interval of the mean of n values, df n - 1; one value has no standard error."""
    x = np.asarray(values, dtype=np.float64)
    se = float(x.std(ddof=1) / np.sqrt(len(x))) if len(x) > 1 else float("nan")
    return t_estimate(float(x.mean()), 0.0 if se <= ROUNDING else se, len(x) - 1, level, null)


def p_value(study: Study, null: float = 0.0) -> float:
    """Return the two-sided p of estimate = null; NaN where the standard error is 0 or not known."""
    return _t_p(study.estimate - null, study.se, study.df)


def _t_p(off: float, se: float, df: float) -> float:
    return float(2 * stdtr(df, -abs(off) / se)) if se > 0 else float("nan")


def half_width(study: Study, level: float) -> float:
    """Return half the width of the two-sided interval: 0 where nothing varies, NaN where not known."""
    return t_half_width(study.se, study.df, level)


def t_half_width(se: float, df: float, level: float) -> float:
    """Return half the width of the two-sided t interval: 0 where se is 0, NaN where it is NaN."""
    return float(stdtrit(df, (1 + level) / 2)) * se if se > 0 else se


def planned_half_width(study: Study | None, plan: AnalysisPlan) -> float:
    """Return `half_width` at the plan's 1 - alpha; NaN where the study is missing or has fewer seeds than planned."""
    if study is None or len(study.per_seed) < plan.minimum_seeds:
        return float("nan")
    return half_width(study, 1 - plan.alpha)


def minimum_detectable(study: Study, alpha: float) -> float:
    """Return the gain found with 80 % power at this standard error; NaN where that is 0 or not known."""
    if not study.se > 0:
        return float("nan")
    return float(stdtrit(study.df, 1 - alpha / 2) + stdtrit(study.df, POWER)) * study.se


def adjust(p_values: Sequence[float], method: str) -> list[float]:
    """Return p adjusted by "holm", "fdr_bh" or "fixed"; an undefined p (NaN) counts as a hypothesis and stays NaN.

    "fixed": hypotheses are tested in their order, each at the full level, up to the first that is not rejected
    (Maurer, Hothorn & Lehmacher 1995), so that a p is adjusted to the largest up to its place.
    """
    known = np.asarray(p_values, dtype=np.float64)
    adjusted = _CORRECTIONS[method](np.where(np.isnan(known), 1.0, known)) if known.size else known
    return [float(value) for value in np.where(np.isnan(known), np.nan, adjusted)]


def _holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Holm's adjusted p; statsmodels collects garbage each time, nearly 0.1 s, hundreds of times a run."""
    order = np.argsort(p_values)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    return np.minimum(adjusted, 1.0)


_CORRECTIONS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "holm": _holm,
    "fdr_bh": false_discovery_control,
    "fixed": np.maximum.accumulate,
}


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
