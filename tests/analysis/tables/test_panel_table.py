import math

import numpy as np
import pytest
from scipy import stats
from small_suite import toy_suite
from wide_suite import GOLDEN, cells_of, groups_of, only, parts_by_hand, right, text_of

from weckd.analysis.contrasts import Result
from weckd.analysis.estimates import estimate as shown_as
from weckd.analysis.inference.reader_study import Study
from weckd.analysis.sheets.panel import margin_verdict, panel_table


def study(estimate, half_width, all_zero=False):
    """A study of five seeds whose 95 % interval has this half-width: points, df 4."""
    se = half_width / 100 / stats.t.ppf(0.975, 4)
    return Study(estimate / 100, (0.0,) * 5, se**2, 0.0, 4.0, 100, 50, all_zero)


def verdict_of(suite, found, margin):
    return margin_verdict(suite, shown_as(suite, Result(found)), margin)


def test_golden_text(wide):
    assert text_of(panel_table(wide)) == (GOLDEN / "panel.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("estimate", "half_width", "margin", "verdict"),
    [
        (0.0, 1.9, 2, "non-inferior"),
        (0.0, 2.1, 2, "inconclusive"),  # not significantly different from 0 is not enough
        (0.0, 2.1, 3, "non-inferior"),
        (-1.0, 0.5, 2, "non-inferior"),  # significantly worse, but by less than the margin
        (-3.0, 0.9, 2, "inferior"),
        (-3.0, 1.1, 2, "inconclusive"),
        (-3.0, 0.9, 3, "inconclusive"),
        (1.0, 0.0, 2, "inconclusive (no variation)"),
    ],
)
def test_verdicts_by_the_interval(estimate, half_width, margin, verdict):
    assert verdict_of(toy_suite(), study(estimate, half_width), margin) == verdict


def test_verdicts_that_are_none():
    assert verdict_of(toy_suite(), None, 2) == "missing"
    assert verdict_of(toy_suite(), study(0.0, 0.0, all_zero=True), 2) == "identical"
    assert verdict_of(toy_suite(seeds=(1, 2)), study(0.0, 1.0), 2) == "descriptive only (k < 5)"
    one_group = Study(0.0, (0.1, -0.1) * 3, 0.01, math.nan, math.nan, 9, 1, False)
    assert verdict_of(toy_suite(), one_group, 2) == "inconclusive (one group)"


def test_numbers_by_hand(wide):
    frame = panel_table(wide).frame
    assert ",".join(frame.columns) == (
        "suite,phantom,dataset,method,stage,reference,reference_mean,reference_half_width,metric,k,n_images,n_groups,"
        "unit,estimate,ci_low,ci_high,se,df,family,alpha,p_adjusted,verdict_at_1,verdict_at_2,verdict_at_3,missing,"
        "plan_hash"
    )
    found = frame[(frame["dataset"] == "toy_two") & (frame["reference"] == "panel-resnet50-30")].iloc[0]
    theirs = right("toy_two", "panel-resnet50-30", 1)
    difference = right("toy_two", "weckd", 3) - theirs
    seeds, cases = parts_by_hand(difference, groups_of("toy_two"))
    df = (seeds + cases) ** 2 / (seeds**2 / 4 + cases**2 / 14)
    half = stats.t.ppf(0.975, df) * math.sqrt(seeds + cases)
    assert found["reference_mean"] == pytest.approx(100 * theirs.mean())
    assert found[["estimate", "ci_low"]].tolist() == pytest.approx(
        [100 * difference.mean(), 100 * (difference.mean() - half)]
    )
    assert found["family"] == "exploratory"
    assert math.isnan(found["p_adjusted"])


def test_a_mean_is_of_the_family_that_it_decides(wide):
    frame = panel_table(wide).frame.set_index(["reference", "dataset"])["family"]
    assert frame["full-converged", "macro otoscopy"] == "chain against supervised"
    assert frame["full-converged", "macro"] == "chain against all labels"
    assert frame["panel-resnet50-100", "macro"] == "secondary"


def test_only_the_bar(tmp_path):
    on_means = panel_table(only(tmp_path, "weckd", "full-converged", "single")).tables[0]
    assert [line["method"] for line in cells_of(on_means)] == ["weckd", "full-converged"] * 2


def test_neither_panel_nor_bar(chain_and_single):
    nothing = panel_table(chain_and_single)
    assert cells_of(nothing.tables[0]) == [
        {"method": "neither full-converged nor a method of the panel is in this run"}
    ]
    assert nothing.frame.to_dict("list") == {
        "method": ["neither full-converged nor a method of the panel is in this run"]
    }


def test_no_chain_and_no_margin_are_said(unplanned, primary_nll):
    without = panel_table(unplanned)
    assert cells_of(without.tables[0]) == [
        {"method": "no method of this run is a chain; add one, such as weckd"}
    ]
    nll = panel_table(primary_nll)
    assert cells_of(nll.tables[0]) == [{"method": "the plan's margin is not stated for NLL"}]


def test_few_seeds_only_describe(few):
    line = cells_of(panel_table(few).tables[0])[1]
    seeds = (1, 2)
    difference = np.mean(
        right("toy_three", "weckd", 3, seeds) - right("toy_three", "full-converged", 1, seeds)
    )
    assert line["weckd minus it [95 % CI]"] == f"{100 * difference:+.1f}"
    assert line["at 2 points"] == "descriptive only (k < 5)"
    assert line["p (adjusted)"] == "-"
