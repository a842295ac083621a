"""One contrast, one test: which family decides it, what counts once, and each verdict, with values made by hand."""

import dataclasses
import json
import shutil
from collections import defaultdict
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from small_suite import FAMILIES, toy_frame, toy_suite, with_plan, write_cell

from weckd.analysis.contrasts import Term, gain, one_test, slope, twins
from weckd.analysis.estimates import INTERVAL, QUICK_LOOK, VERDICTS, Question
from weckd.analysis.inference.reader_study import Study, p_value
from weckd.analysis.predictions import load_predictions
from weckd.analysis.results import Results
from weckd.analysis.sheets.gains import gains_tables
from weckd.analysis.write_tables import write_tables
from weckd.analysis_plan import Family
from weckd.config import suite_json
from weckd.files import write_text
from weckd.run_files import RunFiles


def study(estimate, half_width):
    """A study of five seeds whose 95 % interval has this half-width: points, df 4."""
    se = half_width / 100 / stats.t.ppf(0.975, 4)
    return Study(estimate / 100, (0.0,) * 5, se**2, 0.0, 4.0, 100, 50, False)


@pytest.mark.parametrize(
    ("kind", "margin", "estimate", "half_width", "verdict"),
    [
        ("superiority", 0, 2.0, 1.9, "gain"),
        ("superiority", 0, -2.0, 1.9, "loss"),
        ("superiority", 0, -2.0, 2.1, "undecided"),
        ("non-inferiority", 2, 0.0, 1.9, "non-inferior"),
        ("non-inferiority", 2, 0.0, 2.1, "inconclusive"),  # not significantly different from 0 is not enough
        ("non-inferiority", 3, 0.0, 2.1, "non-inferior"),
        ("non-inferiority", 2, -1.0, 0.5, "non-inferior"),  # significantly worse, but by less than the margin
        ("non-inferiority", 2, -3.0, 0.9, "inferior"),
        ("non-inferiority", 2, -3.0, 1.1, "inconclusive"),
        ("non-inferiority", 3, -3.0, 0.9, "inconclusive"),
        ("non-inferiority", 2, 1.0, 0.0, "inconclusive (no variation)"),
        ("equivalence", 2, 0.0, 1.9, "equivalent"),
        ("equivalence", 2, 0.0, 2.1, "open"),
        ("equivalence", 2, 1.5, 0.4, "equivalent"),  # a gain, but within the margin
        ("equivalence", 2, -1.5, 0.4, "equivalent"),
        ("equivalence", 2, -1.5, 0.6, "open"),
        ("equivalence", 2, 3.0, 0.9, "different"),
        ("equivalence", 2, -3.0, 0.9, "different"),
        ("equivalence", 2, 3.0, 1.1, "open"),
    ],
)
def test_a_verdict_is_what_the_interval_says_where_nothing_is_adjusted(
    kind, margin, estimate, half_width, verdict
):
    question, found = Question(kind, margin), study(estimate, half_width)
    assert question.verdict(found, p_value(found, question.null(found)), 0.05) == verdict


def test_the_documents_have_the_words_of_the_tables():
    text = (Path(__file__).parents[2] / "docs" / "reading-the-tables.md").read_text(encoding="utf-8")
    for word in (INTERVAL, QUICK_LOOK, *(word for words in VERDICTS.values() for word in words)):
        assert f"*{word}*" in text


def test_two_one_sided_tests_by_hand():
    # +1.0 points, SE 0.4, 4 df: t = (1.0 - 2) / 0.4 = -2.5 at the upper end and (1.0 + 2) / 0.4 = 7.5 at the lower.
    found, question = Study(0.01, (0.0,) * 5, 0.004**2, 0.0, 4.0, 9, 9, False), Question("equivalence", 2.0)
    upper, lower = stats.t.cdf(-2.5, 4), stats.t.sf(7.5, 4)
    assert p_value(found, question.null(found)) == pytest.approx(2 * max(upper, lower))
    assert 2 * upper == pytest.approx(0.0668, abs=1e-4)
    assert question.verdict(found, 2 * upper, 0.05) == "open"
    assert question.verdict(found, 2 * upper, 0.10) == "equivalent"


def test_what_is_one_test_by_algebra():
    same = {("single", 1): ("weckd", 1)}
    last_minus_first = one_test(gain("weckd", 3, "weckd", 1), {})
    assert last_minus_first == (Term(1.0, "weckd", 1), Term(-1.0, "weckd", 3))
    assert one_test(slope("weckd", 3), {}) == last_minus_first
    assert one_test(gain("weckd", 3, "single", 1), same) == last_minus_first
    assert one_test(gain("weckd", 1, "weckd", 3), {}) == last_minus_first  # the mirror
    assert one_test(gain("weckd", 3, "single", 1), {}) != last_minus_first
    assert one_test(slope("weckd", 4), {}) != one_test(gain("weckd", 4, "weckd", 1), {})
    assert one_test(gain("weckd", 1, "single", 1), same) == ()


PLAN = (
    *FAMILIES,
    Family("like the chain", "equivalence", "weckd", ("sequential", "one-step", "attention=none")),
)
METHODS = {
    "weckd": (0.5, 0.65, 0.75),
    "single": (0.5,),
    "pooled": (0.8,),
    "sequential": (0.5, 0.6, 0.7),
    "attention=none": (0.5, 0.6, 0.75),
    "full": (0.85,),
    "full-converged": (0.9,),
}


def verdict_suite(**changes):
    roles = {**toy_suite().roles, "attention=none": "reading", "full": "bar"}
    values = {"datasets": ("toy_three", "toy_two"), "methods": tuple(METHODS), "roles": roles} | changes
    return with_plan(toy_suite(**values), families=PLAN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run in which `single` is the first of the chain, without gaps."""
    folder = tmp_path_factory.mktemp("verdicts")
    write_text(folder / "suite.json", suite_json(verdict_suite()))
    for dataset in ("toy_three", "toy_two"):
        for seed in (1, 2, 3, 4, 5):
            frame = toy_frame(dataset, seed, METHODS)
            columns = [name for name in frame.columns if name.startswith("p_")]
            first = (frame["method"] == "weckd") & (frame["stage"] == 1)
            frame.loc[frame["method"] == "single", columns] = frame.loc[first, columns].to_numpy()
            write_cell(folder / "predictions", frame)
    return folder


@pytest.fixture(scope="module")
def tables(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("tables")
    write_tables(verdict_suite(), folder, out)
    return out


@pytest.fixture(scope="module")
def run(folder):
    suite = verdict_suite()
    return Results(suite, load_predictions(suite, folder / "predictions"), RunFiles(folder))


@pytest.fixture(scope="module")
def gains(run):
    return (
        gains_tables(run).frame.set_index(["dataset", "metric", "reference", "stage", "method"]).sort_index()
    )


def test_twins_are_stages_with_the_same_predictions_and_nothing_missing(run):
    same = twins(run.predictions.datasets)
    assert same["single", 1] == same["weckd", 1]
    assert len(set(same.values())) == len(same) - 1


@pytest.mark.parametrize(("lacking", "place"), [("toy_copy", "macro"), ("toy_two", "toy_three")])
def test_a_data_set_that_a_mean_leaves_out_parts_no_twins_of_that_mean(folder, tmp_path, lacking, place):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    datasets = tuple(
        dict.fromkeys(("toy_three", "toy_two", lacking))
    )  # toy_copy is derived, and not there at all
    (tmp_path / f"predictions/{lacking}/seed3.parquet").unlink(missing_ok=True)
    suite = verdict_suite(datasets=datasets)
    found = Results(suite, load_predictions(suite, tmp_path / "predictions"), RunFiles(tmp_path)).planned
    same = [
        (gain.estimate.value, gain.p_adjusted, gain.verdict, gain.family)
        for gain in found
        if gain.dataset == place
        and (gain.comparison.stage, gain.comparison.reference) in ((3, "single"), (3, "own stage 1"))
    ]
    assert len(same) >= 2
    assert len(set(same)) == 1
    assert not np.isnan(same[0][1])


def test_slope_last_minus_first_and_the_gain_over_single_are_counted_once(run, gains):
    of_chain = gains.xs("weckd", level="method").xs(3, level="stage")
    three = of_chain.loc[("macro", "accuracy")].loc[["single", "slope per stage", "own stage 1"]]
    assert three["gain"].tolist() == pytest.approx(three["gain"].iloc[0] * np.array([1, 0.5, 1]))
    assert set(three["family"]) == {"chain over single"}
    assert set(three["correction"]) == {"Holm over 1"}
    assert three["p_adjusted"].nunique() == three["verdict"].nunique() == 1
    listed = [x for x in run.planned if x.comparison.family == "along the chain" and x.decides]
    assert [x.asked.family for x in listed] == ["chain over single"] * 2
    # The same on a modality, where another family asks first.
    otoscopy = of_chain.loc[("toy_three", "accuracy")].loc[["single", "slope per stage", "own stage 1"]]
    assert set(otoscopy["family"]) == {"each modality over single"}
    assert otoscopy["p_adjusted"].nunique() == 1


def test_each_test_counts_once_in_the_pool_of_secondary_ones(gains):
    # Distinct contrasts of the plan: chain over single (with slope and last - first), pooled, sequential,
    # full-converged, attention=none, M2 - M1, M3 - M2: seven, on three means.
    superiority = gains[gains["family"] == "secondary"]
    balanced = 7 * 3
    # The bar on one mean, the reading, sequential and both links on those of modalities.
    accuracy = 1 + 2 + 2 + 2 * 2
    assert set(superiority["correction"]) == {f"Benjamini-Hochberg over {balanced + accuracy}"}
    p = superiority.loc[
        ~superiority.index.get_level_values("reference").isin(["slope per stage", "own stage 1"]), "p"
    ]
    links = superiority.xs("own stage 1", level="reference").xs(2, level="stage")["p"]
    tests = np.array([*p, *links])
    assert len(tests) == balanced + accuracy
    assert sorted([*p, *links]) == sorted(set(superiority["p"]))
    q = stats.false_discovery_control(tests)
    one = superiority["p"].idxmin()
    assert superiority.loc[one, "p_adjusted"] == pytest.approx(q[tests.argmin()])


def test_equivalence_is_a_family_of_its_own_beside_superiority(gains):
    rows = gains.loc[("macro", "accuracy")].xs("weckd", level="method").xs(3, level="stage")
    like = rows[rows["equivalence_family"] == "like the chain"]
    assert list(like.index) == ["attention=none", "sequential"]  # one-step is not run
    assert dict(like["family"]) == {"sequential": "chain over controls", "attention=none": "like the chain"}
    p = [2 * stats.t.sf(abs(abs(r.gain) - 2) / r.se, r.df) for r in like.itertuples()]
    assert like["equivalence_p"].tolist() == pytest.approx(
        [min(1, 2 * min(p)) if x == min(p) else max(2 * min(p), x) for x in p]
    )  # Holm over two
    assert rows.loc["pooled", ["equivalence", "equivalence_family"]].tolist() == ["", ""]


def test_non_inferiority_is_beside_a_verdict_of_superiority(gains):
    bar = gains.loc[("macro", "accuracy", "full-converged", 3, "weckd")]
    t = (bar["gain"] + 2) / bar["se"]
    assert bar["non_inferiority_p"] == pytest.approx(2 * stats.t.sf(abs(t), bar["df"]))
    assert bar["p"] == pytest.approx(2 * stats.t.sf(abs(bar["gain"] / bar["se"]), bar["df"]))
    assert (bar["non_inferiority"], bar["verdict"]) == ("inferior", "loss")
    nll = gains.loc[("macro", "balanced_accuracy", "full-converged", 3, "weckd")]
    assert nll["non_inferiority_family"] == "secondary"


KEYS = ["dataset", "method", "stage", "reference", "metric"]
SAYS = ("p_adjusted", "verdict", "non_inferiority_p", "non_inferiority", "equivalence_p", "equivalence")


def verdicts_of(tables):
    """Return what is said of each comparison (key, column -> what -> files), in all tables of a run that say it."""
    found = defaultdict(lambda: defaultdict(set))
    files = [file for file in tables.glob("*.csv") if file.read_text(encoding="utf-8").strip()]
    for name, frame in {x.name: pd.read_csv(x, keep_default_na=False) for x in files}.items():
        if name == "main.csv":  # a column a reference
            for header in [x for x in frame if x.partition(" ")[0] in SAYS]:
                what, _, reference = header.partition(" ")
                for row in frame[frame["dataset"] != "a new data set"].to_dict("records"):
                    found[row["dataset"], "weckd", 3, reference, "accuracy", what][str(row[header])].add(name)
        elif set(KEYS) <= set(frame):
            renamed = frame.rename(columns={"verdict_at_2": "non_inferiority"})
            rows = [x for x in renamed.to_dict("records") if x["dataset"] and x.get("family") != "not tested"]
            for row, what in product(rows, [x for x in SAYS if x in renamed]):
                # A claim's rows are joined to others without a number, which makes a stage a fraction.
                key = (
                    row["dataset"],
                    row["method"],
                    int(float(row["stage"])),
                    row["reference"],
                    row["metric"],
                )
                found[(*key, what)][str(row[what])].add(name)
    return found


def test_a_comparison_has_one_adjusted_p_and_one_verdict_in_every_table_of_a_run(tables):
    found = verdicts_of(tables)
    assert {key: said for key, said in found.items() if len(said) > 1} == {}
    where = {key: next(iter(said.values())) for key, said in found.items() if key[1:3] == ("weckd", 3)}
    of_pooled = where["macro", "weckd", 3, "pooled", "accuracy", "p_adjusted"]
    assert of_pooled == {"gains.csv", "main.csv", "claims.csv", "across.csv"}
    of_pooled = where["toy_two", "weckd", 3, "pooled", "accuracy", "verdict"]
    assert of_pooled == {"gains.csv", "claims.csv", "modality.csv", "main.csv"}
    of_bar = where["macro", "weckd", 3, "full-converged", "accuracy", "non_inferiority"]
    assert of_bar == {"gains.csv", "main.csv", "claims.csv", "across.csv", "panel.csv"}
    assert where["macro", "weckd", 3, "own stage 1", "accuracy", "p_adjusted"] == {"gains.csv", "along.csv"}
    gains = pd.read_csv(tables / "gains.csv")
    assert not gains.duplicated(KEYS).any()


def test_the_printed_tables_have_the_same_p_as_each_other(tables):
    """Those of the chain over pooled, read from the cells."""

    def cell(name, row, column):
        for table in json.loads((tables / f"{name}.json").read_text(encoding="utf-8")):
            for cells in [dict(zip(table["columns"], x, strict=True)) for x in table["rows"]]:
                if column in cells and row.items() <= cells.items():
                    return cells[column]
        raise AssertionError((name, row, column))

    family = {"family": "chain over controls", "comparison": "over pooled"}
    p = cell("gains", family, "p (adjusted)")
    assert p == cell("main", {"data set": "macro of 2"}, "p (Holm), pooled")
    assert p == cell("across", {"comparison": "weckd over pooled"}, "p (adjusted)")
    family = {"family": "each modality over pooled", "data set": "toy_two (microscopy)"}
    p = cell("gains", family, "p (adjusted)")
    assert p == cell("modality", {"comparison": "weckd over pooled"}, "p, toy_two (microscopy)")
    assert p == cell("main", {"data set": "toy_two"}, "p (Holm), pooled")
    p = {
        cell("gains", {"comparison": x, "data set": "macro"}, "p (adjusted)")
        for x in ("over single", "slope per stage")
    }
    assert p == {
        cell("along", {"data set": "macro of 2"}, f"p, {x}") for x in ("slope per stage", "last - first")
    }
    bar = cell("main", {"data set": "macro of 2"}, "verdict, full-converged")
    assert bar == cell("gains", {"family": "chain against all labels"}, "verdict")
    assert bar == cell("panel", {"data set": "macro of 2", "method": "full-converged"}, "at 2 points")


def test_labels_alone_and_the_chain_beside_all_labels_stand_with_the_main_gains(tables):
    text = (
        (tables / "main.md").read_text(encoding="utf-8").split("### Labels and steps alone, suite toy\n")[1]
    )
    assert "| pooled over single " in text
    assert "| weckd over full " in text


def test_a_quick_look_prints_gains_and_intervals_and_no_p(folder, tmp_path):
    suite = dataclasses.replace(verdict_suite(), quick_look=True)
    write_text(tmp_path / "suite.json", suite_json(suite))
    write_tables(suite, folder, tmp_path)
    gains = pd.read_csv(tmp_path / "gains.csv")
    for column in ("p", "p_adjusted", "non_inferiority_p", "equivalence_p"):
        assert gains[column].isna().all()
    assert gains["ci_low"].notna().all()
    assert set(gains["verdict"]) == {"not tested (quick look)"}
    assert set(gains["non_inferiority"].dropna()) == {"not tested (quick look)"}
    main = (tmp_path / "main.md").read_text(encoding="utf-8").split("### ")[1].split("\n\n")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in main.splitlines()]
    gained = ["gain over single", "gain over pooled", "gain against full-converged"]
    assert [header for header in rows[0] if header.startswith(("gain", "p", "verdict"))] == gained
    assert [row[0] for row in rows[2:]] == ["toy_three", "toy_two", "macro of 2", "a new data set"]
    assert "*" not in main  # neither a star nor bold
    for name in ("along", "modality", "metrics"):
        printed = (tmp_path / f"{name}.md").read_text(encoding="utf-8")
        assert "| p, " not in printed
        assert "not tested" not in printed.replace("Secondary, not tested: no p.", "")
    for name, columns in {
        "across": ["t_over_means_p", "random_effects_p"],
        "leave-one-out": ["p"],
        "sensitivity": ["p"],
        "panel": ["non_inferiority_p"],
    }.items():
        assert pd.read_csv(tmp_path / f"{name}.csv")[columns].isna().all().all(), name
