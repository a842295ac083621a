"""Two-way random-effects t test with seeds as readers and groups of images as cases.

Obuchowski & Rockette 1995, Hillis 2007 (multi-reader multi-case studies). Columns of the case part are ratio residuals
over groups, so that uneven groups do not enter as variance. A group is a patient or a cluster of near-duplicates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit
from scipy.stats import false_discovery_control

from weckd.analysis.inference.ceiling import least_seed_sd
from weckd.analysis.metrics.scores import Scored
from weckd.analysis_plan import AnalysisPlan

ROUNDING = 1e-12  # scores are of order 1: what is smaller is the rounding of sums
DIGITS = 14
KNOWN = 1e9  # df of a variance that is not estimated
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
    ceiling_part: float = 0.0  # what the seed part is raised by near the ceiling, see `inference.ceiling`
    plain_df: float = float("nan")  # df without that; NaN where there is none
    cases_below_zero: bool = False  # the estimate of the case part is below zero, and counts as 0

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

        A      = var(d_s, ddof=1) / k, at least `ceiling.least_seed_sd`^2 / k
        c      = max(0, mean over pairs s != s' of Cov(Z[s], Z[s'], ddof=1))
        df     = (A + c)^2 / (A^2 / (k - 1) + c^2 / (G - 1)), where what A is raised by is taken as known

    A is not raised where that would make the interval narrower, by the higher df.
    """
    d, k = scored.values, len(scored.values)
    found = _floored(float(d.var(ddof=1)) / k) if k > 1 else float("nan")
    raised = max(0.0, least_seed_sd(scored) ** 2 / k - found) if k > 1 else 0.0
    cases = _mean_covariance(scored.cases) if k > 1 and scored.case_df > 0 else float("nan")
    raised, plain_df, df = _raised(raised, (found, k - 1), (_floored(cases), scored.case_df))
    return Study(
        estimate=_rounded(float(d.mean())),
        per_seed=tuple(float(value) for value in d),
        seed_part=found + raised,
        case_part=_floored(cases),
        df=df,
        n_images=scored.n_images,
        n_groups=scored.n_groups,
        all_zero=not (np.abs(d) > ROUNDING).any() and not (np.abs(scored.cases) > ROUNDING).any(),
        ceiling_part=raised,
        plain_df=plain_df,
        cases_below_zero=cases < -(ROUNDING**2),
    )


def _raised(raised: float, *parts: tuple[float, float]) -> tuple[float, float, float]:
    """Return what the variance is raised by, its df without that, and with it.

    `parts` are variances with their df. It is 0 where the interval at 95 % would become narrower by it.
    """
    plain = _satterthwaite(parts)
    df = _satterthwaite([*parts, (raised, KNOWN)])
    found = sum(variance for variance, _ in parts)
    if raised > 0 and t_half_width((found + raised) ** 0.5, df, 0.95) < t_half_width(found**0.5, plain, 0.95):
        return 0.0, plain, plain
    return raised, plain, df


def mean_study(studies: Sequence[Study], times: int = 1) -> Study:
    """Return the unweighted mean over J data sets of other test cases, with the same k seeds on each.

    Seeds are paired across data sets, as effects of a seed may go together there. With d_s the mean over data sets of
    seed s, r_j what the seed part of data set j is raised by near the ceiling:

        A      = var(d_s, ddof=1) / k
        SE^2   = A + sum r_j / J^2 + sum c_j / J^2
        df     = SE^4 / (A^2 / (k - 1) + sum (c_j / J^2)^2 / (G_j - 1))

    Args:
        studies: one a data set, all of the same seeds in one order.
        times: as if there were so many times k seeds like those at hand: A and r_j are divided by it, A has
            times k - 1 df.

    Raises:
        ValueError: the data sets have unequal numbers of seeds.
    """
    J, k = len(studies), len(studies[0].per_seed)
    per_seed = np.array([np.mean(values) for values in zip(*(x.per_seed for x in studies), strict=True)])
    found = _floored(float(per_seed.var(ddof=1)) / k) / times if k > 1 else float("nan")
    raised = sum(study.ceiling_part for study in studies) / J**2 / times
    return _mean(studies, tuple(float(value) for value in per_seed), found, times * k - 1, raised)


def planned_study(
    seed_variance: float, group_variance: float, seeds: int, images: int, groups: int, ceiling: float = 0.0
) -> Study:
    """Return the study, about 0, that k seeds and G groups of test images would give on one data set, see `two_way`.

        A = seed_variance / k, raised by ceiling / k,    c = group_variance / G

    Args:
        seed_variance: variance of one seed's value on such test images.
        group_variance: variance of one group's part in the value, averaged over seeds.
        seeds: k, at least 2.
        images: test images.
        groups: G, at least 2.
        ceiling: what the variance of one seed's value is raised by near the ceiling.
    """
    A, c = seed_variance / seeds, group_variance / groups
    raised, plain_df, df = _raised(ceiling / seeds, (A, seeds - 1), (c, groups - 1))
    none = A + c + raised == 0
    return Study(0.0, (0.0,) * seeds, A + raised, c, df, images, groups, none, raised, plain_df)


def planned_mean_study(studies: Sequence[Study], seed_part: float | None = None) -> Study:
    """Return what `mean_study` would find in a run with this seed part, which has k - 1 df.

    Where none is given, seeds' effects are taken as independent between the data sets: sum A_j / J^2. Either way it is
    raised as those of the data sets are near the ceiling. What the studies have of single seeds is not asked for.
    """
    k, J = len(studies[0].per_seed), len(studies)
    raised = sum(study.ceiling_part for study in studies) / J**2
    found = sum(study.seed_part for study in studies) / J**2 - raised if seed_part is None else seed_part
    return _mean(studies, studies[0].per_seed, found, k - 1, raised)


def _mean(
    studies: Sequence[Study], per_seed: tuple[float, ...], found: float, seed_df: int, raised: float
) -> Study:
    """Return the mean of studies with a seed part that is known, and what it is raised by near the ceiling."""
    cases = [(study.case_part / len(studies) ** 2, study.n_groups - 1) for study in studies]
    raised, plain_df, df = _raised(raised, (found, seed_df), *cases)
    return Study(
        estimate=_rounded(float(np.mean([study.estimate for study in studies]))),
        per_seed=per_seed,
        seed_part=found + raised,
        case_part=sum(part for part, _ in cases),
        df=df,
        n_images=sum(study.n_images for study in studies),
        n_groups=sum(study.n_groups for study in studies),
        all_zero=all(study.all_zero for study in studies),
        ceiling_part=raised,
        plain_df=plain_df,
        cases_below_zero=all(study.cases_below_zero for study in studies),
    )


def unpaired_mean_study(studies: Sequence[Study]) -> Study:
    """Return `mean_study` as if a seed's effects were independent between the data sets.

    SE = sqrt(sum SE_j^2) / J, with the Welch-Satterthwaite df over the J data sets.
    """
    seed_part = sum(study.seed_part for study in studies) / len(studies) ** 2
    df = _satterthwaite([(study.se**2, study.df) for study in studies])
    return replace(mean_study(studies), seed_part=seed_part, df=df)


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
        ceiling_part=one.ceiling_part + other.ceiling_part,
        cases_below_zero=one.cases_below_zero and other.cases_below_zero,
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
    """Return a variance, or 0 where it is negative or no more than rounding; NaN stays."""
    return 0.0 if variance <= ROUNDING**2 else variance


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
