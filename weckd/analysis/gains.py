"""The gains of methods over their references: estimates, p values corrected by family, verdicts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from weckd.analysis.comparisons import Comparison, comparisons
from weckd.analysis.contrasts import Result, evaluate_all, sizes
from weckd.analysis.inference.reader_study import Study, adjust, half_width, minimum_detectable, p_value
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import SuitePredictions
from weckd.config import Suite
from weckd.errors import counted
from weckd.places import few_seeds, is_phantom, means
from weckd.tables.captions import TEST

SECONDARY = "secondary"
"""Family of the plan's comparisons on metrics and means that decide nothing."""
EXPLORATORY = "exploratory"
"""Family of comparisons that the plan does not hold."""
CORRECTIONS = {"holm": "Holm", "fdr_bh": "Benjamini-Hochberg", "fixed": "fixed sequence"}
MARGIN_METRICS = ("accuracy", "balanced_accuracy")
"""Metrics that the margin of non-inferiority is stated for; on others a comparison asks for any difference."""


@dataclass(frozen=True)
class Gain:
    """One row: a comparison on one data set (or their mean) and one metric, with its verdict."""

    comparison: Comparison
    dataset: str  # a key, or a mean over data sets, see `contrasts.means`
    metric: str
    study: Study | None  # None where something is missing
    missing: tuple[str, ...]
    test: str
    family: str
    correction: str
    p: float  # NaN where not defined
    p_adjusted: float
    verdict: str


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


def decides(gain: Gain) -> bool:
    """Tell whether a row is one of those that decide its family."""
    return gain.family == gain.comparison.family and gain.dataset in gain.comparison.decided_on


def _tested(
    suite: Suite,
    predictions: SuitePredictions,
    compared: Sequence[Comparison],
    metrics: Sequence[str],
) -> tuple[Gain, ...]:
    drafts = [
        (comparison, dataset, metric, result)
        for comparison in compared
        for metric in metrics
        for dataset, result in _results(suite, predictions, comparison, metric).items()
    ]
    families = [_family(suite, comparison, dataset, metric) for comparison, dataset, metric, _ in drafts]
    p_values = [_p(suite, comparison, metric, result) for comparison, _, metric, result in drafts]
    adjusted = np.full(len(drafts), np.nan)
    corrections: dict[str, str] = {}
    for family in dict.fromkeys(families):
        rows = [row for row, name in enumerate(families) if name == family]
        method = _correction(family, drafts[rows[0]][0])
        adjusted[rows] = adjust([p_values[row] for row in rows], method)
        corrections[family] = f"{CORRECTIONS[method]} over {len(rows)}"
    return tuple(
        Gain(
            comparison=comparison,
            dataset=dataset,
            metric=metric,
            study=result.study,
            missing=result.missing,
            test=_test(suite, comparison, dataset, metric),
            family=family,
            correction=corrections[family],
            p=p,
            p_adjusted=float(p_adjusted),
            verdict=_verdict(suite, comparison, metric, result, float(p_adjusted)),
        )
        for (comparison, dataset, metric, result), family, p, p_adjusted in zip(
            drafts, families, p_values, adjusted, strict=True
        )
    )


def _correction(family: str, comparison: Comparison) -> str:
    if family in (SECONDARY, EXPLORATORY):
        return "fdr_bh"
    return "fixed" if comparison.kind == "links" and family == comparison.family else "holm"


def gains_frame(suite: Suite, predictions: SuitePredictions, gains: Iterable[Gain]) -> pd.DataFrame:
    """Return the long frame of `gains.csv`: numbers in the unit of their row, NaN where not defined."""
    known = sizes(suite, predictions.datasets)
    return pd.DataFrame([_row(suite, gain, known[gain.dataset]) for gain in gains])


def interval(suite: Suite, gain: Gain) -> tuple[float, float]:
    """Return the two-sided interval at 1 - alpha, not adjusted for other tests; NaN with too few seeds."""
    if gain.study is None or few_seeds(suite):
        return float("nan"), float("nan")
    half = half_width(gain.study, 1 - suite.analysis.alpha)
    return gain.study.estimate - half, gain.study.estimate + half


def _results(
    suite: Suite, predictions: SuitePredictions, comparison: Comparison, metric: str
) -> dict[str, Result]:
    if not comparison.contrast:
        one_stage = Result(None, (f"{comparison.method} stages after the first",))
        return dict.fromkeys((*suite.datasets, *means(suite)), one_stage)
    return evaluate_all(suite, predictions.datasets, comparison.contrast, metric)


def _family(suite: Suite, comparison: Comparison, dataset: str, metric: str) -> str:
    if comparison.family is None:
        return EXPLORATORY
    if metric != suite.analysis.metrics[0]:
        return SECONDARY
    if dataset in comparison.decided_on:
        return comparison.family
    return f"secondary: {comparison.family}" if dataset in suite.datasets else SECONDARY


def _null(comparison: Comparison, metric: str) -> float:
    return comparison.null if metric in MARGIN_METRICS else 0.0


def _test(suite: Suite, comparison: Comparison, dataset: str, metric: str) -> str:
    known, null = means(suite), _null(comparison, metric)
    over = f", mean of {counted(len(known[dataset]), 'independent data set')}" if dataset in known else ""
    against = f", against {null * 100:g} points" if null else ""
    return TEST + over + against


def _p(suite: Suite, comparison: Comparison, metric: str, result: Result) -> float:
    if result.study is None or result.study.all_zero or few_seeds(suite):
        return float("nan")
    return p_value(result.study, _null(comparison, metric))


def _verdict(suite: Suite, comparison: Comparison, metric: str, result: Result, p_adjusted: float) -> str:
    """Return one of the kind's three verdicts, or why there is none."""
    study = result.study
    if study is None:
        return f"missing: {'; '.join(result.missing)}"
    if study.all_zero:
        return "identical"
    if few_seeds(suite):
        return f"descriptive only (k < {suite.analysis.minimum_seeds})"
    above, below, neither = (
        ("non-inferior", "inferior", "inconclusive")
        if comparison.kind == "non-inferiority" and metric in MARGIN_METRICS
        else ("gain", "loss", "undecided")
    )
    if np.isnan(p_adjusted):
        return f"{neither} (no variation)" if study.se == 0 else f"{neither} (one group)"
    if p_adjusted >= suite.analysis.alpha:
        return neither
    more = study.estimate > _null(comparison, metric)
    return below if more == METRICS[metric].lower_is_better else above


def _row(suite: Suite, gain: Gain, size: tuple[int, int] | None) -> dict[str, object]:
    study, alpha, metric = gain.study, suite.analysis.alpha, METRICS[gain.metric]
    nothing, scale = float("nan"), metric.scale
    low, high = interval(suite, gain)
    inferential = study is not None and not few_seeds(suite)
    return {
        "suite": suite.run,
        "phantom": is_phantom(suite, gain.dataset),
        "dataset": gain.dataset,
        "method": gain.comparison.method,
        "stage": gain.comparison.stage,
        "reference": gain.comparison.reference,
        "metric": gain.metric,
        "k": len(suite.seeds),
        "n_images": size[0] if size else pd.NA,
        "n_groups": size[1] if size else pd.NA,
        "unit": "points" if metric.unit == "percent" else metric.unit,
        "gain": scale * study.estimate if study else nothing,
        "ci_low": scale * low,
        "ci_high": scale * high,
        "se": scale * study.se if study else nothing,
        "df": study.df if study else nothing,
        "test": gain.test,
        "family": gain.family,
        "correction": gain.correction,
        "alpha": alpha,
        "p": gain.p,
        "p_adjusted": gain.p_adjusted,
        "min_detectable": scale * minimum_detectable(study, alpha) if study and inferential else nothing,
        "verdict": gain.verdict,
        "plan_hash": suite.plan_hash,
    }
