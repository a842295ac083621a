"""The main table: a row a data set, with the chain, its controls, its gains and their verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from weckd.analysis.comparisons import BAR, BASELINE, REFERENCES, Comparison, chain_method
from weckd.analysis.estimates import NOT_KNOWN, Gain, Level, missing_of
from weckd.analysis.imported import IMPORTED
from weckd.analysis.inference.data_sets import NewDataSet, new_data_set
from weckd.analysis.results import Results
from weckd.analysis.sheet import (
    BOLD_SENTENCE,
    COUNT,
    best_methods,
    confidence,
    count_cell,
    csv_head,
    decision_cell,
    gain_cell,
    independent_studies,
    level_cell,
    primary_name,
    run_caption,
    size_cell,
)
from weckd.places import MACRO, few_seeds
from weckd.tables import cells
from weckd.tables.captions import NO_FAMILY, derived_mark, mean_or_dataset
from weckd.tables.cells import MISSING, NOTHING, Bold, Cell, Joined, Name
from weckd.tables.render import TableFile, nothing_to_show, sheet

BEST_CONTROL = "best control"
NEW = "a new data set"


@dataclass(frozen=True)
class _Line:
    """One data set or the mean: levels by column, and gains by reference."""

    place: str
    levels: Mapping[str, Level | None]  # None where no control is whole
    gains: Mapping[str, Gain]


def main_table(run: Results) -> TableFile:
    """Return the table of the plan's gains over `single`, over `pooled` and against the supervised bar.

    The frame has the same lines at full precision, for every reference a set of columns.
    """
    suite, chain, compared = run.suite, chain_method(run.suite), _compared(run)
    if chain is None or not compared:
        return nothing_to_show(suite, "main", "Gains by data set", "data set", NO_FAMILY)
    lines = [_line(run, chain, place, compared) for place in (*suite.datasets, MACRO)]
    by_reference = {name: {line.place: line.gains[name] for line in lines} for name in compared}
    futures = {name: _future(run, gains) for name, gains in by_reference.items()}
    blank: list[Cell] = [NOTHING] * (len(lines[0].levels) + 1)
    counts = [count_cell(suite, gains) for gains in by_reference.values()]
    rows = [
        *(_cells(run, line) for line in lines),
        [NEW, *blank, *(cell for future in futures.values() for cell in (_future_cell(future), NOTHING))],
        [COUNT, *blank, *(cell for count in counts for cell in (count, NOTHING))],
    ]
    headers = ["data set", "images (groups)", *lines[0].levels]
    for reference, comparison in compared.items():
        kind = "verdict" if comparison.kind == "non-inferiority" else "p (Holm)"
        headers += [f"gain {comparison.text}", f"{kind}, {reference}"]
    shown = pd.DataFrame(rows, columns=headers)
    table = sheet(suite, "main", "Gains by data set", shown, _caption(run, lines))
    return TableFile("main", _frame(run, lines, futures), [table])


def _compared(run: Results) -> dict[str, Comparison]:
    """Return the plan's comparison with each reference that is decided on the mean over all data sets."""
    found: dict[str, Comparison] = {}
    for item in run.planned:
        comparison = item.comparison
        if comparison.decided_on == (MACRO,) and comparison.kind in ("superiority", "non-inferiority"):
            found.setdefault(comparison.reference, comparison)
    return {reference: found[reference] for reference in REFERENCES if reference in found}


def _line(run: Results, chain: str, place: str, compared: Mapping[str, Comparison]) -> _Line:
    roles = run.suite.roles
    finals = {method: run.finals[(place, method, run.primary)] for method in run.suite.methods}
    controls = [x for method, x in finals.items() if roles[method] == "control"]
    whole = [level for level in controls if level.estimate.study]
    levels: dict[str, Level | None] = {}
    if BASELINE in compared:
        levels[BASELINE] = finals[BASELINE]
    if controls:
        levels[BEST_CONTROL] = max(whole, key=lambda level: level.estimate.value, default=None)
    if BAR in compared:
        levels[BAR] = finals[BAR]
    levels[chain] = finals[chain]
    levels |= {method: level for method, level in finals.items() if roles[method] == IMPORTED}
    gains = {
        reference: next(x for x in run.planned if x.dataset == place and x.comparison == comparison)
        for reference, comparison in compared.items()
    }
    return _Line(place, levels, gains)


def _future(run: Results, gains: Mapping[str, Gain]) -> NewDataSet | None:
    """Return what a new data set would show, or None where a data set's gain is missing or seeds are too few."""
    studies = independent_studies(run.suite, gains)
    if few_seeds(run.suite) or not studies:
        return None
    return new_data_set(list(studies.values()), 1 - run.suite.analysis.alpha)


def _cells(run: Results, line: _Line) -> list[Cell]:
    suite, place = run.suite, line.place
    name: Cell = mean_or_dataset(suite, place) if place == MACRO else Name(place, derived_mark(suite, place))
    own = [x for x in line.levels.values() if x is not None and suite.roles[x.method] != IMPORTED]
    bold = best_methods(run, own)
    found: list[Cell] = [name, size_cell(run, place)]
    for column, level in line.levels.items():
        if level is None:
            found.append(MISSING)
            continue
        cell: Cell = level_cell(level.estimate)
        cell = Bold(cell) if level.method in bold else cell
        found.append(Joined((Name(level.method), cell)) if column == BEST_CONTROL else cell)
    for item in line.gains.values():
        mark = "*" if item.p_adjusted < suite.analysis.alpha else ""
        found += [gain_cell(item.estimate, mark), decision_cell(item)]
    return found


def _future_cell(future: NewDataSet | None) -> Cell:
    """Return the mean and the prediction interval."""
    if future is None:
        return MISSING
    return cells.Gain(100 * future.over_means.value, 100 * future.measured_low, 100 * future.measured_high)


def _caption(run: Results, lines: list[_Line]) -> str:
    suite, level = run.suite, confidence(run.suite)
    imported = [method for method in suite.methods if suite.roles[method] == IMPORTED]
    return run_caption(
        run,
        f"{primary_name(run).capitalize()} of each method's last stage in percent, mean ± h, h the half-width of the "
        f"{level} two-way interval; gains in percentage points with their {level} intervals, not adjusted;",
        notes=(
            "p: Holm, in the macro row within the family that it decides, in the rows above within that family's "
            "secondary family of single data sets; * marks a p below alpha.",
            f"verdict: non-inferiority at {suite.analysis.margin_pp:g} points.",
            f"{BEST_CONTROL}: the control with the highest mean in the row, chosen on these test images and so "
            "flattered.",
            f"{NEW}: mean of the independent data sets and {level} prediction interval of the gain that one more "
            "would show (t over data sets).",
            f"{COUNT}: data sets whose gain is significant (adjusted), not, or significant the other way.",
            BOLD_SENTENCE,
            f"Made elsewhere, in no test and never bold: {', '.join(imported)}." if imported else "",
        ),
        missing=[name for line in lines for name in missing_of(line.gains.values())],
    )


def _frame(run: Results, lines: list[_Line], futures: Mapping[str, NewDataSet | None]) -> pd.DataFrame:
    rows = []
    for line in lines:
        size = run.sizes[line.place] or (pd.NA, pd.NA)
        row = csv_head(run.suite, line.place)
        row |= {"n_images": size[0], "n_groups": size[1], "k": len(run.suite.seeds)}
        for column, level in line.levels.items():
            row |= {
                f"{column} method": level.method if level else MISSING,
                f"{column} mean": level.estimate.value if level else NOT_KNOWN,
                f"{column} half_width": level.estimate.half_width if level else NOT_KNOWN,
            }
        for reference, item in line.gains.items():
            row |= {
                f"gain {reference}": item.estimate.value,
                f"ci_low {reference}": item.estimate.low,
                f"ci_high {reference}": item.estimate.high,
                f"p_adjusted {reference}": item.p_adjusted,
                f"verdict {reference}": item.verdict,
            }
        rows.append(row | {"plan_hash": run.suite.plan_hash})
    new = csv_head(run.suite, MACRO) | {"dataset": NEW}
    for reference, future in futures.items():
        new |= {
            f"gain {reference}": 100 * future.over_means.value if future else NOT_KNOWN,
            f"ci_low {reference}": 100 * future.measured_low if future else NOT_KNOWN,
            f"ci_high {reference}": 100 * future.measured_high if future else NOT_KNOWN,
        }
    return pd.DataFrame([*rows, new | {"plan_hash": run.suite.plan_hash}])
