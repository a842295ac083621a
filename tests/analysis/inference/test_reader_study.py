import math

import numpy as np
import pytest
from scipy import stats

from weckd.analysis.inference.reader_study import (
    half_width,
    mean_study,
    minimum_detectable,
    p_value,
    two_way,
    unpaired_mean_study,
)
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.scores import Predicted, class_mean_score, correct, mean_score
from weckd.seeds import generator

HAND = np.array([[1.0, 0, 0, 1], [1, 0, -1, 0], [1, 0, 0, 0]])


def study(scores, metric="accuracy", y=None, groups=None):
    n = scores.shape[1]
    y = np.zeros(n, dtype=np.int64) if y is None else np.asarray(y)
    groups = np.arange(n) if groups is None else np.asarray(groups)
    scores = np.asarray(scores, dtype=np.float64)
    return two_way(
        mean_score(scores, groups) if metric == "accuracy" else class_mean_score(scores, y, groups)
    )


def random_scores(k=5, n=40):
    """Seed effects and case effects both present, so that A and c are above zero."""
    draw = generator("reader study test")
    latent = draw.normal(size=(1, n)) + 0.5 * draw.normal(size=(k, 1)) + draw.normal(size=(k, n))
    return np.sign(np.round(latent)) * 1.0


def test_hand_computed_cases():
    # d = 1/2, 0, 1/4; var = 1/16, so A = 1/48. Covariances of the residuals 1/3, 1/6, 1/3: mean 5/18, c = 5/72.
    result = study(HAND)
    assert result.per_seed == pytest.approx((0.5, 0.0, 0.25))
    assert result.estimate == pytest.approx(0.25)
    assert result.seed_part == pytest.approx(1 / 48)
    assert result.case_part == pytest.approx(5 / 72)
    assert result.se == pytest.approx(math.sqrt(13) / 12)
    assert result.df == pytest.approx(1014 / 227)  # (13/144)^2 / ((3/144)^2 / 2 + (10/144)^2 / 3)
    assert result.seed_share == pytest.approx(3 / 13)
    assert (result.n_images, result.n_groups, result.all_zero) == (4, 4, False)
    t = 3 / math.sqrt(13)
    assert p_value(result) == pytest.approx(2 * stats.t.sf(t, 1014 / 227))
    assert p_value(result, -0.02) == pytest.approx(2 * stats.t.sf(0.27 / result.se, 1014 / 227))
    assert half_width(result, 0.95) == pytest.approx(stats.t.ppf(0.975, 1014 / 227) * math.sqrt(13) / 12)
    assert minimum_detectable(result, 0.05) == pytest.approx(
        (stats.t.ppf(0.975, 1014 / 227) + stats.t.ppf(0.80, 1014 / 227)) * math.sqrt(13) / 12
    )


def test_hand_computed_groups():
    # Groups of three and one image. Z = +-1/4 (seed 1) and +-1/8 (seed 2): covariance 1/16, c = 1/32.
    result = study(np.array([[1, 0, 0, 1], [1, 1, 0, 1]]), groups=[0, 0, 0, 1])
    assert result.seed_part == pytest.approx(1 / 64)
    assert result.case_part == pytest.approx(1 / 32)
    assert (result.n_images, result.n_groups) == (4, 2)


def test_hand_computed_balanced_accuracy():
    # Class means 1/2 1/2 and 1 1/2; Z = -+1/4 for both seeds: covariance 1/8, c = 1/16.
    result = study(
        np.array([[1, 0, 0, 1], [1, 1, 0, 1]]), "balanced_accuracy", y=[0, 0, 1, 1], groups=[0, 0, 0, 1]
    )
    assert result.per_seed == pytest.approx((0.5, 0.75))
    assert result.case_part == pytest.approx(1 / 16)
    # One class of three images right, one of one image wrong: 1/2, where accuracy is 3/4.
    skewed = study(np.array([[1, 1, 1, 0], [1, 1, 1, 0]]), "balanced_accuracy", y=[0, 0, 0, 1])
    assert skewed.estimate == 0.5
    assert study(np.array([[1, 1, 1, 0], [1, 1, 1, 0]])).estimate == 0.75


def test_metrics_take_the_most_probable_class():
    probabilities = np.array([[[0.5, 0.5], [0.2, 0.8], [0.7, 0.3]]], dtype=np.float32)
    scores = correct(probabilities, np.array([0, 1, 1]))
    assert scores.tolist() == [[1.0, 1.0, 0.0]]
    predicted = Predicted(probabilities, np.array([0, 1, 1]), np.arange(3), ())
    assert METRICS["accuracy"].score(predicted).values.tolist() == pytest.approx([2 / 3])
    assert METRICS["balanced_accuracy"].score(predicted).values.tolist() == [0.75]


def test_equals_paired_t_when_the_case_part_is_zero():
    scores = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 1], [0, 1, 0, 0]])  # covariances sum below zero
    result = study(scores)
    assert result.case_part == 0
    assert result.df == 3
    paired = stats.ttest_1samp(scores.mean(axis=1), 0)
    assert p_value(result) == pytest.approx(paired.pvalue)
    assert half_width(result, 0.95) == pytest.approx(paired.confidence_interval().high - result.estimate)


def test_equals_the_case_t_when_seeds_are_identical():
    row = np.array([1, 0, -1, 1, 1, 0, 0, 1])
    result = study(np.tile(row, (5, 1)))
    assert result.seed_part == 0
    assert result.df == 7
    assert p_value(result) == pytest.approx(stats.ttest_1samp(row, 0).pvalue)


def test_antisymmetric():
    scores = random_scores()
    one, other = study(scores), study(-scores)
    assert other.estimate == -one.estimate != 0
    assert (other.se, other.df, p_value(other)) == pytest.approx((one.se, one.df, p_value(one)))


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy"])
def test_order_of_seeds_and_cases_does_not_matter(metric):
    scores = random_scores()
    y, groups = np.arange(40) % 3, np.arange(40) // 3
    draw = generator("order test")
    seeds, cases = draw.permutation(5), draw.permutation(40)
    one = study(scores, metric, y, groups)
    other = study(scores[np.ix_(seeds, cases)], metric, y[cases], (13 - groups)[cases])
    assert (other.estimate, other.se, other.df) == pytest.approx((one.estimate, one.se, one.df), rel=1e-12)
    assert sorted(other.per_seed) == pytest.approx(sorted(one.per_seed))


def test_agrees_with_two_way_cluster_ols():
    from statsmodels.regression.linear_model import OLS

    k, n = 5, 40
    scores = random_scores(k, n)
    result = study(scores)
    assert result.case_part > 0
    clusters = np.stack([np.repeat(np.arange(k), n), np.tile(np.arange(n), k)], axis=1)
    fit = OLS(scores.ravel(), np.ones(k * n)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    expected = result.se**2 * (k - 1) * (n - 1) / (k * n)
    assert fit.params[0] == pytest.approx(result.estimate, rel=1e-12)
    assert fit.cov_params()[0, 0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy"])
def test_duplicating_every_image_within_its_group_changes_nothing(metric):
    scores = random_scores()
    y, groups = np.arange(40) % 3, np.arange(40) // 2
    one = study(scores, metric, y, groups)
    twice = study(np.repeat(scores, 2, axis=1), metric, np.repeat(y, 2), np.repeat(groups, 2))
    assert (twice.estimate, twice.se, twice.df) == pytest.approx((one.estimate, one.se, one.df), rel=1e-12)
    assert (twice.n_images, twice.n_groups) == (80, 20)


def test_no_variation_gives_no_p_but_its_value():
    same = study(np.zeros((5, 4)))
    assert same.all_zero
    assert (same.estimate, same.se, half_width(same, 0.95)) == (0, 0, 0)
    always = study(np.ones((5, 4)))
    assert not always.all_zero
    assert (always.estimate, always.se, half_width(always, 0.95)) == (1, 0, 0)
    for result in (same, always):
        assert math.isnan(p_value(result))
        assert math.isnan(result.df)
        assert math.isnan(minimum_detectable(result, 0.05))


def test_rounding_of_sums_is_no_variation():
    # 1/3 + 2/3 and 0 + 1 differ in the last bit when summed as class means; the metric is 1/2 in both seeds.
    scores = np.array([[1, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1]])
    result = study(scores, "balanced_accuracy", y=[0, 0, 0, 1, 1, 1], groups=[0] * 6)
    assert result.seed_part == 0
    fifths = study(np.tile([0.2, 0.2, 0.2, 0.1], (3, 1)) - 0.175)
    assert fifths.estimate == 0


def test_one_seed_or_one_group_has_no_standard_error():
    one_seed = study(HAND[:1])
    assert one_seed.estimate == 0.5
    assert math.isnan(one_seed.se)
    one_group = study(HAND, groups=[0, 0, 0, 0])
    assert one_group.estimate == 0.25
    for result in (one_seed, one_group):
        assert math.isnan(p_value(result))
        assert math.isnan(half_width(result, 0.95))
        assert math.isnan(result.df)


def test_mean_over_data_sets_pairs_their_seeds():
    # Per-seed means (1/2 + 3/8)/2, (0 + 3/8)/2, (1/4 + 3/8)/2: var 1/64, so A = 1/192; that of one data set over 4.
    one, two = study(HAND), study(np.tile([1, 0, -1, 1, 1, 0, 0, 1], (3, 1)))
    mean = mean_study([one, two])
    assert mean.estimate == pytest.approx((0.25 + 0.375) / 2)
    assert mean.per_seed == pytest.approx((0.4375, 0.1875, 0.3125))
    assert mean.seed_part == pytest.approx(1 / 192)
    assert mean.case_part == pytest.approx((one.case_part + two.case_part) / 4)
    spread = mean.seed_part**2 / 2 + (one.case_part / 4) ** 2 / 3 + (two.case_part / 4) ** 2 / 7
    assert mean.df == pytest.approx(mean.se**4 / spread)
    assert (mean.n_images, mean.n_groups, mean.all_zero) == (12, 12, False)
    with_constant = mean_study([one, study(np.zeros((3, 4)))])
    assert with_constant.se == pytest.approx(one.se / 2)
    assert with_constant.df == pytest.approx(one.df)
    assert with_constant.all_zero is False


def test_seeds_that_go_together_on_all_data_sets_are_no_independent_votes():
    # On a copy the seeds' part stays as it is, and halves if seeds are taken as independent; the cases' part halves.
    one = study(HAND)
    paired, unpaired = mean_study([one, one]), unpaired_mean_study([one, one])
    assert paired.seed_part == pytest.approx(one.seed_part)
    assert unpaired.seed_part == pytest.approx(one.seed_part / 2)
    assert paired.case_part == unpaired.case_part == pytest.approx(one.case_part / 2)
    assert unpaired.df == pytest.approx(2 * one.df)
    # Opposite effects cancel in the mean, which then varies by cases alone.
    other = study(-HAND)
    assert mean_study([one, other]).seed_part == 0
    assert unpaired_mean_study([one, other]).seed_part == pytest.approx(one.seed_part / 2)
    for mean in (mean_study([one]), unpaired_mean_study([one])):
        assert (mean.seed_part, mean.case_part) == pytest.approx((one.seed_part, one.case_part))
        assert mean.df == pytest.approx(one.df)


def test_other_seeds_are_not_paired():
    with pytest.raises(ValueError, match="shorter"):
        mean_study([study(HAND), study(HAND[:2])])


def test_twice_the_seeds_halve_their_part():
    one = study(HAND)
    doubled = mean_study([one], times=2)
    assert (doubled.seed_part, doubled.case_part) == (one.seed_part / 2, one.case_part)
    assert doubled.df == pytest.approx(doubled.se**4 / (doubled.seed_part**2 / 5 + one.case_part**2 / 3))


def test_a_case_part_below_zero_counts_as_zero_and_is_named():
    # Residuals (1/2, -1/2) and (-1/2, 1/2): their covariance is below zero.
    below = study(np.array([[1.0, 0], [0, 1]]))
    assert (below.case_part, below.cases_below_zero) == (0.0, True)
    nothing = study(np.array([[1.0, 1], [0, 0]]))
    assert (nothing.case_part, nothing.cases_below_zero) == (0.0, False)
    assert mean_study([below, below]).cases_below_zero
    assert not mean_study([below, nothing]).cases_below_zero


def simulated_scores(draw, repetitions, k, groups, shift):
    """Probit model: difficulty and method-by-image interaction by group and image, seed effects by method.

    Returns differences of correctness (repetitions, k, n); `shift` (n,) is what method A is better by. The sum of
    the variances is 3.24 for each method.
    """
    n, n_groups = len(groups), groups.max() + 1
    shared = draw.normal(size=(repetitions, 1, n_groups))[:, :, groups] + 0.5 * draw.normal(
        size=(repetitions, 1, n)
    )
    right = []
    for better in (shift, 0.0):
        interaction = 0.7 * draw.normal(size=(repetitions, 1, n_groups))[:, :, groups]
        seeds = 0.5 * draw.normal(size=(repetitions, k, 1))
        noise = math.sqrt(3.24 - 1 - 0.25 - 0.49 - 0.25) * draw.normal(size=(repetitions, k, n))
        right.append(shared + interaction + seeds + noise + better + 0.5 > 0)
    return right[0].astype(np.float64) - right[1]


def test_null_rejection_is_near_the_nominal_level():
    # k = 5 seeds, 120 images in 80 groups of one to three, no true gain.
    groups = np.concatenate([np.arange(50), np.repeat(np.arange(50, 70), 2), np.repeat(np.arange(70, 80), 3)])
    scores = simulated_scores(generator("null simulation"), 2000, 5, groups, 0.0)
    y = np.zeros(120, dtype=np.int64)
    rejected = np.mean([p_value(study(one, "accuracy", y, groups)) < 0.05 for one in scores])
    assert 0.03 <= rejected <= 0.075


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy"])
def test_coverage_with_uneven_groups_and_a_true_gain(metric):
    # 60 groups of 1 to 6 images, three uneven classes with different true gains; G is fixed, cases are drawn.
    groups = np.repeat(np.arange(60), np.tile([1, 1, 2, 3, 6], 12))
    y = np.array([0, 0, 0, 1, 1, 2])[groups % 6]
    shift = np.array([0.2, 0.6, 1.0])
    gains = stats.norm.cdf((shift + 0.5) / 1.8) - stats.norm.cdf(0.5 / 1.8)
    truth = gains.mean() if metric == "balanced_accuracy" else gains[y].mean()
    scores = simulated_scores(generator("coverage", metric), 1000, 5, groups, shift[y])
    studies = [study(one, metric, y, groups) for one in scores]
    covered = np.mean([abs(one.estimate - truth) <= half_width(one, 0.95) for one in studies])
    assert 0.92 <= covered <= 0.975
    # The standard error is that of the estimates, within 10 %.
    spread = np.std([one.estimate for one in studies], ddof=1)
    assert np.sqrt(np.mean([one.se**2 for one in studies])) == pytest.approx(spread, rel=0.10)
