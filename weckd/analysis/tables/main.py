"""The main table: a row a data set, with the chain, its controls, its gains and their verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from weckd.analysis.comparisons import BAR, BASELINE, REFERENCES, Comparison, chain_method
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.gains import Gain, interval
from weckd.analysis.imported import IMPORTED
from weckd.analysis.inference.data_sets import NewDataSet, new_data_set
from weckd.analysis.levels import Level, interval_half_width
from weckd.analysis.metrics import METRICS
from weckd.analysis.tables.best import BOLD_SENTENCE, best_methods
from weckd.analysis.tables.evaluated_cells import decision_cell, gain_cell, level_cell
from weckd.analysis.tables.wins import COUNT, wins_ties_losses
from weckd.places import MACRO, few_seeds, independent, is_phantom
from weckd.tables import cells
from weckd.tables.captions import (
    NO_FAMILY,
    SCOPE,
    closing,
    derived_mark,
    derived_sentence,
    design_sentence,
    joined,
    mean_or_dataset,
    phantom_sentence,
    size_sentence,
    tuning_sentence,
)
from weckd.tables.cells import MISSING, NOTHING, Bold, Cell, Joined, Name
from weckd.tables.files import Table, TableFile, nothing_to_show

BEST_CONTROL = "best control"
NEW = "a new data set"


@dataclass(frozen=True)
class _Line:
    """One data set or the mean: levels by column, and gains by reference."""

    row: str
    levels: Mapping[str, Level | None]  # None where no control is whole
    gains: Mapping[str, Gain]


def main_table(evaluation: Evaluation) -> TableFile:
    """Return the table of the plan's gains over `single`, over `pooled` and against the supervised bar.

    The frame has the same lines at full precision, for every reference a set of columns.
    """
    suite = evaluation.suite
    chain, compared = chain_method(suite), _compared(evaluation)
    if chain is None or not compared:
        return nothing_to_show(suite, "main", "Gains by data set", "data set", NO_FAMILY)
    lines = [_line(evaluation, chain, row, compared) for row in (*suite.datasets, MACRO)]
    futures = {reference: _future(lines, reference, evaluation) for reference in compared}
    table = Table(
        f"Gains by data set, suite {suite.run}",
        _caption(evaluation, lines),
        "main",
        _cells(evaluation, lines, compared, futures),
    )
    return TableFile("main", _frame(evaluation, lines, futures), [table])


def _compared(evaluation: Evaluation) -> dict[str, Comparison]:
    """Return the plan's comparison with each reference that is decided on the mean over all data sets."""
    found: dict[str, Comparison] = {}
    for item in evaluation.planned():
        comparison = item.comparison
        if comparison.decided_on == (MACRO,) and comparison.kind in ("superiority", "non-inferiority"):
            found.setdefault(comparison.reference, comparison)
    return {reference: found[reference] for reference in REFERENCES if reference in found}


def _line(evaluation: Evaluation, chain: str, row: str, compared: Mapping[str, Comparison]) -> _Line:
    metric = evaluation.suite.analysis.metrics[0]
    finals = {
        level.method: level
        for level in evaluation.levels
        if level.final and level.metric == metric and level.dataset == row
    }
    controls = [
        level
        for method, level in finals.items()
        if evaluation.suite.roles[method] == "control" and level.result.study is not None
    ]
    levels: dict[str, Level | None] = {}
    if BASELINE in compared:
        levels[BASELINE] = finals[BASELINE]
    if "control" in (evaluation.suite.roles[method] for method in finals):
        levels[BEST_CONTROL] = max(controls, key=_mean, default=None)
    if BAR in compared:
        levels[BAR] = finals[BAR]
    levels[chain] = finals[chain]
    levels |= {
        method: level for method, level in finals.items() if evaluation.suite.roles[method] == IMPORTED
    }
    gains = {
        reference: next(
            item for item in evaluation.planned() if item.dataset == row and item.comparison == comparison
        )
        for reference, comparison in compared.items()
    }
    return _Line(row, levels, gains)


def _mean(level: Level) -> float:
    return level.result.study.estimate if level.result.study else float("nan")


def _future(lines: Sequence[_Line], reference: str, evaluation: Evaluation) -> NewDataSet | None:
    """Return what a new data set would show, or None where a data set's gain is missing or seeds are too few."""
    suite = evaluation.suite
    if few_seeds(suite):
        return None
    studies = [line.gains[reference].study for line in lines if line.row in independent(suite)]
    whole = [study for study in studies if study is not None]
    return new_data_set(whole, 1 - suite.analysis.alpha) if whole and len(whole) == len(studies) else None


def _cells(
    evaluation: Evaluation,
    lines: Sequence[_Line],
    compared: Mapping[str, Comparison],
    futures: Mapping[str, NewDataSet | None],
) -> pd.DataFrame:
    suite, columns = evaluation.suite, lines[0].levels
    blank: list[Cell] = [NOTHING] * (len(columns) + 1)
    rows = [_line_cells(evaluation, line) for line in lines]
    rows.append(
        [NEW, *blank, *(cell for future in futures.values() for cell in (_future_cell(future), NOTHING))]
    )
    counted = (
        NOTHING
        if few_seeds(suite)
        else wins_ties_losses(suite.analysis.alpha, [x.gains[name] for x in lines if x.row != MACRO])
        for name in compared
    )
    rows.append([COUNT, *blank, *(cell for count in counted for cell in (count, NOTHING))])
    headers = ["data set", "images (groups)", *columns]
    for reference, comparison in compared.items():
        kind = "verdict" if comparison.kind == "non-inferiority" else "p (Holm)"
        headers += [f"gain {comparison.text}", f"{kind}, {reference}"]
    return pd.DataFrame(rows, columns=headers)


def _line_cells(evaluation: Evaluation, line: _Line) -> list[Cell]:
    suite, row = evaluation.suite, line.row
    size = evaluation.sizes[row]
    name: Cell = mean_or_dataset(suite, row) if row == MACRO else Name(row, derived_mark(suite, row))
    own = [x for x in line.levels.values() if x is not None and suite.roles[x.method] != IMPORTED]
    bold = best_methods(evaluation, own)
    found: list[Cell] = [name, f"{size[0]} ({size[1]})" if size else MISSING]
    for column, level in line.levels.items():
        if level is None:
            found.append(MISSING)
            continue
        cell: Cell = level_cell(suite, level)
        cell = Bold(cell) if level.method in bold else cell
        found.append(Joined((Name(level.method), cell)) if column == BEST_CONTROL else cell)
    for item in line.gains.values():
        mark = "*" if item.p_adjusted < suite.analysis.alpha else ""
        found += [gain_cell(suite, item, mark), decision_cell(item)]
    return found


def _future_cell(future: NewDataSet | None) -> Cell:
    """Return the mean and the prediction interval."""
    if future is None:
        return MISSING
    return cells.Gain(100 * future.over_means.value, 100 * future.measured_low, 100 * future.measured_high)


def _caption(evaluation: Evaluation, lines: Sequence[_Line]) -> str:
    suite = evaluation.suite
    metric = METRICS[suite.analysis.metrics[0]].name
    level = f"{100 * (1 - suite.analysis.alpha):g} %"
    imported = [method for method in suite.methods if suite.roles[method] == IMPORTED]
    return joined(
        phantom_sentence(suite),
        f"{metric.capitalize()} of each method's last stage in percent, mean ± h, h the half-width of the {level} "
        f"two-way interval; gains in percentage points with their {level} intervals, not adjusted;",
        size_sentence(suite, evaluation.sizes[MACRO]),
        design_sentence(suite),
        tuning_sentence(suite),
        "p: Holm, in the macro row within the family that it decides, in the rows above within that family's secondary "
        "family of single data sets; * marks a p below alpha.",
        f"verdict: non-inferiority at {suite.analysis.margin_pp:g} points.",
        f"{BEST_CONTROL}: the control with the highest mean in the row, chosen on these test images and so flattered.",
        f"{NEW}: mean of the independent data sets and {level} prediction interval of the gain that one more would "
        "show (t over data sets).",
        f"{COUNT}: data sets whose gain is significant (adjusted), not, or significant the other way.",
        BOLD_SENTENCE,
        f"Made elsewhere, in no test and never bold: {', '.join(imported)}." if imported else "",
        derived_sentence(suite),
        SCOPE,
        closing(suite, (name for line in lines for item in line.gains.values() for name in item.missing)),
    )


def _frame(
    evaluation: Evaluation, lines: Sequence[_Line], futures: Mapping[str, NewDataSet | None]
) -> pd.DataFrame:
    suite, nothing = evaluation.suite, float("nan")
    rows = []
    for line in lines:
        size = evaluation.sizes[line.row]
        row: dict[str, object] = {
            "suite": suite.run,
            "phantom": is_phantom(suite, line.row),
            "dataset": line.row,
            "n_images": size[0] if size else pd.NA,
            "n_groups": size[1] if size else pd.NA,
            "k": len(suite.seeds),
        }
        for column, level in line.levels.items():
            row |= {
                f"{column} method": level.method if level else MISSING,
                f"{column} mean": 100 * _mean(level) if level else nothing,
                f"{column} half_width": 100 * interval_half_width(suite, level) if level else nothing,
            }
        for reference, item in line.gains.items():
            low, high = interval(suite, item)
            row |= {
                f"gain {reference}": 100 * item.study.estimate if item.study else nothing,
                f"ci_low {reference}": 100 * low,
                f"ci_high {reference}": 100 * high,
                f"p_adjusted {reference}": item.p_adjusted,
                f"verdict {reference}": item.verdict,
            }
        rows.append(row | {"plan_hash": suite.plan_hash})
    new: dict[str, object] = {"suite": suite.run, "phantom": is_phantom(suite, MACRO), "dataset": NEW}
    for reference, future in futures.items():
        new |= {
            f"gain {reference}": 100 * future.over_means.value if future else nothing,
            f"ci_low {reference}": 100 * future.measured_low if future else nothing,
            f"ci_high {reference}": 100 * future.measured_high if future else nothing,
        }
    return pd.DataFrame([*rows, new | {"plan_hash": suite.plan_hash}])
