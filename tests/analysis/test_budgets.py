"""What each method was given, summed from manifests."""

import json
import math

import pytest
from small_suite import toy_suite

from weckd.analysis.budgets import budgets_frame, write_budgets


def fit(parts, steps, steps_run=None, status="finished"):
    run = steps if steps_run is None else steps_run
    return {"parts": parts, "steps": steps, "steps_run": run, "images": run * 16, "status": status}


def manifest(seeds, d3=10, m2=None):
    cell = {
        "fits": {
            "m1": fit(["D1"], 24),
            "m2": m2 or fit(["D2"], 24),
            "m3": fit(["D3"], 24),
            "p": fit(["D1", "D2", "D3"], 72),
            "o": fit(["D2", "D3"], 48),
        },
        "methods": {
            "weckd": {"fits": ["m1", "m2", "m3"], "labels": 12 + 11 + d3},
            "single": {"fits": ["m1"], "labels": 12},
            "pooled": {"fits": ["p"], "labels": 12 + 11 + d3},
            "one-step": {"fits": ["m1", "o"], "labels": 12 + 11 + d3},
            "majority": {"fits": [], "labels": 0},
        },
    }
    return {"seeds": {str(seed): cell for seed in seeds}}


@pytest.fixture
def folder(tmp_path):
    methods = ("weckd", "single", "pooled", "one-step", "majority", "full-converged")
    suite = toy_suite(methods=methods, datasets=("toy_three", "toy_two"))
    diverged = fit(["D2"], 24, steps_run=15, status="diverged")
    for dataset, content in (
        ("toy_three", manifest([1, 2, 3])),
        ("toy_two", manifest([1, 2, 3], d3=14, m2=diverged)),
    ):
        (tmp_path / dataset).mkdir()
        (tmp_path / dataset / "seeds1-3.json").write_text(json.dumps(content))
    (tmp_path / "toy_three" / "seeds4-5.json").write_text(json.dumps(manifest([4, 5])))
    return suite, tmp_path


def test_sums_are_those_of_the_fits(folder):
    suite, manifests = folder
    frame = budgets_frame(suite, manifests).set_index(["dataset", "method"])
    assert frame.loc[("toy_three", "weckd")].to_dict() == {
        **{
            "cells": 5,
            "fits": 3,
            "steps": 72,
            "steps_run": 72,
            "images": 72 * 16,
            "labels": 33,
            "diverged": 0,
        }
    }
    assert frame.loc[("toy_three", "pooled"), "labels"] == 33  # the same labels as the chain
    assert frame.loc[("toy_three", "one-step"), ["fits", "steps", "labels"]].tolist() == [2, 72, 33]
    assert frame.loc[("toy_three", "single"), ["fits", "steps", "labels"]].tolist() == [1, 24, 12]
    assert frame.loc[("toy_three", "majority"), ["fits", "steps", "labels"]].tolist() == [0, 0, 0]
    assert frame.loc[("toy_two", "weckd"), ["cells", "steps", "steps_run", "diverged"]].tolist() == [
        3,
        72,
        63,
        3,
    ]
    assert math.isnan(frame.loc[("toy_two", "full-converged"), "steps"])


def test_table_gives_ranges_and_names_what_is_missing(folder, tmp_path):
    suite, manifests = folder
    write_budgets(suite, manifests, tmp_path / "tables")
    text = (tmp_path / "tables" / "budgets.md").read_text()
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    assert rows == [
        ["method", "fits", "steps", "steps run", "images seen", "labels", "diverged fits"],
        ["weckd", "3", "72", "63 to 72", "1008 to 1152", "33 to 37", "3"],
        ["single", "1", "24", "24", "384", "12", "0"],
        ["pooled", "1", "72", "72", "1152", "33 to 37", "0"],
        ["one-step", "2", "72", "72", "1152", "33 to 37", "0"],
        ["majority", "0", "0", "0", "0", "0", "0"],
        ["full-converged", *["missing"] * 6],
    ]
    assert "Phantom images drawn by this suite" in text
