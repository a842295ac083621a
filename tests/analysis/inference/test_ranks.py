import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from weckd.analysis.inference.data_sets import rank_methods


def scores(rows, methods="abcd"):
    return pd.DataFrame(rows, columns=list(methods), index=[f"set {row}" for row in range(len(rows))])


CLEAR = scores([[0.9, 0.8, 0.7, 0.6], [0.8, 0.9, 0.6, 0.5], [0.9, 0.8, 0.5, 0.6], [0.7, 0.6, 0.5, 0.4]])


def test_mean_ranks_and_friedman_by_hand():
    found = rank_methods(CLEAR)
    assert (found.n_datasets, found.left_out) == (4, ())
    assert found.mean_ranks.to_dict() == {"a": 1.25, "b": 1.75, "c": 3.25, "d": 3.75}
    # 12 J / (M (M + 1)) * sum (R - (M + 1) / 2)^2 = 12 * 4 / 20 * (1.5625 + 0.5625) * 2
    chi2 = 12 * 4 / 20 * 2 * (1.25**2 + 0.75**2)
    assert found.friedman_p == pytest.approx(stats.chi2.sf(chi2, 3))


def test_nemenyi_by_its_formula():
    found = rank_methods(CLEAR).nemenyi_p
    assert list(found.index) == list(found.columns) == list("abcd")
    q = (3.75 - 1.25) / math.sqrt(4 * 5 / (6 * 4))
    assert found.loc["a", "d"] == pytest.approx(stats.studentized_range.sf(q * math.sqrt(2), 4, np.inf))
    assert found.loc["d", "a"] == found.loc["a", "d"] < 0.05 < found.loc["a", "b"]
    # Demsar 2006, table 5: q(.05) = 2.569 for four methods.
    at_the_critical_difference = stats.studentized_range.sf(2.569 * math.sqrt(2), 4, np.inf)
    assert at_the_critical_difference == pytest.approx(0.05, abs=1e-4)


def test_ties_share_their_mean_rank():
    found = rank_methods(scores([[0.9, 0.9, 0.1], [0.9, 0.5, 0.1]], "abc"))
    assert found.mean_ranks.to_dict() == {"a": 1.25, "b": 1.75, "c": 3.0}


def test_a_method_with_a_missing_value_is_named_and_not_ranked():
    gappy = CLEAR.copy()
    gappy.loc["set 2", "b"] = float("nan")
    found = rank_methods(gappy)
    assert found.left_out == ("b",)
    assert found.n_datasets == 4
    assert found.mean_ranks.to_dict() == {"a": 1.0, "c": 2.25, "d": 2.75}
    assert list(found.nemenyi_p.columns) == ["a", "c", "d"]


def test_methods_that_always_tie_have_no_friedman_p():
    found = rank_methods(scores([[0.5, 0.5, 0.5]] * 3, "abc"))
    assert math.isnan(found.friedman_p)
    assert found.mean_ranks.to_dict() == {"a": 2, "b": 2, "c": 2}


def test_too_few_for_a_test_is_not_a_number():
    two_methods = rank_methods(CLEAR[["a", "b"]])
    assert math.isnan(two_methods.friedman_p)
    assert two_methods.mean_ranks.to_dict() == {"a": 1.25, "b": 1.75}
    # With two methods Nemenyi's test is a z test of the mean ranks: z = 0.5 / sqrt(2 * 3 / (6 * 4)) = 1.
    assert two_methods.nemenyi_p.loc["a", "b"] == pytest.approx(2 * stats.norm.sf(1), rel=1e-6)
    for few in (CLEAR[:1], CLEAR[["a"]]):
        found = rank_methods(few)
        assert math.isnan(found.friedman_p)
        assert found.nemenyi_p.isna().all(axis=None)
        assert found.nemenyi_p.shape == (len(few.columns), len(few.columns))
