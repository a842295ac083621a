"""What a design can find: the chance of each verdict at a true gain, by standard error and df; and the smallest p.

For power the estimate is taken as normal about the true gain, its squared standard error as a chi-squared over its df:
what the t test takes them for. A t test has no smallest p.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, stdtrit
from scipy.stats import chi2, nct, studentized_range

_POINTS = 2000
"""Of the distribution of the standard error, each of equal probability."""


class Chances(NamedTuple):
    """The chances of a test's two verdicts and of neither; their sum is 1."""

    above: float  # or within a margin
    neither: float
    below: float  # or outside


def chances(gain: float, se: float, df: float, alpha: float, null: float = 0.0) -> Chances:
    """Return the chances that a two-sided t test of estimate = null says above, nothing, or below.

    With T noncentral t of `df` and (gain - null) / se: P(T > t), the rest, P(T < -t), t = t(df, 1 - alpha/2). All but
    df and alpha in one unit; NaN where the standard error is 0 or not known.
    """
    if not se > 0:
        return Chances(*[float("nan")] * 3)
    t, off = float(stdtrit(df, 1 - alpha / 2)), (gain - null) / se
    above, below = float(nct.sf(t, df, off)), float(nct.sf(t, df, -off))
    return Chances(above, max(0.0, 1 - above - below), below)


def equivalence_chances(gain: float, se: float, df: float, alpha: float, margin: float) -> Chances:
    """Return the chances that the interval at 1 - alpha lies within -margin .. margin, or neither, or outside.

    Within: two one-sided tests, each at alpha/2, both reject. Given the standard error s that is found, the estimate
    must lie within margin - t s of 0; this is averaged over s. NaN as `chances`.
    """
    outside = chances(gain, se, df, alpha, margin).above + chances(gain, se, df, alpha, -margin).below
    if not se > 0:
        return Chances(outside, outside, outside)
    found = se * np.sqrt(chi2.ppf((np.arange(_POINTS) + 0.5) / _POINTS, df) / df)
    room = np.maximum(margin - stdtrit(df, 1 - alpha / 2) * found, 0.0)
    within = float(np.mean(ndtr((room - gain) / se) - ndtr((-room - gain) / se)))
    return Chances(within, max(0.0, 1 - within - outside), outside)


def smallest_rank_p(data_sets: int, methods: int) -> tuple[float, float]:
    """Return the smallest p of Friedman's test, and of Nemenyi's: where all data sets rank all methods alike.

    Friedman's statistic is then J (M - 1), on M - 1 df; the mean ranks of Nemenyi's best and worst are M - 1 apart.
    """
    apart = (methods - 1) / np.sqrt(methods * (methods + 1) / (12 * data_sets))
    return float(chi2.sf(data_sets * (methods - 1), methods - 1)), float(
        studentized_range.sf(apart, methods, np.inf)
    )


def smallest_drawn_p(draws: int, groups: int) -> tuple[float, float]:
    """Return the smallest p of the crossed bootstrap, and about that of the label permutation over G groups.

    Of p = 2 (b + 1) / (m + 1) and p = (b + 1) / (m + 1) with b = 0 of m draws; 2 of the 2^G ways to swap the groups'
    answers, none and all of them, are as far from 0 as what is observed.
    """
    return 2 / (draws + 1), max(1 / (draws + 1), 2.0 ** (1 - groups))


def fewest_discordant(alpha: float) -> int:
    """Return the fewest images, right with one of two models alone, of which McNemar's mid-p, 2^-m, is below alpha."""
    return int(np.floor(-np.log2(alpha))) + 1
