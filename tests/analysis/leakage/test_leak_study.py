"""The leak study on correctness tables whose accuracies and gains are known by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_suite import cell_frame, toy_suite, with_plan, write_cell, write_scores

from weckd.analysis.inference.reader_study import difference, two_way
from weckd.analysis.leakage import copied_images, leakage_figure, leaks, write_leakage
from weckd.analysis.metrics.scores import Scored, mean_score
from weckd.analysis.predictions import load_predictions
from weckd.config import SplitSettings
from weckd.errors import UserError

METHODS = ("weckd", "single", "permuted")
COPIED = 16  # the first of 40 official test images, in eight pairs, have a copy in training
# Right answers of each of five seeds: among the images with a copy, among those without, and on the grouped part.
RIGHT = {"weckd": (14, 12, 20), "single": (8, 10, 18), "permuted": (8, 12, 20)}
GROUPED = with_plan(toy_suite(datasets=("toy_two",), methods=METHODS, run="toy"), families=(), claims=())
OFFICIAL = replace(GROUPED, run="toy-official", split=SplitSettings(2025, protocol="official"))


def official_scores(with_copy, without):
    """Return correctness (seed, image): every seed's own images are right, as many as asked in each half."""
    table = np.zeros((5, 40), dtype=np.int64)
    for seed in range(5):
        table[seed, (np.arange(with_copy) + seed) % COPIED] = 1
        table[seed, COPIED + (np.arange(without) + seed) % (40 - COPIED)] = 1
    return table


def grouped_scores(right):
    table = np.zeros((5, 40), dtype=np.int64)
    for seed in range(5):
        table[seed, (np.arange(right) + seed) % 40] = 1
    return table


def write_official(folder, scores):
    y = np.arange(40) % 2
    groups = np.where(np.arange(40) < COPIED, np.arange(40) // 2, np.arange(40))
    for seed in range(1, 6):
        labels = {cell: np.where(table[seed - 1] == 1, y, 1 - y) for cell, table in scores.items()}
        frame = cell_frame("toy_two", seed, labels, y, groups, 2)
        copied = frame["image_id"] < f"image{COPIED:04d}"
        write_cell(
            folder, frame.assign(group_id=frame["group_id"].where(~copied, frame["group_id"] + "-cut"))
        )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return the folders of the two runs."""
    folder = tmp_path_factory.mktemp("leakage")
    one = {(method, 1): official_scores(*RIGHT[method][:2]) for method in METHODS}
    write_official(folder / "official/predictions", one)
    two = {(method, 1): grouped_scores(RIGHT[method][2]) for method in METHODS}
    write_scores(folder / "grouped/predictions", "toy_two", two, np.arange(40) % 2, np.arange(40), 2)
    return folder / "official", folder / "grouped"


@pytest.fixture(scope="module")
def found(runs):
    official, grouped = runs
    return leaks(
        OFFICIAL,
        load_predictions(OFFICIAL, official / "predictions"),
        load_predictions(GROUPED, grouped / "predictions"),
    )


def test_images_with_a_copy_are_told_by_their_groups_name(runs):
    data = load_predictions(OFFICIAL, runs[0] / "predictions").datasets["toy_two"]
    assert copied_images(data).tolist() == [True] * COPIED + [False] * (40 - COPIED)
    assert data.n_groups == COPIED // 2 + 40 - COPIED


def test_accuracies_on_both_parts_by_hand(found):
    levels, _ = found
    points = {leak.method: [round(shown.value, 6) for shown in leak.shown.values()] for leak in levels}
    # grouped, official, official - grouped, without a copy, with one, with - without
    assert points == {
        "weckd": [50.0, 65.0, 15.0, 50.0, 87.5, 37.5],  # 20/40, 26/40, 12/24, 14/16
        "single": [45.0, 45.0, 0.0, pytest.approx(100 * 10 / 24, abs=1e-5), 50.0, pytest.approx(8.333333)],
        "permuted": [50.0, 50.0, 0.0, 50.0, 50.0, 0.0],
    }
    sizes = [(x.study.n_images, x.study.n_groups) for x in levels[0].shown.values()]
    assert sizes == [(40, 40), (40, 32), (80, 72), (24, 24), (16, 8), (40, 32)]


def test_gains_of_the_chain_over_what_learns(found):
    _, gains = found
    assert [(leak.method, leak.reference) for leak in gains] == [("weckd", "single")]
    points = [shown.value for shown in gains[0].shown.values()]
    assert points == pytest.approx([5.0, 20.0, 15.0, 100 * 2 / 24, 37.5, 37.5 - 100 * 2 / 24])


def test_the_difference_of_two_studies_is_welchs(found):
    leak = found[0][0]
    inflation = leak.shown["official - grouped"].study
    one, other = (leak.shown[part].study for part in ("official test part", "grouped test part"))
    assert inflation.se == pytest.approx(np.hypot(one.se, other.se))
    assert inflation.df == pytest.approx(
        (one.se**2 + other.se**2) ** 2 / (one.se**4 / one.df + other.se**4 / other.df)
    )
    assert inflation.per_seed == pytest.approx([0.15] * 5)
    assert difference(other, one).estimate == -inflation.estimate


def test_with_minus_without_a_copy_has_the_variance_of_two_means_of_other_groups(found, runs):
    # The case part of a difference of means over disjoint groups is the sum of their case parts, but for n / (n - 1).
    official = load_predictions(OFFICIAL, runs[0] / "predictions").datasets["toy_two"]
    right = (official.probabilities[("weckd", 1)].argmax(axis=2) == official.y).astype(float)
    copied = copied_images(official)
    parts = []
    for images in (copied, ~copied):
        groups = np.unique(official.groups[images], return_inverse=True)[1]
        score = mean_score(right[:, images], groups)
        parts.append(
            np.cov(score.cases) * score.case_df / score.n_groups
        )  # sums of squares, as columns have sqrt(G)
    whole = two_way(
        Scored(
            right[:, copied].mean(axis=1) - right[:, ~copied].mean(axis=1),
            np.zeros((5, 2)),
            31,
            40,
        )
    )
    mean_of_pairs = [(part.sum() - np.trace(part)) / 20 for part in parts]
    assert min(mean_of_pairs) > 0.001  # both parts carry variance, so that neither can be forgotten
    memory = found[0][0].shown["with - without a copy"].study
    assert memory.seed_part == whole.seed_part
    assert memory.case_part == pytest.approx(max(0.0, sum(mean_of_pairs) * 32 / 31))


def test_the_table_as_it_is_printed(runs, tmp_path):
    write_leakage(OFFICIAL, GROUPED, *runs, tmp_path)
    text = (tmp_path / "tables/leakage.md").read_text()
    assert (
        "toy_two: 40 official test images in 32 groups, 16 of them with a copy in training." in text
        and "differences in points; exploratory. n on each test part below; k = 5 seeds." in text
        and "unadjusted 95 % intervals; nothing is tested." in text
        and "Official test parts: test images may have copies among the images for training" in text
    )
    rows = {
        line.split("|")[2].strip(): [cell.strip() for cell in line.split("|")[3:-1]]
        for line in text.splitlines()
        if line.startswith("| toy_two")
    }
    permuted = rows["permuted"]
    assert [cell.split(" ")[0] for cell in permuted] == ["50.0", "50.0", "+0.0", "50.0", "50.0", "+0.0"]
    assert "±" in permuted[0] and permuted[2].startswith("+0.0 [-")
    frame = pd.read_csv(tmp_path / "tables/leakage.csv")
    assert frame["part"].unique().tolist() == [
        "grouped test part",
        "official test part",
        "official - grouped",
        "official, no copy in training",
        "official, copy in training",
        "with - without a copy",
    ]
    one = frame[(frame["reference"] == "single") & (frame["part"] == "official - grouped")].iloc[0]
    assert (one["method"], one["estimate_pp"], one["k"]) == ("weckd", pytest.approx(15.0), 5)
    assert one["low_pp"] < 15 < one["high_pp"]
    again = tmp_path / "again"
    write_leakage(OFFICIAL, GROUPED, *runs, again)
    for name in ("tables/leakage.tex", "figures/leakage.svg", "figures/leakage.png"):
        assert (tmp_path / name).read_bytes() == (again / name).read_bytes()


def test_what_is_missing_is_printed_as_missing(runs, tmp_path):
    official, grouped = runs
    file = official / "predictions/toy_two/seed3.parquet"
    frame = pd.read_parquet(file)
    for other in (official / "predictions/toy_two").glob("*.parquet"):
        kept = pd.read_parquet(other)
        write_cell(tmp_path / "run/predictions", kept)
    write_cell(tmp_path / "run/predictions", frame[frame["method"] != "single"])
    write_leakage(OFFICIAL, GROUPED, tmp_path / "run", grouped, tmp_path / "out")
    text = (tmp_path / "out/tables/leakage.md").read_text()
    assert "MISSING: toy_two seed 3 single." in text
    line = next(line for line in text.splitlines() if line.startswith("| toy_two    | single"))
    assert [cell.strip() for cell in line.split("|")[4:-1]] == ["missing"] * 5
    assert line.split("|")[3].strip() != "missing"  # the grouped run is whole


def test_few_seeds_have_no_interval(runs):
    few = {"seeds": (1, 2, 3)}
    official, grouped = replace(OFFICIAL, **few), replace(GROUPED, **few)
    levels, _ = leaks(
        official,
        load_predictions(official, runs[0] / "predictions"),
        load_predictions(grouped, runs[1] / "predictions"),
    )
    figure = leakage_figure(official, levels)
    lengths = {len(line.get_xdata()) for line in figure.axes[0].lines}
    assert lengths == {0, 1, 2}  # legend, marks, and the lines between two test parts
    assert sum(len(line.get_xdata()) == 2 for line in figure.axes[0].lines) == len(METHODS)


def test_the_figure_marks_each_accuracy_where_it_is(found):
    axis = leakage_figure(OFFICIAL, found[0]).axes[0]
    marks = {
        (line.get_marker(), line.get_markerfacecolor()): []
        for line in axis.lines
        if line.get_marker() != "None"
    }
    for line in axis.lines:
        if line.get_marker() != "None" and len(line.get_xdata()):
            marks[(line.get_marker(), line.get_markerfacecolor())].append(float(line.get_xdata()[0]))
    assert list(marks.values()) == [
        pytest.approx([50.0, 45.0, 50.0]),
        pytest.approx([65.0, 45.0, 50.0]),
        pytest.approx([50.0, 100 * 10 / 24, 50.0]),
        pytest.approx([87.5, 50.0, 50.0]),
    ]
    assert [label.get_text() for label in axis.get_yticklabels()] == list(METHODS)


@pytest.mark.parametrize(
    ("official", "grouped", "message"),
    [
        (GROUPED, GROUPED, "toy and toy must be a run on official test parts and the run on grouped"),
        (replace(OFFICIAL, seeds=(1, 2)), GROUPED, "toy-official and toy differ in seeds; make both with"),
        (replace(OFFICIAL, image_size=64), GROUPED, "toy-official and toy differ in image_size"),
        (OFFICIAL, replace(GROUPED, methods=("weckd", "single")), "permuted is not in toy; make both with"),
        (OFFICIAL, replace(GROUPED, datasets=("toy_three",)), "toy_two is not in toy; make both with"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(official, grouped, message, runs, tmp_path):
    with pytest.raises(UserError, match="^leak study: " + message):
        write_leakage(official, grouped, *runs, tmp_path)
