"""The tables of the supervised panel: the chain against networks that learn from all labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from weckd.analysis.comparisons import BAR, chain_method
from weckd.analysis.estimates import (
    EXPLORATORY,
    IDENTICAL,
    MARGIN_METRICS,
    NOT_KNOWN,
    Estimate,
    descriptive,
    no_variance,
)
from weckd.analysis.method_groups import PANEL
from weckd.analysis.results import Results
from weckd.analysis.sheet import (
    confidence,
    csv_row,
    differences,
    gain_cell,
    level_cell,
    place_cell,
    primary_name,
    run_caption,
    size_cell,
)
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, places
from weckd.tables.captions import NO_CHAIN
from weckd.tables.cells import NOTHING, Cell, Name, P
from weckd.tables.render import Table, TableFile, nothing_to_show, sheet


@dataclass(frozen=True)
class _Against:
    """The chain minus one supervised method on one data set or mean."""

    place: str
    reference: str
    level: Estimate  # of the reference
    difference: Estimate
    family: str
    p_adjusted: float  # of a gain of -margin; NaN where the plan does not test it


def panel_table(run: Results) -> TableFile:
    """Return the bar and every panel method, and how the chain stands against them: on means, by data set."""
    suite, chain = run.suite, chain_method(run.suite)
    supervised = [name for name in suite.methods if name == BAR or suite.roles[name] == PANEL]
    if chain is None or not supervised or run.primary not in MARGIN_METRICS:
        why = f"neither {BAR} nor a method of the panel is in this run"
        if chain is None:
            why = NO_CHAIN
        elif supervised:
            why = f"the plan's margin is not stated for {primary_name(run)}"
        return nothing_to_show(suite, "panel", "Supervised panel", "method", why)
    found, plan = _against(run, chain, supervised), suite.analysis
    decided = [
        mean
        for row in run.planned
        if row.comparison.kind == "non-inferiority"
        and row.comparison.method == chain
        and row.comparison.reference in supervised
        for mean in row.comparison.decided_on
    ]
    on_means = [x for mean in dict.fromkeys((*decided, MACRO)) for x in found if x.place == mean]
    others = ", ".join(f"{margin:g}" for margin in plan.other_margins_pp)
    note, more = (
        f"The plan's margin is {plan.margin_pp:g} points",
        f"; at {others}: sensitivity" if others else "",
    )
    on_sets = [x for x in found if x.place in suite.datasets]
    tables = [
        _table(run, chain, on_means, _margins(suite), "panel", "Supervised panel", f"{note}{more}."),
        _table(
            run,
            chain,
            on_sets,
            (plan.margin_pp,),
            "panel-by-data-set",
            "Supervised panel, by data set",
            f"{note}.",
        ),
    ]
    return TableFile("panel", pd.DataFrame([_row(run, chain, item) for item in found]), tables)


def margin_verdict(suite: Suite, shown: Estimate, margin_pp: float) -> str:
    """Return the verdict of non-inferiority by the two-sided interval, not adjusted, or why there is none.

    Non-inferior: the lower limit is above -margin; inferior: the upper limit is below it; else inconclusive.

    Args:
        suite: the run; its plan's alpha is the interval's.
        shown: the chain minus the other method.
        margin_pp: percentage points.
    """
    if shown.study is None:
        return "missing"
    if shown.identical:
        return IDENTICAL
    if few_seeds(suite):
        return descriptive(suite)
    if not shown.se > 0:
        return f"inconclusive ({no_variance(shown.study)})"
    if shown.low > -margin_pp:
        return "non-inferior"
    return "inferior" if shown.high < -margin_pp else "inconclusive"


def _margins(suite: Suite) -> list[float]:
    return sorted({suite.analysis.margin_pp, *suite.analysis.other_margins_pp})


def _against(run: Results, chain: str, supervised: Sequence[str]) -> list[_Against]:
    stages = run.predictions.stages
    planned = {
        item.comparison.reference: item.gains
        for item in run.compared("non-inferiority")
        if item.comparison.method == chain
    }
    found = []
    for reference in supervised:
        results = differences(run, chain, stages[chain], reference, stages[reference])
        for place in places(run.suite):
            row = planned[reference][place] if reference in planned else None
            tested = (row.family, row.p_adjusted) if row else (EXPLORATORY, NOT_KNOWN)
            level = run.finals[(place, reference, run.primary)].estimate
            found.append(_Against(place, reference, level, results[place], *tested))
    return found


def _table(
    run: Results,
    chain: str,
    found: Sequence[_Against],
    margins: Sequence[float],
    label: str,
    title: str,
    note: str,
) -> Table:
    """Return on each data set or mean a row of the chain, then a row a supervised method."""
    suite, level = run.suite, confidence(run.suite)
    rows: list[list[Cell]] = []
    for place in dict.fromkeys(item.place for item in found):
        start: list[Cell] = [place_cell(suite, place), size_cell(run, place)]
        blank: list[Cell] = [NOTHING] * (3 + len(margins))
        rows.append(
            [*start, Name(chain), level_cell(run.finals[(place, chain, run.primary)].estimate), *blank]
        )
        rows += [
            [
                *start,
                Name(item.reference),
                level_cell(item.level),
                gain_cell(item.difference),
                *(margin_verdict(suite, item.difference, margin) for margin in margins),
                P(item.p_adjusted),
                item.family,
            ]
            for item in found
            if item.place == place
        ]
    headers = [
        "data set",
        "images (groups)",
        "method",
        primary_name(run),
        f"{chain} minus it [{level} CI]",
        *(f"at {margin:g} point{'' if margin == 1 else 's'}" for margin in margins),
        "p (adjusted)",
        "family",
    ]
    says = run_caption(
        run,
        f"{primary_name(run).capitalize()} of each method's last stage in percent, mean ± h, h the half-width of the "
        f"{level} two-way interval; differences in percentage points with their {level} intervals, not adjusted;",
        middle=(
            f"non-inferior at a margin: the lower limit of the {level} interval is above minus the margin; inferior: "
            f"the upper limit is below it; else inconclusive. {note}",
            f"p: that the difference is -{suite.analysis.margin_pp:g} points, adjusted within the family that stands "
            "beside it; by this p the tables of gains decide.",
            f"{EXPLORATORY}: not in the plan, no p.",
        ),
        missing=[name for item in found for name in item.difference.missing],
    )
    return sheet(suite, label, title, pd.DataFrame(rows, columns=headers), says)


def _row(run: Results, chain: str, item: _Against) -> dict[str, object]:
    suite = run.suite
    of = {
        "method": chain,
        "stage": run.predictions.stages[chain],
        "reference": item.reference,
        "reference_mean": item.level.value,
        "reference_half_width": item.level.half_width,
    }
    more: dict[str, object] = {
        "family": item.family,
        "alpha": suite.analysis.alpha,
        "p_adjusted": item.p_adjusted,
    }
    more |= {
        f"verdict_at_{margin:g}": margin_verdict(suite, item.difference, margin) for margin in _margins(suite)
    }
    return csv_row(run, item.place, of, run.primary, item.difference, more)
