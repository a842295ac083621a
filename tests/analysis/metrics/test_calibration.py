import dataclasses

import numpy as np
import pytest
from drawn_predictions import drawn, two_class

from weckd.analysis.metrics.confidence import BINS, DRAWS, ece, ece_scaled, image_weights, reliability_curve
from weckd.analysis.metrics.scores import Predicted, Validation


def plain_ece(probabilities, y):
    """By hand: images that tie are made alike, then each stands 15 times, and n of these go into each bin."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    gap = (probabilities.argmax(axis=1) == y) - confidence
    alike = [gap[confidence == own].mean() for own in np.sort(confidence)]
    pieces = np.repeat(alike, 15)
    total = 0.0
    for bin_number in range(15):
        total += abs(pieces[bin_number * len(y) : (bin_number + 1) * len(y)].mean()) / 15
    return total


def test_a_bin_an_image():
    confidence = np.array([0.99, *np.arange(60, 74) / 100])
    right = np.arange(15) % 2 == 0
    expected = (0.01 + sum(abs(r - c) for r, c in zip(right[1:], confidence[1:], strict=True))) / 15
    assert ece(two_class(confidence, right)).values == pytest.approx([expected])


def test_two_images_a_bin_and_no_ties():
    confidence = 0.6 + np.arange(30) / 100
    right = np.arange(30) % 3 > 0
    gap = (right - confidence).reshape(15, 2).mean(axis=1)
    assert ece(two_class(confidence, right)).values == pytest.approx([np.abs(gap).mean()])


def test_an_image_at_a_cut_counts_in_both_bins():
    # Bins of 2/15 image: seven with a gap of .4, one of both images, seven with -.9.
    found = ece(two_class([0.6, 0.9], [True, False])).values
    assert found == pytest.approx([(7 * 2 * 0.4 + 0.5 + 7 * 2 * 0.9) / 30])


def test_ties_share_their_bins():
    assert ece(two_class([0.75, 0.75], [True, False])).values == pytest.approx([0.25])
    assert ece(two_class([0.75] * 4, [True, True, True, False])).values == pytest.approx([0])


@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_agrees_with_a_plain_loop(n_classes):
    predicted = drawn(n_classes)
    expected = [plain_ece(p, predicted.y) for p in predicted.probabilities]
    assert ece(predicted).values == pytest.approx(expected, rel=1e-9)


def test_the_case_part_is_the_error_in_draws_of_groups():
    predicted = drawn(3)
    scored = ece(predicted)
    assert (scored.cases.shape, scored.case_df) == ((3, DRAWS), 11)
    times = image_weights(predicted.groups)
    for draw in (0, 1, 199):
        images = np.repeat(np.arange(60), times[draw].astype(int))
        expected = [plain_ece(p[images], predicted.y[images]) for p in predicted.probabilities]
        assert scored.cases[:, draw] == pytest.approx(expected, rel=1e-9)


def test_seeds_and_methods_share_the_draws():
    predicted = drawn(3)
    one_method = dataclasses.replace(predicted, probabilities=predicted.probabilities[[0, 0, 1]])
    scored, other = ece(predicted), ece(one_method)
    assert other.cases.tolist() == scored.cases[[0, 0, 1]].tolist()


def test_scaled_by_each_seeds_own_validation_images():
    # At .9 and 3 of 4 right T is 2, which makes .9 into .75; T is 1 where 9 of 10 are right.
    test = np.tile(two_class([0.9] * 4, [True, True, True, False]).probabilities, (2, 1, 1))
    overconfident = Validation(test[0], np.zeros(4, dtype=np.int64))
    ten = two_class([0.9] * 10, [True] * 9 + [False])
    calibrated = Validation(ten.probabilities[0], ten.y)
    predicted = Predicted(test, np.zeros(4, dtype=np.int64), np.arange(4), (overconfident, calibrated))
    assert ece(predicted).values == pytest.approx([0.15, 0.15])
    assert ece_scaled(predicted).values == pytest.approx([0, 0.15], abs=1e-5)


def test_reliability_curve_of_one_seed():
    confidence = 0.6 + np.arange(30) / 100
    right = np.arange(30) % 3 > 0
    predicted = two_class(confidence, right)
    curve = reliability_curve(predicted.probabilities, predicted.y)
    assert curve.confidence == pytest.approx(0.605 + np.arange(15) / 50)
    assert curve.accuracy == pytest.approx(right.reshape(15, 2).mean(axis=1))
    assert curve.count == pytest.approx(np.full(15, 2))


def test_reliability_curve_is_what_the_error_compares():
    predicted = drawn(3, k=1)
    curve = reliability_curve(predicted.probabilities, predicted.y)
    assert ece(predicted).values == pytest.approx([np.abs(curve.accuracy - curve.confidence).mean()])
    assert curve.count == pytest.approx(np.full(BINS, 4))


def test_reliability_curve_pooled_over_seeds():
    predicted = drawn(3)
    curve = reliability_curve(predicted.probabilities, predicted.y)
    pooled = reliability_curve(predicted.probabilities.reshape(1, 180, 3), np.tile(predicted.y, 3))
    assert curve.count == pytest.approx(np.full(BINS, 12))
    assert curve.accuracy.tolist() == pooled.accuracy.tolist()
    right = (predicted.probabilities.argmax(axis=2) == predicted.y).mean()
    assert curve.accuracy.mean() == pytest.approx(right)
