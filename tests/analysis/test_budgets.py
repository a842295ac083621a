"""What each method was given, summed from manifests."""

import math

import pytest
from small_suite import every_block, toy_suite

from weckd.analysis.method_groups import method_groups
from weckd.analysis.results import Results
from weckd.analysis.sheets.inputs import budgets_frame, budgets_table, tuned_table
from weckd.manifests import TrainedCell, TrainedMethod, write_manifest
from weckd.run_files import RunFiles, batch_name
from weckd.tables.cells import Wording, cell_text
from weckd.tables.render import write_table_file


def read_from(suite, folder):
    """Return the results of a run of which only files are read."""
    return Results(suite, None, RunFiles(folder))


def fit(parts, steps, steps_run=None, status="finished", networks=1):
    run = steps if steps_run is None else steps_run
    images = run * 16 * networks
    return {
        **{"parts": parts, "steps": steps, "steps_run": run, "images": images},
        **{"status": status, "networks": networks},
    }


def write_chain(folder, dataset, seeds, d3=10, m2=None, tuning={}):  # noqa: B006 - not changed
    fits = {
        "m1": fit(["D1"], 24),
        "m2": m2 or fit(["D2"], 24),
        "m3": fit(["D3"], 24),
        "p": fit(["D1", "D2", "D3"], 72),
        "o": fit(["D2", "D3"], 48),
    }
    methods = {
        "weckd": TrainedMethod(12 + 11 + d3, ["m1", "m2", "m3"], [], tuning.get("weckd", {})),
        "single": TrainedMethod(12, ["m1"], [], tuning.get("single", {})),
        "pooled": TrainedMethod(12 + 11 + d3, ["p"], []),
        "one-step": TrainedMethod(12 + 11 + d3, ["m1", "o"], []),
        "majority": TrainedMethod(0, [], []),
    }
    write_cells(folder, dataset, seeds, fits, methods)


def write_cells(folder, dataset, seeds, fits, methods):
    cells = [TrainedCell(dataset, seed, 1, {}, {}, fits, methods) for seed in seeds]
    write_manifest(folder / dataset / f"{batch_name(seeds)}.json", cells)


@pytest.fixture
def folder(tmp_path):
    methods = ("weckd", "single", "pooled", "one-step", "majority", "full-converged")
    suite = toy_suite(methods=methods, datasets=("toy_three", "toy_two"))
    write_chain(tmp_path / "manifests", "toy_three", [1, 2, 3])
    write_chain(
        tmp_path / "manifests", "toy_two", [1, 2, 3], 14, m2=fit(["D2"], 24, steps_run=15, status="diverged")
    )
    write_chain(tmp_path / "manifests", "toy_three", [4, 5])
    return suite, tmp_path / "manifests"


HEADERS = [
    "method",
    "fits",
    "steps",
    "steps run",
    "deployed steps",
    "images seen",
    "labels",
    "tuning trials",
    "diverged fits",
]


def rows_of(text):
    """Return the rows of each table of a Markdown file, the header first, by title."""
    return {
        section.partition("\n")[0]: [
            [cell.strip() for cell in line.split("|")[1:-1]]
            for line in section.splitlines()
            if line.startswith("| ")
        ]
        for section in text.split("### ")[1:]
    }


def test_sums_are_those_of_the_fits(folder):
    suite, manifests = folder
    frame = budgets_frame(suite, manifests).set_index(["dataset", "method"])
    assert frame.loc[("toy_three", "weckd")].to_dict() == {
        **{
            "cells": 5,
            "fits": 3,
            "steps": 72,
            "steps_run": 72,
            "deployed_steps": 72,
            "predicting": 1,
            "images": 72 * 16,
            "labels": 33,
            "diverged": 0,
            "without_partner": 0,
            "tuning_trials": 0,
            "tuning_steps": 0,
            "tuning_images": 0,
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
    write_table_file(tmp_path / "tables", budgets_table(read_from(suite, manifests.parent)))
    text = (tmp_path / "tables" / "budgets.md").read_text()
    assert rows_of(text) == {
        "Budgets, labels of the chain, suite toy": [
            HEADERS,
            ["weckd", "3", "72", "63 to 72", "72", "1008 to 1152", "33 to 37", "0", "3"],
            ["single", "1", "24", "24", "24", "384", "12", "0", "0"],
            ["pooled", "1", "72", "72", "72", "1152", "33 to 37", "0", "0"],
            ["one-step", "2", "72", "72", "72", "1152", "33 to 37", "0", "0"],
        ],
        "Budgets, bars and checks, suite toy": [
            HEADERS,
            ["majority", "0", "0", "0", "0", "0", "0", "0", "0"],
            ["full-converged", *["missing"] * 8],
        ],
    }
    assert text.count("- These methods learn from the labelled") == 1
    assert text.count("- Validation labels are used by no method.\n") == 2
    assert "Phantom images drawn by this suite" in text


@pytest.fixture
def tuned_folder(tmp_path):
    """Two data sets whose trials cost differently; the bar has no manifest, the floor nothing to tune."""
    for dataset, steps in (("toy_three", 1152), ("toy_two", 1200)):
        cost = {"trials": 16, "steps": steps, "images": 16 * steps, "values": {}, "seeds": [1001, 1002]}
        single = {"trials": 16, "steps": 384, "images": 6144, "values": {}, "seeds": [1001, 1002]}
        fits = {"m1": fit(["D1"], 24), "p": fit(["D1", "D2", "D3"], 72)}
        methods = {
            "single": TrainedMethod(12, ["m1"], [], single),
            "fixmatch": TrainedMethod(33, ["p"], [], cost),
            "majority": TrainedMethod(0, [], []),
        }
        write_cells(tmp_path / "manifests", dataset, [1, 2], fits, methods)
    return every_block(methods=("single", "fixmatch", "majority", "full-converged")), tmp_path / "manifests"


def test_tuning_is_counted_beside_the_run(tuned_folder):
    suite, manifests = tuned_folder
    frame = budgets_frame(suite, manifests).set_index(["dataset", "method"])
    columns = ["steps", "tuning_trials", "tuning_steps", "tuning_images"]
    assert frame.columns[-3:].tolist() == columns[1:]
    assert frame.loc[("toy_three", "fixmatch"), columns].tolist() == [72, 16, 1152, 18432]
    assert frame.loc[("toy_two", "fixmatch"), columns].tolist() == [72, 16, 1200, 19200]
    assert frame.loc[("toy_two", "single"), columns].tolist() == [24, 16, 384, 6144]
    assert frame.loc[("toy_two", "majority"), columns].tolist() == [0, 0, 0, 0]
    assert frame.loc[("toy_two", "full-converged"), columns].isna().all()


def test_captions_say_what_tuning_cost(tuned_folder, tmp_path):
    suite, manifests = tuned_folder
    write_table_file(tmp_path / "tables", budgets_table(read_from(suite, manifests.parent)))
    text = (tmp_path / "tables" / "budgets.md").read_text()
    assert rows_of(text) == {
        "Budgets, labels of the chain, suite toy": [
            HEADERS,
            ["single", "1", "24", "24", "24", "384", "12", "16", "0"],
        ],
        "Budgets, with unlabelled images, suite toy": [
            HEADERS,
            ["fixmatch", "1", "72", "72", "72", "1152", "33", "16", "0"],
        ],
        "Budgets, bars and checks, suite toy": [
            HEADERS,
            ["majority", "0", "0", "0", "0", "0", "0", "0", "0"],
            ["full-converged", *["missing"] * 8],
        ],
    }
    below = [section.strip().split("\n\n")[3] for section in text.split("### ")[1:]]
    where = "validation images of seed 1001, the committed settings and the 3 best others also on seed 1002."
    cost = f"images a method and data set, and are scored on {where}"
    notes = [block.note for block in method_groups(suite)]
    columns = "- Columns: docs/reading-the-tables.md."
    assert below == [
        f"- {notes[0]}\n- tuning trials cost 384 steps and 6144 {cost}\n{columns}",
        f"- {notes[1]}\n- tuning trials cost 1152 to 1200 steps and 18432 to 19200 {cost}\n{columns}",
        f"- {notes[2]}\n{columns}",
    ]


def test_steps_of_networks_that_are_trained_side_by_side_are_counted_for_each(tmp_path):
    suite = toy_suite(methods=("mutual",), datasets=("toy_three",), seeds=(1,), roles={"mutual": "rival"})
    fits = {"m": fit(["D1"], 36, networks=2)}
    write_cells(tmp_path, "toy_three", [1], fits, {"mutual": TrainedMethod(12, ["m"], [])})
    row = budgets_frame(suite, tmp_path).iloc[0]
    assert row[["fits", "steps", "steps_run", "images"]].tolist() == [1, 72, 72, 36 * 16 * 2]


def test_steps_in_the_weights_that_predict_and_what_is_outside_the_equal_budget_are_said(tmp_path):
    names = ("weckd", "ensemble", "snapshot", "start=fresh", "chain-fresh-long", "chain-shuffled", "length=1")
    suite = toy_suite(
        methods=names, datasets=("toy_three", "toy_two"), seeds=(1,), roles=dict.fromkeys(names, "control")
    )
    for dataset, alone in (("toy_three", 2), ("toy_two", 0)):
        fits = {"m1": fit(["D1"], 24), "m2": {**fit(["D2"], 24), "without_partner": alone}}
        fits["m3"] = {**fit(["D3"], 24), "without_partner": 1 if alone else 0}
        methods = {
            name: TrainedMethod(33, ["m1", "m2", "m3"] if name == "chain-shuffled" else ["m1"], [])
            for name in names
        }
        write_cells(tmp_path / "manifests", dataset, [1], fits, methods)
    write_table_file(tmp_path / "tables", budgets_table(read_from(suite, tmp_path)))
    text = (tmp_path / "tables" / "budgets.md").read_text()
    [(header, *rows)] = rows_of(text).values()
    column = header.index("deployed steps")
    assert {row[0]: row[column] for row in rows} == {
        "weckd": "72",
        "ensemble": "24 (3 networks)",
        "snapshot": "72 (3 networks)",
        "start=fresh": "24",
        "chain-fresh-long": "72",
        "chain-shuffled": "72",
        "length=1": "24",
    }
    assert (
        "other methods have tables of their own. More steps than the equal budget of 72: chain-fresh-long 120.\n"
        in text
    )
    assert (
        "- chain-shuffled: alone in their class and subset, so that the teacher is shown them and no other: "
        "3 images a seed on toy_three.\n" in text
    )


def test_tuned_settings_are_those_of_the_manifests(tmp_path):
    suite = every_block(methods=("weckd", "fixmatch", "single"))
    for dataset, rate in (("toy_three", 0.000359), ("toy_two", 0.004)):
        tuning = {
            "weckd": {"trials": 16, "values": {"learning_rate": rate, "alpha": 0.725}},
            "single": {"trials": 16, "values": {"learning_rate": 0.002}},
        }
        write_chain(tmp_path / "manifests", dataset, [1, 2], tuning=tuning)
    file = tuned_table(read_from(suite, tmp_path))
    [table] = file.tables
    assert [[cell_text(cell, Wording()) for cell in row] for row in table.cells.to_numpy()] == [
        ["toy_three", "weckd", "0.72", "0.00036"],
        ["toy_three", "single", "-", "0.002"],
        ["toy_two", "weckd", "0.72", "0.004"],
        ["toy_two", "single", "-", "0.002"],
    ]
    assert list(table.cells.columns) == ["data set", "method", "alpha", "learning rate"]
    assert (
        "Committed settings, the first trial of each search: learning rate 0.004, alpha 0.5, beta 1, "
        "temperature from 4 to 1, or 4 where it is constant. -: the method has no such setting."
        in table.notes
    )
    assert file.frame["value"].tolist() == [0.725, 0.000359, 0.002, 0.725, 0.004, 0.002]


def test_without_tuning_no_setting_was_chosen(folder):
    suite, manifests = folder
    file = tuned_table(read_from(suite, manifests.parent))
    assert file.frame.empty
    assert "No method is tuned: committed settings." in file.tables[0].notes
