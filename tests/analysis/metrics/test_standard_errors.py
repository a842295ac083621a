"""Simulation: is the estimated standard error that of the estimates, in groups of very uneven sizes?"""

import numpy as np
import pytest
from drawn_predictions import softmax

from weckd.analysis.inference.reader_study import half_width, two_way
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.scores import Predicted, weighted_sum
from weckd.seeds import generator

SEEDS, CLASSES, N_GROUPS = 5, 3, 60
GROUPS = np.repeat(np.arange(N_GROUPS), np.repeat(np.arange(1, 13), 5))  # 5 groups of each size from 1 to 12
DATA_SETS = 320
SIMULATED = ("balanced_accuracy", "macro_f1", "mcc", "macro_auroc", "accuracy_at_80")


@pytest.fixture(scope="module")
def studies():
    """Own means and gains in new test sets by newly trained models, for every metric."""
    found = {(metric, what): [] for metric in SIMULATED for what in ("mean", "gain")}
    for number in range(DATA_SETS):
        worse, better = _two_methods(generator("standard errors", number))
        for metric in SIMULATED:
            one, other = METRICS[metric].score(worse), METRICS[metric].score(better)
            found[metric, "mean"].append(two_way(one))
            found[metric, "gain"].append(two_way(weighted_sum([(1.0, other), (-1.0, one)])))
    return found


def _two_methods(draw):
    """Each group is of one class; groups, images and seeds are more or less difficult, and so are all for a method."""
    y = draw.choice(CLASSES, size=N_GROUPS, p=(0.5, 0.3, 0.2))[GROUPS]
    shape = (len(y), CLASSES)
    difficulty = 0.7 * draw.normal(size=(N_GROUPS, CLASSES))[GROUPS] + 0.7 * draw.normal(size=shape)
    for skill in (1.6, 2.0):
        logits = skill * np.eye(CLASSES)[y] + difficulty
        logits = logits + 0.3 * draw.normal(size=(N_GROUPS, CLASSES))[GROUPS]
        logits = (
            logits + 0.3 * draw.normal(size=(SEEDS, 1, CLASSES)) + 0.8 * draw.normal(size=(SEEDS, *shape))
        )
        yield Predicted(softmax(logits).astype(np.float32), y, GROUPS, ())


@pytest.mark.parametrize("what", ["mean", "gain"])
@pytest.mark.parametrize("metric", SIMULATED)
def test_standard_errors_are_right(studies, metric, what):
    estimates = np.array([study.estimate for study in studies[metric, what]])
    errors = np.array([study.se for study in studies[metric, what]])
    assert errors.mean() == pytest.approx(estimates.std(ddof=1), rel=0.15)
    # The expectation over all data sets, which intervals are to cover, is known by the mean of the estimates.
    widths = np.array([half_width(study, 0.95) for study in studies[metric, what]])
    assert 0.90 < (np.abs(estimates - estimates.mean()) < widths).mean() < 0.98
