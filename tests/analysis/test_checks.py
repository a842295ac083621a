import dataclasses

import numpy as np
import pandas as pd
import pytest
from small_suite import toy_suite, write_scores

from weckd.analysis.predictions import load_predictions
from weckd.analysis.results import Results
from weckd.analysis.sheets.checks import checks_table, evaluate_checks
from weckd.run_files import RunFiles


def checks_of(tmp_path, right, methods):
    """Checks on one two-class data set of 40 images where each method has the scores given."""
    scores = {(name, 1): right[name] for name in methods}
    write_scores(tmp_path, "toy_two", scores, np.arange(40) % 2, np.arange(40), 2)
    suite = toy_suite(datasets=("toy_two",), methods=methods)
    run = Results(suite, load_predictions(suite, tmp_path), RunFiles(tmp_path))
    return checks_table(run).frame.set_index("subject")


def test_checks_find_a_leak_and_a_method_above_the_bar(tmp_path):
    draw = np.random.default_rng(3)
    right = {
        "permuted": (draw.random((5, 40)) < 0.9).astype(np.int64),
        "weckd": (draw.random((5, 40)) < 0.95).astype(np.int64),
        "single": (draw.random((5, 40)) < 0.6).astype(np.int64),
        "full-converged": (draw.random((5, 40)) < 0.6).astype(np.int64),
    }
    checks = checks_of(tmp_path, right, tuple(right))
    leak = checks[checks["check"] == "balanced accuracy minus chance, 0 inside the interval"].loc["permuted"]
    expected = 100 * np.mean([right["permuted"][:, c::2].mean() for c in (0, 1)]) - 50
    assert leak["value_pp"] == pytest.approx(expected)
    assert (leak["passed"], leak["level"]) == ("no", 0.99)
    assert leak["ci_low"] > 0
    bar = checks[checks["check"] == "not significantly above full-converged"]
    assert bar["passed"].to_dict() == {"permuted": "no", "weckd": "no", "single": "yes"}


def test_the_panel_may_be_above_the_bar(tmp_path):
    draw = np.random.default_rng(3)
    right = {
        "panel-resnet50-30": (draw.random((5, 40)) < 0.95).astype(np.int64),
        "weckd": (draw.random((5, 40)) < 0.8).astype(np.int64),
        "fixmatch": (draw.random((5, 40)) < 0.95).astype(np.int64),
        "full-converged": (draw.random((5, 40)) < 0.6).astype(np.int64),
    }
    methods = tuple(right)
    beside_panel = checks_of(tmp_path / "panel", right, methods)
    alone = checks_of(tmp_path / "alone", right, methods[1:])
    pd.testing.assert_frame_equal(beside_panel, alone)  # p are adjusted over the same two methods
    assert alone["passed"].to_dict() == {"permuted": "not run", "weckd": "yes", "fixmatch": "no"}


def test_checks_pass_at_chance_and_at_the_bar(tmp_path):
    draw = np.random.default_rng(4)
    constant = np.tile(np.arange(40) % 2, (5, 1))  # always class 1: exactly at chance, without variation
    same = (draw.random((5, 40)) < 0.8).astype(np.int64)
    right = {"permuted": constant, "weckd": same, "full-converged": same}
    checks = checks_of(tmp_path, right, tuple(right))
    assert checks["passed"].tolist() == ["yes", "yes", "yes"]
    assert checks["value_pp"].tolist()[0] == 0


def test_checks_say_why_they_cannot_be_decided(toy_folder):
    suite = toy_suite()
    loaded = load_predictions(suite, toy_folder / "predictions")
    passed = [check.passed for check in evaluate_checks(suite, loaded) if check.subject == "pooled"]
    assert passed == ["missing: toy_two seed 2 pooled diverged"]
    few = dataclasses.replace(suite, seeds=(1, 2))
    loaded = load_predictions(few, toy_folder / "predictions")
    passed = {check.passed for check in evaluate_checks(few, loaded) if check.subject != "pooled"}
    assert passed == {"not decided (k < 5)"}
    narrowed = toy_suite(methods=("weckd",), datasets=())
    checks = evaluate_checks(narrowed, load_predictions(narrowed, toy_folder / "predictions"))
    assert [(check.subject, check.passed) for check in checks] == [
        ("permuted", "not run"),
        ("every method", "not run"),
    ]
