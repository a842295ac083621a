"""An estimate with its t interval and p."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from weckd.analysis.inference.reader_study import DIGITS, ROUNDING


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
    value = round(value, DIGITS) + 0.0  # as in reader_study: the same estimate, the same digits
    if not se > 0:
        return Estimate(value, se, df, value - se, value + se, p=float("nan"))
    half = float(stdtrit(df, (1 + level) / 2)) * se
    p = float(2 * stdtr(df, -abs(value - null) / se))
    return Estimate(value, se, df, value - half, value + half, p)


def mean_t(values: Sequence[float], level: float, null: float = 0.0) -> Estimate:
    """Return the one-sample t interval of the mean of n values, df n - 1; one value has no standard error."""
    x = np.asarray(values, dtype=np.float64)
    se = float(x.std(ddof=1) / np.sqrt(len(x))) if len(x) > 1 else float("nan")
    return t_estimate(float(x.mean()), 0.0 if se <= ROUNDING else se, len(x) - 1, level, null)
