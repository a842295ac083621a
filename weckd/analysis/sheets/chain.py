"""The tables along the chain: its stages, its trend and its links, other methods at the same stage, and its maps."""

from collections.abc import Mapping, Sequence

import pandas as pd

from weckd.analysis.comparisons import SLOPE, Comparison, chain_method
from weckd.analysis.estimates import Estimate, Level, missing_of
from weckd.analysis.results import Compared, Results
from weckd.analysis.sheet import (
    confidence,
    csv_row,
    decision_cell,
    differences,
    gain_cell,
    gain_row,
    level_cell,
    place_cell,
    primary_name,
    run_caption,
    size_cell,
    untested_cell,
)
from weckd.places import MACRO, places
from weckd.tables.captions import NO_STAGES
from weckd.tables.cells import Cell, Name
from weckd.tables.render import Table, TableFile, nothing_to_show, sheet

LAST_MINUS_FIRST = "last - first"
NONE_ALIKE = "no other method of this run has as many stages; sequential has"


def along_table(run: Results) -> TableFile:
    """Return the chain's stages with their trend and links, then its gains over others at the same stage."""
    suite, stages = run.suite, run.predictions.stages
    chain = chain_method(suite)
    if chain is None or stages[chain] < 2:
        return nothing_to_show(suite, "along", "Along the chain", "data set", NO_STAGES)
    levels = {
        (level.dataset, level.stage): level
        for level in run.levels
        if level.method == chain and level.metric == run.primary
    }
    planned = [
        x for x in run.compared("trend", "links") if x.comparison.method == chain and x.comparison.family
    ]
    alike = {
        (name, stage): differences(run, chain, stage, name, stage)
        for name in suite.methods
        if name != chain and stages[name] == stages[chain]
        for stage in range(1, stages[chain] + 1)
    }
    frame = pd.DataFrame(
        [
            *(_level_row(run, level) for level in levels.values()),
            *(
                gain_row(run, gain, {"quantity": _header(item.comparison)})
                for item in planned
                for gain in item.gains.values()
            ),
            *(
                csv_row(
                    run, place, _of("gain at the same stage", chain, stage, reference), run.primary, shown
                )
                for (reference, stage), results in alike.items()
                for place, shown in results.items()
            ),
        ]
    )
    return TableFile(
        "along", frame, [_stages(run, chain, levels, planned), _at_same_stage(run, chain, alike)]
    )


def _header(comparison: Comparison) -> str:
    if comparison.kind == "links":
        return f"M{comparison.stage} - M{comparison.stage - 1}"
    return SLOPE if comparison.reference == SLOPE else LAST_MINUS_FIRST


def _of(quantity: str, method: str, stage: int, reference: str) -> dict[str, object]:
    return {"quantity": quantity, "method": method, "stage": stage, "reference": reference}


def _level_row(run: Results, level: Level) -> dict[str, object]:
    of = _of("level", level.method, level.stage, "")
    return csv_row(run, level.dataset, of, level.metric, level.estimate, percent="percent")


def _stages(
    run: Results, chain: str, levels: Mapping[tuple[str, int], Level], planned: Sequence[Compared]
) -> Table:
    suite, last, names = run.suite, run.predictions.stages[chain], places(run.suite)
    columns: dict[str, list[Cell]] = {
        "data set": [place_cell(suite, name) for name in names],
        "images (groups)": [size_cell(run, name) for name in names],
    }
    for stage in range(1, last + 1):
        columns[f"M{stage}"] = [level_cell(levels[(name, stage)].estimate) for name in names]
    together: dict[str, list[str]] = {}  # correction -> differences that it is over
    for item in planned:
        header = _header(item.comparison)
        columns[header] = [gain_cell(item.gains[name].estimate) for name in names]
        columns[f"p, {header}"] = [decision_cell(item.gains[name]) for name in names]
        together.setdefault(item.gains[MACRO].correction, []).append(header)
    corrections = ", ".join(
        f"{correction} ({', '.join(headers)})" for correction, headers in together.items()
    )
    level = confidence(suite)
    says = run_caption(
        run,
        f"M1 to M{last}: {primary_name(run)} of the stages of {chain} in percent, mean ± h, h "
        f"the half-width of the {level} two-way interval; differences in percentage points with their {level} "
        "intervals, not adjusted;",
        notes=(
            f"{SLOPE}: least squares. {LAST_MINUS_FIRST}: M{last} - M1.",
            f"p: adjusted; on the macro mean, which decides, {corrections}; on single data sets by Holm in "
            "the secondary family of each; on the other means by Benjamini-Hochberg, secondary."
            if planned
            else "No trend or links in the plan.",
        ),
        missing=[*missing_of(levels.values()), *(name for item in planned for name in item.missing)],
    )
    return sheet(suite, "along", "Along the chain", pd.DataFrame(columns), says)


def _at_same_stage(
    run: Results, chain: str, alike: Mapping[tuple[str, int], Mapping[str, Estimate]]
) -> Table:
    suite, level, names = run.suite, confidence(run.suite), places(run.suite)
    references = dict.fromkeys(reference for reference, _ in alike)
    rows = [(reference, name) for reference in references for name in names]
    columns: dict[str, list[Cell]] = {
        "over": [Name(reference) for reference, _ in rows],
        "data set": [place_cell(suite, name) for _, name in rows],
    }
    for stage in range(1, run.predictions.stages[chain] + 1):
        columns[f"stage {stage} [{level} CI]"] = [
            untested_cell(alike[(reference, stage)][name]) for reference, name in rows
        ]
    says = run_caption(
        run,
        f"Gains of {chain} in {primary_name(run)}, percentage points, over the methods with as many stages, read "
        f"at the same stage, with their {level} intervals;",
        notes=(
            "Secondary, not tested: no p. The gains at the last stage that the plan tests stand, with p, in the tables "
            "of gains. identical: the predictions are the same.",
        ),
        missing=[name for results in alike.values() for place in names for name in results[place].missing],
    )
    title = "The chain at the same stage as others"
    return sheet(suite, "same-stage", title, pd.DataFrame(columns), says, ("over", NONE_ALIKE))
