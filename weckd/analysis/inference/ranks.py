"""Mean ranks of methods over data sets: a picture for the appendix, which decides nothing.

With six data sets these tests find only large differences, and they treat each data set's mean as known.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare


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
