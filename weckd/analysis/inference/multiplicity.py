"""Corrections of p values for the number of tests in a family."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray


def adjust(p_values: Sequence[float], method: str) -> list[float]:
    """Return p adjusted by "holm", "fdr_bh" or "fixed"; an undefined p (NaN) counts as a hypothesis and stays NaN.

    "fixed": hypotheses are tested in their order, each at the full level, up to the first that is not rejected
    (Maurer, Hothorn & Lehmacher 1995), so that a p is adjusted to the largest up to its place.
    """
    if not p_values:
        return []
    known = np.asarray(p_values, dtype=np.float64)
    adjusted = _METHODS[method](np.where(np.isnan(known), 1.0, known))
    return [float(value) for value in np.where(np.isnan(known), np.nan, adjusted)]


def _holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Holm's adjusted p; statsmodels collects garbage each time, nearly 0.1 s, hundreds of times a run."""
    order = np.argsort(p_values)
    steps = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _benjamini_hochberg(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Imported here: it takes a second, and figures do without. It has no type stubs.
    from statsmodels.stats.multitest import fdrcorrection  # type: ignore[import-untyped] # noqa: PLC0415

    adjusted: NDArray[np.float64] = fdrcorrection(p_values)[1]
    return adjusted


_METHODS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "holm": _holm,
    "fdr_bh": _benjamini_hochberg,
    "fixed": np.maximum.accumulate,
}
