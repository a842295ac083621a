"""Adjusted p values, by hand and against somebody else's."""

import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from weckd.analysis.inference.reader_study import adjust


def test_holm_and_benjamini_hochberg_by_hand():
    p = [0.01, 0.04, 0.03, math.nan]  # an undefined p counts among the four
    assert adjust(p, "holm") == pytest.approx([0.04, 0.09, 0.09, math.nan], nan_ok=True)
    assert adjust(p, "fdr_bh") == pytest.approx([0.04, 0.04 * 4 / 3, 0.04 * 4 / 3, math.nan], nan_ok=True)
    assert adjust([], "holm") == []


def test_fixed_sequence_by_hand():
    # The second is not rejected, so the third is not either, however small its own p.
    assert adjust([0.01, 0.06, 0.001], "fixed") == [0.01, 0.06, 0.06]
    assert adjust([math.nan, 0.001], "fixed") == pytest.approx([math.nan, 1.0], nan_ok=True)


@pytest.mark.parametrize("method", ["holm", "fdr_bh"])
@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_they_are_those_of_statsmodels(method, count):
    rng = np.random.default_rng(count)
    p = np.round(rng.uniform(size=count) ** 3, 2)  # with ties, zeros, and some that reach 1
    assert adjust(p.tolist(), method) == pytest.approx(multipletests(p, method=method)[1].tolist(), rel=1e-12)
