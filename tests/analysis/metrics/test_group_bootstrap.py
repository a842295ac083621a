import numpy as np
import pytest

from weckd.analysis.inference.reader_study import two_way
from weckd.analysis.metrics.confidence import DRAWS, image_weights
from weckd.analysis.metrics.scores import Scored, mean_score
from weckd.seeds import generator

GROUPS = np.array([0, 0, 1, 2, 2, 2, 3, 4])


def test_draws_as_many_groups_as_there_are():
    weights = image_weights(GROUPS)
    assert weights.shape == (200, 8)
    first_of_group = weights[:, [0, 2, 3, 6, 7]]
    assert (first_of_group[:, GROUPS] == weights).all()
    assert (first_of_group.sum(axis=1) == 5).all()
    assert len(np.unique(weights, axis=0)) > 50


def test_draws_depend_on_the_number_of_groups_alone():
    drawn = generator("group bootstrap", 5).integers(5, size=(DRAWS, 5))
    assert image_weights(np.arange(5))[7].tolist() == [(drawn[7] == group).sum() for group in range(5)]
    assert (image_weights(GROUPS) == image_weights(np.arange(5))[:, GROUPS]).all()
    assert (image_weights(np.arange(6))[:, :5] != image_weights(np.arange(5))).any()


def test_gives_the_variance_of_a_mean():
    draw = generator("bootstrap of a mean")
    groups = np.repeat(np.arange(60), np.tile(np.arange(1, 7), 10))
    shared = draw.normal(size=60)[groups]
    scores = (shared + draw.normal(size=(3, len(groups))) > 0).astype(np.float64)
    by_influence = mean_score(scores, groups)
    weights = image_weights(groups)
    means = scores @ weights.T / weights.sum(axis=1)
    by_draws = two_way(Scored(by_influence.values, means, 59, len(groups))).case_part
    assert by_draws == pytest.approx(two_way(by_influence).case_part, rel=0.25)
