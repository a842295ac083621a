import dataclasses
import math

import numpy as np
import pytest

from weckd.analysis.inference.ceiling import least_seed_sd, sentence
from weckd.analysis.inference.reader_study import half_width, mean_study, two_way
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.scores import Predicted, share_right, weighted_sum

GROUPS = np.arange(100)


def right(*wrong):
    """Answers to 100 images, the first so many of each seed wrong."""
    return np.stack([(np.arange(100) >= count) * 1.0 for count in wrong])


def gain(one, other, weights=(1.0, -1.0)):
    return weighted_sum(
        [(w, share_right(answers, GROUPS)) for w, answers in zip(weights, (one, other), strict=True)]
    )


@pytest.mark.parametrize(
    ("one", "other", "sd"),
    [
        (right(1, 2), right(5, 6), 0.06),
        (right(0, 0), right(5, 6), 0.06),
        (right(0, 0), right(6, 6), 0.0),  # .94 is not above
        (right(6, 6), right(0, 0), 0.0),
        (right(0, 11), right(5, 6), 0.06),  # the mean over seeds counts
    ],
)
def test_both_methods_must_be_near_the_ceiling(one, other, sd):
    assert least_seed_sd(gain(one, other)) == sd


def test_a_contrast_of_half_the_gain_has_half_the_sd():
    assert least_seed_sd(gain(right(1, 2), right(2, 3), (-0.5, 0.5))) == 0.03


def test_one_methods_own_mean_and_other_metrics_are_as_they_were():
    own = share_right(right(1, 2), GROUPS)
    assert least_seed_sd(weighted_sum([(1.0, own)])) == 0
    assert least_seed_sd(dataclasses.replace(gain(right(1, 2), right(2, 3)), levels=())) == 0
    probabilities = np.full((5, 4, 2), 0.5, dtype=np.float32)
    probabilities[:, :, 0] = 0.9
    predicted = Predicted(probabilities, np.array([0, 0, 0, 1]), np.arange(4), ())
    levels = {name: METRICS[name].score(predicted).levels for name in METRICS if name != "ece_scaled"}
    assert {name for name, found in levels.items() if found} == {
        "accuracy",
        "balanced_accuracy",
        "accuracy_at_80",
    }
    assert levels["accuracy"] == ((1.0, 0.75),)
    assert levels["balanced_accuracy"] == ((1.0, 0.5),)


def test_the_seed_part_is_raised_to_that_of_six_points():
    # d = .04, .04, .03: var 1/30000, A = 1/90000; 6 points over 3 seeds are .0012.
    study = two_way(gain(right(1, 1, 2), right(5, 5, 5)))
    assert study.estimate == pytest.approx(11 / 300)
    assert study.seed_part == pytest.approx(0.0012)
    assert study.ceiling_part == pytest.approx(0.0012 - 1 / 90000)
    # What it is raised by is no estimate and costs no df: the interval is nearly that of a normal.
    spread = (1 / 90000) ** 2 / 2 + study.case_part**2 / 99
    assert study.df == pytest.approx(study.se**4 / spread, rel=1e-3)
    assert half_width(study, 0.95) == pytest.approx(1.96 * study.se, rel=1e-3)


def test_seeds_that_vary_more_are_taken_as_they_are():
    study = two_way(gain(right(0, 0, 17), right(5, 5, 5)))
    assert (study.ceiling_part, least_seed_sd(gain(right(0, 0, 17), right(5, 5, 5)))) == (0.0, 0.06)
    assert study.seed_part == pytest.approx(np.var([0.05, 0.05, -0.12], ddof=1) / 3)


def test_seeds_are_not_raised_where_that_would_make_the_interval_narrower():
    # 5 seeds that are wrong on images of their own, SD 5.1 points: to 6, the df would rise from 4 to thousands.
    wrong = np.zeros((5, 100))
    for seed, count in enumerate((0, 0, 1, 2, 12)):
        wrong[seed, 20 * seed : 20 * seed + count] = 1
    contrast = gain(1 - wrong, right(0, 0, 0, 0, 0))
    study = two_way(contrast)
    plain = two_way(dataclasses.replace(contrast, levels=()))
    assert contrast.values.std(ddof=1) == pytest.approx(0.051, abs=1e-4)
    assert least_seed_sd(contrast) == 0.06
    raised = (0.06**2 / 5 + study.case_part) ** 0.5
    assert 1.96 * raised < half_width(plain, 0.95)
    assert (study.seed_part, study.df, study.ceiling_part) == (plain.seed_part, plain.df, 0.0)


def test_the_df_without_what_is_raised_is_kept():
    contrast = gain(right(1, 1, 2), right(5, 5, 5))
    study, plain = two_way(contrast), two_way(dataclasses.replace(contrast, levels=()))
    assert study.ceiling_part > 0
    assert study.plain_df == pytest.approx(plain.df)
    assert mean_study([study, study]).plain_df == pytest.approx(mean_study([plain, plain]).df)


def test_a_mean_is_raised_by_its_data_sets_near_the_ceiling():
    near, far = (
        two_way(gain(right(1, 1, 2), right(5, 5, 5))),
        two_way(gain(right(10, 12, 20), right(20, 20, 20))),
    )
    mean = mean_study([near, far])
    assert mean.ceiling_part == pytest.approx(near.ceiling_part / 4)
    of_seeds = np.var([(0.04 + 0.10) / 2, (0.04 + 0.08) / 2, (0.03 + 0.0) / 2], ddof=1) / 3
    assert mean.seed_part == pytest.approx(of_seeds + near.ceiling_part / 4)
    assert mean_study([near], times=2).ceiling_part == pytest.approx(near.ceiling_part / 2)


def test_one_seed_has_no_standard_error_there_either():
    assert math.isnan(two_way(gain(right(1), right(5))).se)


def test_the_caption_names_the_places_once():
    assert sentence([]) == ""
    assert sentence(["ear", "macro", "ear"]) == (
        "Near the ceiling (both above 94 %; of a mean, on any of its data sets), where seeds are taken to vary by at "
        "least 6 points (SD), since rare failures may not have been drawn: ear, macro."
    )
