import math

import numpy as np
import pandas as pd
import pytest
from small_suite import FAMILIES, toy_suite, with_plan, write_cell, write_scores

from weckd.analysis.gains import adjust, evaluate_gains, gains_frame
from weckd.analysis.predictions import load_predictions
from weckd.config import Family

COLUMNS = (
    "suite,phantom,dataset,method,stage,reference,metric,k,n_images,n_groups,gain_pp,ci_low,ci_high,se,df,test,"
    "family,correction,alpha,p,p_adjusted,min_detectable_pp,verdict,plan_hash"
)


def frame_of(suite, folder):
    loaded = load_predictions(suite, folder)
    return gains_frame(suite, loaded, evaluate_gains(suite, loaded))


@pytest.fixture(scope="module")
def toy(toy_predictions):
    return frame_of(toy_suite(), toy_predictions)


def row(frame, **where):
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_holm_and_benjamini_hochberg_by_hand():
    p = [0.01, 0.04, 0.03, math.nan]  # an undefined p counts among the four
    assert adjust(p, "holm") == pytest.approx([0.04, 0.09, 0.09, math.nan], nan_ok=True)
    assert adjust(p, "fdr_bh") == pytest.approx([0.04, 0.04 * 4 / 3, 0.04 * 4 / 3, math.nan], nan_ok=True)
    assert adjust([], "holm") == []


def test_columns_and_rows(toy):
    assert ",".join(toy.columns) == COLUMNS
    # 6 planned comparisons, then 5 methods against the bar, and 4 over single (the bar is the mirror).
    pairs = list(dict.fromkeys(zip(toy["method"], toy["reference"], strict=True)))
    assert pairs == [
        ("weckd", "single"),
        ("weckd", "pooled"),
        ("weckd", "one-step"),
        ("weckd", "full-converged"),
        ("weckd", "slope per stage"),
        ("weckd", "own stage 1"),
        ("single", "full-converged"),
        ("pooled", "full-converged"),
        ("one-step", "full-converged"),
        ("permuted", "full-converged"),
        ("majority", "full-converged"),
        ("pooled", "single"),
        ("one-step", "single"),
        ("permuted", "single"),
        ("majority", "single"),
    ]
    assert len(toy) == 15 * 2 * 4  # two metrics; three data sets and their mean


def test_families_and_corrections(toy):
    sizes = toy.groupby("family", sort=False).size().to_dict()
    assert sizes == {
        "secondary: chain over single": 3,
        "chain over single": 1,
        "exploratory": 6 * 4 + 9 * 8,  # balanced accuracy of the plan's rows, and all else
        "secondary: chain over controls": 6,
        "chain over controls": 2,  # sequential is not in the suite
        "secondary: chain against all labels": 3,
        "chain against all labels": 1,
        "secondary: along the chain": 6,
        "along the chain": 2,
    }
    assert set(toy.loc[toy["family"] == "exploratory", "correction"]) == {"Benjamini-Hochberg over 96"}
    assert set(toy.loc[toy["family"] == "secondary: chain over controls", "correction"]) == {"Holm over 6"}
    decided = toy[~toy["family"].str.startswith("secondary") & (toy["family"] != "exploratory")]
    assert set(decided["dataset"]) == {"macro"}
    assert set(decided["metric"]) == {"accuracy"}
    trend = toy[toy["family"] == "along the chain"]
    assert trend["p_adjusted"].to_numpy() == pytest.approx(2 * trend["p"].to_numpy())  # p are equal: 3 stages


def test_macro_is_the_mean_of_the_independent_data_sets(toy):
    where = {"method": "weckd", "reference": "single", "metric": "accuracy"}
    three, two, macro = (row(toy, dataset=key, **where) for key in ("toy_three", "toy_two", "macro"))
    assert macro["gain_pp"] == pytest.approx((three["gain_pp"] + two["gain_pp"]) / 2)
    assert macro["se"] == pytest.approx(math.hypot(three["se"], two["se"]) / 2)
    assert (macro["n_images"], macro["n_groups"], macro["k"]) == (48, 30, 5)
    assert macro["test"] == "two-way random-effects t, seeds x groups, mean of 2 independent data sets"
    assert (macro["phantom"], three["phantom"], two["phantom"]) == (True, True, False)


def test_gaps_are_named_and_identical_predictions_have_no_p(toy):
    accuracy = toy[toy["metric"] == "accuracy"]
    copy = row(accuracy, dataset="toy_copy", method="weckd", reference="single")
    assert copy["verdict"] == "missing: toy_copy seed 3"
    assert math.isnan(copy["gain_pp"])
    for dataset in ("toy_two", "macro"):
        gap = row(accuracy, dataset=dataset, method="weckd", reference="pooled")
        assert gap["verdict"] == "missing: toy_two seed 2 pooled diverged"
        assert math.isnan(gap["p"])
    same = row(accuracy, dataset="macro", method="weckd", reference="one-step")
    assert same["verdict"] == "identical"
    assert (same["gain_pp"], same["ci_low"], same["ci_high"]) == (0, 0, 0)
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
    rows = frame[(frame["metric"] == "accuracy") & (frame["dataset"] == "macro")]
    over = row(rows, reference="single", method="weckd")
    against = row(rows, reference="full-converged", method="weckd")
    assert over["gain_pp"] == pytest.approx((wins - losses) / 10)
    # Seeds are alike: the t test over cases.
    variance = ((wins + losses) - (wins - losses) ** 2 / n) / (n - 1)
    assert (over["se"], over["df"]) == pytest.approx((100 * math.sqrt(variance / n), n - 1))
    assert (over["verdict"], against["verdict"]) == (superiority, non_inferiority)
    assert (over["ci_low"], over["ci_high"]) == (against["ci_low"], against["ci_high"])
    # One test each: p and the interval decide alike.
    assert (over["p"] < 0.05) == (over["ci_low"] > 0 or over["ci_high"] < 0)
    assert (against["p"] < 0.05) == (against["ci_low"] > -2 or against["ci_high"] < -2)
    assert against["test"].endswith(", mean of 1 independent data sets, against -2 points")
    missing = row(rows, method="weckd", reference="own stage 1")
    assert missing["verdict"] == "missing: weckd stages after the first"


def test_gain_without_any_variation_has_no_p(tmp_path):
    y = np.array([0, 0, 1, 1])
    right, wrong = np.ones((5, 4), dtype=np.int64), np.zeros((5, 4), dtype=np.int64)
    scores = {("weckd", 1): right, ("single", 1): wrong, ("full-converged", 1): wrong}
    write_scores(tmp_path, "toy_two", scores, y, np.arange(4), 2)
    suite = toy_suite(datasets=("toy_two",), methods=("weckd", "single", "full-converged"))
    frame = frame_of(suite, tmp_path)
    over = row(frame, dataset="toy_two", metric="accuracy", method="weckd", reference="single")
    assert (over["gain_pp"], over["se"], over["verdict"]) == (100, 0, "undecided (no variation)")
    assert math.isnan(over["p"])
    against = row(frame, dataset="toy_two", metric="accuracy", method="weckd", reference="full-converged")
    assert against["verdict"] == "inconclusive (no variation)"


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
    assert over["gain_pp"].notna().all()
    for column in ("p", "p_adjusted", "ci_low", "ci_high", "min_detectable_pp"):
        assert frame[column].isna().all()


def test_only_derived_data_sets_have_no_macro_mean(toy_predictions):
    frame = frame_of(toy_suite(datasets=("toy_copy",)), toy_predictions)
    assert set(frame.loc[frame["dataset"] == "macro", "verdict"]) == {"missing: an independent data set"}


def test_families_of_a_narrowed_suite_keep_what_is_there(toy_predictions, tmp_path):
    for dataset in ("toy_three", "toy_two", "toy_copy"):
        for file in (toy_predictions / dataset).iterdir():
            frame = pd.read_parquet(file)
            write_cell(tmp_path, frame[frame["method"].isin(["weckd", "pooled"])])
    frame = frame_of(toy_suite(methods=("weckd", "pooled")), tmp_path)
    assert list(dict.fromkeys(frame["family"])) == [
        "secondary: chain over controls",
        "chain over controls",
        "exploratory",
        "secondary: along the chain",
        "along the chain",
    ]


def test_a_method_outside_the_plan_joins_no_family(toy_predictions):
    plan = (FAMILIES[0], Family("other", "superiority", "sequential", ("single",)))
    frame = frame_of(with_plan(toy_suite(), families=plan), toy_predictions)
    assert set(frame["family"]) == {"chain over single", "secondary: chain over single", "exploratory"}
    pooled = frame[(frame["method"] == "pooled") & (frame["dataset"] == "macro")]
    assert set(pooled["family"]) == {"exploratory"}
