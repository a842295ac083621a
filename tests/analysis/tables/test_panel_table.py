import math

import numpy as np
import pytest
from scipy import stats
from wide_suite import GOLDEN, cells_of, groups_of, only, parts_by_hand, right, text_of

from weckd.analysis.sheets.panel import panel_table


def test_golden_text(wide):
    assert text_of(panel_table(wide)) == (GOLDEN / "panel.md").read_text(encoding="utf-8")


def test_numbers_by_hand(wide):
    frame = panel_table(wide).frame
    assert ",".join(frame.columns) == (
        "suite,phantom,dataset,method,stage,reference,reference_mean,reference_half_width,metric,k,n_images,n_groups,"
        "unit,estimate,ci_low,ci_high,se,df,alpha,non_inferiority_p,non_inferiority_family,verdict_at_1,verdict_at_2,"
        "verdict_at_3,missing,plan_hash"
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
    assert found["non_inferiority_family"] == "exploratory"
    assert math.isnan(found["non_inferiority_p"])


def test_a_row_is_of_the_family_that_it_decides(wide):
    frame = panel_table(wide).frame.set_index(["reference", "dataset"])["non_inferiority_family"]
    assert frame["full-converged", "toy_three"] == "chain against supervised"
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
