"""What holds for all metrics of the tables."""

import dataclasses

import numpy as np
import pytest
from drawn_predictions import drawn, each_image_a_group

from weckd.analysis.inference.reader_study import two_way
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.scores import Predicted, weighted_sum
from weckd.seeds import generator


def test_names_directions_and_units():
    shown = {
        key: (metric.name, metric.lower_is_better, metric.unit, metric.needs_validation)
        for key, metric in METRICS.items()
    }
    assert shown == {
        "accuracy": ("accuracy", False, "percent", False),
        "balanced_accuracy": ("balanced accuracy", False, "percent", False),
        "macro_f1": ("macro-F1", False, "percent", False),
        "mcc": ("MCC", False, "percent", False),
        "macro_auroc": ("macro-AUROC", False, "percent", False),
        "brier": ("Brier", True, "percent", False),
        "nll": ("NLL", True, "nats", False),
        "ece": ("ECE", True, "percent", False),
        "ece_scaled": ("ECE after temperature scaling", True, "percent", True),
        "accuracy_at_80": ("accuracy at 80 % coverage", False, "percent", False),
    }


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_order_of_images_and_seeds_does_not_matter(metric, n_classes):
    predicted = drawn(n_classes)
    draw = generator("order of images")
    seeds, images = draw.permutation(3), draw.permutation(60)
    moved = Predicted(
        predicted.probabilities[np.ix_(seeds, images)],
        predicted.y[images],
        predicted.groups[images],
        tuple(predicted.validation[seed] for seed in seeds),
    )
    one, other = metric.score(predicted), metric.score(moved)
    assert other.values == pytest.approx(one.values[seeds], rel=1e-12)
    assert other.cases == pytest.approx(one.cases[seeds], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_copy_of_every_image_in_its_group_changes_nothing(metric):
    predicted = drawn(3)
    twice = dataclasses.replace(
        predicted,
        probabilities=np.tile(predicted.probabilities, (1, 2, 1)),
        y=np.tile(predicted.y, 2),
        groups=np.tile(predicted.groups, 2),
    )
    one, other = metric.score(predicted), metric.score(twice)
    assert other.values == pytest.approx(one.values, rel=1e-12)
    assert other.cases == pytest.approx(one.cases, rel=1e-9, abs=1e-12)
    assert two_way(other).se == pytest.approx(two_way(one).se, rel=1e-9)
    assert two_way(one).case_part > 0


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_identical_predictions_have_a_gain_of_zero(metric):
    predicted = drawn(3)
    copy = dataclasses.replace(predicted, probabilities=predicted.probabilities.copy())
    study = two_way(weighted_sum([(1.0, metric.score(predicted)), (-1.0, metric.score(copy))]))
    assert study.all_zero
    assert (study.estimate, study.se) == (0, 0)
    assert not two_way(metric.score(predicted)).all_zero


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_counts_images_and_groups(metric):
    scored = metric.score(drawn(3))
    assert (scored.values.shape, scored.n_images, scored.n_groups, scored.case_df) == ((3,), 60, 12, 11)


@pytest.mark.parametrize(
    "metric", [metric for key, metric in METRICS.items() if "ece" not in key], ids=lambda metric: metric.name
)
@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_influence_sums_to_zero(metric, n_classes):
    scored = metric.score(each_image_a_group(drawn(n_classes)))
    assert scored.cases.shape == (3, 60)
    assert np.abs(scored.cases.sum(axis=1)).max() < 1e-12
    assert np.abs(scored.cases).max() > 1e-3
