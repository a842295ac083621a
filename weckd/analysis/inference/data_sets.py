"""Data sets as a sample: what a new one would show, whether one decides the mean, and ranks of methods over them.

What a new data set would show says nothing about the data sets at hand: that is `reader_study.mean_study`. Mean ranks
are a picture for the appendix, which decides nothing: with six data sets their tests find only large differences, and
they treat each data set's mean as known.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import friedmanchisquare

from weckd.analysis.inference.reader_study import (
    Estimate,
    Study,
    mean_study,
    mean_t,
    t_estimate,
    t_half_width,
)

NOT_KNOWN = float("nan")


@dataclass(frozen=True)
class NewDataSet:
    """The mean of the population of data sets in two ways, and what one more would show. Fractions."""

    n_datasets: int
    over_means: Estimate  # t over the data-set means
    random_effects: Estimate  # Paule-Mandel, modified Hartung-Knapp-Sidik-Jonkman interval
    tau2: float  # variance of the true values between data sets
    prediction_low: float  # interval for the true value in a new data set; NaN with fewer than three
    prediction_high: float
    measured_low: float  # interval for the value that a new data set's test would measure; NaN with one
    measured_high: float


def new_data_set(studies: Sequence[Study], level: float, null: float = 0.0) -> NewDataSet:
    """Return what J independent data sets say about a new one; J is at least 1.

    With y_j and v_j a data set's estimate and squared standard error:

        over_means       mean y_j -+ t(J-1) * sd(y_j) / sqrt(J)
        tau2             >= 0, solves sum_j w_j (y_j - m)^2 = J - 1 with w_j = 1 / (v_j + tau2),
                         m = sum w_j y_j / sum w_j; 0 where the sum is smaller already (Paule & Mandel 1982)
        random_effects   m -+ t(J-1) * SE, SE^2 = max(1, q) / sum w_j, q = sum w_j (y_j - m)^2 / (J - 1)
                         (Hartung & Knapp 2001; Sidik & Jonkman 2002; floor at 1: Roever, Knapp & Friede 2015)
        prediction       m -+ t(J-2) * sqrt(tau2 + SE^2) (Higgins, Thompson & Spiegelhalter 2009;
                         with this SE: Partlett & Riley 2017)
        measured         mean y_j -+ t(J-1) * sd(y_j) * sqrt(1 + 1/J), for y of a data set whose standard error
                         is like those at hand

    Paule-Mandel makes q = 1, or below where tau2 = 0, so that this floor makes the scale 1 in every case.

    Measured coverage of the 95 % intervals, 20,000 repetitions with tau of 0 to 4 points, standard errors of 0.5
    to 6: `prediction` .86 to 1.00 with five or six data sets (below .95 where tau2 is above 0, but is often
    estimated as 0), `measured` .92 to .95, and .96 to 1.00 for the true value.

    With one data set only the two means are known. Where nothing varies between the data sets, `over_means`
    and `measured` have no width and no p. Where a standard error is 0 or NaN, random effects and prediction are
    NaN: a data set on which nothing varied is not one that is known without error, yet would get all the weight.
    """
    values = np.array([study.estimate for study in studies])
    variances = np.array([study.se**2 for study in studies])
    random_effects, tau2 = _random_effects(values, variances, level, null)
    over_means = mean_t([study.estimate for study in studies], level, null)
    J = len(studies)
    half = t_half_width(math.sqrt(tau2 + random_effects.se**2), J - 2, level) if J > 2 else NOT_KNOWN
    measured_half = t_half_width(over_means.se, over_means.df, level) * math.sqrt(J + 1)
    return NewDataSet(
        n_datasets=J,
        over_means=over_means,
        random_effects=random_effects,
        tau2=tau2,
        prediction_low=random_effects.value - half,
        prediction_high=random_effects.value + half,
        measured_low=over_means.value - measured_half,
        measured_high=over_means.value + measured_half,
    )


def _random_effects(
    values: NDArray[np.float64], variances: NDArray[np.float64], level: float, null: float
) -> tuple[Estimate, float]:
    J = len(values)
    if J == 1:
        return t_estimate(float(values[0]), NOT_KNOWN, NOT_KNOWN, level, null), NOT_KNOWN
    if not (variances > 0).all():
        return t_estimate(NOT_KNOWN, NOT_KNOWN, NOT_KNOWN, level, null), NOT_KNOWN

    def mean_and_squares(tau2: float) -> tuple[float, float, float]:
        weights = 1 / (variances + tau2)
        mean = float(weights @ values / weights.sum())
        return mean, float(weights @ (values - mean) ** 2), float(weights.sum())

    tau2, highest = 0.0, float(((values - values.mean()) ** 2).sum()) / (J - 1)  # weights are below 1 / tau2
    if mean_and_squares(0.0)[1] > J - 1:
        tau2 = brentq(lambda x: mean_and_squares(x)[1] - (J - 1), 0.0, highest, xtol=1e-15 * highest)
    mean, squares, weight = mean_and_squares(tau2)
    return t_estimate(mean, math.sqrt(max(1.0, squares / (J - 1)) / weight), J - 1, level, null), tau2


def leave_one_out(studies: Mapping[str, Study]) -> dict[str, Study]:
    """Return for each data set the unweighted mean over the others; empty with one data set."""
    if len(studies) == 1:
        return {}
    return {
        left_out: mean_study([study for key, study in studies.items() if key != left_out])
        for left_out in studies
    }


def estimate_range(left_out: Mapping[str, Study]) -> tuple[float, float]:
    """Return the smallest and largest of the means of `leave_one_out`; NaN where there is none."""
    estimates = [study.estimate for study in left_out.values()] or [float("nan")]
    return min(estimates), max(estimates)


@dataclass(frozen=True)
class Ranks:
    """Ranks of M methods in J blocks (a block: one data set's seed means)."""

    n_datasets: int
    mean_ranks: pd.Series  # M values by method, 1 is best; ties share their mean rank
    friedman_p: float  # all methods rank alike; NaN below three methods or two data sets, or when all tie
    nemenyi_p: pd.DataFrame  # (M, M) by method, 1 on the diagonal; NaN below two methods or data sets
    left_out: tuple[str, ...]  # methods that lack a data set, so that they have no rank


def rank_methods(scores: pd.DataFrame) -> Ranks:
    """Rank the methods on each data set, more being better, and compare their mean ranks (Demsar 2006).

    Args:
        scores: J data sets (rows) by methods (columns), mean over seeds; NaN where a method has no value.

    Returns:
        The ranks among the methods that have every value; the others are named in `left_out`.
    """
    complete = scores.dropna(axis="columns")
    return Ranks(
        n_datasets=len(complete),
        mean_ranks=complete.rank(axis="columns", ascending=False).mean(),
        friedman_p=_friedman(complete),
        nemenyi_p=_nemenyi(complete),
        left_out=tuple(name for name in scores.columns if name not in complete.columns),
    )


def _friedman(scores: pd.DataFrame) -> float:
    n_datasets, n_methods = scores.shape
    tied = scores.nunique(axis="columns").eq(1).all()
    if n_datasets < 2 or n_methods < 3 or tied:
        return float("nan")
    return float(friedmanchisquare(*scores.to_numpy().T).pvalue)


def _nemenyi(scores: pd.DataFrame) -> pd.DataFrame:
    # Imported here: it loads the drawing libraries. It has no types.
    from scikit_posthocs import posthoc_nemenyi_friedman  # type: ignore[import-untyped] # noqa: PLC0415

    if min(scores.shape) < 2:
        return pd.DataFrame(np.nan, index=scores.columns, columns=scores.columns)
    p_values: pd.DataFrame = posthoc_nemenyi_friedman(scores)
    return p_values
