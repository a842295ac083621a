import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from weckd.analysis.inference.data_sets import new_data_set
from weckd.analysis.inference.paired_tests import (
    Paired,
    cluster_ols,
    crossed_bootstrap,
    label_permutation,
    percentile,
)
from weckd.analysis.inference.reader_study import (
    half_width,
    mean_study,
    p_value,
    two_way,
    unpaired_mean_study,
)
from weckd.analysis.inference.sensitivity import QUESTIONS, robust, sensitivity_tests
from weckd.analysis.metrics.scores import share_right, weighted_sum

MRMC, UNPAIRED, OLS, BOOTSTRAP, PAIRED_T, PERMUTATION, MCNEMAR, MEANS_T, HKSJ, LEAVE_ONE_OUT = range(10)


@pytest.fixture(scope="module")
def rows(three_pairs):
    return sensitivity_tests(three_pairs, 0.05)


def study_of(paired):
    one, other = (share_right(answers, paired.groups) for answers in (paired.a, paired.b))
    return two_way(weighted_sum([(1.0, one), (-1.0, other)]))


def swapped(pairs):
    return {key: Paired(paired.b, paired.a, paired.groups) for key, paired in pairs.items()}


def numbers(row):
    return (row.estimate, row.low, row.high, row.p)


def test_every_test_says_what_it_asks(rows):
    assert [(row.name, row.question.partition(":")[0]) for row in rows] == [
        ("two-way random effects (MRMC)", "Q3"),
        ("MRMC, seeds independent between data sets", "Q3"),
        ("two-way cluster-robust OLS", "Q3"),
        ("crossed bootstrap", "Q3"),
        ("paired t over seeds (this test set)", "Q1"),
        ("label permutation", "Q2"),
        ("McNemar mid-p, seed by seed", "Q2"),
        ("t over data-set means", "Would a new data set agree?"),
        ("random effects, modified HKSJ", "Would a new data set agree?"),
        ("leave one data set out", "Does one data set decide?"),
    ]
    assert [(row.name, row.question) for row in rows] == list(QUESTIONS.items())


@pytest.mark.parametrize("null", [0.0, -0.02])
def test_numbers_are_those_of_the_single_tests(three_pairs, null):
    rows = sensitivity_tests(three_pairs, 0.1, null)
    pairs = list(three_pairs.values())
    studies = [study_of(paired) for paired in pairs]
    mean = mean_study(studies)
    half = half_width(mean, 0.9)
    assert numbers(rows[MRMC]) == pytest.approx(
        (mean.estimate, mean.estimate - half, mean.estimate + half, p_value(mean, null))
    )
    unpaired = unpaired_mean_study(studies)
    half = half_width(unpaired, 0.9)
    assert numbers(rows[UNPAIRED]) == pytest.approx(
        (mean.estimate, mean.estimate - half, mean.estimate + half, p_value(unpaired, null))
    )
    ols = cluster_ols(pairs, 0.9, null)
    assert numbers(rows[OLS]) == (ols.value, ols.low, ols.high, ols.p)
    assert numbers(rows[BOOTSTRAP]) == (
        mean.estimate,
        *percentile(crossed_bootstrap(three_pairs), 0.9, null),
    )
    seeds = stats.ttest_1samp(mean.per_seed, null)
    interval = seeds.confidence_interval(0.9)
    assert numbers(rows[PAIRED_T]) == pytest.approx(
        (mean.estimate, interval.low, interval.high, seeds.pvalue)
    )
    new = new_data_set(studies, 0.9, null)
    for row, estimate in ((MEANS_T, new.over_means), (HKSJ, new.random_effects)):
        assert numbers(rows[row]) == (estimate.value, estimate.low, estimate.high, estimate.p)
    largest = max(p_value(mean_study([x for x in studies if x is not out]), null) for out in studies)
    assert numbers(rows[LEAVE_ONE_OUT]) == pytest.approx(
        (mean.estimate, math.nan, math.nan, largest), nan_ok=True
    )
    if null == 0:
        assert rows[PERMUTATION].p == label_permutation(three_pairs)


def test_a_margin_is_beyond_the_tests_of_no_difference(three_pairs):
    rows = sensitivity_tests(three_pairs, 0.05, null=-0.02)
    for row in (rows[PERMUTATION], rows[MCNEMAR]):
        assert row.estimate == rows[MRMC].estimate
        assert math.isnan(row.p)
        assert row.side is None
        assert row.note == "can only test for no difference, not for -2.0 points"


def test_antisymmetric(three_pairs, rows):
    for one, other in zip(rows, sensitivity_tests(swapped(three_pairs), 0.05), strict=True):
        assert numbers(other) == pytest.approx((-one.estimate, -one.high, -one.low, one.p), nan_ok=True)
        assert other.side == (None if one.side is None else -one.side)


def test_identical_answers_have_no_p_anywhere(three_pairs):
    pairs = {key: Paired(paired.a, paired.a, paired.groups) for key, paired in three_pairs.items()}
    rows = sensitivity_tests(pairs, 0.05)
    assert len(rows) == 10
    for row in rows:
        assert row.estimate == 0
        assert all(math.isnan(x) for x in (row.low, row.high, row.p))
        assert (row.side, row.note) == (None, "identical")
    assert not robust(rows)


def test_one_identical_data_set_leaves_the_others(three_pairs, rows):
    ear = three_pairs["ear"]
    with_it = sensitivity_tests({**three_pairs, "same": Paired(ear.a, ear.a, ear.groups)}, 0.05)
    assert with_it[MRMC].estimate == pytest.approx(rows[MRMC].estimate * 3 / 4)
    assert with_it[MRMC].p == pytest.approx(rows[MRMC].p)
    assert math.isnan(with_it[HKSJ].p)
    assert with_it[HKSJ].note == "a data set without a standard error"


def test_no_variation_is_said_where_it_takes_the_p():
    always = Paired(np.ones((5, 12)), np.zeros((5, 12)), np.arange(12))
    rows = sensitivity_tests({"x": always, "y": always}, 0.05)
    for row in (rows[MRMC], rows[UNPAIRED], rows[OLS], rows[BOOTSTRAP], rows[PAIRED_T]):
        assert (row.estimate, row.low, row.high, row.note) == (1, 1, 1, "no variation")
        assert math.isnan(row.p)
    assert rows[PERMUTATION].p == 1 / 2001
    assert rows[MCNEMAR].note == "significant in 5 of 5 seeds on x; 5 of 5 seeds on y"
    assert rows[MEANS_T].note == "no variation between data sets"
    assert math.isnan(rows[LEAVE_ONE_OUT].p)
    assert rows[LEAVE_ONE_OUT].note == "largest p; 100.0 to 100.0 points; the verdict stays"


def test_one_seed_one_group_one_data_set(random_pair):
    paired = random_pair("one", better=1.0)
    one_seed = sensitivity_tests({"x": Paired(paired.a[:1], paired.b[:1], paired.groups)}, 0.05)
    assert {one_seed[row].note for row in (MRMC, UNPAIRED, OLS, BOOTSTRAP, PAIRED_T)} == {"one seed"}
    assert all(math.isnan(one_seed[row].p) for row in (MRMC, UNPAIRED, OLS, BOOTSTRAP, PAIRED_T))
    assert one_seed[PERMUTATION].p < 0.05
    one_group = sensitivity_tests({"x": Paired(paired.a, paired.b, np.zeros_like(paired.groups))}, 0.05)
    assert {one_group[row].note for row in (MRMC, UNPAIRED, OLS, BOOTSTRAP)} == {"one group"}
    assert one_group[PAIRED_T].p < 0.05
    one_set = sensitivity_tests({"x": paired}, 0.05)
    assert {one_set[row].note for row in (MEANS_T, HKSJ, LEAVE_ONE_OUT)} == {"one data set"}
    assert all(math.isnan(one_set[row].p) for row in (MEANS_T, HKSJ, LEAVE_ONE_OUT))
    assert one_set[MRMC].p == pytest.approx(p_value(study_of(paired)))


def test_notes_name_df_draws_and_what_is_exchanged(three_pairs, rows):
    mean = mean_study([study_of(paired) for paired in three_pairs.values()])
    assert rows[MRMC].note == f"t with {mean.df:.3g} df"
    assert rows[PAIRED_T].note == "t with 4 df"
    assert rows[BOOTSTRAP].note == "2000 draws of seeds and groups, percentile interval"
    assert rows[PERMUTATION].note == (
        "2000 draws; the methods swap their answers to all images of a group in all seeds at once"
    )
    assert rows[MEANS_T].note == "t with 2 df"
    assert rows[HKSJ].note.startswith("t with 2 df, Paule-Mandel tau ")


def test_leave_one_out_names_the_data_set_that_decides(random_pair):
    pairs = {"none": random_pair("a"), "small": random_pair("b"), "all": random_pair("c", better=3.0)}
    rows = sensitivity_tests(pairs, 0.05)
    gains = {key: paired.difference.mean() for key, paired in pairs.items()}
    low, high = (
        (gains["none"] + gains["small"]) / 2,
        max(gains["all"] + gains["none"], gains["all"] + gains["small"]) / 2,
    )
    assert rows[MRMC].side == 1
    assert rows[LEAVE_ONE_OUT].side == 0
    assert rows[LEAVE_ONE_OUT].note == (
        f"largest p; {100 * low:.1f} to {100 * high:.1f} points; the verdict changes without all"
    )


def test_leave_one_out_sees_a_verdict_turn_round(random_pair):
    pairs = {"better": random_pair("a", n_groups=200, better=3.0), "worse": random_pair("b", better=-1.0)}
    alone = {key: study_of(paired) for key, paired in pairs.items()}
    assert max(p_value(study) for study in alone.values()) < 0.05
    assert alone["worse"].estimate < 0
    rows = sensitivity_tests(pairs, 0.2)
    assert rows[MRMC].side == 1
    assert (rows[LEAVE_ONE_OUT].p, rows[LEAVE_ONE_OUT].side) == (1, 0)
    assert rows[LEAVE_ONE_OUT].note.endswith("the verdict changes without better")


def test_robust_when_the_four_tests_of_the_procedure_agree(rows):
    assert [row.side for row in rows[:4]] == [1, 1, 1, 1]
    assert robust(rows)

    def with_side(position, side):
        return [dataclasses.replace(row, side=side) if i == position else row for i, row in enumerate(rows)]

    for position in (MRMC, UNPAIRED, OLS, BOOTSTRAP):
        assert not robust(with_side(position, 0))
        assert not robust(with_side(position, -1))
        assert not robust(with_side(position, None))
    for position in (PAIRED_T, PERMUTATION, MEANS_T, LEAVE_ONE_OUT):
        assert robust(with_side(position, 0))
    # Agreement that nothing is shown is agreement too.
    assert robust([dataclasses.replace(row, side=0) for row in rows])


def test_sides_follow_p_alpha_and_null(three_pairs, rows):
    strict = sensitivity_tests(three_pairs, rows[MRMC].p)
    assert (rows[MRMC].side, strict[MRMC].side) == (1, 0)
    below = sensitivity_tests(three_pairs, 0.05, null=0.5)
    assert below[MRMC].side == -1
