import math

import numpy as np
import pytest

from weckd.analysis.inference.paired_tests import DRAWS, Paired, crossed_bootstrap, percentile


def test_the_same_every_time_and_for_every_claim(three_pairs):
    assert crossed_bootstrap(three_pairs).tolist() == crossed_bootstrap(three_pairs).tolist()
    alone = [crossed_bootstrap({key: paired}) for key, paired in three_pairs.items()]
    assert crossed_bootstrap(three_pairs) == pytest.approx(np.mean(alone, axis=0))
    # All methods see the same draws: those of a sum of two gains are the sum of the draws.
    ear = three_pairs["ear"]
    other = Paired(ear.b, 1 - ear.a, ear.groups)
    both = crossed_bootstrap({"ear": ear}) + crossed_bootstrap({"ear": other})
    summed = crossed_bootstrap({"ear": Paired(ear.a, 1 - ear.a, ear.groups)})
    assert summed == pytest.approx(both)


def test_data_sets_have_draws_of_their_own(three_pairs):
    ear = three_pairs["ear"]
    assert crossed_bootstrap({"ear": ear}).tolist() != crossed_bootstrap({"blood": ear}).tolist()


def test_spread_is_the_exact_one_of_this_bootstrap(random_pair):
    # One image a group: the draws' variance is s2_seed / k + s2_case / n + s2_rest / (k n) of the two-way means.
    paired = random_pair("spread", k=6, n_groups=60)
    keep = np.unique(paired.groups, return_index=True)[1]
    paired = Paired(paired.a[:, keep], paired.b[:, keep], np.arange(60))
    d = paired.difference - paired.difference.mean()
    seeds, cases = d.mean(axis=1, keepdims=True), d.mean(axis=0, keepdims=True)
    exact = seeds.var() / 6 + cases.var() / 60 + (d - seeds - cases).var() / 360
    draws = crossed_bootstrap({"spread": paired})
    assert draws.shape == (DRAWS,)
    assert draws.std() == pytest.approx(math.sqrt(exact), rel=0.05)
    assert draws.mean() == pytest.approx(paired.difference.mean(), abs=4 * math.sqrt(exact / DRAWS))


def test_images_of_a_group_are_drawn_together(random_pair):
    # Every image twice in its group changes no draw; as groups of their own the spread is smaller.
    paired = random_pair("twice", n_groups=30)
    twice = Paired(*(np.repeat(x, 2, axis=-1) for x in (paired.a, paired.b, paired.groups)))
    assert crossed_bootstrap({"x": twice}) == pytest.approx(crossed_bootstrap({"x": paired}))
    split = Paired(twice.a, twice.b, np.arange(len(twice.groups)))
    assert crossed_bootstrap({"x": split}).std() < 0.9 * crossed_bootstrap({"x": paired}).std()


def test_percentile_by_hand():
    draws = np.arange(1, 1000) / 1000  # quantile q is at 0.001 + 0.998 q
    low, high, p = percentile(draws, 0.95)
    assert (low, high, p) == pytest.approx((0.02595, 0.97405, 2 / 1000))
    assert percentile(draws, 0.95, null=0.010)[2] == pytest.approx(2 * 11 / 1000)
    assert percentile(draws, 0.95, null=0.990)[2] == pytest.approx(2 * 11 / 1000)
    assert percentile(draws, 0.95, null=0.5)[2] == 1


def test_antisymmetric(three_pairs):
    swapped = {key: Paired(paired.b, paired.a, paired.groups) for key, paired in three_pairs.items()}
    low, high, p = percentile(crossed_bootstrap(three_pairs), 0.95)
    assert percentile(crossed_bootstrap(swapped), 0.95) == pytest.approx((-high, -low, p))


def test_no_variation_has_no_p():
    always = Paired(np.ones((3, 4)), np.zeros((3, 4)), np.array([0, 0, 0, 1]))
    low, high, p = percentile(crossed_bootstrap({"x": always}), 0.95)
    assert (low, high) == (1, 1)
    assert math.isnan(p)


def test_one_seed_or_one_group_has_no_draws(random_pair):
    paired = random_pair("one")
    for few in (
        Paired(paired.a[:1], paired.b[:1], paired.groups),
        Paired(paired.a, paired.b, np.zeros_like(paired.groups)),
    ):
        draws = crossed_bootstrap({"few": few, "enough": paired})
        assert np.isnan(draws).all()
        assert all(math.isnan(x) for x in percentile(draws, 0.95))
