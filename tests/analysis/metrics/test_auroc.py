import numpy as np
import pytest
from drawn_predictions import certain, influence

from weckd.analysis.metrics.scores import Predicted, macro_auroc


def test_hand_computed():
    # Class 1 at .5 and .75, class 0 at .25, .5 and .125: it wins 2.5 + 3 of 6 pairs; class 0's pairs are the same.
    second = np.array([0.5, 0.75, 0.25, 0.5, 0.125], dtype=np.float32)
    predicted = Predicted(
        np.stack([1 - second, second], axis=1)[None], np.array([1, 1, 0, 0, 0]), np.arange(5), ()
    )
    scored = macro_auroc(predicted)
    assert scored.values == pytest.approx([5.5 / 6])
    # Own pairs won, less the area: by two images of class 1, of three of class 0.
    won = np.array([2.5 / 3, 1, 1, 1.5 / 2, 1])
    assert influence(scored)[0] == pytest.approx((won - 5.5 / 6) / [2, 2, 3, 3, 3])


def test_equal_probabilities_are_chance():
    y = np.array([0, 1, 2, 2])
    scored = macro_auroc(Predicted(np.full((1, 4, 3), 1 / 3, dtype=np.float32), y, np.arange(4), ()))
    assert scored.values.tolist() == [0.5]
    assert np.abs(scored.cases).max() == 0


def test_all_right_and_all_wrong():
    assert macro_auroc(certain([[0, 0, 1], [1, 1, 0]], [0, 0, 1])).values.tolist() == [1, 0]
