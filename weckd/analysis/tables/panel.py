"""The tables of the supervised panel: how the chain stands against networks that learn from all labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from weckd.analysis.blocks import PANEL
from weckd.analysis.comparisons import BAR, chain_method
from weckd.analysis.contrasts import Result, evaluate_all, gain
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.gains import EXPLORATORY, MARGIN_METRICS
from weckd.analysis.inference.reader_study import Study
from weckd.analysis.levels import Level
from weckd.analysis.metrics import METRICS
from weckd.analysis.tables.evaluated_cells import level_cell
from weckd.analysis.tables.studies import (
    IDENTICAL,
    NOTHING_KNOWN,
    Planned,
    confidence,
    difference_cell,
    place_cell,
    planned_once,
    size_cell,
    study_interval,
    study_row,
)
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, places
from weckd.tables.captions import (
    NO_CHAIN,
    SCOPE,
    closing,
    derived_sentence,
    design_sentence,
    joined,
    phantom_sentence,
    size_sentence,
    tuning_sentence,
)
from weckd.tables.cells import NOTHING, Cell, Name, P
from weckd.tables.files import Table, TableFile, nothing_to_show


@dataclass(frozen=True)
class _Against:
    """The chain minus one supervised method on one data set or mean."""

    place: str
    reference: str
    level: Level  # of the reference
    result: Result
    family: str
    p_adjusted: float  # of a gain of -margin; NaN where the plan does not test it


def panel_table(evaluation: Evaluation) -> TableFile:
    """Return the bar and every panel method, and how the chain stands against them: on means, by data set."""
    suite, chain = evaluation.suite, chain_method(evaluation.suite)
    supervised = [name for name in suite.methods if name == BAR or suite.roles[name] == PANEL]
    reason = _why_not(suite, chain, supervised)
    if chain is None or reason:
        return nothing_to_show(suite, "panel", "Supervised panel", "method", reason)
    found = _against(evaluation, chain, supervised)
    frame = pd.DataFrame([_row(evaluation, chain, item) for item in found])
    deciding = _deciding_means(evaluation, chain, supervised)
    tables = [
        _on_means(evaluation, chain, [x for mean in deciding for x in found if x.place == mean]),
        _by_dataset(evaluation, chain, [x for x in found if x.place in suite.datasets]),
    ]
    return TableFile("panel", frame, tables)


def margin_verdict(suite: Suite, study: Study | None, margin_pp: float) -> str:
    """Return the verdict of non-inferiority by the two-sided interval, not adjusted, or why there is none.

    Non-inferior: the lower limit is above -margin; inferior: the upper limit is below it; else inconclusive.

    Args:
        suite: the run; its plan's alpha is the interval's.
        study: of the chain minus the other method; None where something is missing.
        margin_pp: percentage points.
    """
    if study is None:
        return "missing"
    if study.all_zero:
        return IDENTICAL
    if few_seeds(suite):
        return f"descriptive only (k < {suite.analysis.minimum_seeds})"
    if not study.se > 0:
        return f"inconclusive ({'no variation' if study.se == 0 else 'one group'})"
    low, high = study_interval(suite, study)
    if low > -margin_pp / 100:
        return "non-inferior"
    return "inferior" if high < -margin_pp / 100 else "inconclusive"


def _why_not(suite: Suite, chain: str | None, supervised: Sequence[str]) -> str:
    if chain is None:
        return NO_CHAIN
    if not supervised:
        return f"neither {BAR} nor a method of the panel is in this run"
    metric = suite.analysis.metrics[0]
    return "" if metric in MARGIN_METRICS else f"the plan's margin is not stated for {METRICS[metric].name}"


def _planned(evaluation: Evaluation, chain: str) -> dict[str, Planned]:
    return {
        item.comparison.reference: item
        for item in planned_once(evaluation, "non-inferiority")
        if item.comparison.method == chain
    }


def _deciding_means(evaluation: Evaluation, chain: str, supervised: Sequence[str]) -> tuple[str, ...]:
    """Return the means that decide the plan's non-inferiority families, and that over all data sets."""
    decided = (
        mean
        for row in evaluation.planned()
        if row.comparison.kind == "non-inferiority"
        and row.comparison.method == chain
        and row.comparison.reference in supervised
        for mean in row.comparison.decided_on
    )
    return tuple(dict.fromkeys((*decided, MACRO)))


def _against(evaluation: Evaluation, chain: str, supervised: Sequence[str]) -> list[_Against]:
    suite, predictions = evaluation.suite, evaluation.predictions
    metric, planned = suite.analysis.metrics[0], _planned(evaluation, chain)
    level_of = _final_levels(evaluation)
    found = []
    for reference in supervised:
        contrast = gain(chain, predictions.stages[chain], reference, predictions.stages[reference])
        results = evaluate_all(suite, predictions.datasets, contrast, metric)
        for place in places(suite):
            row = planned[reference].gains[place] if reference in planned else None
            found.append(
                _Against(
                    place,
                    reference,
                    level_of[(place, reference)],
                    results[place],
                    row.family if row else EXPLORATORY,
                    row.p_adjusted if row else NOTHING_KNOWN,
                )
            )
    return found


def _final_levels(evaluation: Evaluation) -> dict[tuple[str, str], Level]:
    metric = evaluation.suite.analysis.metrics[0]
    return {
        (level.dataset, level.method): level
        for level in evaluation.levels
        if level.final and level.metric == metric
    }


def _cells(
    evaluation: Evaluation, chain: str, found: Sequence[_Against], margins: Sequence[float]
) -> pd.DataFrame:
    """Return on each data set or mean a row of the chain, then a row a supervised method."""
    suite, metric, levels = evaluation.suite, evaluation.suite.analysis.metrics[0], _final_levels(evaluation)
    rows: list[list[Cell]] = []
    for place in dict.fromkeys(item.place for item in found):
        start: list[Cell] = [place_cell(suite, place), size_cell(evaluation, place)]
        blank: list[Cell] = [NOTHING] * (3 + len(margins))
        rows.append([*start, Name(chain), level_cell(suite, levels[(place, chain)]), *blank])
        for item in found:
            if item.place != place:
                continue
            study = item.result.study
            rows.append(
                [
                    *start,
                    Name(item.reference),
                    level_cell(suite, item.level),
                    difference_cell(suite, study, metric),
                    *(margin_verdict(suite, study, margin) for margin in margins),
                    P(item.p_adjusted),
                    item.family,
                ]
            )
    headers = [
        "data set",
        "images (groups)",
        "method",
        METRICS[metric].name,
        f"{chain} minus it [{confidence(suite)} CI]",
        *(f"at {margin:g} point{'' if margin == 1 else 's'}" for margin in margins),
        "p (adjusted)",
        "family",
    ]
    return pd.DataFrame(rows, columns=headers)


def _on_means(evaluation: Evaluation, chain: str, found: Sequence[_Against]) -> Table:
    plan = evaluation.suite.analysis
    shown = _cells(evaluation, chain, found, sorted({plan.margin_pp, *plan.other_margins_pp}))
    others = ", ".join(f"{margin:g}" for margin in plan.other_margins_pp)
    note = f"The plan's margin is {plan.margin_pp:g} points" + (
        f"; at {others}: sensitivity." if others else "."
    )
    title = f"Supervised panel, suite {evaluation.suite.run}"
    return Table(title, _caption(evaluation, found, note), "panel", shown)


def _by_dataset(evaluation: Evaluation, chain: str, found: Sequence[_Against]) -> Table:
    plan = evaluation.suite.analysis
    shown = _cells(evaluation, chain, found, (plan.margin_pp,))
    title = f"Supervised panel, by data set, suite {evaluation.suite.run}"
    note = f"The plan's margin is {plan.margin_pp:g} points."
    return Table(title, _caption(evaluation, found, note), "panel-by-data-set", shown)


def _caption(evaluation: Evaluation, found: Sequence[_Against], margins: str) -> str:
    suite, level = evaluation.suite, confidence(evaluation.suite)
    return joined(
        phantom_sentence(suite),
        f"{METRICS[suite.analysis.metrics[0]].name.capitalize()} of each method's last stage in percent, mean ± h, h "
        f"the half-width of the {level} two-way interval; differences in percentage points with their {level} "
        "intervals, not adjusted;",
        size_sentence(suite, evaluation.sizes[MACRO]),
        f"non-inferior at a margin: the lower limit of the {level} interval is above minus the margin; inferior: the "
        f"upper limit is below it; else inconclusive. {margins}",
        f"p: that the difference is -{suite.analysis.margin_pp:g} points, adjusted within the family that stands "
        "beside it; by this p the tables of gains decide.",
        f"{EXPLORATORY}: not in the plan, no p.",
        design_sentence(suite),
        tuning_sentence(suite),
        derived_sentence(suite),
        SCOPE,
        closing(suite, (name for item in found for name in item.result.missing)),
    )


def _row(evaluation: Evaluation, chain: str, item: _Against) -> dict[str, object]:
    suite, plan, study = evaluation.suite, evaluation.suite.analysis, item.level.result.study
    of = {
        "method": chain,
        "stage": evaluation.predictions.stages[chain],
        "reference": item.reference,
        "reference_mean": 100 * study.estimate if study else NOTHING_KNOWN,
        "reference_half_width": 100 * float(np.diff(study_interval(suite, study))[0]) / 2,
    }
    verdicts = {
        f"verdict_at_{margin:g}": margin_verdict(suite, item.result.study, margin)
        for margin in sorted({plan.margin_pp, *plan.other_margins_pp})
    }
    tested = {"family": item.family, "alpha": plan.alpha, "p_adjusted": item.p_adjusted, **verdicts}
    return study_row(evaluation, item.place, of, item.result, plan.metrics[0], "points", tested)
