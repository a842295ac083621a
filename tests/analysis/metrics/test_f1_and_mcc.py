import numpy as np
import pytest
from drawn_predictions import certain, influence

from weckd.analysis.metrics.scores import CLASS_SCORES, f1, macro_f1, mcc, precision, recall

# Seed 1: class 0 has 2 of 3, class 1 has 1 of 2, class 2 has 1 of 1; predicted 3, 2, 1 times with 2, 1, 1 right.
# Seed 2 predicts class 0 alone.
Y = [0, 0, 0, 1, 1, 2]
CLASSES = [[0, 0, 1, 1, 0, 2], [0, 0, 0, 0, 0, 0]]
GROUPS = [0, 0, 1, 1, 2, 2]


def test_scores_of_a_class():
    predicted = certain(CLASSES, Y, GROUPS)
    found = [[score(predicted, label) for score in (recall, precision, f1)] for label in range(3)]
    scores = np.array([[score.values for score in of_class] for of_class in found])  # (C, 3, k)
    first = [[2 / 3, 2 / 3, 2 / 3], [1 / 2, 1 / 2, 1 / 2], [1, 1, 1]]
    second = [[1, 1 / 2, 2 / 3], [0, 0, 0], [0, 0, 0]]
    assert scores == pytest.approx(np.stack([first, second], axis=2))
    # Recall of class 0, seed 1: influence 1/9, 1/9, -2/9 of its images, in groups 0, 0, 1.
    assert found[0][0].cases[0] == pytest.approx(np.sqrt(3) * np.array([2 / 9, -2 / 9, 0]))
    assert found[0][0].case_df == 2


def test_a_class_that_is_never_predicted_has_no_influence():
    for label in (1, 2):
        for score in CLASS_SCORES.values():
            scored = score(certain(CLASSES, Y), label)
            assert (scored.values[1], np.abs(scored.cases[1]).max()) == (0, 0)


def test_macro_f1():
    scored = macro_f1(certain(CLASSES, Y))
    assert scored.values == pytest.approx([(2 / 3 + 1 / 2 + 1) / 3, 2 / 9])
    # Seed 2, class 0: F1 = 2 * 3 / (6 + 3). An image of it adds (2 - 2 * 2/3) / 9, another (0 - 2/3) / 9.
    assert influence(scored)[1] == pytest.approx(np.array([2, 2, 2, -2, -2, -2]) / 81)


def test_mcc():
    # c = 4, n = 6, p.t = 9 + 4 + 1: (24 - 14) / (36 - 14).
    scored = mcc(certain(CLASSES, Y))
    assert scored.values == pytest.approx([10 / 22, 0])
    assert np.abs(scored.cases[0]).max() > 0.1
    assert np.abs(scored.cases[1]).max() == 0


def test_mcc_of_two_classes():
    # 3 true positives, 1 false negative, 2 false positives, 4 true negatives: (12 - 2) / sqrt(5 * 4 * 6 * 5).
    scored = mcc(certain([[1, 1, 1, 0, 1, 1, 0, 0, 0, 0]], [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]))
    assert scored.values == pytest.approx([10 / np.sqrt(600)])


def test_all_right():
    for metric in (macro_f1, mcc):
        scored = metric(certain([Y], Y))
        assert scored.values == pytest.approx([1])
        assert np.abs(scored.cases).max() < 1e-12
