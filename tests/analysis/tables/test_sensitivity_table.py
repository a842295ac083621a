import pytest
from wide_suite import GOLDEN, cells_of, groups_of, right, text_of

from weckd.analysis.inference.paired_tests import Paired
from weckd.analysis.inference.sensitivity import MRMC, QUESTIONS, sensitivity_tests
from weckd.analysis.sheets.robustness import sensitivity_table
from weckd.tables.captions import NO_FAMILY


@pytest.fixture(scope="module")
def file(wide):
    return sensitivity_table(wide)


def test_golden_text(file):
    assert text_of(file) == (GOLDEN / "sensitivity.md").read_text(encoding="utf-8")


def test_a_table_for_each_comparison_that_decides_a_family(file):
    assert [table.label for table in file.tables] == [
        "sensitivity-single",
        "sensitivity-pooled",
        "sensitivity-sequential",
        "sensitivity-one-step",
        "sensitivity-full-converged-toy_three",
        "sensitivity-panel-resnet50-100-toy_three",
        "sensitivity-full-converged",
        "sensitivity-own-stage-1",
        "sensitivity-own-stage-2",
        "sensitivity-pooled-toy_three",
        "sensitivity-pooled-toy_two",
        "sensitivity-single-toy_three",
        "sensitivity-single-toy_two",
    ]
    rows = file.frame.groupby(["reference", "dataset"], sort=False).size()
    assert {what: count for what, count in rows.items() if count != 10} == {
        ("pooled", "macro"): 1,
        ("pooled", "toy_two"): 1,
    }


def test_a_margin_is_that_of_the_plan_on_the_mean_that_decides(wide, file):
    # A margin of 2 points; toy_three is the only data set of otoscopy.
    answers = (right("toy_three", "weckd", 3), right("toy_three", "full-converged", 1))
    expected = sensitivity_tests({"toy_three": Paired(*answers, groups_of("toy_three"))}, 0.05, -0.02)
    found = file.frame[(file.frame["reference"] == "full-converged") & (file.frame["dataset"] == "toy_three")]
    assert found["p"].tolist() == pytest.approx([row.p for row in expected], nan_ok=True)
    assert found["n_images"].unique().tolist() == [24]
    table = next(t for t in file.tables if t.label == "sensitivity-full-converged-toy_three")
    assert table.title == "Ten tests of weckd against full-converged, toy_three (otoscopy), suite toy"
    assert table.caption == (
        "The gain of weckd against full-converged in accuracy, toy_three (otoscopy), tested in ten ways, percentage "
        "points. toy_three (otoscopy): n = 24 test images in 15 groups; k = 5 seeds. Two-way random-effects t, seeds x "
        "groups; unadjusted 95 % intervals; alpha = 0.05, p not adjusted. Plan 0123456789ab."
    )
    assert table.notes[:2] == (
        "The first row is the plan's test, which alone decides, with p adjusted in the table of gains; the others are "
        "sensitivity, in no family. Family of the gain: chain against supervised.",
        "Against a method the null is a gain of -2 points (non-inferiority).",
    )


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
    expected = sensitivity_tests(pairs, 0.05)
    found = file.frame[(file.frame["reference"] == "single") & (file.frame["dataset"] == "macro")]
    assert found["test"].tolist() == list(QUESTIONS)
    assert found["estimate"].tolist() == pytest.approx([100 * row.estimate for row in expected])
    assert found["p"].tolist() == pytest.approx([row.p for row in expected], nan_ok=True)
    assert found["note"].tolist() == [row.note for row in expected]
    assert found["robust"].tolist() == ["yes"] * 4 + ["-"] * 6


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


def test_a_note_says_how_small_a_p_can_be(file):
    notes = {table.label: table.notes for table in file.tables}
    assert (
        "Smallest p: .0010 by the crossed bootstrap, .0005 by label permutation; a t test has none. By McNemar's mid-p "
        "no seed is significant with fewer than 5 images that one method alone gets right."
    ) in notes["sensitivity-single"]
    # Against a margin nothing is permuted.
    margin = notes["sensitivity-full-converged"]
    assert "Smallest p: .0010 by the crossed bootstrap; a t test has none." in margin
    assert "Smallest p" not in " ".join(notes["sensitivity-pooled"])  # where nothing is tested
