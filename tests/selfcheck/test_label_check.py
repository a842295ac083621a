import numpy as np
import pytest
from made_run import made_suite, random_right, write_made_run

from weckd.analysis.predictions import load_predictions
from weckd.selfcheck.of_run import label_check


def checked(folder, suite, right):
    write_made_run(folder, suite, {"set1": right})
    return label_check(suite, load_predictions(suite, folder / "predictions"))


def test_at_chance(tmp_path):
    draw = np.random.default_rng(5)
    right = (draw.random((10, 40)) < 0.5).astype(np.int64)
    outcome = checked(tmp_path, made_suite(("permuted",)), {"permuted": right})
    assert (outcome.check, outcome.outcome, outcome.source) == ("permuted at chance", "passed", "toy")
    assert outcome.value == pytest.approx((right[:, ::2].mean() + right[:, 1::2].mean()) / 2 - 0.5)
    assert outcome.low == -outcome.high < outcome.value < outcome.high
    assert outcome.note == "1 data set, 10 seeds"


def test_a_leak_fails(tmp_path):
    outcome = checked(tmp_path, made_suite(("permuted",)), {"permuted": random_right("leak")})
    assert outcome.outcome == "FAILED"
    assert outcome.value > outcome.high > 0


def test_not_run(tmp_path):
    outcome = checked(tmp_path / "a", made_suite(("single",)), {"single": random_right("single")})
    assert (outcome.outcome, outcome.note) == ("not run", "the suite has no method permuted")
    right = {"permuted": random_right("few", seeds=4)}
    outcome = checked(tmp_path / "b", made_suite(("permuted",), seeds=4), right)
    assert (outcome.outcome, outcome.note) == ("not run", "not decided (k < 5)")
