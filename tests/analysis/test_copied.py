"""Copied errors: the share that the next model repeats, its test, and what a run that lacks something is told."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t
from small_suite import ROLES, cell_frame, toy_suite, write_cell

from weckd.analysis.copied import NEVER_MET, called, copied_share, evaluate_links
from weckd.analysis.figures.copied import copied_figure
from weckd.analysis.inference.reader_study import p_value, two_way
from weckd.analysis.metrics.scores import weighted_sum
from weckd.analysis.predictions import DatasetPredictions
from weckd.analysis.results import load_run
from weckd.analysis.write_tables import table_file
from weckd.training.gather import probabilities_of

SUITE = toy_suite(
    datasets=("toy_three", "toy_two"),
    methods=("weckd", "sequential", "ensemble", "start=fresh"),
    roles={**ROLES, "ensemble": "control", "start=fresh": "reading"},
)
Y = np.arange(12) % 2
GROUPS = np.array([0, 0, 1, 1, 2, 2, 2, 3, 4, 5, 6, 7])
SEEDS = 5
# Which images a model gets wrong: moved by 0, 1, 2 along the stages in seeds 2 and 4; the first two alone in seed 5.
WRONG = {
    "weckd": ((0, 1, 2, 3), (0, 1, 2, 8), (0, 1, 9)),
    "sequential": ((0, 1, 2, 3), (0, 4, 5, 6), (0, 7, 8)),
    "ensemble": ((0, 1, 2, 3), (3, 4, 5, 6), (4, 9, 10, 11)),
    "start=fresh": ((0, 1, 2, 3), (0, 1, 2, 3), (0, 1, 2, 3)),
}


def classes(method, stage, seed, wrong=WRONG):
    """Return what a model calls the images of toy_two: the other class where it is wrong."""
    images = wrong[method][stage][: 2 if seed == 5 else None]
    wrong = (np.array(images) + (stage if seed % 2 == 0 else 0)) % len(Y)
    return np.where(np.isin(np.arange(len(Y)), wrong), 1 - Y, Y)


def write(folder, wrong=WRONG, datasets=SUITE.datasets):
    """Write the predictions of a run; those of toy_three are the same, with a class that nobody predicts."""
    for dataset in datasets:
        for seed in range(1, SEEDS + 1):
            labels = {(m, s + 1): classes(m, s, seed, wrong) for m in wrong for s in range(3)}
            frame = cell_frame(dataset, seed, labels, Y, GROUPS, len(SUITE.facts[dataset].classes))
            if dataset == "toy_three":
                frame.loc[frame["image_id"] == "image0011", "y"] = 2
            shares = [name for name in frame if name.startswith("p_")]
            rows = [frame["method"].eq("ensemble") & frame["stage"].eq(stage) for stage in (1, 2, 3)]
            members = [frame.loc[x, shares].to_numpy(np.float64) for x in rows if x.any()]
            for number, x in enumerate(rows[: len(members)], start=1):
                frame.loc[x, shares] = np.mean(members[:number], axis=0).astype(np.float32)
            write_cell(folder / "predictions", frame)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(SUITE, write(tmp_path_factory.mktemp("copied")))


@pytest.fixture(scope="module")
def table(run):
    return table_file("copied", run)


def test_the_share_is_over_all_seeds_and_one_without_errors_counts_for_nothing():
    # Three images of class 0. Seed 1: one of two errors is copied; seed 2: none of one; seed 3: there is none to copy.
    first, second = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]]), np.array([[1, 0, 0], [0, 0, 0], [1, 0, 0]])
    values = copied_share(first, second, np.zeros(3, dtype=np.int64), np.arange(3)).values
    assert values.mean() == pytest.approx(1 / 3)
    # Without seed 1 the share is 0, without seed 2 a half, without seed 3 the same.
    pseudo = np.array([3 / 3 - 2 * 0, 3 / 3 - 2 / 2, 3 / 3 - 2 / 3])
    assert values.tolist() == pytest.approx(pseudo - pseudo.mean() + 1 / 3)


def test_where_all_errors_are_of_one_seed_the_share_is_its():
    first, second = np.array([[1, 1], [0, 0]]), np.array([[1, 0], [0, 0]])
    assert copied_share(first, second, np.zeros(2, dtype=np.int64), np.arange(2)).values.tolist() == [
        0.5,
        0.5,
    ]


def test_an_error_of_another_class_is_not_copied():
    first, second = np.array([[1, 1, 2, 0]]), np.array([[1, 2, 2, 1]])
    scored = copied_share(first, second, np.zeros(4, dtype=np.int64), np.arange(4))
    assert scored.values.tolist() == pytest.approx([2 / 3])


def by_hand(method, reference, stage):
    """Return the difference of two shares on toy_two, and the ends of its 95 % interval.

    A seed's value by leaving it out, a group's part by what its images add to the ratio, less their part in the images.
    """
    n, n_groups = len(Y), GROUPS.max() + 1
    parts, d, estimate = np.zeros((SEEDS, len(Y))), np.zeros(SEEDS), 0.0
    for name, sign in ((method, 1), (reference, -1)):
        models = [[classes(name, stage + x, seed) for seed in range(1, SEEDS + 1)] for x in (0, 1)]
        wrong = np.array(models[0]) != Y
        same = wrong & (np.array(models[1]) != Y)
        ratio = same.sum() / wrong.sum()
        without = [np.delete(same, s, 0).sum() / np.delete(wrong, s, 0).sum() for s in range(SEEDS)]
        d -= sign * (SEEDS - 1) * np.array(without)
        estimate += sign * ratio
        of_others = [[np.delete(wrong, s, 0).sum() / (SEEDS - 1)] for s in range(SEEDS)]
        parts += sign * (same - ratio * wrong) / of_others
    z = np.array([[(row - row.sum() / n)[g == GROUPS].sum() for g in range(n_groups)] for row in parts])
    pairs = [np.cov(z[a], z[b])[0, 1] * n_groups for a in range(SEEDS) for b in range(SEEDS) if a != b]
    seed_part, case_part = d.var(ddof=1) / SEEDS, max(0.0, np.mean(pairs))
    variance = seed_part + case_part
    df = variance**2 / (seed_part**2 / (SEEDS - 1) + case_part**2 / (n_groups - 1))
    half = t.ppf(0.975, df) * np.sqrt(variance)
    return np.array([estimate, estimate - half, estimate + half]) * 100


@pytest.mark.parametrize(("reference", "name"), [("sequential", "sequential"), (NEVER_MET, "ensemble")])
@pytest.mark.parametrize("stage", [0, 1])
def test_a_difference_and_its_interval_are_those_of_the_two_way_test_of_ratios(table, reference, name, stage):
    frame = table.frame
    row = frame[
        frame["reference"].eq(reference)
        & frame["link"].eq(f"M{stage + 1} to M{stage + 2}")
        & frame["dataset"].eq("toy_two")
    ]
    assert row[["estimate", "ci_low", "ci_high"]].to_numpy()[0] == pytest.approx(
        by_hand("weckd", name, stage)
    )


def test_shares_and_errors_are_those_counted_by_hand(table):
    frame = table.frame[table.frame["quantity"].eq("share") & table.frame["dataset"].eq("toy_two")]
    found = {
        (row.method, row.link): (row.estimate, row.errors, row.next_errors) for row in frame.itertuples()
    }
    first, second, mean = "M1 to M2", "M2 to M3", "mean of links"
    none = pytest.approx(float("nan"), nan_ok=True)
    assert found == {  # of 18 errors, 4 in each seed and 2 in the last
        ("weckd", first): (pytest.approx(100 * (3 + 3 + 3 + 3 + 2) / 18), 3.6, 3.6),
        ("weckd", second): (pytest.approx(100 * (2 + 2 + 2 + 2 + 2) / 18), 3.6, 2.8),
        ("weckd", mean): (pytest.approx(100 * 24 / 36), none, none),
        (NEVER_MET, first): (pytest.approx(100 * (1 + 0 + 1 + 0 + 0) / 18), 3.6, 3.6),
        (NEVER_MET, second): (pytest.approx(100 * (1 + 1 + 1 + 1 + 1) / 18), 3.6, 3.6),
        (NEVER_MET, mean): (pytest.approx(100 * 7 / 36), none, none),
        ("sequential", first): (pytest.approx(100 * (1 + 1 + 1 + 1 + 1) / 18), 3.6, 3.6),
        ("sequential", second): (pytest.approx(100 * (1 + 0 + 1 + 0 + 1) / 18), 3.6, 2.8),
        ("sequential", mean): (pytest.approx(100 * 8 / 36), none, none),
        ("start=fresh", first): (pytest.approx(100 * (4 + 3 + 4 + 3 + 2) / 18), 3.6, 3.6),
        ("start=fresh", second): (pytest.approx(100 * (4 + 3 + 4 + 3 + 2) / 18), 3.6, 3.6),
        ("start=fresh", mean): (pytest.approx(100 * 32 / 36), none, none),
    }


def test_the_table_has_the_chain_and_both_references_and_p_of_the_mean_over_data_sets(table):
    [shown] = table.tables
    assert [*shown.cells.columns] == [
        *(
            "data set",
            "link",
            "weckd",
            "never met",
            "sequential",
            "weckd - never met",
            "p, weckd - never met",
        ),
        *("weckd - sequential", "p, weckd - sequential"),
    ]
    assert shown.notes[:3] == (
        "Exploratory, in no family of the plan. p: of macro of 2, corrected over this table.",
        "A model with fewer errors repeats fewer, whatever it copies; the CSV has how many each makes.",
        "Fewer than 5 errors a seed, and intervals rather too narrow, on toy_three, toy_two.",
    )
    tested = table.frame[table.frame["p"].notna()]
    assert {*tested["dataset"]} == {"macro"}
    assert [*zip(tested["reference"], tested["link"], strict=True)] == [
        (reference, link)
        for reference in (NEVER_MET, "sequential")
        for link in ("M1 to M2", "M2 to M3", "mean of links")
    ]
    assert {*tested["family"]} == {"exploratory"}
    assert {*tested["correction"]} == {"Benjamini-Hochberg over 6"}
    p = tested["p"].to_numpy()
    order = np.argsort(p)
    stepped = np.minimum.accumulate((p[order] * 6 / np.arange(1, 7))[::-1])[::-1]
    assert tested["p_adjusted"].to_numpy()[order] == pytest.approx(stepped)


def test_a_quick_look_has_no_p(run):
    table = table_file("copied", load_run(replace(SUITE, quick_look=True), run.files.folder))
    [shown] = table.tables
    assert not [header for header in shown.cells.columns if header.startswith("p, ")]
    assert shown.notes[1] == "Exploratory, in no family of the plan."
    assert table.frame["p"].isna().all()


def test_what_ensembles_members_predicted_is_told_by_the_stored_means():
    draw = np.random.default_rng(1)
    logits = draw.normal(size=(3, 40_000, 4)) * draw.choice([0.1, 1, 10, 60], size=(3, 40_000, 1))
    logits[:, :100] = 0.0  # equal probabilities
    members = np.array([probabilities_of(x.astype(np.float32)) for x in logits])
    means = {("ensemble", x): np.mean(members[:x], axis=0).astype(np.float32)[None] for x in (1, 2, 3)}
    data = DatasetPredictions("toy", (1,), 4, np.zeros(40_000, int), np.arange(40_000), (), means, {}, ())
    for number, of_member in enumerate(members, start=1):
        ranked = np.sort(of_member, axis=1)
        told = (ranked[:, -1] - ranked[:, -2] > 1e-6) | (ranked[:, -1] == ranked[:, -2])
        assert told.mean() > 0.9999
        assert (called(data, NEVER_MET, number)[0] == of_member.argmax(axis=1))[told].all()


def test_what_is_missing_is_named_and_a_model_without_errors_has_no_share(tmp_path):
    perfect = {**WRONG, "sequential": ((0,), (), ())}
    write(tmp_path, perfect, datasets=("toy_two",))
    suite = replace(SUITE, datasets=("toy_two",))
    frame = table_file("copied", load_run(suite, tmp_path)).frame
    second = frame[frame["link"].eq("M2 to M3") & frame["method"].eq("sequential")]
    assert [*second["missing"]] == ["toy_two sequential M2: no errors"]
    assert second["estimate"].isna().all()
    cell = tmp_path / "predictions/toy_two/seed3.parquet"
    cell.unlink()
    table = table_file("copied", load_run(suite, tmp_path))
    assert table.tables[0].notes[0] == "MISSING: toy_two seed 3."
    assert table.frame["p"].isna().all()


@pytest.mark.parametrize(
    ("methods", "why"),
    [
        (
            ("weckd",),
            "neither ensemble nor sequential, of as many stages as the chain, is in this run; add one of them",
        ),
        (("single",), "no method of this run has stages to follow; add a chain, such as weckd"),
    ],
)
def test_a_run_without_references_or_chain_says_what_would_fill_the_table(tmp_path, methods, why):
    wrong = {name: WRONG.get(name, WRONG["weckd"][:1]) for name in methods}
    for seed in range(1, SEEDS + 1):
        labels = {(x, s + 1): classes("weckd", s, seed) for x, of in wrong.items() for s in range(len(of))}
        write_cell(tmp_path / "predictions", cell_frame("toy_two", seed, labels, Y, GROUPS, 2))
    suite = replace(SUITE, datasets=("toy_two",), methods=methods)
    [table] = table_file("copied", load_run(suite, tmp_path)).tables
    assert table.cells.to_numpy().tolist() == [[why]]


def test_the_figure_has_a_row_a_method_the_most_copied_first_and_open_marks_without_a_teacher(run):
    figure = copied_figure(run)
    [axis] = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        *("start=fresh", "weckd", "sequential", "never met"),
    ]
    share = {x.method: x.shares["macro"].value for x in evaluate_links(run) if not x.stage}
    diamonds = [line for line in axis.lines if line.get_marker() == "D"]
    assert [line.get_xdata()[0] for line in diamonds] == sorted(share.values(), reverse=True)
    assert [line.get_markerfacecolor() == "white" for line in diamonds] == [False, False, True, True]
    assert figure.get_supxlabel().startswith(
        "diamond: macro of 2, mean of links and its 95 % interval; dots: data sets"
    )


def test_methods_that_copy_alike_are_told_apart_at_the_nominal_rate():
    # Two second models, each of which repeats an error with a chance of its image, whatever the method.
    draw, groups = np.random.default_rng(5), np.repeat(np.arange(40), 2)
    y, found = np.zeros(80, dtype=np.int64), []
    for _ in range(1500):
        difficulty, kept = draw.beta(1, 3, 40)[groups], draw.beta(2, 2, 40)[groups]
        studies = []
        for _ in range(2):
            first = (draw.random((5, 80)) < difficulty) * draw.integers(1, 3, (5, 80))
            suits = draw.normal(0, 0.15, 40)[groups]
            second = np.where(draw.random((5, 80)) < kept + suits, first, 0)
            studies.append(copied_share(first, second, y, groups))
        found.append(p_value(two_way(weighted_sum([(1.0, studies[0]), (-1.0, studies[1])]))))
    assert 0.035 < np.mean(np.array(found) < 0.05) < 0.07
