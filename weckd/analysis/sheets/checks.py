"""The table of checks that a run must pass before its gains mean anything."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from weckd.analysis import sheet
from weckd.analysis.comparisons import BAR
from weckd.analysis.contrasts import Result, evaluate, evaluate_all, gain, mean_result, own
from weckd.analysis.estimates import NOT_KNOWN
from weckd.analysis.inference.reader_study import ROUNDING, adjust, half_width, p_value
from weckd.analysis.method_groups import PANEL
from weckd.analysis.predictions import SuitePredictions
from weckd.analysis.results import Results
from weckd.config import Suite
from weckd.places import few_seeds, independent, overall
from weckd.tables.captions import confidence, has_phantom, mean_or_dataset
from weckd.tables.cells import Gain as GainCell
from weckd.tables.cells import Name, P
from weckd.tables.render import TableFile

PERMUTED = "permuted"
LABELS_LEVEL = 0.99
NOT_RUN = "not run"


@dataclass(frozen=True)
class Check:
    """One check: a macro value in fractions, its interval, and whether it passed."""

    check: str
    subject: str
    level: float  # of the interval
    passed: str  # "yes", "no", or why it cannot be said
    value: float = NOT_KNOWN
    half_width: float = NOT_KNOWN
    p_adjusted: float = NOT_KNOWN  # NaN where the check does not use one

    @property
    def points(self) -> tuple[float, float, float]:
        """The value and both ends of its interval, percentage points."""
        low, high = self.value - self.half_width, self.value + self.half_width
        return 100 * self.value, 100 * low, 100 * high


def checks_table(run: Results) -> TableFile:
    """Return the checks that a run must pass before its gains mean anything, a row each."""
    suite, checks = run.suite, evaluate_checks(run.suite, run.predictions)
    shown = sheet.listed(
        checks,
        {
            "check": lambda check: check.check,
            "subject": lambda check: Name(check.subject),
            "points [interval]": lambda check: GainCell(*check.points),
            "level": lambda check: f"{100 * check.level:g} %",
            "p (Holm)": lambda check: P(check.p_adjusted),
            "passed": lambda check: check.passed,
        },
    )
    panel = any(suite.roles[method] == PANEL for method in suite.methods)
    but, why = (
        (" but the panel's", "The panel's networks may be better than the bar's.") if panel else ("", "")
    )
    says = sheet.caption(
        run,
        f"Checks on {mean_or_dataset(suite, overall(suite))}, percentage points.",
        level=f"{confidence(suite)} (labels: {100 * LABELS_LEVEL:g} %)",
        test=f"Holm over all methods{but} against the supervised bar; the label check is alone",
        notes=(why,),
    )
    rows = [
        {
            "suite": suite.run,
            "phantom": has_phantom(suite),
            "check": check.check,
            "subject": check.subject,
            **dict(zip(("value_pp", "ci_low", "ci_high"), check.points, strict=True)),
            "level": check.level,
            "p_adjusted": check.p_adjusted,
            "passed": check.passed,
            "plan_hash": suite.plan_hash,
        }
        for check in checks
    ]
    narrow = ("check", "subject", "points *", "passed")
    return sheet.file(suite, "checks", "Checks", rows, shown, says, narrow=narrow)


def evaluate_checks(suite: Suite, predictions: SuitePredictions) -> tuple[Check, ...]:
    """Return the label check on `permuted`, and one for each method against the supervised bar."""
    return (label_check(suite, predictions), *_bar(suite, predictions))


def label_check(suite: Suite, predictions: SuitePredictions) -> Check:
    """Balanced accuracy of `permuted` minus 1/C, averaged over data sets: 0 must lie in the 99 % interval."""
    name = "balanced accuracy minus chance, 0 inside the interval"
    if PERMUTED not in suite.methods:
        return Check(name, PERMUTED, LABELS_LEVEL, NOT_RUN)
    contrast = own(PERMUTED, predictions.stages[PERMUTED])
    above_chance = {}
    for key, data in predictions.datasets.items():
        result, chance = evaluate(data, contrast, "balanced_accuracy"), 1 / data.n_classes
        if study := result.study:
            per_seed = tuple(value - chance for value in study.per_seed)
            result = Result(dataclasses.replace(study, estimate=study.estimate - chance, per_seed=per_seed))
        above_chance[key] = result
    result = mean_result(independent(suite), above_chance)
    reason = _no_answer(suite, result)
    if reason or result.study is None:
        return Check(name, PERMUTED, LABELS_LEVEL, reason)
    value, half = result.study.estimate, half_width(result.study, LABELS_LEVEL)
    return Check(name, PERMUTED, LABELS_LEVEL, "yes" if abs(value) <= half + ROUNDING else "no", value, half)


def _bar(suite: Suite, predictions: SuitePredictions) -> list[Check]:
    """Macro gain of each method over the supervised bar: none may be significantly positive (Holm).

    Methods of the panel are left out: their networks may be better than the bar's.
    """
    name, level = f"not significantly above {BAR}", 1 - suite.analysis.alpha
    if BAR not in suite.methods:
        return [Check(name, "every method", level, NOT_RUN)]
    stages, metric = predictions.stages, suite.analysis.metrics[0]
    methods = [method for method in suite.methods if method != BAR and suite.roles[method] != PANEL]
    contrasts = [gain(method, stages[method], BAR, stages[BAR]) for method in methods]
    results = [
        evaluate_all(suite, predictions.datasets, contrast, metric)[overall(suite)] for contrast in contrasts
    ]
    reasons = [_no_answer(suite, result) for result in results]
    pairs = zip(results, reasons, strict=True)
    p_values = [p_value(result.study) if result.study and not why else NOT_KNOWN for result, why in pairs]
    checks = []
    for method, result, reason, p in zip(methods, results, reasons, adjust(p_values, "holm"), strict=True):
        study = result.study
        if reason or study is None:
            checks.append(Check(name, method, level, reason))
            continue
        certain = p < suite.analysis.alpha or (np.isnan(p) and study.se == 0)
        passed = "no" if certain and study.estimate > ROUNDING else "yes"
        checks.append(Check(name, method, level, passed, study.estimate, half_width(study, level), p))
    return checks


def _no_answer(suite: Suite, result: Result) -> str:
    """Return why a check cannot be decided, or nothing."""
    if result.study is None:
        return f"missing: {'; '.join(result.missing)}"
    if few_seeds(suite):
        return f"not decided (k < {suite.analysis.minimum_seeds})"
    return "" if result.study.se >= 0 else "not decided (one group)"
