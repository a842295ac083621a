import math

import numpy as np
import pytest
from scipy import stats
from wide_suite import GOLDEN, cells_of, groups_of, parts_by_hand, right, row, text_of

from weckd.analysis.sheets.chain import along_table


@pytest.fixture(scope="module")
def frame(wide):
    return along_table(wide).frame


def test_golden_text(wide):
    assert text_of(along_table(wide)) == (GOLDEN / "along.md").read_text(encoding="utf-8")


def test_columns_of_the_frame(frame):
    assert ",".join(frame.columns) == (
        "suite,phantom,dataset,quantity,method,stage,reference,metric,k,n_images,n_groups,unit,estimate,ci_low,ci_high,"
        "se,df,test,family,correction,alpha,p,p_adjusted,verdict,non_inferiority,non_inferiority_p,"
        "non_inferiority_family,equivalence,equivalence_p,equivalence_family,missing,plan_hash"
    )
    assert frame.groupby("quantity", sort=False).size().to_dict() == {
        "level": 3 * 4,
        "slope per stage": 4,
        "last - first": 4,
        "M2 - M1": 4,
        "M3 - M2": 4,
        "gain at the same stage": 3 * 4,
    }


def test_levels_slope_and_links_are_those_of_the_answers(frame):
    m1, m2, m3 = (right("toy_two", "weckd", stage).mean(axis=1) for stage in (1, 2, 3))
    assert row(frame, dataset="toy_two", quantity="level", stage=2)["estimate"] == pytest.approx(
        100 * m2.mean()
    )
    for quantity, per_seed in (
        ("slope per stage", (m3 - m1) / 2),
        ("last - first", m3 - m1),
        ("M2 - M1", m2 - m1),
        ("M3 - M2", m3 - m2),
    ):
        assert row(frame, dataset="toy_two", quantity=quantity)["estimate"] == pytest.approx(
            100 * per_seed.mean()
        )


def test_a_gain_at_the_same_stage_and_its_interval_by_hand(frame):
    difference = right("toy_three", "weckd", 2) - right("toy_three", "sequential", 2)
    seeds, cases = parts_by_hand(difference, groups_of("toy_three"))
    df = (seeds + cases) ** 2 / (seeds**2 / 4 + cases**2 / 14)
    half = stats.t.ppf(0.975, df) * math.sqrt(seeds + cases)
    found = row(frame, dataset="toy_three", quantity="gain at the same stage", stage=2)
    assert found["reference"] == "sequential"
    assert found["family"] == "not tested"
    assert math.isnan(found["p"])
    assert found[["estimate", "ci_low", "ci_high"]].tolist() == pytest.approx(
        [100 * difference.mean(), 100 * (difference.mean() - half), 100 * (difference.mean() + half)]
    )


def test_the_macro_mean_is_without_the_derived_data_set(frame):
    means = [
        np.mean(right(key, "weckd", 3) - right(key, "sequential", 3)) for key in ("toy_three", "toy_two")
    ]
    found = row(frame, dataset="macro", quantity="gain at the same stage", stage=3)
    assert found["estimate"] == pytest.approx(100 * np.mean(means))
    assert found[["n_images", "n_groups"]].tolist() == [48, 30]


def test_few_seeds_only_describe(few):
    stages, same_stage = along_table(few).tables
    line = cells_of(stages)[0]
    m1, m3 = (right("toy_three", "weckd", stage, (1, 2)).mean() for stage in (1, 3))
    assert (line["M3"], line["slope per stage"]) == (f"{100 * m3:.1f}", f"{50 * (m3 - m1):+.1f}")
    assert line["p, slope per stage"] == "descriptive only (k < 5)"
    assert cells_of(stages)[3]["p, slope per stage"] == "descriptive only (k < 5)"
    assert "[" not in "".join(value for line in cells_of(same_stage) for value in line.values())
    assert "Fewer than 5 seeds: description only, no interval and no p." in same_stage.notes


def test_a_run_without_a_chain_says_so(unplanned):
    nothing = along_table(unplanned)
    assert cells_of(nothing.tables[0]) == [
        {"data set": "no method of this run has stages to follow; add a chain, such as weckd"}
    ]


def test_no_other_method_with_as_many_stages(chain_and_single):
    nobody = along_table(chain_and_single)
    assert cells_of(nobody.tables[1]) == [
        {"over": "no other method of this run has as many stages; sequential has"}
    ]
