import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_suite import FAMILIES, toy_suite, with_plan, write_cell, write_scores

from weckd.analysis.comparisons import present_families
from weckd.analysis.predictions import load_predictions
from weckd.analysis.results import Results, load_run
from weckd.analysis.sheets.gains import across_table, gains_frame, gains_tables
from weckd.analysis_plan import Family
from weckd.run_files import RunFiles

COLUMNS = (
    "suite,phantom,dataset,method,stage,reference,metric,k,n_images,n_groups,unit,gain,ci_low,ci_high,se,df,test,"
    "family,correction,alpha,p,p_adjusted,verdict,non_inferiority,non_inferiority_p,non_inferiority_family,"
    "equivalence,equivalence_p,equivalence_family,min_detectable,plan_hash"
)


def frame_of(suite, folder):
    return gains_tables(Results(suite, load_predictions(suite, folder), RunFiles(Path()))).frame


@pytest.fixture(scope="module")
def toy(toy_predictions):
    return frame_of(toy_suite(), toy_predictions)


def row(frame, **where):
    """Return the one row."""
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_columns_and_rows(toy):
    assert ",".join(toy.columns) == COLUMNS
    # 8 planned comparisons, then 5 methods against the bar, and 4 over single (the bar is the mirror).
    pairs = list(dict.fromkeys(zip(toy["method"], toy["stage"], toy["reference"], strict=True)))
    assert pairs == [
        ("weckd", 3, "single"),
        ("weckd", 3, "pooled"),
        ("weckd", 3, "one-step"),
        ("weckd", 3, "full-converged"),
        ("weckd", 3, "slope per stage"),
        ("weckd", 3, "own stage 1"),
        ("weckd", 2, "own stage 1"),
        ("weckd", 3, "own stage 2"),
        ("single", 1, "full-converged"),
        ("pooled", 1, "full-converged"),
        ("one-step", 2, "full-converged"),
        ("permuted", 1, "full-converged"),
        ("majority", 1, "full-converged"),
        ("pooled", 1, "single"),
        ("one-step", 2, "single"),
        ("permuted", 1, "single"),
        ("majority", 1, "single"),
    ]
    assert len(toy) == (8 + 9) * 2 * 4  # two metrics; three data sets and their mean


def test_families_and_corrections(toy):
    sizes = toy.groupby("family", sort=False).size().to_dict()
    assert sizes == {
        "single data set": 17 * 2,  # of the derived one: the others are alone in their modality
        "chain over single": 1,
        "each modality over single": 2,
        # Balanced accuracy on three means, and accuracy on means that decide nothing: one of the gain over the bar,
        # none over `single` and `pooled`, two of every other.
        "secondary": 8 * 3 + 1 + 5 * 2,
        "chain over controls": 2,  # sequential is not in the suite
        "each modality over pooled": 2,
        "chain against supervised": 1,
        "chain against all labels": 1,
        "along the chain": 2,
        "links of the chain": 2,
        "exploratory": 9 * 2 * 3,
    }
    correction = dict(zip(toy["family"], toy["correction"], strict=True))
    # Slope and last minus first are one test, on each of three means and both metrics.
    assert correction["secondary"] == f"Benjamini-Hochberg over {8 * 3 + 1 + 5 * 2 - (3 + 2)}"
    assert correction["exploratory"] == "Benjamini-Hochberg over 54"
    assert correction["chain over controls"] == "Holm over 2"
    assert correction["along the chain"] == "Holm over 1"
    assert correction["links of the chain"] == "fixed sequence over 2"
    assert toy.loc[toy["family"] == "single data set", "correction"].eq("").all()
    decided = toy[~toy["family"].isin(["secondary", "single data set", "exploratory"])]
    assert set(decided["metric"]) == {"accuracy"}
    assert decided.groupby("family")["dataset"].unique().map(list).to_dict() == {
        "chain over single": ["macro"],
        "chain over controls": ["macro"],
        "chain against supervised": ["toy_three"],
        "chain against all labels": ["macro"],
        "along the chain": ["macro"],
        "links of the chain": ["macro"],
        "each modality over pooled": ["toy_three", "toy_two"],
        "each modality over single": ["toy_three", "toy_two"],
    }
    bar = toy[
        (toy["method"] == "weckd") & (toy["reference"] == "full-converged") & (toy["metric"] == "accuracy")
    ]
    assert bar.set_index("dataset")["non_inferiority_family"].to_dict() == {
        "toy_three": "chain against supervised",
        "toy_two": "secondary",
        "toy_copy": "single data set",
        "macro": "chain against all labels",
    }
    trend = toy[toy["family"] == "along the chain"]
    assert trend["p_adjusted"].tolist() == trend["p"].tolist()  # one test, as there are three stages
    assert trend["p"].nunique() == 1
    links = toy[toy["family"] == "links of the chain"]
    assert links["p_adjusted"].tolist() == [links["p"].iloc[0], links["p"].max()]  # as both up to a link are


def test_drawn_gains_are_the_rows_of_families(toy_folder):
    run = load_run(toy_suite(), toy_folder)
    whole = [gain for gain in run.planned if gain.decides or gain.dataset in run.suite.datasets]
    drawn, full = gains_frame(run, run.drawn), gains_frame(run, whole)
    secondary = full["family"] == "secondary"
    assert drawn[~secondary].equals(full[~secondary])
    assert drawn.loc[secondary, ["gain", "ci_low", "ci_high"]].equals(
        full.loc[secondary, ["gain", "ci_low", "ci_high"]]
    )
    assert drawn.loc[secondary, "p_adjusted"].isna().all()  # it is adjusted over metrics that are not drawn
    assert sum(gain.decides for gain in run.drawn) == 13


def test_macro_is_the_mean_of_the_independent_data_sets(toy):
    where = {"method": "weckd", "reference": "single", "metric": "accuracy"}
    three, two, macro = (row(toy, dataset=key, **where) for key in ("toy_three", "toy_two", "macro"))
    assert macro["gain"] == pytest.approx((three["gain"] + two["gain"]) / 2)
    assert (macro["n_images"], macro["n_groups"], macro["k"]) == (48, 30, 5)
    assert macro["test"] == "two-way random-effects t, seeds x groups, mean of 2 independent data sets"
    assert (macro["phantom"], three["phantom"], two["phantom"]) == (True, True, False)


def test_gaps_are_named_and_identical_predictions_have_no_p(toy):
    accuracy = toy[toy["metric"] == "accuracy"]
    copy = row(accuracy, dataset="toy_copy", method="weckd", reference="single")
    assert copy["verdict"] == "missing: toy_copy seed 3"
    assert math.isnan(copy["gain"])
    for dataset in ("toy_two", "macro"):
        gap = row(accuracy, dataset=dataset, method="weckd", reference="pooled")
        assert gap["verdict"] == "missing: toy_two seed 2 pooled diverged"
        assert math.isnan(gap["p"])
    same = row(accuracy, dataset="macro", method="weckd", reference="one-step")
    assert same["verdict"] == "identical"
    assert (same["gain"], same["ci_low"], same["ci_high"]) == (0, 0, 0)
    assert math.isnan(same["p"])
    assert math.isnan(same["p_adjusted"])


def flips(draw, n, wins, losses):
    """Scores (5, n) of two methods, alike for all seeds; the first wins on `wins` images and loses on `losses`."""
    other = (draw.random(n) < 0.9).astype(np.int64)
    one = other.copy()
    one[np.flatnonzero(other == 0)[:wins]] = 1
    one[np.flatnonzero(other == 1)[:losses]] = 0
    return np.tile(one, (5, 1)), np.tile(other, (5, 1))


@pytest.mark.parametrize(
    ("wins", "losses", "superiority", "non_inferiority"),
    [
        (60, 5, "gain", "non-inferior"),
        (5, 5, "undecided", "non-inferior"),
        (5, 80, "loss", "inferior"),
        (5, 20, "loss", "inconclusive"),
        (40, 56, "undecided", "inconclusive"),
    ],
)
def test_verdicts(tmp_path, wins, losses, superiority, non_inferiority):
    n = 1000
    one, other = flips(np.random.default_rng(1), n, wins, losses)
    y = np.arange(n) % 2
    scores = {("weckd", 1): one, ("single", 1): other, ("full-converged", 1): other}
    write_scores(tmp_path, "toy_two", scores, y, np.arange(n), 2)
    suite = toy_suite(datasets=("toy_two",), methods=("weckd", "single", "full-converged"))
    frame = frame_of(suite, tmp_path)
    rows = frame[(frame["metric"] == "accuracy") & (frame["dataset"] == "toy_two")]
    over = row(rows, reference="single", method="weckd")
    against = row(rows, reference="full-converged", method="weckd")
    assert over["gain"] == pytest.approx((wins - losses) / 10)
    # Seeds are alike: the t test over cases.
    variance = ((wins + losses) - (wins - losses) ** 2 / n) / (n - 1)
    assert (over["se"], over["df"]) == pytest.approx((100 * math.sqrt(variance / n), n - 1))
    assert (over["verdict"], against["non_inferiority"]) == (superiority, non_inferiority)
    assert against["verdict"] == superiority
    assert (over["ci_low"], over["ci_high"]) == (against["ci_low"], against["ci_high"])
    # One test each: p and the interval decide alike.
    assert (over["p"] < 0.05) == (over["ci_low"] > 0 or over["ci_high"] < 0)
    assert (against["non_inferiority_p"] < 0.05) == (against["ci_low"] > -2 or against["ci_high"] < -2)
    assert against["test"] == "two-way random-effects t, seeds x groups"
    missing = row(rows, method="weckd", reference="own stage 1", stage=1)
    assert missing["verdict"] == "missing: weckd stages after the first"


def test_gain_without_any_variation_has_no_p(tmp_path):
    y = np.array([0, 0, 1, 1])
    right, wrong = np.ones((5, 4), dtype=np.int64), np.zeros((5, 4), dtype=np.int64)
    scores = {("weckd", 1): right, ("single", 1): wrong, ("full-converged", 1): wrong}
    write_scores(tmp_path, "toy_two", scores, y, np.arange(4), 2)
    suite = toy_suite(datasets=("toy_two",), methods=("weckd", "single", "full-converged"))
    frame = frame_of(suite, tmp_path)
    over = row(frame, dataset="toy_two", metric="accuracy", method="weckd", reference="single")
    assert (over["gain"], over["se"], over["verdict"]) == (100, 0, "undecided (no variation)")
    assert math.isnan(over["p"])
    against = row(frame, dataset="toy_two", metric="accuracy", method="weckd", reference="full-converged")
    assert against["non_inferiority"] == "inconclusive (no variation)"


@pytest.mark.parametrize(("wrong", "verdict"), [((10, 40), "undecided"), ((10, 70), "gain")])
def test_near_the_ceiling_seeds_that_agree_are_no_proof(tmp_path, wrong, verdict):
    # One image in ten decides: 6 points over 5 seeds are a half-width of 5.3 where both are above 94 %.
    y, right = np.arange(1000) % 2, [np.tile(np.arange(1000) >= count, (5, 1)) * 1 for count in wrong]
    write_scores(
        tmp_path, "toy_two", {("weckd", 1): right[0], ("single", 1): right[1]}, y, np.arange(1000), 2
    )
    run = Results(
        suite := toy_suite(datasets=("toy_two",), methods=("weckd", "single")),
        load_predictions(suite, tmp_path),
        RunFiles(tmp_path),
    )
    frame = gains_tables(run).frame
    over = row(frame, dataset="toy_two", metric="accuracy", reference="single")
    near = "near the ceiling: seeds' SD at least 6 points"
    notes = " ".join(across_table(run).tables[0].notes)
    assert over["verdict"] == verdict
    assert over["test"] == "two-way random-effects t, seeds x groups" + (
        f", {near}" if verdict == "undecided" else ""
    )
    assert ("Near the ceiling (both above 94 %;" in notes) == (verdict == "undecided")
    half = stats.t.ppf(0.975, over["df"]) * over["se"]
    assert over["ci_high"] - over["gain"] == pytest.approx(half)
    if verdict == "undecided":
        assert over["se"] == pytest.approx(100 * math.sqrt(0.06**2 / 5 + 0.03 * 0.97 / 999), rel=1e-6)


def test_one_group_has_no_p(tmp_path):
    y = np.array([0, 0, 1, 1])
    draw = np.random.default_rng(0)
    scores = {(name, 1): draw.integers(0, 2, (5, 4)) for name in ("weckd", "single")}
    write_scores(tmp_path, "toy_two", scores, y, np.zeros(4, dtype=np.int64), 2)
    frame = frame_of(toy_suite(datasets=("toy_two",), methods=("weckd", "single")), tmp_path)
    over = row(frame, dataset="toy_two", metric="accuracy", reference="single")
    assert over["verdict"] == "undecided (one group)"


@pytest.mark.parametrize("seeds", [(1,), (1, 2, 4, 5)])
def test_few_seeds_only_describe(toy_predictions, seeds):
    frame = frame_of(toy_suite(seeds=seeds), toy_predictions)
    over = frame[(frame["reference"] == "single") & (frame["method"] == "weckd")]
    assert set(over["verdict"]) == {"descriptive only (k < 5)"}
    assert over["gain"].notna().all()
    for column in ("p", "p_adjusted", "ci_low", "ci_high", "min_detectable"):
        assert frame[column].isna().all()


def test_only_derived_data_sets_have_no_macro_mean(toy_predictions):
    frame = frame_of(toy_suite(datasets=("toy_copy",)), toy_predictions)
    assert set(frame.loc[frame["dataset"] == "macro", "verdict"]) == {"missing: an independent data set"}


def test_families_of_a_narrowed_suite_keep_what_is_there(toy_predictions, tmp_path):
    for dataset in ("toy_three", "toy_two", "toy_copy"):
        for file in (toy_predictions / dataset).glob("*.parquet"):
            frame = pd.read_parquet(file)
            write_cell(tmp_path, frame[frame["method"].isin(["weckd", "pooled"])])
    frame = frame_of(toy_suite(methods=("weckd", "pooled")), tmp_path)
    assert list(dict.fromkeys(frame["family"])) == [
        "each modality over pooled",
        "single data set",
        "chain over controls",
        "secondary",
        "along the chain",
        "links of the chain",
    ]


def test_a_method_that_several_patterns_fit_is_compared_once_and_with_itself_never():
    family = Family("all", "superiority", "weckd", ("*", "p*", "single"))
    (found,) = present_families(with_plan(toy_suite(), families=(family,)))
    assert sorted(found.references) == sorted(set(toy_suite().methods) - {"weckd"})


def test_a_method_outside_the_plan_joins_no_family(toy_predictions):
    plan = (FAMILIES[0], Family("other", "superiority", "sequential", ("single",)))
    frame = frame_of(with_plan(toy_suite(), families=plan), toy_predictions)
    assert set(frame["family"]) == {
        "chain over single",
        "single data set",
        "secondary",
        "exploratory",
    }
    pooled = frame[(frame["method"] == "pooled") & (frame["dataset"] == "macro")]
    assert set(pooled["family"]) == {"exploratory"}
