"""The tables of the supervised panel: the chain against networks that learn from all labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from weckd.analysis import sheet
from weckd.analysis.comparisons import BAR, chain_method
from weckd.analysis.contrasts import gain as gain_of
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
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, places
from weckd.tables.captions import NO_CHAIN, confidence
from weckd.tables.cells import NOTHING, Cell, Name, P
from weckd.tables.render import TableFile


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
    suite, plan, chain = run.suite, run.suite.analysis, chain_method(run.suite)
    supervised = [name for name in suite.methods if name == BAR or suite.roles[name] == PANEL]
    if chain is None or not supervised or run.primary not in MARGIN_METRICS:
        why = f"neither {BAR} nor a method of the panel is in this run"
        if chain is None:
            why = NO_CHAIN
        elif supervised:
            why = f"the plan's margin is not stated for {run.primary_name}"
        return sheet.nothing(suite, "panel", "Supervised panel", "method", why)
    found = _against(run, chain, supervised)
    decided = [
        mean
        for row in run.planned
        if (row.comparison.kind, row.comparison.method) == ("non-inferiority", chain)
        and row.comparison.reference in supervised
        for mean in row.comparison.decided_on
    ]
    margins = sorted({plan.margin_pp, *plan.other_margins_pp})
    others = ", ".join(f"{margin:g}" for margin in plan.other_margins_pp)
    note, more = f"The plan's margin is {plan.margin_pp:g} points", f"; at {others}: sensitivity"
    on_means = [x for mean in dict.fromkeys((*decided, MACRO)) for x in found if x.place == mean]
    on_sets = [x for x in found if x.place in suite.datasets]
    shown = (
        ("panel", "Supervised panel", on_means, margins, f"{note}{more if others else ''}."),
        ("panel-by-data-set", "Supervised panel, by data set", on_sets, [plan.margin_pp], f"{note}."),
    )
    tables = [
        sheet.table(suite, label, title, _cells(run, chain, of, at), _caption(run, of, says))
        for label, title, of, at, says in shown
    ]
    return TableFile("panel", pd.DataFrame([_row(run, chain, item, margins) for item in found]), tables)


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


def _against(run: Results, chain: str, supervised: Sequence[str]) -> list[_Against]:
    stages, compared = run.predictions.stages, run.compared("non-inferiority")
    planned = {x.comparison.reference: x.gains for x in compared if x.comparison.method == chain}
    found = []
    for reference in supervised:
        differences = run.of(gain_of(chain, stages[chain], reference, stages[reference]))
        for place in places(run.suite):
            row = planned[reference][place] if reference in planned else None
            tested = (row.family, row.p_adjusted) if row else (EXPLORATORY, NOT_KNOWN)
            level = run.finals[place, reference, run.primary].estimate
            found.append(_Against(place, reference, level, differences[place], *tested))
    return found


def _cells(run: Results, chain: str, found: Sequence[_Against], margins: Sequence[float]) -> pd.DataFrame:
    """Return on each data set or mean a row of the chain, then a row a supervised method."""
    suite, rows = run.suite, list[list[Cell]]()
    for place in dict.fromkeys(item.place for item in found):
        start: list[Cell] = [sheet.place(suite, place), sheet.size(run.sizes[place])]
        own = sheet.level(run.finals[place, chain, run.primary].estimate)
        rows.append([*start, Name(chain), own, *[NOTHING] * (3 + len(margins))])
        for item in (item for item in found if item.place == place):
            verdicts = [margin_verdict(suite, item.difference, margin) for margin in margins]
            shown: list[Cell] = [sheet.level(item.level), sheet.gain(item.difference)]
            rows.append([*start, Name(item.reference), *shown, *verdicts, P(item.p_adjusted), item.family])
    minus = f"{chain} minus it [{confidence(suite)} CI]"
    at = [f"at {margin:g} point{'' if margin == 1 else 's'}" for margin in margins]
    headers = [
        "data set",
        "images (groups)",
        "method",
        run.primary_name,
        minus,
        *at,
        "p (adjusted)",
        "family",
    ]
    return pd.DataFrame(rows, columns=headers)


def _caption(run: Results, found: Sequence[_Against], note: str) -> str:
    level = confidence(run.suite)
    return sheet.caption(
        run,
        f"{run.primary_name.capitalize()} of each method's last stage in percent, mean ± h, h the half-width of the "
        f"{level} two-way interval; differences in percentage points with their {level} intervals, not adjusted;",
        middle=(
            f"non-inferior at a margin: the lower limit of the {level} interval is above minus the margin; inferior: "
            f"the upper limit is below it; else inconclusive. {note}",
            f"p: that the difference is -{run.suite.analysis.margin_pp:g} points, adjusted within the family that "
            "stands beside it; by this p the tables of gains decide.",
            f"{EXPLORATORY}: not in the plan, no p.",
        ),
        missing=[name for item in found for name in item.difference.missing],
    )


def _row(run: Results, chain: str, item: _Against, margins: Sequence[float]) -> dict[str, object]:
    of = {
        "method": chain,
        "stage": run.predictions.stages[chain],
        "reference": item.reference,
        "reference_mean": item.level.value,
        "reference_half_width": item.level.half_width,
    }
    more = {
        "family": item.family,
        "alpha": run.suite.analysis.alpha,
        "p_adjusted": item.p_adjusted,
        **{
            f"verdict_at_{margin:g}": margin_verdict(run.suite, item.difference, margin) for margin in margins
        },
    }
    return sheet.row(run, item.place, of, run.primary, item.difference, more)
