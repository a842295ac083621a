import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_run import GROUPS, made_suite, random_right, write_made_run
from small_suite import write_predictions

from weckd.analysis.inference.reader_study import mean_study, p_value, two_way, unpaired_mean_study
from weckd.analysis.metrics.scores import mean_score
from weckd.analysis.predictions import load_predictions
from weckd.selfcheck.of_run import PARTITIONS, against_itself, partitions, same_method_checks


def checks(folder, suite):
    return list(same_method_checks(suite, load_predictions(suite, folder / "predictions")))


def rate_by_hand(*right):
    """Share of partitions in which the primary test rejects; the mean over data sets where there are several."""
    rejected = []
    for a, b in partitions(10, PARTITIONS):
        found = [two_way(mean_score((one[a] - one[b]).astype(float), GROUPS)) for one in right]
        rejected.append(p_value(mean_study(found) if len(found) > 1 else found[0]) < 0.05)
    return np.mean(rejected)


def test_partitions_are_disjoint_halves():
    parted = partitions(11, 50)
    assert all(len(a) == len(b) == 5 and len({*a, *b}) == 10 for a, b in parted)
    assert {seed for a, _ in parted for seed in a} == set(range(11))
    assert len({tuple(a) for a, _ in parted}) == 50
    few = partitions(11, 3)
    assert all(np.array_equal(one, other) for one, other in zip(few, parted, strict=False))


def test_against_itself_is_the_primary_test_of_the_difference():
    right = random_right("one").astype(float)
    a, b = np.array([3, 0, 5, 9, 2]), np.array([1, 4, 8, 7, 6])
    found = against_itself(mean_score(right, GROUPS), (a, b))
    expected = two_way(mean_score(right[a] - right[b], GROUPS))
    assert found.estimate == pytest.approx(right[a].mean() - right[b].mean())
    assert (found.se, found.df, found.n_groups) == pytest.approx((expected.se, expected.df, 30))


def test_rates_by_data_set_and_of_the_mean(tmp_path):
    methods = ("single", "pooled", "majority")
    suite = made_suite(methods, n_datasets=2)
    right = {key: {name: random_right(key, name) for name in methods} for key in suite.datasets}
    right["set1"]["majority"][:5] = 0  # a floor takes no part
    write_made_run(tmp_path, suite, right)
    found = {outcome.check: outcome for outcome in checks(tmp_path, suite)}
    assert list(found) == [
        "same method, other seeds, set1",
        "same method, other seeds, set2",
        "same method, other seeds, mean of 2 data sets",
    ]
    one, two, mean = found.values()
    trained = ("single", "pooled")
    assert one.value == np.mean([rate_by_hand(right["set1"][name]) for name in trained])
    assert two.value == np.mean([rate_by_hand(right["set2"][name]) for name in trained])
    by_hand = [rate_by_hand(right["set1"][name], right["set2"][name]) for name in trained]
    assert mean.value == np.mean(by_hand)
    assert (one.low, one.high, mean.low, mean.high) == (0.01, 0.10, 0.0, 0.10)
    assert {outcome.outcome for outcome in found.values()} == {"passed"}
    assert one.note == "2 methods, 500 partitions of 10 seeds in halves of 5"
    assert one.source == "toy"


def test_a_test_that_never_rejects_fails(tmp_path):
    # One seed is always wrong, the others always right: one pair differs, t = 1 in every partition.
    suite = made_suite(("single",))
    right = np.ones((10, 40), dtype=np.int64)
    right[4] = 0
    write_made_run(tmp_path, suite, {"set1": {"single": right}})
    (outcome,) = checks(tmp_path, suite)
    assert (outcome.value, outcome.outcome) == (0.0, "FAILED")


def images_only(scored):
    """One-sample t over groups of the mean over seeds: seeds are taken as given."""
    n_groups = scored.cases.shape[1]
    residuals = np.sqrt(n_groups) * scored.cases.mean(axis=0)
    twice = np.tile(scored.values.mean() + residuals, (2, 1))  # two equal seeds: no seed part
    return two_way(mean_score(twice, np.arange(n_groups)))


def test_a_test_over_images_alone_fails(tmp_path, monkeypatch):
    suite = made_suite(("single",))
    write_made_run(tmp_path, suite, {"set1": {"single": random_right("one")}})
    (outcome,) = checks(tmp_path, suite)
    assert outcome.outcome == "passed"
    monkeypatch.setattr("weckd.selfcheck.of_run.two_way", images_only)
    (outcome,) = checks(tmp_path, suite)
    assert (outcome.outcome, outcome.value > 0.2) == ("FAILED", True)


def test_data_sets_on_which_the_same_seeds_are_lucky_fail_in_a_mean_that_does_not_pair_them(
    tmp_path, monkeypatch
):
    suite = made_suite(("single",), n_datasets=5)
    write_made_run(tmp_path, suite, {key: {"single": random_right("copied")} for key in suite.datasets})
    assert {outcome.outcome for outcome in checks(tmp_path, suite)} == {"passed"}
    monkeypatch.setattr("weckd.selfcheck.of_run.mean_study", unpaired_mean_study)
    *each, mean = checks(tmp_path, suite)
    assert {outcome.outcome for outcome in each} == {"passed"}
    assert (mean.outcome, mean.value > 0.3) == ("FAILED", True)


def test_fewer_than_ten_seeds(tmp_path):
    suite = made_suite(("single",), seeds=9)
    write_made_run(tmp_path, suite, {"set1": {"single": random_right("nine", seeds=9)}})
    (outcome,) = checks(tmp_path, suite)
    assert outcome.check == "same method, other seeds"
    assert outcome.outcome == "not run"
    assert outcome.note == "9 seeds, 10 are needed; config/selfcheck.yaml has enough"
    assert np.isnan(outcome.value)


def test_what_is_missing_is_named_and_the_rest_checked(tmp_path):
    suite = made_suite(("single", "pooled"), n_datasets=2)
    right = {key: {name: random_right(key, name) for name in ("single", "pooled")} for key in suite.datasets}
    write_made_run(tmp_path, suite, right)
    file = tmp_path / "predictions" / "set2" / "seed3.parquet"
    frame = pd.read_parquet(file)
    frame.loc[frame["method"] == "pooled", ["p_0", "p_1"]] = np.nan
    write_predictions(file, frame)
    one, two, mean = checks(tmp_path, suite)
    assert one.value == np.mean([rate_by_hand(right["set1"][name]) for name in ("single", "pooled")])
    assert (two.outcome, two.note) == ("not run", "missing: set2 seed 3 pooled diverged")
    assert (mean.outcome, mean.note) == ("not run", "missing: set2 seed 3 pooled diverged")


def test_identical_seeds_have_no_p(tmp_path):
    suite = made_suite(("single",))
    write_made_run(tmp_path, suite, {"set1": {"single": np.ones((10, 40), dtype=np.int64)}})
    (outcome,) = checks(tmp_path, suite)
    assert (outcome.outcome, outcome.note) == ("not run", "no seed differs from another")


def test_derived_data_sets_are_not_in_the_mean(tmp_path):
    suite = made_suite(("single",), n_datasets=2)
    facts = suite.facts | {"set2": dataclasses.replace(suite.facts["set2"], derived_from=("set1",))}
    suite = dataclasses.replace(suite, facts=facts)
    write_made_run(tmp_path, suite, {key: {"single": random_right(key)} for key in suite.datasets})
    assert [outcome.check for outcome in checks(tmp_path, suite)] == [
        "same method, other seeds, set1",
        "same method, other seeds, set2",
    ]
