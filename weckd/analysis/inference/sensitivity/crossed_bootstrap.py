"""Bootstrap of the mean difference that draws seeds and groups, each with replacement."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from weckd.analysis.inference.reader_study import ROUNDING
from weckd.analysis.inference.sensitivity.paired import Paired
from weckd.seeds import generator

DRAWS = 2000


def crossed_bootstrap(pairs: Mapping[str, Paired]) -> NDArray[np.float64]:
    """Return the mean over data sets in each draw, (DRAWS,) (Owen 2007, "pigeonhole" bootstrap).

    A draw takes k of a data set's k seeds and G of its G groups, crosses them, and averages over the images so
    drawn. The draws depend on the data set's key, k and G alone: all claims share them. They are NaN where a
    data set has one seed or one group, because the bootstrap would take that part of the variance for 0.
    """
    means: NDArray[np.float64] = np.mean([_draws(key, paired) for key, paired in pairs.items()], axis=0)
    return means


def percentile(draws: NDArray[np.float64], level: float, null: float = 0.0) -> tuple[float, float, float]:
    """Return the percentile interval, and p = 2 min(#{draws <= null} + 1, #{draws >= null} + 1) / (m + 1).

    p is at most 1, and NaN where the draws do not vary.
    """
    low, high = (float(value) for value in np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]))
    if not np.ptp(draws) > ROUNDING:
        return low, high, float("nan")
    beyond = min((draws <= null).sum(), (draws >= null).sum())
    return low, high, min(1.0, float(2 * (beyond + 1) / (len(draws) + 1)))


def _draws(key: str, paired: Paired) -> NDArray[np.float64]:
    if not paired.crossed:
        return np.full(DRAWS, np.nan)
    random = generator("crossed bootstrap", key)
    k, G = paired.group_sums.shape
    means = np.empty(DRAWS)
    for draw in range(DRAWS):
        seeds = np.bincount(random.integers(k, size=k), minlength=k)
        groups = np.bincount(random.integers(G, size=G), minlength=G)
        means[draw] = seeds @ paired.group_sums @ groups / (k * (paired.group_sizes @ groups))
    return means
