import dataclasses

import numpy as np
import pytest
from scipy import stats
from small_suite import toy_suite
from wide_suite import GOLDEN, cells_of, right, text_of, wide_suite

from weckd.analysis.contrasts import Result
from weckd.analysis.estimates import Gain, Tested
from weckd.analysis.estimates import estimate as shown_as
from weckd.analysis.inference.reader_study import Study, p_value
from weckd.analysis.results import load_run
from weckd.analysis.sheet import wins_ties_losses
from weckd.analysis.sheets.gains import across_table, leave_one_out_table, modality_table
from weckd.places import independent
from weckd.tables.captions import NO_FAMILY

MAKERS = {"across": across_table, "modality": modality_table, "leave-one-out": leave_one_out_table}


def gain_of(wide, dataset, reference="single"):
    """The row of the family that is decided on the mean over all data sets."""
    return next(
        gain
        for gain in wide.planned
        if gain.dataset == dataset
        and gain.comparison.reference == reference
        and gain.comparison.decided_on == ("macro",)
    )


@pytest.mark.parametrize("name", MAKERS)
def test_golden_text(wide, name):
    file = MAKERS[name](wide)
    assert file.name == name
    assert text_of(file) == (GOLDEN / f"{name}.md").read_text(encoding="utf-8")


def test_a_new_data_set_is_a_t_test_over_the_independent_ones(wide):
    found = across_table(wide).frame.set_index("reference").loc["full-converged"]
    means = [
        100 * (right(key, "weckd", 3) - right(key, "full-converged", 1)).mean()
        for key in ("toy_three", "toy_two")
    ]
    test = stats.ttest_1samp(means, -2.0)  # non-inferiority: against minus the margin
    low, high = test.confidence_interval(0.95)
    assert found["t_over_means"] == pytest.approx(np.mean(means))
    assert found[["t_over_means_ci_low", "t_over_means_ci_high"]].tolist() == pytest.approx([low, high])
    assert found["t_over_means_p"] == pytest.approx(test.pvalue)
    half = (high - low) / 2 * np.sqrt(3)  # of the mean's standard error, times sqrt(1 + 1/J) sqrt(J)
    assert found["measured_high"] - found["measured_low"] == pytest.approx(2 * half)
    assert found["n_datasets"] == 2


def test_these_data_sets_are_the_deciding_row(wide):
    found = across_table(wide).frame.set_index("reference").loc["single"]
    gain = gain_of(wide, "macro")
    assert (found["family"], found["p_adjusted"]) == ("chain over single", gain.p_adjusted)
    assert found["estimate"] == pytest.approx(100 * gain.estimate.study.estimate)


def test_a_missing_data_set_has_no_numbers_for_a_new_one(wide):
    found = across_table(wide).frame.set_index("reference").loc["pooled"]
    assert found["missing"] == "toy_two seed 2 pooled diverged"
    assert found[["t_over_means", "random_effects", "tau", "prediction_low", "measured_low"]].isna().all()


def gain_row(low, high, comparison):
    """A gain whose 95 % interval, in points, goes from low to high by t with 4 df, or that is missing."""
    study = None
    if low is not None:
        se = (high - low) / 200 / stats.t.ppf(0.975, 4)
        study = Study((low + high) / 200, (0.0,) * 5, se**2, 0.0, 4.0, 9, 9, False)
    return Gain(comparison, "d", "accuracy", shown_as(toy_suite(), Result(study)), "", False, Tested())


def test_wins_ties_and_losses_are_read_off_the_intervals(wide):
    over = gain_of(wide, "macro").comparison
    against = gain_of(wide, "macro", "full-converged").comparison  # its null is -2 points
    rows = [gain_row(0.1, 9, over), gain_row(-0.1, 9, over), gain_row(-9, -0.1, over), gain_row(5, 5, over)]
    assert wins_ties_losses(rows) == "1 / 2 / 1"  # nothing varies in the last: no test, a tie
    assert wins_ties_losses([*rows, gain_row(None, None, over)]) == "1 / 2 / 1, 1 missing"
    rows = [gain_row(-1.9, 1, against), gain_row(-9, -2.1, against), gain_row(-2.1, 1, against)]
    assert wins_ties_losses(rows) == "1 / 1 / 1"


def test_each_modality_has_the_row_of_its_own_family(wide):
    frame = modality_table(wide).frame
    assert set(frame["dataset"]) == {"toy_three", "toy_two"}  # each is alone in its modality
    assert set(frame["n_datasets"]) == {1}  # toy_copy is derived
    frame = frame[frame["dataset"] == "toy_three"].set_index("reference")
    assert frame["non_inferiority_family"][lambda x: x != ""].to_dict() == {
        "full-converged": "chain against supervised",
        "panel-resnet50-100": "chain against supervised",
    }
    assert frame["family"].to_dict() == {
        "single": "each modality over single",
        "pooled": "each modality over pooled",
        "sequential": "secondary",
        "one-step": "secondary",
        "full-converged": "chain against supervised",
        "panel-resnet50-100": "chain against supervised",
    }


def test_left_out_means_are_those_of_the_others(wide):
    frame = leave_one_out_table(wide).frame
    frame = frame[frame["reference"] == "single"].set_index("left_out")
    assert list(frame.index) == ["", "toy_three", "toy_two"]
    others = {
        "toy_three": "toy_two",
        "toy_two": "toy_three",
    }  # with two data sets, the mean is the other one's
    for left_out, other in others.items():
        study = gain_of(wide, other).estimate.study
        assert frame.loc[left_out, "estimate"] == pytest.approx(100 * study.estimate)
        assert frame.loc[left_out, "p"] == pytest.approx(p_value(study))
        assert frame.loc[left_out, "n_images"] == 24
    assert frame["side"].to_dict() == {"": "above", "toy_three": "undecided", "toy_two": "above"}


def test_one_data_set_has_no_other(wide_folder):
    evaluation = load_run(dataclasses.replace(wide_suite(), datasets=("toy_three",)), wide_folder)
    assert independent(evaluation.suite) == ("toy_three",)
    line = cells_of(leave_one_out_table(evaluation).tables[0])[0]
    assert [line["smallest"], line["largest"], line["side"]] == ["-", "-", "one data set"]
    line = cells_of(across_table(evaluation).tables[0])[0]
    assert line["new: t over means [95 % CI]"] == "one data set"
    assert line["95 % prediction, measured gain"] == "-"


def test_few_seeds_only_describe(few):
    line = cells_of(across_table(few).tables[0])[0]
    assert line["p (adjusted)"] == line["new: t over means [95 % CI]"] == "descriptive only (k < 5)"
    assert line["wins / ties / losses"] == "-"
    assert across_table(few).frame["tau"].isna().all()
    line = cells_of(leave_one_out_table(few).tables[0])[0]
    assert line["side"] == "descriptive only (k < 5)"
    assert leave_one_out_table(few).frame["p"].isna().all()
    assert set(leave_one_out_table(few).frame["side"]) == {""}


@pytest.mark.parametrize("name", MAKERS)
def test_a_run_without_the_plans_methods_says_so(name, unplanned):
    nothing = MAKERS[name](unplanned)
    assert nothing.name == name
    assert cells_of(nothing.tables[0]) == [{"comparison": NO_FAMILY}]
