"""The curves' table and figure, on scores whose gains are known by hand, with labels and steps from manifests."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_suite import ROLES, toy_suite, with_plan, write_scores

from weckd.analysis.curves import NO_POINTS, curve_points, curves_figure, curves_table
from weckd.analysis.figures.style import styled
from weckd.analysis.predictions import load_predictions
from weckd.analysis.results import Results
from weckd.config import SplitSettings
from weckd.manifests import TrainedCell, TrainedMethod, write_manifest
from weckd.run_files import RunFiles, batch_name
from weckd.tables.render import write_table_file

# Right answers among 40 images of each of five seeds, each image a group of its own: the chain, pooled.
RIGHT = {"": (28, 30), "-15": (22, 18), "-60": (30, 34), "-90": (34, 36), "-x3": (31, 29), "-x5": (30, 30)}
LABELS = {"": 30, "-15": 16, "-60": 60, "-90": 90, "-x3": 30, "-x5": 30}
STEPS = {"": 72, "-15": 72, "-60": 72, "-90": 72, "-x3": 216, "-x5": 360}
METHODS = ("single", *(f"{base}{point}" for point in RIGHT for base in ("weckd", "pooled")))


def scores(right, lapse):
    """Return correctness (seed, image): the first images are right; each seed lacks one, and has another beyond."""
    table = np.zeros((5, 40), dtype=np.int64)
    for seed in range(5):
        table[seed, :right] = 1
        table[seed, (seed * lapse) % right] = 0
        table[seed, right + seed % (40 - right)] = 1
    return table


def results_of(folder, methods=METHODS, missing=()):
    """Write and return a run of one data set whose points are those of the methods."""
    suite = toy_suite(
        methods=methods,
        datasets=("toy_two",),
        run="toy-curves",
        split=SplitSettings(2025, stages=9, halves=True),
        roles={name: "curve" if "-" in name else ROLES[name] for name in methods},
    )
    suite = with_plan(suite, families=(), claims=())
    table = {("single", 1): scores(20, 1)}
    for point, (chain, pooled) in RIGHT.items():
        table[f"weckd{point}", 3] = scores(chain, 1)
        table |= {(f"weckd{point}", stage): scores(20 + stage, 1) for stage in (1, 2)}
        table[f"pooled{point}", 1] = scores(pooled, 3)
    table = {cell: right for cell, right in table.items() if cell[0] in set(methods) - set(missing)}
    write_scores(folder / "predictions", "toy_two", table, np.arange(40) % 2, np.arange(40), 2)
    given = {"steps_run": 1, "images": 1, "status": "finished", "networks": 1}
    fits = {point: {**given, "steps": steps} for point, steps in STEPS.items()}
    trained = {name: ("" if name in ("weckd", "pooled") else name[name.index("-") :]) for name in methods[1:]}
    cells = [
        TrainedCell(
            "toy_two",
            seed,
            1,
            {},
            {},
            fits,
            {name: TrainedMethod(LABELS[point], [point], []) for name, point in trained.items()},
        )
        for seed in suite.seeds
    ]
    write_manifest(folder / "manifests" / "toy_two" / f"{batch_name(suite.seeds)}.json", cells)
    return Results(suite, load_predictions(suite, folder / "predictions"), RunFiles(folder))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return results_of(tmp_path_factory.mktemp("curves"))


def test_each_point_is_the_chain_and_pooled_there_and_what_the_one_gains(run):
    points = curve_points(run)
    assert [(point.name, *point.methods) for point in points] == [
        ("15 %, S", "weckd-15", "pooled-15"),
        ("30 %, S", "weckd", "pooled"),
        ("60 %, S", "weckd-60", "pooled-60"),
        ("90 %, S", "weckd-90", "pooled-90"),
        ("30 %, 3 S", "weckd-x3", "pooled-x3"),
        ("30 %, 5 S", "weckd-x5", "pooled-x5"),
    ]
    gains = [point.gain["toy_two"].value for point in points]
    # 22 - 18, 28 - 30, 30 - 34, 34 - 36, 31 - 29 and 30 - 30 of 40 images
    assert gains == pytest.approx([10.0, -5.0, -10.0, -5.0, 5.0, 0.0])
    levels = [[of["toy_two"].value for of in point.levels] for point in points]
    assert levels[0] == pytest.approx([55.0, 45.0])
    assert levels[5] == pytest.approx([75.0, 75.0])


def test_the_interval_is_that_of_the_two_way_test_over_seeds_and_groups(run):
    found = next(point for point in curve_points(run) if point.factor == 1 and point.labels == 60).gain[
        "toy_two"
    ]
    gain = (scores(30, 1) - scores(34, 3)).astype(float)  # (seed, image)
    of_seed = gain.mean(axis=1)
    seeds = of_seed.var(ddof=1) / 5
    covariance = np.cov(gain)
    images = max(0.0, covariance[~np.eye(5, dtype=bool)].mean() / 40)
    error = np.sqrt(seeds + images)
    df = error**4 / (seeds**2 / 4 + images**2 / 39)
    half = 100 * error * stats.t.ppf(0.975, df)
    assert (found.low, found.high) == pytest.approx((-10 - half, -10 + half))


def test_the_table_has_labels_and_steps_of_both_and_says_where_the_gain_has_a_side(run, tmp_path):
    write_table_file(tmp_path, curves_table(run))
    text = (tmp_path / "curves.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"]
    assert rows[0] == ["point", "labels", "steps", "weckd", "pooled", "gain, toy_two"]
    assert [row[:3] for row in rows[2:]] == [
        ["15 %, S", "16", "72"],
        ["30 %, S", "30", "72"],
        ["60 %, S", "60", "72"],
        ["90 %, S", "90", "72"],
        ["30 %, 3 S", "30", "216"],
        ["30 %, 5 S", "30", "360"],
    ]
    frame = pd.read_csv(tmp_path / "curves.csv")
    assert (frame["weckd_labels"] == frame["pooled_labels"]).all()
    assert (frame["weckd_steps"] == frame["pooled_steps"]).all()
    sides = {name: (frame[frame["point"] == name][["ci_low", "ci_high"]].iloc[0]) for name in frame["point"]}
    above = [name for name, interval in sides.items() if interval["ci_low"] > 0]
    below = [name for name, interval in sides.items() if interval["ci_high"] < 0]
    assert (above, below) == (["15 %, S", "30 %, 3 S"], ["30 %, S", "60 %, S", "90 %, S"])
    assert (
        "Of 6 points, the gain's interval on toy_two lies above 0 at 2 (15 %, S; 30 %, 3 S) and below 0 at 3 "
        "(30 %, S; 60 %, S; 90 %, S)."
    ) in text
    assert "Exploratory. toy_two: n = 40 test images in 40 groups; k = 5 seeds." in text
    assert "unadjusted 95 % intervals; nothing is tested." in text


def test_the_figure_draws_both_against_labels_and_against_steps(run):
    with styled():
        left, right = curves_figure(run).axes
    drawn = {
        name: [(container.get_label(), container.lines[0].get_ydata()) for container in axis.containers]
        for name, axis in (("left", left), ("right", right))
    }
    assert drawn["left"] == [
        ("pooled", pytest.approx([45.0, 75.0, 85.0, 90.0])),
        ("weckd", pytest.approx([55.0, 70.0, 75.0, 85.0])),
    ]
    assert drawn["right"] == [
        ("pooled", pytest.approx([75.0, 72.5, 75.0])),
        ("weckd", pytest.approx([70.0, 77.5, 75.0])),
    ]
    assert [label.get_text() for label in left.get_xticklabels()] == ["15", "30", "60", "90"]
    assert [label.get_text() for label in right.get_xticklabels()] == ["1", "3", "5"]
    assert [text.get_text() for text in left.texts] == ["gain", "+10.0", "-5.0", "-10.0", "-5.0"]
    assert [text.get_text() for text in right.texts] == ["gain", "-5.0", "+5.0", "+0.0"]


def test_a_point_that_is_missing_is_printed_and_drawn_as_missing(tmp_path):
    run = results_of(tmp_path, missing=("pooled-60",))
    write_table_file(tmp_path, curves_table(run))
    text = (tmp_path / "curves.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| 60 %"))
    assert [cell.strip() for cell in row.split("|")[-3:-1]] == ["missing", "missing"]
    assert "MISSING: " in text
    with styled():
        left, _ = curves_figure(run).axes
    assert [text.get_text() for text in left.texts] == ["gain", "+10.0", "-5.0", "missing", "-5.0"]
    assert len(left.containers[0].lines[0].get_ydata()) == 3


def test_a_run_without_points_says_what_would_fill_it(tmp_path):
    run = results_of(
        tmp_path, methods=("single", "weckd", "pooled", "weckd-60")
    )  # of which pooled is not there
    assert curve_points(run) == ()
    write_table_file(tmp_path, curves_table(run))
    assert NO_POINTS in (tmp_path / "curves.md").read_text(encoding="utf-8")
    assert curves_figure(run).get_label() == NO_POINTS
