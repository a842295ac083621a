"""Power of the t tests: against simulated t statistics, and against values known by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtrit

from weckd.analysis.inference.data_sets import rank_methods
from weckd.analysis.inference.paired_tests import Paired, label_permutation, mid_p
from weckd.analysis.inference.power import (
    chances,
    equivalence_chances,
    fewest_discordant,
    smallest_drawn_p,
    smallest_rank_p,
)
from weckd.analysis.inference.reader_study import p_value, planned_mean_study, planned_study, two_way
from weckd.analysis.metrics.scores import mean_score

CASES = [(0.0, 0.0), (2.0, 0.0), (-2.0, -2.0), (0.0, -2.0), (5.0, -2.0), (23.0, 0.0)]
SE, DF, DRAWS = 1.7, 6.3, 200_000


def drawn(gain):
    """Return estimates and standard errors of many experiments with this true gain."""
    random = np.random.default_rng(7)
    return random.normal(gain, SE, DRAWS), SE * np.sqrt(random.chisquare(DF, DRAWS) / DF)


@pytest.mark.parametrize(("gain", "null"), CASES)
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_chances_of_verdicts_are_those_of_simulated_experiments(gain, null, alpha):
    estimate, se = drawn(gain)
    t = (estimate - null) / se
    limit = stdtrit(DF, 1 - alpha / 2)
    simulated = [np.mean(t > limit), np.mean(abs(t) <= limit), np.mean(t < -limit)]
    found = chances(gain, SE, DF, alpha, null)
    assert found == pytest.approx(simulated, abs=0.004)
    assert sum(found) == pytest.approx(1)


@pytest.mark.parametrize("gain", [0.0, 1.0, 4.0, -9.0])
def test_the_chance_of_equivalence_is_that_of_simulated_intervals_within_the_margin(gain):
    estimate, se = drawn(gain)
    half = stdtrit(DF, 0.975) * se
    within, outside = abs(estimate) + half < 6, abs(estimate) - half > 6
    simulated = (np.mean(within), np.mean(~within & ~outside), np.mean(outside))
    assert equivalence_chances(gain, SE, DF, 0.05, 6.0) == pytest.approx(simulated, abs=0.004)


def test_without_a_gain_each_side_has_half_of_alpha_and_at_the_margin_too():
    assert chances(0.0, 3.0, 4.0, 0.05) == pytest.approx((0.025, 0.95, 0.025))
    assert chances(-2.0, 3.0, 4.0, 0.05, null=-2.0) == pytest.approx((0.025, 0.95, 0.025))


def test_with_many_df_power_is_that_of_the_normal_distribution():
    # 1.96 + 0.84 = 2.80 standard errors are found with 80 %: Phi(2.8016 - 1.9600) = .8
    assert chances(2.8016, 1.0, 1e7, 0.05).above == pytest.approx(0.8, abs=1e-4)
    # +-1.96 * 1 leaves nothing of a margin of 1.9, and 0.04 of one of 2: Phi(.04) - Phi(-.04) = .0319
    assert equivalence_chances(0.0, 1.0, 1e7, 0.05, 1.9).above == 0
    assert equivalence_chances(0.0, 1.0, 1e7, 0.05, 2.0).above == pytest.approx(0.0319, abs=1e-3)


def test_nothing_that_varies_has_no_chances():
    for se in (0.0, float("nan")):
        assert np.isnan(chances(1.0, se, 4.0, 0.05)).all()
        assert np.isnan(equivalence_chances(1.0, se, 4.0, 0.05, 2.0)).all()


def test_a_planned_study_foretells_the_verdicts_of_simulated_experiments():
    """A true gain of 4 points, SD 8 between 5 seeds and 20 between 30 groups: SE^2 = .08^2 / 5 + .2^2 / 30."""
    planned = planned_study(0.08**2, 0.20**2, seeds=5, images=30, groups=30)
    assert planned.se == pytest.approx(0.05112, abs=1e-5)  # sqrt(.00128 + .001333)
    assert planned.df == pytest.approx(14.503, abs=0.001)  # .0026133^2 / (.00128^2 / 4 + .0013333^2 / 29)
    random, groups = np.random.default_rng(3), np.arange(30)
    above = below = 0
    for _ in range(1000):
        values = 0.04 + random.normal(0, 0.08, (5, 1)) + random.normal(0, 0.20, 30)
        study = two_way(mean_score(values, groups))
        found = p_value(study) < 0.05
        above += found and study.estimate > 0
        below += found and study.estimate < 0
    foretold = chances(0.04, planned.se, planned.df, 0.05)
    assert (above / 1000, below / 1000) == pytest.approx((foretold.above, foretold.below), abs=0.03)


def test_the_smallest_p_of_ranks_is_that_of_data_sets_that_agree():
    ranks = rank_methods(pd.DataFrame([[4.0, 3.0, 2.0, 1.0]] * 3, columns=list("abcd")))
    friedman, nemenyi = smallest_rank_p(3, 4)
    assert friedman == pytest.approx(ranks.friedman_p)
    assert nemenyi == pytest.approx(ranks.nemenyi_p.loc["a", "d"], abs=1e-6)


def test_the_smallest_p_of_drawn_tests_is_limited_by_draws_and_groups():
    assert smallest_drawn_p(2000, 46) == pytest.approx((0.000999500, 0.000499750), abs=1e-9)
    assert smallest_drawn_p(2000, 5)[1] == 0.0625  # two of 32 ways
    always = Paired(np.ones((2, 5)), np.zeros((2, 5)), np.arange(5))
    assert label_permutation({"a": always}) == pytest.approx(0.0625, abs=0.02)


def test_fewer_discordant_images_are_never_significant():
    assert fewest_discordant(0.05) == 5
    assert mid_p(5, 0) < 0.05 < mid_p(4, 0)
    assert fewest_discordant(0.25) == 3  # .25 itself is not below it


def test_a_planned_mean_pairs_the_seeds_of_its_data_sets():
    one = planned_study(0.08**2, 0.20**2, seeds=5, images=60, groups=30)
    other = planned_study(0.04**2, 0.30**2, seeds=5, images=50, groups=40)
    mean = planned_mean_study([one, other])
    # A = (.0064 + .0016) / 5 / 4, c = .04 / 30 / 4 and .09 / 40 / 4
    assert (mean.seed_part, mean.case_part) == pytest.approx((0.0004, 0.000333333 + 0.0005625))
    assert mean.df == pytest.approx(
        0.00129583**2 / (0.0004**2 / 4 + 0.000333333**2 / 29 + 0.0005625**2 / 39), rel=1e-4
    )
    assert (mean.n_images, mean.n_groups, len(mean.per_seed)) == (110, 70, 5)
    # Seeds that err together: a seed's mean over both has variance .05^2, not .002.
    assert planned_mean_study([one, other], 0.05**2 / 5).seed_part == pytest.approx(0.0005)
    assert planned_mean_study([one]).df == pytest.approx(one.df)
