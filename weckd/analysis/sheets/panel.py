"""The tables of the supervised panel: the chain against networks that learn from all labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from weckd.analysis import sheet
from weckd.analysis.comparisons import BAR, chain_method
from weckd.analysis.contrasts import gain as gain_of
from weckd.analysis.estimates import EXPLORATORY, Estimate, Tested
from weckd.analysis.inference import ceiling
from weckd.analysis.method_groups import PANEL
from weckd.analysis.results import Results
from weckd.analysis_plan import MARGIN_METRICS
from weckd.places import overall, places
from weckd.tables.captions import NO_CHAIN, confidence
from weckd.tables.cells import NOTHING, Cell, Name, P
from weckd.tables.render import Table, TableFile


@dataclass(frozen=True)
class _Against:
    """The chain minus one supervised method on one data set or mean."""

    place: str
    reference: str
    level: Estimate  # of the reference
    difference: Estimate
    at: Mapping[float, Tested]  # non-inferiority by margin, percentage points


def panel_table(run: Results) -> TableFile:
    """Return the bar and every panel method, and how the chain compares with them: on means, by data set."""
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
        place
        for row in run.planned
        if (row.comparison.kind, row.comparison.method) == ("non-inferiority", chain)
        and row.comparison.reference in supervised
        for place in row.comparison.decided_on
    ]
    margins = sorted({plan.margin_pp, *plan.other_margins_pp})
    others = ", ".join(f"{margin:g}" for margin in plan.other_margins_pp)
    more = f"; at {others}: sensitivity" if others else ""
    note = f"The plan's margin is {plan.margin_pp:g} points{more}."
    on_tested = [x for place in dict.fromkeys((*decided, overall(suite))) for x in found if x.place == place]
    on_sets = [x for x in found if x.place in suite.datasets]
    tables = [_table(run, chain, "panel", "Supervised panel", on_tested, margins, note)]
    if any(item not in on_tested for item in on_sets):
        title, alone = "Supervised panel, by data set", "Not tested here: no p, no verdict."
        tables.append(_table(run, chain, "panel-by-data-set", title, on_sets, [], alone))
    return TableFile("panel", pd.DataFrame([_row(run, chain, item, margins) for item in found]), tables)


def _against(run: Results, chain: str, supervised: Sequence[str]) -> list[_Against]:
    plan, stages = run.suite.analysis, run.predictions.stages
    compared = (x for x in run.compared("non-inferiority") if x.comparison.method == chain)
    planned = {x.comparison.reference: x.gains for x in compared}
    margins, found = (plan.margin_pp, *plan.other_margins_pp), []
    for reference in supervised:
        differences = run.of(gain_of(chain, stages[chain], reference, stages[reference]))
        for place in places(run.suite):
            at = dict.fromkeys(margins, Tested(EXPLORATORY))
            if reference in planned:
                row = planned[reference][place]
                at = {**row.other_margins, plan.margin_pp: row.non_inferiority}
            level = run.finals[place, reference, run.primary].estimate
            found.append(_Against(place, reference, level, differences[place], at))
    return found


def _table(
    run: Results,
    chain: str,
    label: str,
    title: str,
    found: Sequence[_Against],
    margins: Sequence[float],
    note: str,
) -> Table:
    """Return on each data set or mean a row of the chain, then a row a supervised method."""
    suite, rows = run.suite, list[list[Cell]]()
    for place in dict.fromkeys(item.place for item in found):
        start: list[Cell] = [sheet.place(suite, place), sheet.size(run.sizes[place])]
        own = sheet.level(run.finals[place, chain, run.primary].estimate)
        rows.append([*start, Name(chain), own, *[NOTHING] * (1 + len(margins) + 2 * bool(margins))])
        for item in (item for item in found if item.place == place):
            shown: list[Cell] = [sheet.level(item.level), sheet.untested(item.difference)]
            shown += [item.at[margin].verdict.partition(":")[0] or NOTHING for margin in margins]
            of_plan = item.at[suite.analysis.margin_pp]
            more: list[Cell] = [P(of_plan.p_adjusted), of_plan.family] if margins else []
            rows.append([*start, Name(item.reference), *shown, *more])
    level = confidence(suite)
    headers = ["data set", "images (groups)", "method", run.primary_name, f"{chain} minus it [{level} CI]"]
    headers += [f"at {margin:g} point{'' if margin == 1 else 's'}" for margin in margins]
    headers += ["p (adjusted)", "family"] if margins else []
    says = sheet.caption(
        run,
        f"{run.primary_name.capitalize()} of each last stage, percent ± half-width of its interval; differences in "
        "points.",
        test="p adjusted in the family named" if margins else "",
        notes=(
            note,
            ceiling.sentence(
                [x.place for x in found if x.difference.study and x.difference.study.ceiling_part]
            ),
        ),
        missing=[name for item in found for name in item.difference.missing],
    )
    narrow = (
        "data set",
        "method",
        run.primary_name,
        "* minus it *",
        f"at {suite.analysis.margin_pp:g} point*",
    )
    return sheet.table(suite, label, title, pd.DataFrame(rows, columns=headers), says, narrow=narrow)


def _row(run: Results, chain: str, item: _Against, margins: Sequence[float]) -> dict[str, object]:
    of = {
        "method": chain,
        "stage": run.predictions.stages[chain],
        "reference": item.reference,
        "reference_mean": item.level.value,
        "reference_half_width": item.level.half_width,
    }
    of_plan = item.at[run.suite.analysis.margin_pp]
    more = {
        "alpha": run.suite.analysis.alpha,
        "non_inferiority_p": of_plan.p_adjusted,
        "non_inferiority_family": of_plan.family,
        **{f"verdict_at_{margin:g}": item.at[margin].verdict for margin in margins},
    }
    return sheet.row(run, item.place, of, run.primary, item.difference, more)
