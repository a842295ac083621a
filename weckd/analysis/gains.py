"""The gains of methods over their references: estimates, p values corrected by family, verdicts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from weckd.analysis.comparisons import Comparison, comparisons
from weckd.analysis.contrasts import MACRO, Result, evaluate_all, independent, sizes
from weckd.analysis.inference.reader_study import Study, half_width, minimum_detectable, p_value
from weckd.analysis.predictions import SuitePredictions
from weckd.config import Suite

TEST = "two-way random-effects t, seeds x groups"
EXPLORATORY = "exploratory"


@dataclass(frozen=True)
class Gain:
    """One row: a comparison on one data set (or their mean) and one metric, with its verdict."""

    comparison: Comparison
    dataset: str  # a key, or "macro"
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
    """Test every comparison on every metric, data set and their mean, and correct within families.

    A family of the plan is decided by its macro rows on the primary metric (Holm); its rows for single data
    sets are a secondary family (Holm); all else is exploratory (Benjamini-Hochberg).
    """
    drafts = [
        (comparison, dataset, metric, result)
        for comparison in comparisons(suite, predictions)
        for metric in suite.analysis.metrics
        for dataset, result in _results(suite, predictions, comparison, metric).items()
    ]
    families = [_family(suite, comparison, dataset, metric) for comparison, dataset, metric, _ in drafts]
    p_values = [_p(suite, comparison, result) for comparison, _, _, result in drafts]
    adjusted = np.full(len(drafts), np.nan)
    corrections: dict[str, str] = {}
    for family in dict.fromkeys(families):
        rows = [row for row, name in enumerate(families) if name == family]
        method = "fdr_bh" if family == EXPLORATORY else "holm"
        adjusted[rows] = adjust([p_values[row] for row in rows], method)
        name = "Benjamini-Hochberg" if family == EXPLORATORY else "Holm"
        corrections[family] = f"{name} over {len(rows)}"
    return tuple(
        Gain(
            comparison=comparison,
            dataset=dataset,
            metric=metric,
            study=result.study,
            missing=result.missing,
            test=_test(suite, comparison, dataset),
            family=family,
            correction=corrections[family],
            p=p,
            p_adjusted=float(p_adjusted),
            verdict=_verdict(suite, comparison, result, float(p_adjusted)),
        )
        for (comparison, dataset, metric, result), family, p, p_adjusted in zip(
            drafts, families, p_values, adjusted, strict=True
        )
    )


def adjust(p_values: Sequence[float], method: str) -> list[float]:
    """Return p adjusted by "holm" or "fdr_bh"; an undefined p (NaN) counts as a hypothesis and stays NaN."""
    # Imported here: it takes a second, and figures do without. It has no type stubs.
    from statsmodels.stats.multitest import multipletests  # type: ignore[import-untyped] # noqa: PLC0415

    if not p_values:
        return []
    known = np.asarray(p_values, dtype=np.float64)
    adjusted = multipletests(np.where(np.isnan(known), 1.0, known), method=method)[1]
    return [float(value) for value in np.where(np.isnan(known), np.nan, adjusted)]


def gains_frame(suite: Suite, predictions: SuitePredictions, gains: Iterable[Gain]) -> pd.DataFrame:
    """Return the long frame of `gains.csv`: numbers in percentage points, NaN where not defined."""
    known = sizes(suite, predictions.datasets)
    return pd.DataFrame([_row(suite, gain, known[gain.dataset]) for gain in gains])


def interval(suite: Suite, gain: Gain) -> tuple[float, float]:
    """Return the two-sided interval at 1 - alpha, not adjusted for other tests; NaN with too few seeds."""
    if gain.study is None or few_seeds(suite):
        return float("nan"), float("nan")
    half = half_width(gain.study, 1 - suite.analysis.alpha)
    return gain.study.estimate - half, gain.study.estimate + half


def few_seeds(suite: Suite) -> bool:
    """Say whether the suite has too few seeds for inference, so that its tables only describe."""
    return len(suite.seeds) < suite.analysis.minimum_seeds


def is_phantom(suite: Suite, dataset: str) -> bool:
    """Say whether a data set, or any that the macro row averages, is a phantom."""
    keys = suite.datasets if dataset == MACRO else (dataset,)
    return any(suite.facts[key].phantom for key in keys)


def _results(
    suite: Suite, predictions: SuitePredictions, comparison: Comparison, metric: str
) -> dict[str, Result]:
    if not comparison.contrast:
        one_stage = Result(None, (f"{comparison.method} stages after the first",))
        return dict.fromkeys((*suite.datasets, MACRO), one_stage)
    return evaluate_all(suite, predictions.datasets, comparison.contrast, metric)


def _family(suite: Suite, comparison: Comparison, dataset: str, metric: str) -> str:
    if comparison.family is None or metric != suite.analysis.metrics[0]:
        return EXPLORATORY
    return comparison.family if dataset == MACRO else f"secondary: {comparison.family}"


def _test(suite: Suite, comparison: Comparison, dataset: str) -> str:
    over = f", mean of {len(independent(suite))} independent data sets" if dataset == MACRO else ""
    null = f", against {comparison.null * 100:g} points" if comparison.null else ""
    return TEST + over + null


def _p(suite: Suite, comparison: Comparison, result: Result) -> float:
    if result.study is None or result.study.all_zero or few_seeds(suite):
        return float("nan")
    return p_value(result.study, comparison.null)


def _verdict(suite: Suite, comparison: Comparison, result: Result, p_adjusted: float) -> str:
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
        if comparison.kind == "non-inferiority"
        else ("gain", "loss", "undecided")
    )
    if np.isnan(p_adjusted):
        return f"{neither} (no variation)" if study.se == 0 else f"{neither} (one group)"
    if p_adjusted >= suite.analysis.alpha:
        return neither
    return above if study.estimate > comparison.null else below


def _row(suite: Suite, gain: Gain, size: tuple[int, int] | None) -> dict[str, object]:
    study, alpha = gain.study, suite.analysis.alpha
    nothing = float("nan")
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
        "gain_pp": 100 * study.estimate if study else nothing,
        "ci_low": 100 * low,
        "ci_high": 100 * high,
        "se": 100 * study.se if study else nothing,
        "df": study.df if study else nothing,
        "test": gain.test,
        "family": gain.family,
        "correction": gain.correction,
        "alpha": alpha,
        "p": gain.p,
        "p_adjusted": gain.p_adjusted,
        "min_detectable_pp": 100 * minimum_detectable(study, alpha) if study and inferential else nothing,
        "verdict": gain.verdict,
        "plan_hash": suite.plan_hash,
    }
