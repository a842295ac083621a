"""Intervals of one network's scores over groups of test images, against the same by hand."""

import math

import numpy as np
import pytest

from weckd.analysis.metrics.scores import Predicted, accuracy
from weckd.models.folder import Score
from weckd.models.intervals import in_percent, one_network


def scored(right, groups):
    """Return the accuracy of one network on images that it gets right (1) or wrong (0)."""
    right = np.array(right)
    probabilities = np.stack([right, 1 - right], axis=1).astype(np.float32)[None]
    return one_network(accuracy(Predicted(probabilities, np.zeros(len(right), int), np.array(groups), ())))


def test_the_interval_is_students_over_groups_of_different_sizes():
    # Groups of 2, 1, 1, 2, 1, 1, 1 and 2 images; of each the sum of (right - 7/11), over 11.
    found = scored([1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0], [0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 7])
    residuals = np.array([8, -7, 4, -3, 4, -7, 4, -3]) / 121
    half = 2.3646242515927 * math.sqrt(8 / 7 * (residuals**2).sum())
    assert found.value == pytest.approx(7 / 11)
    assert (found.low, found.high) == pytest.approx((7 / 11 - half, 7 / 11 + half))


def test_it_is_cut_at_none_and_all():
    found = scored([1, 1, 1, 0], [0, 1, 2, 3])
    assert (found.value, found.high) == (0.75, 1.0)
    assert scored([0, 0, 0, 1], [0, 1, 2, 3]).low == 0.0


def test_where_all_are_right_or_wrong_the_bound_is_exact_for_as_many_images_as_groups():
    found = scored([1] * 20, list(range(10)) * 2)
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.6915029)  # Clopper and Pearson, 10 of 10
    found = scored([0] * 20, list(range(10)) * 2)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1 - 0.6915029)


def test_one_group_has_no_interval():
    assert scored([1, 0], [0, 0]) == Score(0.5, None, None)
    assert scored([1, 0, 1, 0], [0, 0, 1, 1]) == Score(0.5, None, None)  # nor do groups that say the same


def test_a_score_is_shown_in_percent():
    assert in_percent(Score(0.8125, 0.7, 0.9)) == "81.2 [70.0, 90.0]"
    assert in_percent(Score(0.5, None, None)) == "50.0 (no interval)"
