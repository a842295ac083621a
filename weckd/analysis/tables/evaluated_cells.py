"""From evaluated levels and gains to the cells that show them."""

import math

from weckd.analysis.gains import Gain, interval
from weckd.analysis.inference.reader_study import minimum_detectable
from weckd.analysis.levels import Level, interval_half_width
from weckd.analysis.metrics import METRICS
from weckd.config import Suite
from weckd.places import few_seeds
from weckd.tables import cells


def level_cell(suite: Suite, level: Level) -> cells.Level:
    """Return a mean with the half-width of its interval."""
    metric, study = METRICS[level.metric], level.result.study
    mean = metric.scale * study.estimate if study else float("nan")
    return cells.Level(mean, metric.scale * interval_half_width(suite, level), metric.unit == "percent")


def gain_cell(suite: Suite, gain: Gain, mark: str = "") -> cells.Gain:
    """Return a gain with its interval, which is not adjusted for other tests."""
    metric = METRICS[gain.metric]
    low, high = interval(suite, gain)
    estimate = metric.scale * gain.study.estimate if gain.study else float("nan")
    return cells.Gain(estimate, metric.scale * low, metric.scale * high, metric.unit == "percent", mark)


def decision_cell(gain: Gain) -> cells.Cell:
    """Return the verdict of a non-inferiority test; else the adjusted p, or why there is none."""
    if gain.comparison.kind == "non-inferiority" or not math.isfinite(gain.p_adjusted):
        return short_verdict(gain.verdict)
    return cells.P(gain.p_adjusted)


def short_verdict(verdict: str) -> str:
    """Return a verdict without the list of what is missing, which the caption has."""
    return verdict.partition(":")[0]


def detectable_cell(suite: Suite, gain: Gain) -> cells.Number:
    """Return the gain found with 80 % power, where the gain is not significant."""
    if gain.study is None or few_seeds(suite) or gain.p_adjusted < suite.analysis.alpha:
        return cells.Number(float("nan"))
    return cells.Number(METRICS[gain.metric].scale * minimum_detectable(gain.study, suite.analysis.alpha))


def seed_share_cell(suite: Suite, gain: Gain) -> cells.Number:
    """Return the part of the variance that is due to seeds, percent."""
    share = float("nan") if gain.study is None or few_seeds(suite) else gain.study.seed_share
    return cells.Number(100 * share, 0, " %")
