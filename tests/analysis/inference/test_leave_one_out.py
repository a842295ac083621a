import math

import pytest

from weckd.analysis.inference.data_sets import estimate_range, leave_one_out
from weckd.analysis.inference.reader_study import Study

A = Study(0.01, (0.0, 0.02), 1e-4, 2e-4, 3.0, 10, 5, all_zero=False)
B = Study(0.05, (0.04, 0.06), 1e-4, 0.0, 1.0, 20, 20, all_zero=False)
C = Study(-0.03, (-0.02, -0.04), 1e-4, 1e-4, 2.0, 30, 30, all_zero=False)


def test_hand_computed():
    left_out = leave_one_out({"a": A, "b": B, "c": C})
    assert list(left_out) == ["a", "b", "c"]
    assert [study.estimate for study in left_out.values()] == pytest.approx([0.01, -0.01, 0.03])
    assert [study.n_images for study in left_out.values()] == [50, 40, 30]
    without_c = left_out["c"]
    assert without_c.per_seed == pytest.approx((0.02, 0.04))
    # The means over a and b are 0.02 and 0.04: A = 1e-4 with 1 df, c = 2e-4 / 4 with 4.
    assert (without_c.seed_part, without_c.case_part) == pytest.approx((1e-4, 0.5e-4))
    assert without_c.df == pytest.approx(1.5**2 / (1 + 0.5**2 / 4))
    assert estimate_range(left_out) == pytest.approx((-0.01, 0.03))


def test_two_data_sets_leave_each_alone():
    left_out = leave_one_out({"a": A, "b": B})
    for key, alone in (("a", B), ("b", A)):
        assert (left_out[key].seed_part, left_out[key].case_part) == (
            pytest.approx(alone.seed_part),
            alone.case_part,
        )
        assert left_out[key].estimate == alone.estimate


def test_one_data_set_leaves_nothing():
    assert leave_one_out({"a": A}) == {}
    assert all(math.isnan(end) for end in estimate_range({}))
