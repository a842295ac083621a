import pytest
from wide_suite import GOLDEN, cells_of, groups_of, right, text_of

from weckd.analysis.inference.nine_tests import MRMC, QUESTIONS, nine_tests
from weckd.analysis.inference.paired_tests import Paired
from weckd.analysis.sheets.robustness import sensitivity_table
from weckd.tables.captions import NO_FAMILY


@pytest.fixture(scope="module")
def file(wide):
    return sensitivity_table(wide)


def test_golden_text(file):
    assert text_of(file) == (GOLDEN / "sensitivity.md").read_text(encoding="utf-8")


def test_a_table_for_each_comparison_that_is_decided_on_all_data_sets(file):
    assert [table.label for table in file.tables] == [
        "sensitivity-single",
        "sensitivity-pooled",
        "sensitivity-sequential",
        "sensitivity-one-step",
    ]
    assert file.frame.groupby("reference", sort=False).size().to_dict() == {
        "single": 9,
        "pooled": 1,
        "sequential": 9,
        "one-step": 9,
    }


def test_the_first_row_is_the_plans_own_test(wide, file):
    row = file.frame[(file.frame["reference"] == "sequential") & (file.frame["test"] == MRMC)].iloc[0]
    gain = next(
        gain for gain in wide.planned if gain.comparison.reference == "sequential" and gain.dataset == "macro"
    )
    assert row["estimate"] == pytest.approx(100 * gain.estimate.study.estimate)
    assert row["p"] == pytest.approx(gain.p)


def test_all_rows_are_those_of_the_answers(file):
    pairs = {
        key: Paired(right(key, "weckd", 3), right(key, "single", 1), groups_of(key))
        for key in ("toy_three", "toy_two")  # toy_copy is derived
    }
    expected = nine_tests(pairs, 0.05)
    found = file.frame[file.frame["reference"] == "single"]
    assert found["test"].tolist() == list(QUESTIONS)
    assert found["estimate"].tolist() == pytest.approx([100 * row.estimate for row in expected])
    assert found["p"].tolist() == pytest.approx([row.p for row in expected], nan_ok=True)
    assert found["note"].tolist() == [row.note for row in expected]
    assert found["robust"].tolist() == ["yes"] * 3 + ["-"] * 6


def test_what_is_missing_is_named(file):
    assert cells_of(file.tables[1]) == [{"test": "not done, missing: toy_two seed 2 pooled diverged"}]
    row = file.frame[file.frame["reference"] == "pooled"].iloc[0]
    assert row["note"] == "not done, missing: toy_two seed 2 pooled diverged"


def test_too_few_seeds_are_said(few):
    assert cells_of(sensitivity_table(few).tables[0]) == [
        {"test": "not done: 2 seeds, at least 5 are needed"}
    ]


def test_another_primary_metric_is_said(primary_nll):
    file = sensitivity_table(primary_nll)
    assert cells_of(file.tables[0]) == [
        {"test": "not done: the tests are of accuracy, the primary metric is NLL"}
    ]


def test_a_run_without_such_a_claim_says_so(unplanned):
    nothing = sensitivity_table(unplanned)
    assert cells_of(nothing.tables[0]) == [{"test": NO_FAMILY}]
