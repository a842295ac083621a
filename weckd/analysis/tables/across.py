"""The table across data sets: what these say, and what they say about a new one."""

import math
from dataclasses import dataclass

import pandas as pd

from weckd.analysis.evaluation import Evaluation
from weckd.analysis.inference.data_sets import NewDataSet, new_data_set
from weckd.analysis.inference.reader_study import Estimate
from weckd.analysis.metrics import METRICS, Metric
from weckd.analysis.tables.compared import (
    compared_on_means,
    comparison_cell,
    independent_studies,
    margin_sentence,
    means_caption,
    why_not_together,
)
from weckd.analysis.tables.evaluated_cells import decision_cell, gain_cell
from weckd.analysis.tables.studies import (
    NOTHING_KNOWN,
    Planned,
    confidence,
    gain_row,
)
from weckd.analysis.tables.wins import COUNT, wins_ties_losses
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, independent
from weckd.tables import cells
from weckd.tables.captions import NO_FAMILY, mean_or_dataset
from weckd.tables.cells import NATS_DIGITS, NOTHING, Cell, Joined, Number, P
from weckd.tables.files import Table, TableFile, nothing_to_show

TITLE = "Across data sets"


def across_table(evaluation: Evaluation) -> TableFile:
    """Return for each comparison of the plan what these data sets say, and what they say about a new one."""
    suite, compared = evaluation.suite, compared_on_means(evaluation)
    if not compared:
        return nothing_to_show(suite, "across", TITLE, "comparison", NO_FAMILY)
    title = f"{TITLE}, suite {suite.run}"
    futures = [_future(suite, planned) for planned in compared]
    level = confidence(suite)
    headers = [
        "comparison",
        f"these: {mean_or_dataset(suite, MACRO)} [{level} CI]",
        "p (adjusted)",
        f"new: t over means [{level} CI]",
        "p, t over means",
        f"new: random effects [{level} CI]",
        "p, random effects",
        "tau",
        f"{level} prediction, true gain",
        f"{level} prediction, measured gain",
        COUNT,
    ]
    lines = [_across_cells(suite, *pair) for pair in zip(compared, futures, strict=True)]
    decided = dict.fromkeys(
        f"{planned.gains[MACRO].family} ({planned.gains[MACRO].correction})" for planned in compared
    )
    caption = means_caption(
        evaluation,
        (
            "these: new seeds and cases, the same data sets, which is what the plan decides by; p: adjusted, in its "
            f"family: {'; '.join(decided)}. {margin_sentence(suite)}",
            "new: the data sets as a sample of such, in no family, p not adjusted; t over the data-set means, and "
            "random effects (Paule-Mandel tau, the standard deviation between data sets; modified "
            "Hartung-Knapp-Sidik-Jonkman interval).",
            "prediction: where the gain lies that one more data set has (random effects), and that its test would "
            "measure (t over means).",
            f"{COUNT}: data sets, derived ones too, whose gain is significantly beyond its null, neither, or below it "
            "(adjusted in the secondary family of single data sets).",
        ),
        (name for planned in compared for row in planned.gains.values() for name in row.missing),
    )
    table = Table(title, caption, "across", pd.DataFrame(lines, columns=headers))
    rows = [_across_row(evaluation, *pair) for pair in zip(compared, futures, strict=True)]
    return TableFile("across", pd.DataFrame(rows), [table])


@dataclass(frozen=True)
class _Future:
    """What a comparison says about a new data set, or why nothing."""

    found: NewDataSet | None
    why_not: str = ""


def _future(suite: Suite, planned: Planned) -> _Future:
    studies, why_not = independent_studies(suite, planned), why_not_together(suite, planned)
    if why_not:
        return _Future(None, why_not)
    return _Future(new_data_set(list(studies.values()), 1 - suite.analysis.alpha, planned.comparison.null))


def _across_cells(suite: Suite, planned: Planned, future: _Future) -> list[Cell]:
    row = planned.gains[MACRO]
    start = [comparison_cell(planned), gain_cell(suite, row), decision_cell(row)]
    return [*start, *_new_cells(suite, future), _count(suite, planned)]


def _count(suite: Suite, planned: Planned) -> str:
    if few_seeds(suite):
        return NOTHING
    return wins_ties_losses(suite.analysis.alpha, [planned.gains[key] for key in suite.datasets])


def _new_cells(suite: Suite, future: _Future) -> list[Cell]:
    if future.found is None:
        return [future.why_not, *[NOTHING] * 6]
    metric, found = METRICS[suite.analysis.metrics[0]], future.found
    digits = None if metric.unit == "percent" else NATS_DIGITS
    return [
        _estimate_cell(metric, found.over_means),
        P(found.over_means.p),
        _estimate_cell(metric, found.random_effects),
        P(found.random_effects.p),
        Number(metric.scale * math.sqrt(found.tau2), digits),
        _range_cell(metric.scale * found.prediction_low, metric.scale * found.prediction_high, digits),
        _range_cell(metric.scale * found.measured_low, metric.scale * found.measured_high, digits),
    ]


def _estimate_cell(metric: Metric, estimate: Estimate) -> Cell:
    """Return an estimate and its interval; nothing where a data set on which nothing varies forbids one."""
    if math.isnan(estimate.value):
        return NOTHING
    low, high = metric.scale * estimate.low, metric.scale * estimate.high
    return cells.Gain(metric.scale * estimate.value, low, high, metric.unit == "percent")


def _range_cell(low: float, high: float, digits: int | None) -> Cell:
    return NOTHING if math.isnan(low) else Joined((Number(low, digits), "to", Number(high, digits)))


def _across_row(evaluation: Evaluation, planned: Planned, future: _Future) -> dict[str, object]:
    """Return the row of the mean over these data sets, with what they say about a new one behind it."""
    suite, found = evaluation.suite, future.found
    scale = METRICS[suite.analysis.metrics[0]].scale
    row = gain_row(evaluation, planned.gains[MACRO], {"n_datasets": len(independent(suite))})
    for name, estimate in (
        ("t_over_means", found.over_means if found else None),
        ("random_effects", found.random_effects if found else None),
    ):
        row |= {
            name: scale * estimate.value if estimate else NOTHING_KNOWN,
            f"{name}_ci_low": scale * estimate.low if estimate else NOTHING_KNOWN,
            f"{name}_ci_high": scale * estimate.high if estimate else NOTHING_KNOWN,
            f"{name}_p": estimate.p if estimate else NOTHING_KNOWN,
        }
    row |= {
        "tau": scale * math.sqrt(found.tau2) if found else NOTHING_KNOWN,
        "prediction_low": scale * found.prediction_low if found else NOTHING_KNOWN,
        "prediction_high": scale * found.prediction_high if found else NOTHING_KNOWN,
        "measured_low": scale * found.measured_low if found else NOTHING_KNOWN,
        "measured_high": scale * found.measured_high if found else NOTHING_KNOWN,
        "wins_ties_losses": _count(suite, planned),
        "plan_hash": row.pop("plan_hash"),
    }
    return row
