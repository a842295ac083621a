"""The tables along the chain: its stages, its trend and its links, and other methods at the same stage."""

from collections.abc import Mapping, Sequence

import pandas as pd

from weckd.analysis import sheet
from weckd.analysis.comparisons import SLOPE, Comparison, chain_method
from weckd.analysis.contrasts import gain as gain_of
from weckd.analysis.estimates import Estimate, Level, missing_of
from weckd.analysis.results import Compared, Results
from weckd.places import overall, places
from weckd.tables.captions import NO_STAGES, confidence, mean_or_dataset
from weckd.tables.cells import Name
from weckd.tables.render import Table, TableFile

LAST_MINUS_FIRST = "last - first"
NONE_ALIKE = "no other method of this run has as many stages; sequential has"
TITLE = "Along the chain"


def along_table(run: Results) -> TableFile:
    """Return the chain's stages with their trend and links, then its gains over others at the same stage."""
    suite, stages = run.suite, run.predictions.stages
    chain = chain_method(suite)
    if chain is None or stages[chain] < 2:
        return sheet.nothing(suite, "along", TITLE, "data set", NO_STAGES)
    levels = {
        (level.dataset, level.stage): level
        for level in run.levels
        if level.method == chain and level.metric == run.primary
    }
    planned = [
        x for x in run.compared("trend", "links") if x.comparison.method == chain and x.comparison.family
    ]
    alike = {
        (name, stage): run.of(gain_of(chain, stage, name, stage))
        for name in suite.methods
        if name != chain and stages[name] == stages[chain]
        for stage in range(1, stages[chain] + 1)
    }
    rows = []
    for (place, stage), level in levels.items():
        of = {"quantity": "level", "method": chain, "stage": stage, "reference": ""}
        rows.append(sheet.row(run, place, of, run.primary, level.estimate, percent="percent"))
    for item in planned:
        of = {"quantity": _header(item.comparison)}
        rows += [sheet.gain_row(run, gain, of) for gain in item.gains.values()]
    for (reference, stage), shown in alike.items():
        of = {"quantity": "gain at the same stage", "method": chain, "stage": stage, "reference": reference}
        rows += [sheet.row(run, place, of, run.primary, one) for place, one in shown.items()]
    tables = [_stages(run, chain, levels, planned), _at_same_stage(run, chain, alike)]
    return TableFile("along", pd.DataFrame(rows), tables)


def _header(comparison: Comparison) -> str:
    if comparison.kind == "links":
        return f"M{comparison.stage} - M{comparison.stage - 1}"
    return SLOPE if comparison.reference == SLOPE else LAST_MINUS_FIRST


def _stages(
    run: Results, chain: str, levels: Mapping[tuple[str, int], Level], planned: Sequence[Compared]
) -> Table:
    last, names = run.predictions.stages[chain], places(run.suite)
    shown = sheet.pivoted(
        names,
        {
            "data set": lambda place: sheet.place(run.suite, place),
            "images (groups)": lambda place: sheet.size(run.sizes[place]),
        },
        {f"M{stage}": stage for stage in range(1, last + 1)},
        {"{}": lambda place, stage: sheet.level(levels[place, stage].estimate)},
    )
    together: dict[str, list[str]] = {}  # family and correction -> differences that they are of
    for item in planned:
        header = _header(item.comparison)
        shown[header] = [sheet.gain(item.gains[name].estimate) for name in names]
        if not run.suite.quick_look:
            shown[f"p, {header}"] = [sheet.decision(item.gains[name]) for name in names]
        decided = item.gains[overall(run.suite)]
        together.setdefault(f"{decided.family}, {decided.correction}", []).append(header)
    corrections = "; ".join(f"{', '.join(headers)}: {correction}" for correction, headers in together.items())
    says = sheet.caption(
        run,
        f"{run.primary_name.capitalize()} of the stages of {chain}, percent ± half-width of its interval; differences "
        "in points.",
        test="p adjusted" if planned else "",
        notes=(
            f"p on {mean_or_dataset(run.suite, overall(run.suite))}: {corrections}; by modality: Benjamini-Hochberg, "
            "secondary, unless another family asks the same."
            if planned and not run.suite.quick_look
            else ""
            if planned
            else "No trend or links in the plan.",
            sheet.near_ceiling(gain for item in planned for gain in item.gains.values()),
        ),
        missing=[*missing_of(levels.values()), *(name for item in planned for name in item.missing)],
    )
    narrow = (
        "data set",
        *(f"M{stage}" for stage in range(1, last + 1)),
        LAST_MINUS_FIRST,
        f"p, {LAST_MINUS_FIRST}",
    )
    return sheet.table(run.suite, "along", TITLE, shown, says, narrow=narrow)


def _at_same_stage(
    run: Results, chain: str, alike: Mapping[tuple[str, int], Mapping[str, Estimate]]
) -> Table:
    level = confidence(run.suite)
    references = dict.fromkeys(reference for reference, _ in alike)
    shown = sheet.pivoted(
        [(reference, place) for reference in references for place in places(run.suite)],
        {"over": lambda row: Name(row[0]), "data set": lambda row: sheet.place(run.suite, row[1])},
        {f"stage {stage} [{level} CI]": stage for stage in range(1, run.predictions.stages[chain] + 1)},
        {"{}": lambda row, stage: sheet.untested(alike[row[0], stage][row[1]])},
    )
    says = sheet.caption(
        run,
        f"Gains of {chain} in {run.primary_name}, percentage points, over methods with as many stages, stage by stage.",
        notes=("Secondary: the plan's tests of the last stage are in the tables of gains, with p.",),
        missing=[name for results in alike.values() for one in results.values() for name in one.missing],
    )
    title = "The chain at the same stage as others"
    return sheet.table(run.suite, "same-stage", title, shown, says, ("over", NONE_ALIKE))
