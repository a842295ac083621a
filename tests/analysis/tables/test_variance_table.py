import dataclasses
import math

import pytest
from scipy import stats
from wide_suite import GOLDEN, cells_of, groups_of, parts_by_hand, right, row, text_of

from weckd.analysis.inference.reader_study import Study
from weckd.analysis.sheets.robustness import advice, twice_the_seeds, variance_table
from weckd.tables.captions import NO_FAMILY

A_AND_C = Study(0.1, (0.1,) * 5, 4e-4, 1e-4, 5.0, 100, 50, False)


def test_golden_text(wide):
    assert text_of(variance_table(wide)) == (GOLDEN / "variance.md").read_text(encoding="utf-8")


def test_twice_the_seeds_by_hand():
    doubled = twice_the_seeds(A_AND_C)
    assert (doubled.seed_part, doubled.case_part) == (2e-4, 1e-4)
    assert doubled.se == pytest.approx(math.sqrt(3e-4))
    assert doubled.df == pytest.approx(9e-8 / (4e-8 / 9 + 1e-8 / 49))
    assert doubled.estimate == A_AND_C.estimate
    nothing = twice_the_seeds(dataclasses.replace(A_AND_C, seed_part=0.0, case_part=0.0))
    assert (nothing.se, math.isnan(nothing.df)) == (0.0, True)


@pytest.mark.parametrize(
    ("seed_part", "case_part", "text"),
    [
        (2.01, 1.0, "more seeds"),
        (1.99, 1.0, "both"),
        (1.0, 1.99, "both"),
        (1.0, 2.01, "more cases"),
        (0.0, 0.0, "-"),
    ],
)
def test_advice(seed_part, case_part, text):
    study = dataclasses.replace(A_AND_C, seed_part=seed_part, case_part=case_part)
    assert advice(study.seed_share) == text


def test_parts_by_hand(wide):
    frame = variance_table(wide).frame
    difference = right("toy_three", "weckd", 3) - right("toy_three", "single", 1)
    seeds, cases = parts_by_hand(difference, groups_of("toy_three"))
    found = row(frame, dataset="toy_three", reference="single")
    df = (seeds / 2 + cases) ** 2 / ((seeds / 2) ** 2 / 9 + cases**2 / 14)
    se = math.sqrt(seeds / 2 + cases)
    assert found["se"] == pytest.approx(100 * math.sqrt(seeds + cases))
    assert found["seed_share"] == pytest.approx(seeds / (seeds + cases))
    assert found["seed_share"] + found["case_share"] == pytest.approx(1)
    assert found["se_twice_the_seeds"] == pytest.approx(100 * se)
    assert found["min_detectable_twice_the_seeds"] == pytest.approx(
        100 * se * (stats.t.ppf(0.975, df) + stats.t.ppf(0.8, df))
    )


def test_a_mean_with_twice_the_seeds_is_that_of_its_data_sets(wide):
    frame = variance_table(wide).frame
    of = {name: row(frame, dataset=name, reference="single") for name in ("toy_three", "toy_two", "macro")}
    halves = [of[name]["se_twice_the_seeds"] for name in ("toy_three", "toy_two")]
    assert of["macro"]["se_twice_the_seeds"] == pytest.approx(math.hypot(*halves) / 2)


def test_a_comparison_of_several_families_stands_once(wide):
    frame = variance_table(wide).frame
    stages = list(dict.fromkeys(zip(frame["family"], frame["stage"], frame["reference"], strict=True)))
    assert stages == [
        ("chain over single", 3, "single"),
        ("chain over controls", 3, "pooled"),
        ("chain over controls", 3, "sequential"),
        ("chain over controls", 3, "one-step"),
        ("chain against all labels", 3, "full-converged"),
        ("chain against supervised", 3, "panel-resnet50-100"),
        ("along the chain", 3, "slope per stage"),
        ("along the chain", 3, "own stage 1"),
        ("links of the chain", 2, "own stage 1"),
        ("links of the chain", 3, "own stage 2"),
    ]


def test_few_seeds_only_describe(few):
    line = cells_of(variance_table(few).tables[0])[0]
    seeds = (1, 2)
    gain = (right("toy_three", "weckd", 3, seeds) - right("toy_three", "single", 1, seeds)).mean()
    assert list(line.values()) == ["over single", "toy_three", f"{100 * gain:+.1f}", *["-"] * 7]
    frame = variance_table(few).frame
    assert frame[["seed_share", "min_detectable", "se_twice_the_seeds"]].isna().all().all()


def test_a_run_without_the_plans_methods_says_so(unplanned):
    nothing = variance_table(unplanned)
    assert cells_of(nothing.tables[0]) == [{"data set": NO_FAMILY}]
