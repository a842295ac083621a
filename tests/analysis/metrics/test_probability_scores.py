import math

import numpy as np
import pytest
from drawn_predictions import certain, influence

from weckd.analysis.metrics.confidence import brier, nll
from weckd.analysis.metrics.scores import Predicted

PREDICTED = Predicted(
    np.array([[[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]]], dtype=np.float32),
    np.array([0, 2]),
    np.arange(2),
    (),
)


def test_brier():
    # 1/4 + 1/16 + 1/16 = 24/64 and 1/64 + 36/64 + 49/64 = 86/64.
    scored = brier(PREDICTED)
    assert scored.values == pytest.approx([55 / 64])
    assert influence(scored)[0] == pytest.approx([-31 / 128, 31 / 128])


def test_nll():
    scored = nll(PREDICTED)
    assert scored.values == pytest.approx([2 * math.log(2)])  # -log(1/2) and -log(1/8)
    assert influence(scored)[0] == pytest.approx([-math.log(2) / 2, math.log(2) / 2])


def test_a_probability_of_zero_counts_as_the_smallest_float():
    wrong = certain([[1, 0]], [0, 1])
    assert nll(wrong).values == pytest.approx([126 * math.log(2)])  # 2^-126
    assert brier(wrong).values.tolist() == [2]
