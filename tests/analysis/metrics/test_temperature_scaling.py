import math

import numpy as np
import pytest
from drawn_predictions import softmax, two_class

from weckd.analysis.metrics.confidence import all_right, scaled, temperatures
from weckd.analysis.metrics.scores import Validation
from weckd.seeds import generator


def validation(confidence, right):
    predicted = two_class(confidence, right)
    return Validation(predicted.probabilities[0], predicted.y)


def test_hand_computed():
    # sigmoid(log 9 / T) = 3/4 at T = log 9 / log 3; sigmoid(log 3 / T) = 9/10 at T = 1/2.
    found = temperatures(
        (
            validation([0.9] * 4, [True, True, True, False]),
            validation([0.75] * 10, [True] * 9 + [False]),
        )
    )
    assert found == pytest.approx([2, 0.5], rel=1e-5)


@pytest.mark.parametrize("known", [0.5, 1.0, 3.0])
def test_recovers_a_known_temperature(known):
    draw = generator("temperature test")
    logits = 2 * draw.normal(size=(20000, 4))
    y = (logits + draw.gumbel(size=logits.shape)).argmax(axis=1)  # labels from softmax(logits)
    found = temperatures((Validation(softmax(known * logits).astype(np.float32), y),))
    assert found == pytest.approx([known], rel=0.03)


def test_stays_within_its_bounds():
    # sigmoid(log(0.51 / 0.49) / T) = 0.999 at T = 0.0058.
    found = temperatures(
        (validation([0.51] * 1000, [True] * 999 + [False]), validation([0.99] * 3, [False] * 3))
    )
    assert found == pytest.approx([math.exp(-3), math.exp(3)], rel=1e-3)


def test_without_an_error_no_temperature_can_be_chosen():
    ones = validation([0.6] * 3, [True] * 3), validation([0.6] * 3, [True, True, False])
    assert [all_right(one) for one in ones] == [True, False]
    assert temperatures(ones)[0] == 0.5
    assert scaled(np.array([[[0.6, 0.4]]]), temperatures(ones[:1]))[0, 0, 0] == pytest.approx(0.36 / 0.52)


def test_a_probability_of_zero_for_a_label():
    found = temperatures((validation([1.0] * 4, [True, True, True, False]),))
    assert found == pytest.approx([math.exp(3)], rel=1e-3)  # 126 log 2 / log 3 = 79.5 would be best


def test_scaled():
    probabilities = np.array([[[0.9, 0.1]], [[0.9, 0.1]], [[1.0, 0.0]]], dtype=np.float32)
    found = scaled(probabilities, np.array([1.0, 2.0, 2.0]))
    assert found == pytest.approx(np.array([[[0.9, 0.1]], [[0.75, 0.25]], [[1, 2.0**-63]]]), rel=1e-6)
    assert found.dtype == np.float32
