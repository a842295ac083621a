import dataclasses
import math

import pytest
from scipy import stats

from weckd.analysis.inference.reader_study import Estimate, mean_t, t_estimate


def test_t_interval_by_hand():
    found = t_estimate(0.05, 0.02, 4, 0.95)
    assert (found.low, found.high) == pytest.approx((0.05 - 2.776445 * 0.02, 0.05 + 2.776445 * 0.02))
    assert found.p == pytest.approx(2 * stats.t.sf(2.5, 4))
    assert t_estimate(0.05, 0.02, 4, 0.95, null=-0.03).p == pytest.approx(2 * stats.t.sf(4, 4))
    assert t_estimate(0.05, 0.02, 4, 0.95, null=0.13).p == pytest.approx(2 * stats.t.sf(4, 4))


@pytest.mark.parametrize("null", [0.0, -0.02])
def test_mean_t_is_scipys_one_sample_t(null):
    values = [0.01, 0.05, -0.02, 0.04, 0.06, 0.015]
    found, expected = mean_t(values, 0.9, null), stats.ttest_1samp(values, null)
    interval = expected.confidence_interval(0.9)
    assert dataclasses.astuple(found) == pytest.approx(
        (sum(values) / 6, stats.sem(values), 5, interval.low, interval.high, expected.pvalue)
    )


def test_the_p_of_the_interval_s_end_is_its_level():
    found = mean_t([0.01, 0.05, -0.02], 0.95)
    assert t_estimate(found.value, found.se, found.df, 0.95, null=found.low).p == pytest.approx(0.05)


def test_equal_values_have_no_width_and_no_p():
    found = mean_t([0.1, 0.1, 0.1], 0.95)  # their mean as floats is not 0.1
    assert (found.value, found.se, found.low, found.high) == (0.1, 0, 0.1, 0.1)
    assert math.isnan(found.p)


def test_one_value_has_no_interval():
    found = mean_t([0.1], 0.95)
    assert (found.value, found.df) == (0.1, 0)
    assert all(math.isnan(number) for number in (found.se, found.low, found.high, found.p))


def test_the_mean_is_without_the_rounding_of_its_sum():
    assert mean_t([0.2, 0.2, 0.1, -0.5], 0.95).value == 0
    assert isinstance(mean_t([0.2, 0.1], 0.95), Estimate)
