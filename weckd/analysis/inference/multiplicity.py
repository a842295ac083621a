"""Corrections of p values for the number of tests in a family."""

from collections.abc import Sequence

import numpy as np


def adjust(p_values: Sequence[float], method: str) -> list[float]:
    """Return p adjusted by "holm", "fdr_bh" or "fixed"; an undefined p (NaN) counts as a hypothesis and stays NaN.

    "fixed": hypotheses are tested in their order, each at the full level, up to the first that is not rejected
    (Maurer, Hothorn & Lehmacher 1995), so that a p is adjusted to the largest up to its place.
    """
    # Imported here: it takes a second, and figures do without. It has no type stubs.
    from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped] # noqa: PLC0415

    if not p_values:
        return []
    known = np.asarray(p_values, dtype=np.float64)
    whole = np.where(np.isnan(known), 1.0, known)
    adjusted = np.maximum.accumulate(whole) if method == "fixed" else multipletests(whole, method=method)[1]
    return [float(value) for value in np.where(np.isnan(known), np.nan, adjusted)]
