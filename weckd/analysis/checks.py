"""Checks that a run of the suite must pass before its gains mean anything."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from weckd.analysis.blocks import PANEL
from weckd.analysis.comparisons import BAR
from weckd.analysis.contrasts import Result, evaluate, evaluate_all, gain, mean_result, own
from weckd.analysis.inference.reader_study import ROUNDING, adjust, half_width, p_value
from weckd.analysis.predictions import SuitePredictions
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, independent

PERMUTED = "permuted"
LABELS_LEVEL = 0.99
NOT_RUN = "not run"


@dataclass(frozen=True)
class Check:
    """One check: a macro value in fractions, its interval, and whether it passed."""

    check: str
    subject: str
    value: float  # NaN where not computed
    half_width: float
    level: float  # of the interval
    p_adjusted: float  # NaN where the check does not use one
    passed: str  # "yes", "no", or why it cannot be said


def evaluate_checks(suite: Suite, predictions: SuitePredictions) -> tuple[Check, ...]:
    """Return the label check on `permuted`, and one for each method against the supervised bar."""
    return (_labels(suite, predictions), *_bar(suite, predictions))


def checks_frame(suite: Suite, checks: tuple[Check, ...]) -> pd.DataFrame:
    """Return the frame of `checks.csv`: values in percentage points, NaN where not computed."""
    phantom = any(suite.facts[key].phantom for key in suite.datasets)
    return pd.DataFrame(
        [
            {
                "suite": suite.run,
                "phantom": phantom,
                "check": check.check,
                "subject": check.subject,
                "value_pp": 100 * check.value,
                "ci_low": 100 * (check.value - check.half_width),
                "ci_high": 100 * (check.value + check.half_width),
                "level": check.level,
                "p_adjusted": check.p_adjusted,
                "passed": check.passed,
                "plan_hash": suite.plan_hash,
            }
            for check in checks
        ]
    )


def _labels(suite: Suite, predictions: SuitePredictions) -> Check:
    """Balanced accuracy of `permuted` minus 1/C, averaged over data sets: 0 must lie in the 99 % interval."""
    name = "balanced accuracy minus chance, 0 inside the interval"
    if PERMUTED not in suite.methods:
        return _unknown(name, PERMUTED, LABELS_LEVEL, NOT_RUN)
    contrast = own(PERMUTED, predictions.stages[PERMUTED])
    above_chance = {}
    for key, data in predictions.datasets.items():
        result = evaluate(data, contrast, "balanced_accuracy")
        study = result.study
        if study is not None:
            chance = 1 / data.n_classes
            result = Result(
                replace(
                    study,
                    estimate=study.estimate - chance,
                    per_seed=tuple(value - chance for value in study.per_seed),
                )
            )
        above_chance[key] = result
    result = mean_result(independent(suite), above_chance)
    reason = _no_answer(suite, result)
    if reason or result.study is None:
        return _unknown(name, PERMUTED, LABELS_LEVEL, reason)
    value, half = result.study.estimate, half_width(result.study, LABELS_LEVEL)
    passed = "yes" if abs(value) <= half + ROUNDING else "no"
    return Check(name, PERMUTED, value, half, LABELS_LEVEL, float("nan"), passed)


def _bar(suite: Suite, predictions: SuitePredictions) -> list[Check]:
    """Macro gain of each method over the supervised bar: none may be significantly positive (Holm).

    Methods of the panel are left out: their networks may be better than the bar's.
    """
    name = f"not significantly above {BAR}"
    level = 1 - suite.analysis.alpha
    if BAR not in suite.methods:
        return [_unknown(name, "every method", level, NOT_RUN)]
    stages, metric = predictions.stages, suite.analysis.metrics[0]
    methods = [method for method in suite.methods if method != BAR and suite.roles[method] != PANEL]
    results = [
        evaluate_all(suite, predictions.datasets, gain(method, stages[method], BAR, stages[BAR]), metric)[
            MACRO
        ]
        for method in methods
    ]
    reasons = [_no_answer(suite, result) for result in results]
    p_values = [
        float("nan") if reason or result.study is None else p_value(result.study)
        for result, reason in zip(results, reasons, strict=True)
    ]
    checks = []
    for method, result, reason, p in zip(methods, results, reasons, adjust(p_values, "holm"), strict=True):
        if reason or result.study is None:
            checks.append(_unknown(name, method, level, reason))
            continue
        value, half = result.study.estimate, half_width(result.study, level)
        certain = p < suite.analysis.alpha or (np.isnan(p) and result.study.se == 0)
        passed = "no" if certain and value > ROUNDING else "yes"
        checks.append(Check(name, method, value, half, level, p, passed))
    return checks


def _no_answer(suite: Suite, result: Result) -> str:
    """Return why a check cannot be decided, or nothing."""
    if result.study is None:
        return f"missing: {'; '.join(result.missing)}"
    if few_seeds(suite):
        return f"not decided (k < {suite.analysis.minimum_seeds})"
    return "" if result.study.se >= 0 else "not decided (one group)"


def _unknown(name: str, subject: str, level: float, reason: str) -> Check:
    nothing = float("nan")
    return Check(name, subject, nothing, nothing, level, nothing, reason)
