import dataclasses
import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from weckd.analysis.inference import reader_study
from weckd.analysis.inference.reader_study import mean_study, p_value, two_way
from weckd.analysis.metrics.scores import mean_score
from weckd.selfcheck.simulation import (
    ALL_LABELS,
    COVERAGE,
    REJECTION,
    WEAK_LABELS,
    allowed,
    caught_check,
    coverage_check,
    differences,
    null_check,
    seeds_only,
    simulation_checks,
    studies,
)


def test_the_primary_test_holds_its_level_and_its_coverage():
    """The null simulation of statistics.md: 2,000 repetitions, fixed seed, named settings."""
    outcomes = {outcome.check: outcome for outcome in simulation_checks(2000)}
    assert list(outcomes) == [
        "no gain, weak labels, 5 seeds",
        "no gain, weak labels, 10 seeds",
        "no gain, all labels, 5 seeds",
        "no gain, all labels, 10 seeds",
        "no gain, weak labels, 5 seeds, mean of 5 data sets",
        "gain of 3 points, weak labels, 5 seeds",
        "gain of 3 points, weak labels, 10 seeds",
        "gain of 3 points, weak labels, 5 seeds, mean of 5 data sets",
        "no gain, all labels, 5 seeds: t test over seeds",
    ]
    for check, outcome in outcomes.items():
        limits = (0.03, 0.075) if check.startswith("no gain") else (0.925, 0.97)
        if not check.endswith("t test over seeds"):
            assert (outcome.low, outcome.high) == pytest.approx(limits, abs=1e-12)
            assert limits[0] <= outcome.value <= limits[1]
        assert outcome.outcome == "passed"
        assert outcome.source == "simulation"
        assert outcome.note.startswith("2,000 repetitions")
    # statistics.md: .235 for the paired t over seeds with all labels, 5 seeds.
    assert outcomes["no gain, all labels, 5 seeds: t test over seeds"].value == pytest.approx(0.235, abs=0.03)


def test_without_the_case_part_the_check_fails(monkeypatch):
    assert null_check(ALL_LABELS, 5, 400).outcome == "passed"
    assert coverage_check(ALL_LABELS, 5, 400).outcome == "passed"
    monkeypatch.setattr(reader_study, "_mean_covariance", lambda z: 0.0)
    broken = null_check(ALL_LABELS, 5, 400)
    assert (broken.outcome, broken.value) == ("FAILED", caught_check(ALL_LABELS, 5, 400).value)
    assert broken.value > 0.15
    uncovered = coverage_check(ALL_LABELS, 5, 400)
    assert (uncovered.outcome, uncovered.value < 0.85) == ("FAILED", True)


def test_a_standard_error_that_is_too_wide_fails(monkeypatch):
    single = reader_study._mean_covariance
    monkeypatch.setattr(reader_study, "_mean_covariance", lambda z: 10 * abs(single(z)) + 1e-3)
    assert null_check(WEAK_LABELS, 5, 2000).outcome == "FAILED"


def test_a_good_test_is_not_caught(monkeypatch):
    monkeypatch.setattr("weckd.selfcheck.simulation.seeds_only", two_way)
    assert caught_check(ALL_LABELS, 5, 400).outcome == "FAILED"


@pytest.mark.parametrize("setting", [WEAK_LABELS, ALL_LABELS])
def test_200_images_in_120_uneven_groups(setting):
    assert (len(setting.groups), setting.groups.max() + 1) == (200, 120)
    assert sorted(set(np.bincount(setting.groups))) == [1, 2, 3, 4, 10]


@pytest.mark.parametrize("setting", [WEAK_LABELS, ALL_LABELS])
@pytest.mark.parametrize("gain", [0.03, 0.3])
def test_the_true_gain_is_that_of_brute_force(setting, gain):
    found = [scores.mean() for scores in differences(setting, 5, gain, 4000)]
    assert np.mean(found) == pytest.approx(gain, abs=4 * np.std(found) / np.sqrt(4000))
    assert 4 * np.std(found) / np.sqrt(4000) < 0.0025


@pytest.mark.parametrize("setting", [WEAK_LABELS, ALL_LABELS])
def test_the_accuracy_is_that_of_numerical_integration(setting):
    effects = np.sqrt(setting.difficulty + setting.interaction + setting.seed + setting.seed_by_method)
    mean = setting.total(setting.seed_by_method) * stats.norm.ppf(setting.accuracy)
    found, _ = integrate.quad(lambda x: stats.norm.pdf(x) * stats.norm.cdf(mean + effects * x), -9, 9)
    assert found == pytest.approx(setting.accuracy, abs=1e-9)


def test_the_variances_enter_where_they_are_said_to():
    def correlation(of, share=0.5):
        nothing = {"difficulty": 0.0, "interaction": 0.0, "seed": 0.0, "seed_by_method": 0.0}
        setting = dataclasses.replace(
            WEAK_LABELS, **(nothing | of), accuracy=0.6, group_share=share, group_sizes=(4,) * 30
        )
        scores = np.stack(list(differences(setting, 5, 0.0, 400)))  # (400, 5, 120)
        means = scores.mean(axis=0, keepdims=True)
        a, b, c = scores[:, 0] - means[:, 0], scores[:, 1] - means[:, 1], scores[:, 0].reshape(400, 30, 4)
        unit = a.var()
        return (
            float((a * b).mean() / unit),  # the same image, two seeds: interaction
            float((a[:, 0] * a[:, 4]).mean() / unit),  # the same seed, two groups: seed by method
            float((c[:, :, 0] * c[:, :, 1]).mean() / unit),  # the same seed, two images of a group
        )

    assert correlation({}, 0.0) == pytest.approx((0, 0, 0), abs=0.15)
    interaction = correlation({"interaction": 3.0}, 0.0)
    assert interaction[0] > 0.4
    assert interaction[1:] == pytest.approx((0, 0), abs=0.15)
    by_seed = correlation({"seed_by_method": 3.0}, 0.0)
    assert min(by_seed[1:]) > 0.4
    assert by_seed[0] == pytest.approx(0, abs=0.15)
    assert correlation({"seed": 9.0}, 0.0) == pytest.approx((0, 0, 0), abs=0.15)  # the same for both methods
    assert correlation({}, 0.9)[2] > 0.4


def test_one_study_an_experiment_and_the_mean_over_data_sets():
    groups = WEAK_LABELS.groups
    drawn = [list(differences(WEAK_LABELS, 5, 0.03, 3, dataset)) for dataset in (0, 1)]
    assert drawn[0][0].shape == (5, 200)
    assert set(np.unique(drawn[0][0])) == {-1.0, 0.0, 1.0}
    alone = [[two_way(mean_score(one, groups)) for one in of_set] for of_set in drawn]
    means = [mean_study(pair) for pair in zip(*alone, strict=True)]
    for found, expected in (
        (studies(WEAK_LABELS, 5, 0.03, 3), alone[0]),
        (studies(WEAK_LABELS, 5, 0.03, 3, n_datasets=2), means),
    ):
        assert [(x.estimate, x.se, x.df) for x in found] == [
            pytest.approx((x.estimate, x.se, x.df)) for x in expected
        ]


def test_more_repetitions_leave_the_first_as_they_are():
    few = list(differences(WEAK_LABELS, 5, 0.0, 2))
    many = list(differences(WEAK_LABELS, 5, 0.0, 250))
    assert (len(few), len(many)) == (2, 250)
    assert np.array_equal(few, many[:2])
    assert not np.array_equal(many[0], many[100])


def test_every_setting_gain_and_number_of_seeds_has_a_stream_of_its_own():
    cells = itertools.product((WEAK_LABELS, ALL_LABELS), (0.0, 0.03), (0, 1))
    firsts = [next(differences(setting, 5, gain, 1, dataset)).tobytes() for setting, gain, dataset in cells]
    assert len(set(firsts)) == 8


def test_seeds_only_is_the_paired_t_test():
    scores = next(differences(ALL_LABELS, 5, 0.03, 1))
    expected = stats.ttest_1samp(scores.mean(axis=1), 0).pvalue
    found = mean_score(scores, ALL_LABELS.groups)
    assert two_way(found).case_part > 0
    assert p_value(seeds_only(found)) == pytest.approx(expected)


def test_fewer_repetitions_have_wider_ranges():
    assert allowed(REJECTION, 0.05, 2000) == pytest.approx((0.03, 0.075))
    assert allowed(REJECTION, 0.05, 8000) == pytest.approx((0.03, 0.075))
    assert allowed(REJECTION, 0.05, 500) == pytest.approx((0.01, 0.1))
    assert allowed(REJECTION, 0.05, 20) == pytest.approx((0.0, 0.3))
    assert allowed(COVERAGE, 0.95, 500) == pytest.approx((0.9, 0.99))
    assert allowed(COVERAGE, 0.95, 20) == pytest.approx((0.7, 1.0))


def test_a_few_repetitions_counted_by_hand():
    groups = WEAK_LABELS.groups
    found = [two_way(mean_score(one, groups)) for one in differences(WEAK_LABELS, 5, 0.03, 20)]
    low = [study.estimate - stats.t.ppf(0.975, study.df) * study.se for study in found]
    high = [study.estimate + stats.t.ppf(0.975, study.df) * study.se for study in found]
    outcome = coverage_check(WEAK_LABELS, 5, 20)
    assert outcome.value == np.mean([a <= 0.03 <= b for a, b in zip(low, high, strict=True)])
    power = np.mean([a > 0 or b < 0 for a, b in zip(low, high, strict=True)])
    assert outcome.note == f"20 repetitions; power {power:.2f}"
