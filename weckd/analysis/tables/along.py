"""The tables along the chain: its stages, its trend and its links, and other methods at the same stage."""

from collections.abc import Mapping, Sequence

import pandas as pd

from weckd.analysis.comparisons import SLOPE, Comparison, chain_method
from weckd.analysis.contrasts import Result, evaluate_all, gain
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.levels import Level
from weckd.analysis.metrics import METRICS
from weckd.analysis.tables.evaluated_cells import decision_cell, gain_cell, level_cell
from weckd.analysis.tables.studies import (
    UNTESTED,
    Planned,
    confidence,
    gain_row,
    place_cell,
    planned_once,
    size_cell,
    study_row,
    untested_cell,
)
from weckd.places import MACRO, places
from weckd.tables.captions import (
    NO_STAGES,
    SCOPE,
    closing,
    derived_sentence,
    design_sentence,
    joined,
    phantom_sentence,
    size_sentence,
    tuning_sentence,
)
from weckd.tables.cells import Cell, Name
from weckd.tables.files import Table, TableFile, nothing_to_show

LAST_MINUS_FIRST = "last - first"


def along_table(evaluation: Evaluation) -> TableFile:
    """Return the chain's stages with their trend and links, then its gains over others at the same stage."""
    suite, stages = evaluation.suite, evaluation.predictions.stages
    chain = chain_method(suite)
    if chain is None or stages[chain] < 2:
        return nothing_to_show(suite, "along", "Along the chain", "data set", NO_STAGES)
    levels = _levels(evaluation, chain)
    planned = [x for x in planned_once(evaluation, "trend", "links") if x.comparison.method == chain]
    alike = [name for name in suite.methods if name != chain and stages[name] == stages[chain]]
    same_stage = {name: _same_stage(evaluation, chain, name, stages[chain]) for name in alike}
    frame = pd.DataFrame(
        [
            *_level_rows(evaluation, levels),
            *(
                gain_row(evaluation, row, {"quantity": _header(item.comparison)})
                for item in planned
                for row in item.gains.values()
            ),
            *_same_stage_rows(evaluation, chain, same_stage),
        ]
    )
    tables = [_stages(evaluation, chain, levels, planned), _at_same_stage(evaluation, chain, same_stage)]
    return TableFile("along", frame, tables)


def _levels(evaluation: Evaluation, chain: str) -> dict[tuple[str, int], Level]:
    metric = evaluation.suite.analysis.metrics[0]
    return {
        (level.dataset, level.stage): level
        for level in evaluation.levels
        if level.method == chain and level.metric == metric
    }


def _same_stage(evaluation: Evaluation, chain: str, reference: str, stages: int) -> list[dict[str, Result]]:
    """Return the chain's gain over another method at each stage, by data set and mean."""
    suite, datasets = evaluation.suite, evaluation.predictions.datasets
    return [
        evaluate_all(suite, datasets, gain(chain, stage, reference, stage), suite.analysis.metrics[0])
        for stage in range(1, stages + 1)
    ]


def _header(comparison: Comparison) -> str:
    if comparison.kind == "links":
        return f"M{comparison.stage} - M{comparison.stage - 1}"
    return SLOPE if comparison.reference == SLOPE else LAST_MINUS_FIRST


def _stages(
    evaluation: Evaluation,
    chain: str,
    levels: Mapping[tuple[str, int], Level],
    planned: Sequence[Planned],
) -> Table:
    suite, last = evaluation.suite, evaluation.predictions.stages[chain]
    names = places(suite)
    columns: dict[str, list[Cell]] = {
        "data set": [place_cell(suite, name) for name in names],
        "images (groups)": [size_cell(evaluation, name) for name in names],
    }
    for stage in range(1, last + 1):
        columns[f"M{stage}"] = [level_cell(suite, levels[(name, stage)]) for name in names]
    for item in planned:
        header = _header(item.comparison)
        columns[header] = [gain_cell(suite, item.gains[name]) for name in names]
        columns[f"p, {header}"] = [decision_cell(item.gains[name]) for name in names]
    corrected = {_header(item.comparison): item.gains[MACRO].correction for item in planned}
    level = confidence(suite)
    caption = joined(
        phantom_sentence(suite),
        f"M1 to M{last}: {METRICS[suite.analysis.metrics[0]].name} of the stages of {chain} in percent, mean ± h, h "
        f"the half-width of the {level} two-way interval; differences in percentage points with their {level} "
        "intervals, not adjusted;",
        size_sentence(suite, evaluation.sizes[MACRO]),
        design_sentence(suite),
        tuning_sentence(suite),
        f"{SLOPE}: least squares. {LAST_MINUS_FIRST}: M{last} - M1.",
        f"p: adjusted; on the macro mean, which decides, {_corrections(corrected)}; on single data sets by Holm in "
        "the secondary family of each; on the other means by Benjamini-Hochberg, secondary."
        if planned
        else "No trend or links in the plan.",
        derived_sentence(suite),
        SCOPE,
        closing(suite, _missing(levels, planned)),
    )
    return Table(f"Along the chain, suite {suite.run}", caption, "along", pd.DataFrame(columns))


def _corrections(corrected: Mapping[str, str]) -> str:
    """Return which differences are corrected together, and how."""
    together: dict[str, list[str]] = {}
    for header, correction in corrected.items():
        together.setdefault(correction, []).append(header)
    return ", ".join(f"{correction} ({', '.join(headers)})" for correction, headers in together.items())


def _missing(levels: Mapping[tuple[str, int], Level], planned: Sequence[Planned]) -> list[str]:
    of_levels = [name for level in levels.values() for name in level.result.missing]
    return of_levels + [name for item in planned for row in item.gains.values() for name in row.missing]


def _at_same_stage(
    evaluation: Evaluation, chain: str, same_stage: Mapping[str, Sequence[Mapping[str, Result]]]
) -> Table:
    suite, metric, level = (
        evaluation.suite,
        evaluation.suite.analysis.metrics[0],
        confidence(evaluation.suite),
    )
    names = places(suite)
    columns: dict[str, list[Cell]] = {
        "over": [Name(reference) for reference in same_stage for _ in names],
        "data set": [place_cell(suite, name) for _ in same_stage for name in names],
    }
    for stage in range(1, evaluation.predictions.stages[chain] + 1):
        columns[f"stage {stage} [{level} CI]"] = [
            untested_cell(suite, along[stage - 1][name], metric)
            for along in same_stage.values()
            for name in names
        ]
    shown = pd.DataFrame(columns)
    if not same_stage:
        shown = pd.DataFrame({"over": ["no other method of this run has as many stages; sequential has"]})
    results = [along[name] for stages in same_stage.values() for along in stages for name in names]
    caption = joined(
        phantom_sentence(suite),
        f"Gains of {chain} in {METRICS[metric].name}, percentage points, over the methods with as many stages, read "
        f"at the same stage, with their {level} intervals;",
        size_sentence(suite, evaluation.sizes[MACRO]),
        design_sentence(suite),
        tuning_sentence(suite),
        "Secondary, not tested: no p. The gains at the last stage that the plan tests stand, with p, in the tables of "
        "gains. identical: the predictions are the same.",
        derived_sentence(suite),
        SCOPE,
        closing(suite, (name for result in results for name in result.missing)),
    )
    return Table(f"The chain at the same stage as others, suite {suite.run}", caption, "same-stage", shown)


def _level_rows(evaluation: Evaluation, levels: Mapping[tuple[str, int], Level]) -> list[dict[str, object]]:
    return [
        study_row(
            evaluation,
            level.dataset,
            {"quantity": "level", "method": level.method, "stage": level.stage, "reference": ""},
            level.result,
            level.metric,
            "percent",
            UNTESTED,
        )
        for level in levels.values()
    ]


def _same_stage_rows(
    evaluation: Evaluation, chain: str, same_stage: Mapping[str, Sequence[Mapping[str, Result]]]
) -> list[dict[str, object]]:
    metric = evaluation.suite.analysis.metrics[0]
    return [
        study_row(
            evaluation,
            name,
            {"quantity": "gain at the same stage", "method": chain, "stage": stage, "reference": reference},
            result,
            metric,
            "points",
            UNTESTED,
        )
        for reference, along in same_stage.items()
        for stage, results in enumerate(along, start=1)
        for name, result in results.items()
    ]
