"""Levels of methods and gains over references: their estimates, p values corrected by family, verdicts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from weckd.analysis.comparisons import Comparison, comparisons
from weckd.analysis.contrasts import Result, evaluate_all, own
from weckd.analysis.inference.ceiling import NEAR_THE_CEILING
from weckd.analysis.inference.reader_study import (
    Study,
    adjust,
    minimum_detectable,
    p_value,
    planned_half_width,
)
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import SuitePredictions
from weckd.config import Suite
from weckd.places import few_seeds, means, places
from weckd.tables.captions import TEST

NOT_KNOWN = float("nan")
IDENTICAL = "identical"
SECONDARY = "secondary"
"""Family of the plan's comparisons on metrics and means that decide nothing."""
EXPLORATORY = "exploratory"
"""Family of comparisons that the plan does not hold."""
CORRECTIONS = {"holm": "Holm", "fdr_bh": "Benjamini-Hochberg", "fixed": "fixed sequence"}
MARGIN_METRICS = ("accuracy", "balanced_accuracy")
"""Metrics that the margin of non-inferiority is stated for; on others a comparison asks for any difference."""


@dataclass(frozen=True)
class Estimate:
    """A value with its two-way interval, which is not adjusted for other tests.

    In the unit of its metric: percent (a difference: points) or nats. NaN where something is missing; the interval, and
    what says something of the variance, also where the suite has too few seeds for inference.
    """

    study: Study | None  # the same as fractions; None where something is missing
    missing: tuple[str, ...]
    scale: float
    value: float
    half_width: float
    low: float
    high: float
    se: float  # with few seeds too
    df: float
    seed_share: float  # of the variance, 0..1
    detectable: float  # the gain found with 80 % power

    @property
    def identical(self) -> bool:
        """Whether a difference is zero for every seed and group."""
        return self.study is not None and self.study.all_zero


def estimate(suite: Suite, result: Result, scale: float = 100.0) -> Estimate:
    """Return a result as it is shown; `scale` is that of its metric."""
    study, plan = result.study, suite.analysis
    if study is None:
        return Estimate(None, result.missing, scale, *[NOT_KNOWN] * 8)
    half, inferential = planned_half_width(study, plan), not few_seeds(suite)
    return Estimate(
        study=study,
        missing=result.missing,
        scale=scale,
        value=scale * study.estimate,
        half_width=scale * half,
        low=scale * (study.estimate - half),
        high=scale * (study.estimate + half),
        se=scale * study.se,
        df=study.df,
        seed_share=study.seed_share if inferential else NOT_KNOWN,
        detectable=scale * minimum_detectable(study, plan.alpha) if inferential else NOT_KNOWN,
    )


@dataclass(frozen=True)
class Level:
    """One method's stage on one data set, or a mean over data sets, and one metric."""

    dataset: str
    method: str
    stage: int
    final: bool  # the method's last stage, which is its result
    metric: str
    estimate: Estimate


@dataclass(frozen=True)
class Gain:
    """A comparison on one data set, or a mean over data sets, and one metric, with its verdict."""

    comparison: Comparison
    dataset: str
    metric: str
    estimate: Estimate
    test: str
    family: str
    correction: str
    p: float  # NaN where not defined
    p_adjusted: float
    verdict: str

    @property
    def decides(self) -> bool:
        """Whether the row is one of those that decide its family."""
        return self.family == self.comparison.family and self.dataset in self.comparison.decided_on

    @property
    def short_verdict(self) -> str:
        """The verdict without the list of what is missing, which a caption has."""
        return self.verdict.partition(":")[0]


def evaluate_levels(suite: Suite, predictions: SuitePredictions) -> tuple[Level, ...]:
    """Return every method on every data set, their means, and every metric.

    On the primary metric and its first sensitivity every stage, on the others the last stage alone.
    """
    found = []
    for position, metric in enumerate(suite.analysis.metrics):
        for method in suite.methods:
            last = predictions.stages[method]
            for stage in range(1 if position < 2 else last, last + 1):
                results = evaluate_all(suite, predictions.datasets, own(method, stage), metric)
                for place, result in results.items():
                    shown = estimate(suite, result, METRICS[metric].scale)
                    found.append(Level(place, method, stage, stage == last, metric, shown))
    return tuple(found)


def evaluate_gains(suite: Suite, predictions: SuitePredictions) -> tuple[Gain, ...]:
    """Test every comparison on every metric, data set and mean over data sets, and correct within families.

    A family of the plan is decided by its rows on the primary metric and on the means that it names (Holm, or in
    fixed sequence along the links of a chain); its rows for single data sets are a secondary family (Holm). The
    plan's comparisons on other metrics and means are secondary, methods outside the plan are exploratory; both
    by Benjamini-Hochberg.
    """
    return _tested(suite, predictions, comparisons(suite, predictions), suite.analysis.metrics)


def planned_gains(suite: Suite, predictions: SuitePredictions) -> tuple[Gain, ...]:
    """Return those rows of `evaluate_gains` that decide a family or belong to its secondary one."""
    planned = tuple(item for item in comparisons(suite, predictions) if item.family is not None)
    found = _tested(suite, predictions, planned, suite.analysis.metrics[:1])
    return tuple(gain for gain in found if gain.family != SECONDARY)


def missing_of(items: Iterable[Level | Gain]) -> list[str]:
    """Return the names of what is missing for some levels or gains."""
    return [name for item in items for name in item.estimate.missing]


def _tested(
    suite: Suite, predictions: SuitePredictions, compared: Sequence[Comparison], metrics: Sequence[str]
) -> tuple[Gain, ...]:
    found: list[Gain] = []
    of_family: dict[str, list[int]] = {}  # their places in `found`
    for comparison, metric in product(compared, metrics):
        lacking = Result(None, (f"{comparison.method} stages after the first",))
        results = dict.fromkeys(places(suite), lacking)
        if comparison.contrast:
            results = evaluate_all(suite, predictions.datasets, comparison.contrast, metric)
        for place, result in results.items():
            gain = _alone(suite, comparison, place, metric, result)
            of_family.setdefault(gain.family, []).append(len(found))
            found.append(gain)
    for family, rows in of_family.items():
        method = _correction(family, found[rows[0]].comparison)
        adjusted = adjust([found[row].p for row in rows], method)
        for row, p in zip(rows, adjusted, strict=True):
            gain = replace(found[row], correction=f"{CORRECTIONS[method]} over {len(rows)}", p_adjusted=p)
            found[row] = replace(gain, verdict=_verdict(suite, gain))
    return tuple(found)


def _alone(suite: Suite, comparison: Comparison, place: str, metric: str, result: Result) -> Gain:
    """Return a gain with its family, but without what the others of the family decide."""
    shown, known, null = (
        estimate(suite, result, METRICS[metric].scale),
        means(suite),
        _null(comparison, metric),
    )
    over = f", mean of {len(known[place])} independent data sets" if place in known else ""
    test = TEST + over + (f", against {null * 100:g} points" if null else "")
    if shown.study is not None and shown.study.ceiling_part:
        test += f", {NEAR_THE_CEILING}"
    family = f"secondary: {comparison.family}" if place in suite.datasets else SECONDARY
    if comparison.family is None:
        family = EXPLORATORY
    elif metric != suite.analysis.metrics[0]:
        family = SECONDARY
    elif place in comparison.decided_on:
        family = comparison.family
    tested = shown.study is not None and not shown.identical and not few_seeds(suite)
    p = p_value(shown.study, null) if shown.study and tested else NOT_KNOWN
    return Gain(comparison, place, metric, shown, test, family, "", p, NOT_KNOWN, "")


def _correction(family: str, comparison: Comparison) -> str:
    if family in (SECONDARY, EXPLORATORY):
        return "fdr_bh"
    return "fixed" if comparison.kind == "links" and family == comparison.family else "holm"


def _null(comparison: Comparison, metric: str) -> float:
    return comparison.null if metric in MARGIN_METRICS else 0.0


def _verdict(suite: Suite, gain: Gain) -> str:
    """Return one of the kind's three verdicts, or why there is none."""
    comparison, study = gain.comparison, gain.estimate.study
    if study is None:
        return f"missing: {'; '.join(gain.estimate.missing)}"
    if gain.estimate.identical:
        return IDENTICAL
    if few_seeds(suite):
        return descriptive(suite)
    above, below, neither = (
        ("non-inferior", "inferior", "inconclusive")
        if comparison.kind == "non-inferiority" and gain.metric in MARGIN_METRICS
        else ("gain", "loss", "undecided")
    )
    if np.isnan(gain.p_adjusted):
        return f"{neither} ({no_variance(study)})"
    if gain.p_adjusted >= suite.analysis.alpha:
        return neither
    more = study.estimate > _null(comparison, gain.metric)
    return below if more == METRICS[gain.metric].lower_is_better else above


def descriptive(suite: Suite) -> str:
    """Return the verdict where seeds are too few for one."""
    return f"descriptive only (k < {suite.analysis.minimum_seeds})"


def no_variance(study: Study) -> str:
    """Return why a study has no standard error to test with."""
    return "no variation" if study.se == 0 else "one group"
