import dataclasses
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS

from weckd.analysis.inference.paired_tests import Paired, cluster_ols, cluster_variance
from weckd.analysis.inference.reader_study import two_way
from weckd.analysis.metrics.scores import mean_score


def statsmodels_fit(paired):
    k, n = paired.difference.shape
    clusters = np.stack([np.repeat(np.arange(k), n), np.tile(paired.groups, k)], axis=1)
    fit = OLS(paired.difference.ravel(), np.ones(k * n)).fit()
    return fit.get_robustcov_results("cluster", groups=clusters, use_t=True)


@pytest.mark.parametrize("name", ["one", "two", "three"])
def test_variance_is_that_of_statsmodels(random_pair, name):
    paired = random_pair(name)
    assert len(set(paired.group_sizes)) > 1
    assert cluster_variance(paired) == pytest.approx(statsmodels_fit(paired).cov_params()[0, 0], rel=1e-10)


def test_hand_computed():
    # D - mean = 1/2 * [[1, -1], [1, -1]]: seeds sum to 0, groups to +-1, cells to +-1/2.
    paired = Paired(np.array([[1.0, 0], [1, 0]]), np.zeros((2, 2)), np.array([0, 1]))
    assert cluster_variance(paired) == pytest.approx((2 * 2 - 4 / 3 * 1) / 16)


def test_one_data_set_is_a_t_test_with_a_df_below_the_seeds(random_pair):
    paired = random_pair("one", better=0.4)
    fit = statsmodels_fit(paired)
    found = cluster_ols([paired], 0.95, null=-0.02)
    assert found.df == pytest.approx(4)
    assert (found.value, found.se) == pytest.approx((fit.params[0], fit.bse[0]))
    assert found.p == pytest.approx(2 * stats.t.sf((fit.params[0] + 0.02) / fit.bse[0], 4))
    assert found.high == pytest.approx(fit.params[0] + stats.t.ppf(0.975, 4) * fit.bse[0])


def test_several_data_sets_are_averaged(three_pairs):
    pairs = list(three_pairs.values())
    v = [statsmodels_fit(paired).cov_params()[0, 0] for paired in pairs]
    found = cluster_ols(pairs, 0.95)
    assert found.value == pytest.approx(np.mean([paired.a.mean() - paired.b.mean() for paired in pairs]))
    assert found.se == pytest.approx(math.sqrt(sum(v)) / 3)
    assert found.df == pytest.approx(sum(v) ** 2 / sum(x**2 / 4 for x in v))


def test_close_to_the_reader_study_with_many_seeds_and_groups(random_pair):
    paired = random_pair("large", k=30, n_groups=400)
    study = two_way(mean_score(paired.difference, paired.groups))
    assert math.sqrt(cluster_variance(paired)) == pytest.approx(study.se, rel=0.03)


def test_antisymmetric(random_pair):
    paired = random_pair("one", better=0.4)
    one, other = cluster_ols([paired], 0.95), cluster_ols([Paired(paired.b, paired.a, paired.groups)], 0.95)
    assert dataclasses.astuple(other) == pytest.approx(
        (-one.value, one.se, one.df, -one.high, -one.low, one.p)
    )


def test_no_variation_has_no_p():
    always = Paired(np.ones((3, 4)), np.zeros((3, 4)), np.arange(4))
    found = cluster_ols([always], 0.95)
    assert (found.value, found.se, found.low, found.high) == (1, 0, 1, 1)
    assert math.isnan(found.p)


def test_a_negative_variance_is_zero():
    # Seeds and groups all sum to zero, only the cells vary.
    crossed = Paired(np.array([[1.0, 0], [0, 1]]), np.array([[0.0, 1], [1, 0]]), np.array([0, 1]))
    assert statsmodels_fit(crossed).cov_params()[0, 0] < 0
    assert cluster_variance(crossed) == 0


def test_one_seed_or_one_group_has_no_variance(random_pair):
    paired = random_pair("one")
    one_seed = Paired(paired.a[:1], paired.b[:1], paired.groups)
    one_group = Paired(paired.a, paired.b, np.zeros_like(paired.groups))
    for few in (one_seed, one_group):
        assert math.isnan(cluster_variance(few))
        found = cluster_ols([few, paired], 0.95)
        assert math.isnan(found.se)
        assert math.isnan(found.p)
