import numpy as np
import pytest
from drawn_predictions import derivative, influence, two_class

from weckd.analysis.metrics.confidence import accuracy_at_80


def weighted(confidence, right, weights):
    """Accuracy of the most confident 80 % of the weight, images that tie alike, by a plain loop."""
    left, found = 0.8 * weights.sum(), 0.0
    for own in np.unique(confidence)[::-1]:
        tied = confidence == own
        taken = min(left, weights[tied].sum())
        found += taken * np.average(right[tied], weights=weights[tied])
        left -= taken
    return found / (0.8 * weights.sum())


def test_leaves_out_the_fifth_with_the_least_confidence():
    confidence = np.array([0.55, 0.9, 0.8, 0.95, 0.7, 0.52, 0.85, 0.6, 0.75, 0.65])
    right = np.array([0, 1, 0, 1, 1, 1, 1, 1, 0, 1])
    assert accuracy_at_80(two_class(confidence, right)).values == pytest.approx([6 / 8])


def test_images_at_the_cut_count_by_their_share():
    # 80 % of six images are 4.8: three above .7 with two right, and 1.8 of the three at .7, one of them right.
    confidence, right = [0.9, 0.8, 0.75, 0.7, 0.7, 0.7], [1, 1, 0, 0, 1, 0]
    scored = accuracy_at_80(two_class(confidence, right))
    assert scored.values == pytest.approx([(2 + 1.8 / 3) / 4.8])


def test_influence_is_the_derivative_where_many_tie_at_the_cut():
    # Seven of twenty tie, from 5 % to 40 % of the images: the neighbours of the cut are these alone.
    confidence = np.concatenate([[0.55], np.full(7, 0.6), 0.7 + np.arange(12) / 50])
    right = np.array([0, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1])
    scored = accuracy_at_80(two_class(confidence, right))
    assert scored.values == pytest.approx([weighted(confidence, right, np.ones(20))])
    expected = derivative(lambda weights: weighted(confidence, right, weights), 20)
    assert influence(scored)[0] == pytest.approx(expected, rel=1e-6, abs=1e-10)


def test_accuracy_at_the_cut_is_that_of_its_neighbours():
    # Twenty images: the cut is between the 4th and the 5th, its neighbours are the 3rd to the 6th, three of them right.
    confidence = 0.55 + np.arange(20) / 50
    right = np.array([0, 0, 1, 0, 1, 1, 0, *([1] * 13)])
    scored = accuracy_at_80(two_class(confidence, right))
    assert scored.values == pytest.approx([15 / 16])
    covered = np.arange(20) >= 4
    expected = (covered * (right - 0.75) - 0.8 * (15 / 16 - 0.75)) / 16
    assert influence(scored)[0] == pytest.approx(expected)


def test_equal_confidence_is_plain_accuracy():
    scored = accuracy_at_80(two_class([0.75] * 4, [1, 1, 1, 0]))
    assert scored.values == pytest.approx([0.75])
    assert influence(scored)[0] == pytest.approx([1 / 16, 1 / 16, 1 / 16, -3 / 16])
