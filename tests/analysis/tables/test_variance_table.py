import dataclasses
import math

import numpy as np
import pytest
from scipy import stats
from wide_suite import GOLDEN, cells_of, groups_of, parts_by_hand, right, row, text_of

from weckd.analysis.inference.reader_study import Study
from weckd.analysis.sheets.robustness import advice, variance_table
from weckd.tables.captions import NO_FAMILY

A_AND_C = Study(0.1, (0.1,) * 5, 4e-4, 1e-4, 5.0, 100, 50, False)


def test_golden_text(wide):
    assert text_of(variance_table(wide)) == (GOLDEN / "variance.md").read_text(encoding="utf-8")


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


def test_a_mean_pairs_the_seeds_of_its_data_sets(wide):
    found = row(variance_table(wide).frame, dataset="macro", reference="single")
    keys = ("toy_three", "toy_two")
    differences = [right(key, "weckd", 3) - right(key, "single", 1) for key in keys]
    cases = [parts_by_hand(one, groups_of(key))[1] / 4 for one, key in zip(differences, keys, strict=True)]
    seeds = np.mean([one.mean(axis=1) for one in differences], axis=0).var(ddof=1) / 5
    assert found["se"] == pytest.approx(100 * math.sqrt(seeds + sum(cases)))
    assert found["se_twice_the_seeds"] == pytest.approx(100 * math.sqrt(seeds / 2 + sum(cases)))
    df = (seeds + sum(cases)) ** 2 / (seeds**2 / 4 + sum(case**2 for case in cases) / 14)
    assert found["df"] == pytest.approx(df)


def test_cases_below_zero_are_said(wide):
    file = variance_table(wide)
    found = row(file.frame, dataset="toy_two", reference="single")
    difference = right("toy_two", "weckd", 3) - right("toy_two", "single", 1)
    assert parts_by_hand(difference, groups_of("toy_two"))[1] == 0
    assert (found["case_share"], found["cases_below_zero"]) == (0, True)
    shown = {line["data set"]: line["cases"] for line in cells_of(file.tables[0])}
    assert (shown["toy_two"], shown["macro of 2"]) == ("below 0", f"{100 * (1 - _macro_share(file)):.0f} %")
    assert not row(file.frame, dataset="macro", reference="single")["cases_below_zero"]


def _macro_share(file):
    return row(file.frame, dataset="macro", reference="single")["seed_share"]


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
