import numpy as np
import pytest
from scipy import stats

from weckd.analysis.inference import reader_study
from weckd.analysis.inference.reader_study import mean_study, unpaired_mean_study
from weckd.selfcheck.assumptions import (
    ACCURACIES,
    FALSELY,
    GAINS,
    STEADY,
    TOGETHER,
    UNSTEADY,
    assumption_checks,
    luck_variance,
    near_ceiling,
    non_inferior_rate,
    plain,
)
from weckd.selfcheck.simulation import answers, differences, rejection_rate, studies


def test_the_rules_hold_where_assumptions_fail():
    outcomes = list(assumption_checks(200))
    assert [outcome.outcome for outcome in outcomes] == ["passed"] * 20
    assert [outcome.shows for outcome in outcomes].count(GAINS) == 8
    assert [outcome.shows for outcome in outcomes].count(FALSELY) == 8
    assert outcomes[3].check == "accuracy 0.95, seeds' SD 6 and 0.3 points, 5 seeds"
    # 2,000 repetitions allow .075 and .0375; a tenth of them sqrt(10) times as far from the nominal .05 and .025.
    assert (outcomes[3].low, outcomes[3].high) == pytest.approx((0, 0.05 + 10**0.5 * 0.025))
    assert (outcomes[11].low, outcomes[11].high) == pytest.approx((0, 0.025 + 10**0.5 * 0.0125))


def test_without_the_rule_near_the_ceiling_its_checks_fail(monkeypatch):
    with_rule = non_inferior_rate(0.99, 10, 200)
    assert non_inferior_rate(0.99, 10, 200, plain) > 0.15 > with_rule
    monkeypatch.setattr(reader_study, "least_seed_sd", lambda scored: 0.0)
    failed = [outcome.check for outcome in assumption_checks(50) if outcome.outcome == "FAILED"]
    assert "accuracy 0.995, seeds' SD 6 and 0.3 points, 10 seeds" in failed


@pytest.mark.parametrize("accuracy", [*ACCURACIES, 0.93])
@pytest.mark.parametrize("sd", [UNSTEADY, STEADY])
def test_a_seeds_accuracy_has_the_mean_and_sd_that_are_said(accuracy, sd):
    rest = 3.15
    variance = luck_variance(accuracy, sd, rest)
    z = np.linspace(-9, 9, 20001)
    weights = stats.norm.pdf(z) / stats.norm.pdf(z).sum()
    mean = np.sqrt(rest + variance) * stats.norm.ppf(accuracy)
    of_seed = stats.norm.cdf((mean + np.sqrt(variance) * z) / np.sqrt(rest))
    assert weights @ of_seed == pytest.approx(accuracy, abs=1e-6)
    assert np.sqrt(weights @ (of_seed - accuracy) ** 2) == pytest.approx(sd, rel=1e-3)


def test_both_methods_of_a_world_have_their_accuracy():
    setting = near_ceiling(0.95, -0.02)
    assert setting.accuracy == pytest.approx(0.93)
    right = np.array([[one.mean(), other.mean()] for one, other in answers(setting, 5, -0.02, 1500)])
    assert right.mean(axis=0) == pytest.approx((0.93, 0.95), abs=0.004)


def test_seeds_go_together_between_data_sets_as_they_are_said_to():
    # The rest of a seed's gain, .4 of its luck and the noise of 200 images, is of each data set alone.
    both = [[d.mean(axis=1) for d in differences(TOGETHER, 10, 0.0, 300, dataset)] for dataset in (0, 1)]
    one, other = (np.ravel([d - d.mean() for d in found]) for found in both)
    spread = np.var(one)
    assert 0.4 < np.mean(one * other) / spread < 0.6
    assert spread == pytest.approx(0.049**2, rel=0.1)  # 4 points of luck


def test_unpaired_seeds_that_go_together_are_caught():
    rates = [
        rejection_rate(studies(TOGETHER, 5, 0.0, 200, 3, mean=mean))
        for mean in (mean_study, unpaired_mean_study)
    ]
    assert rates[0] < 0.09 < rates[1]
