"""The tables of sensitivity: nine tests of each primary claim, and whether those of the same question agree."""

from collections.abc import Mapping, Sequence

import pandas as pd

from weckd.analysis.comparisons import Comparison
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.gains import Gain, decides
from weckd.analysis.inference.nine_tests import PROCEDURE, Row, nine_tests, robust
from weckd.analysis.inference.paired_tests import Paired
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.scores import correct
from weckd.analysis.tables.studies import IDENTICAL, confidence
from weckd.errors import counted
from weckd.places import MACRO, few_seeds, independent, is_phantom
from weckd.tables import cells
from weckd.tables.captions import (
    NO_FAMILY,
    SCOPE,
    closing,
    derived_sentence,
    design_sentence,
    joined,
    phantom_sentence,
    size_sentence,
    tuning_sentence,
)
from weckd.tables.cells import NOTHING, Cell, P
from weckd.tables.files import Table, TableFile, nothing_to_show

METRIC = "accuracy"
"""The nine tests compare right and wrong answers."""


NOTE_WIDTH = 60
"""Characters; a longer note would make the table wider than a page."""
IN_CAPTION = "see the caption"


def sensitivity_table(evaluation: Evaluation) -> TableFile:
    """Return nine tests of each gain that decides a superiority family on the mean over all data sets."""
    suite = evaluation.suite
    claimed = [
        gain
        for gain in evaluation.planned()
        if gain.comparison.kind == "superiority" and gain.dataset == MACRO and decides(gain)
    ]
    if not claimed:
        return nothing_to_show(suite, "sensitivity", "Sensitivity", "test", NO_FAMILY)
    found = [(gain, _why_not(evaluation, gain), _tests(evaluation, gain)) for gain in claimed]
    rows = [line for gain, why_not, tests in found for line in _lines(evaluation, gain, why_not, tests)]
    return TableFile(
        "sensitivity",
        pd.DataFrame(rows),
        [_table(evaluation, gain, why, tests) for gain, why, tests in found],
    )


def _why_not(evaluation: Evaluation, gain: Gain) -> str:
    """Return why the nine tests are not done; empty where they are."""
    suite = evaluation.suite
    if gain.metric != METRIC:
        return f"not done: the tests are of {METRIC}, the primary metric is {METRICS[gain.metric].name}"
    if gain.study is None:
        return f"not done, missing: {'; '.join(gain.missing)}"
    if few_seeds(suite):
        return f"not done: {counted(len(suite.seeds), 'seed')}, at least {suite.analysis.minimum_seeds} are needed"
    return ""


def _tests(evaluation: Evaluation, gain: Gain) -> tuple[Row, ...]:
    if _why_not(evaluation, gain):
        return ()
    pairs = _pairs(evaluation, gain.comparison)
    return nine_tests(pairs, evaluation.suite.analysis.alpha, gain.comparison.null)


def _pairs(evaluation: Evaluation, comparison: Comparison) -> dict[str, Paired]:
    """Return both methods' right and wrong answers on every independent data set."""
    pairs = {}
    stage = evaluation.predictions.stages[comparison.reference]
    for key in independent(evaluation.suite):
        data = evaluation.predictions.datasets[key]
        a, b = (
            correct(data.probabilities[cell], data.y)
            for cell in ((comparison.method, comparison.stage), (comparison.reference, stage))
        )
        pairs[key] = Paired(a, b, data.groups)
    return pairs


def _table(evaluation: Evaluation, gain: Gain, why_not: str, tests: Sequence[Row]) -> Table:
    suite, comparison = evaluation.suite, gain.comparison
    columns: dict[str, list[Cell]] = {
        "test": [row.name for row in tests],
        "question": [row.question for row in tests],
        f"gain [{confidence(suite)} interval]": [_gain_cell(row) for row in tests],
        "p": [P(row.p) for row in tests],
        "note": [IN_CAPTION if _is_long(row.note) else row.note for row in tests],
        "robust": [_robust_text(row, tests) for row in tests],
    }
    shown = pd.DataFrame({"test": [why_not]}) if why_not else pd.DataFrame(columns)
    caption = joined(
        phantom_sentence(suite),
        f"The gain of {comparison.method} {comparison.text} in accuracy, mean over the independent data sets, "
        "percentage points, tested in nine ways; p not adjusted.",
        "The first row is the plan's test, which alone decides, with p adjusted in the table of gains; the others ask "
        "as their question says: they are sensitivity, in no family.",
        "robust: the three tests of Q3 agree, all significant on the same side or none.",
        *(f"{row.name}: {row.note}." for row in tests if _is_long(row.note)),
        size_sentence(suite, evaluation.sizes[MACRO]),
        design_sentence(suite),
        tuning_sentence(suite),
        f"Family of the gain: {comparison.family}.",
        derived_sentence(suite),
        SCOPE,
        closing(suite, gain.missing),
    )
    title = f"Nine tests of {comparison.method} {comparison.text}, suite {suite.run}"
    return Table(title, caption, f"sensitivity-{comparison.reference}", shown)


def _gain_cell(row: Row) -> Cell:
    if row.note == IDENTICAL:
        return IDENTICAL
    return cells.Gain(100 * row.estimate, 100 * row.low, 100 * row.high)


def _is_long(note: str) -> bool:
    return len(note) > NOTE_WIDTH


def _robust_text(row: Row, tests: Sequence[Row]) -> str:
    if row.question != PROCEDURE or row.note == IDENTICAL:
        return NOTHING
    return "yes" if robust(tests) else "no"


def _lines(evaluation: Evaluation, gain: Gain, why_not: str, tests: Sequence[Row]) -> list[dict[str, object]]:
    """Return a row a test; one that says why not, where the tests are not done."""
    suite, size, comparison, nothing = (
        evaluation.suite,
        evaluation.sizes[MACRO],
        gain.comparison,
        float("nan"),
    )
    of: Mapping[str, object] = {
        "suite": suite.run,
        "phantom": is_phantom(suite, MACRO),
        "dataset": MACRO,
        "family": comparison.family,
        "method": comparison.method,
        "stage": comparison.stage,
        "reference": comparison.reference,
        "metric": gain.metric,
        "k": len(suite.seeds),
        "n_images": size[0] if size else pd.NA,
        "n_groups": size[1] if size else pd.NA,
        "unit": "points",
    }
    rows = tests or (Row("", "", nothing, nothing, nothing, nothing, None, why_not),)
    return [
        {
            **of,
            "test": row.name,
            "question": row.question,
            "estimate": 100 * row.estimate,
            "ci_low": 100 * row.low,
            "ci_high": 100 * row.high,
            "alpha": suite.analysis.alpha,
            "p": row.p,
            "note": row.note,
            "robust": _robust_text(row, tests),
            "plan_hash": suite.plan_hash,
        }
        for row in rows
    ]
