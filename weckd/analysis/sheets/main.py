"""The main table: a row a data set, with the chain, its controls, its gains and their verdicts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from weckd.analysis import sheet
from weckd.analysis.comparisons import (
    BAR,
    BASELINE,
    FULL,
    LABELS_CONTROL,
    REFERENCES,
    Comparison,
    chain_method,
)
from weckd.analysis.estimates import NOT_KNOWN, SECONDARY, Gain, Level, missing_of
from weckd.analysis.imported import IMPORTED
from weckd.analysis.inference.data_sets import NewDataSet, new_data_set
from weckd.analysis.inference.sensitivity import ONE_DATA_SET
from weckd.analysis.results import Results
from weckd.config import Suite
from weckd.places import few_seeds, independent, overall, sets_and_overall
from weckd.tables import cells
from weckd.tables.captions import NO_FAMILY, Said, mean_or_dataset
from weckd.tables.cells import MISSING, NOTHING, Bold, Cell, Joined, Name
from weckd.tables.render import Table, TableFile

BEST_CONTROL = "best control"
NEW = "a new data set"
TITLE = "Gains by data set"


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
        return sheet.nothing(suite, "main", TITLE, "data set", NO_FAMILY)
    lines = [_line(run, chain, place, compared) for place in sets_and_overall(suite)]
    by_reference = {name: {line.place: line.gains[name] for line in lines} for name in compared}
    futures = {name: _future(run, gains) for name, gains in by_reference.items()}
    blank: list[Cell] = [NOTHING] * (len(lines[0].levels) + 1)
    rows = [*(_cells(run, line) for line in lines), [NEW, *blank], [sheet.COUNT, *blank]]
    headers = ["data set", "images (groups)", *lines[0].levels]
    for reference, comparison in compared.items():
        kind = "verdict" if comparison.kind == "non-inferiority" else "p (Holm)"
        headers += [f"gain {comparison.text}", f"{kind}, {reference}"]
        rows[-2] += [_future_cell(suite, futures[reference]), NOTHING]
        rows[-1] += [sheet.count_cell(suite, by_reference[reference]), NOTHING]
    shown = pd.DataFrame(rows, columns=headers)
    if suite.quick_look:  # gains and intervals alone
        tested = [header for header in headers if header.startswith(("p (Holm), ", "verdict, "))]
        shown = shown.iloc[:-1].drop(columns=tested)
    elsewhere = (name for name in suite.methods if suite.roles[name] == IMPORTED)
    narrow = ("data set", BASELINE, BAR, chain, *elsewhere, "gain over *")
    tables = [
        sheet.table(suite, "main", TITLE, shown, _caption(run, lines), narrow=narrow),
        *_beside(run, chain),
    ]
    return TableFile("main", pd.DataFrame(_rows(run, lines, futures)), tables)


def _beside(run: Results, chain: str) -> list[Table]:
    """Return what labels alone give, and the chain minus all labels at equal steps, as far as they are run."""
    pairs = ((LABELS_CONTROL, BASELINE), (chain, FULL))
    found: dict[tuple[Comparison, str], Gain] = {}
    for gain in run.gains:
        if (gain.comparison.method, gain.comparison.reference) in pairs and gain.metric == run.primary:
            found[gain.comparison, gain.dataset] = gain
    compared = {f"{item.method} {item.text}": item for item, _ in found}
    if not compared:
        return []
    shown = sheet.pivoted(
        sets_and_overall(run.suite),
        {"data set": lambda place: sheet.place(run.suite, place)},
        compared,
        sheet.with_p(
            run.suite,
            lambda place, item: sheet.gain(found[item, place].estimate),
            lambda place, item: sheet.decision(found[item, place]),
        ),
    )
    says = sheet.caption(
        run,
        f"Gains in {run.primary_name}, percentage points.",
        test="p adjusted in its family",
        notes=(
            f"{LABELS_CONTROL} over {BASELINE}: what more labels and steps give one model; {chain} over {FULL}: what "
            "the chain lacks beside a model of all labels and as many steps.",
            *dict.fromkeys(
                f"p: {x.family}, {x.correction}." for x in found.values() if not math.isnan(x.p_adjusted)
            ),
        ),
        missing=missing_of(found.values()),
    )
    return [sheet.table(run.suite, "main-labels", "Labels and steps alone", shown, says)]


def _compared(run: Results) -> dict[str, Comparison]:
    """Return the plan's comparison with each reference that is decided on the mean over all data sets."""
    found: dict[str, Comparison] = {}
    for item in run.planned:
        comparison = item.comparison
        if comparison.decided_on == (overall(run.suite),) and comparison.kind in (
            "superiority",
            "non-inferiority",
        ):
            found.setdefault(comparison.reference, comparison)
    return {reference: found[reference] for reference in REFERENCES if reference in found}


def _line(run: Results, chain: str, place: str, compared: Mapping[str, Comparison]) -> _Line:
    finals = {method: run.finals[place, method, run.primary] for method in run.suite.methods}
    of_role = {
        role: {method: level for method, level in finals.items() if run.suite.roles[method] == role}
        for role in ("control", IMPORTED)
    }
    levels: dict[str, Level | None] = {BASELINE: finals[BASELINE]} if BASELINE in compared else {}
    if of_role["control"]:
        whole = [level for level in of_role["control"].values() if level.estimate.study]
        levels[BEST_CONTROL] = max(whole, key=lambda level: level.estimate.value, default=None)
    if BAR in compared:
        levels[BAR] = finals[BAR]
    levels |= {chain: finals[chain], **of_role[IMPORTED]}
    gains = {
        reference: next(x for x in run.planned if x.dataset == place and x.comparison == comparison)
        for reference, comparison in compared.items()
    }
    return _Line(place, levels, gains)


def _future(run: Results, gains: Mapping[str, Gain]) -> NewDataSet | None:
    """Return what a new data set would show; None where a gain is missing, or there are few seeds or one data set."""
    studies = sheet.independent_studies(run.suite, gains)
    if few_seeds(run.suite) or len(studies) < 2:
        return None
    return new_data_set(list(studies.values()), 1 - run.suite.analysis.alpha)


def _cells(run: Results, line: _Line) -> list[Cell]:
    suite, place = run.suite, line.place
    own = [x for x in line.levels.values() if x is not None and suite.roles[x.method] != IMPORTED]
    bold = sheet.best_methods(run, own)
    found: list[Cell] = [
        sheet.place(suite, place) if place in suite.datasets else mean_or_dataset(suite, place),
        sheet.size(run.sizes[place]),
    ]
    for column, level in line.levels.items():
        if level is None:
            found.append(MISSING)
            continue
        cell: Cell = sheet.level(level.estimate)
        cell = Bold(cell) if level.method in bold else cell
        found.append(Joined((Name(level.method), cell)) if column == BEST_CONTROL else cell)
    for item in line.gains.values():
        mark = "*" if item.asked.p_adjusted < suite.analysis.alpha else ""
        told = NOTHING if item.asked.family == SECONDARY else sheet.decision(item)
        found += [sheet.gain(item.estimate, mark if told != NOTHING else ""), told]
    return found


def _future_cell(suite: Suite, future: NewDataSet | None) -> Cell:
    """Return the mean and the prediction interval, or why not."""
    why = ONE_DATA_SET if len(independent(suite)) == 1 else MISSING
    return cells.Gain(*_future_numbers(future)) if future else why


def _future_numbers(future: NewDataSet | None) -> tuple[float, float, float]:
    if future is None:
        return NOT_KNOWN, NOT_KNOWN, NOT_KNOWN
    return 100 * future.over_means.value, 100 * future.measured_low, 100 * future.measured_high


def _caption(run: Results, lines: list[_Line]) -> Said:
    suite = run.suite
    imported = [method for method in suite.methods if suite.roles[method] == IMPORTED]
    compared = [item.comparison for item in lines[0].gains.values()]
    return sheet.caption(
        run,
        f"{run.primary_name.capitalize()} of each last stage, percent ± half-width of its interval; gains in points.",
        test="p by Holm in its family",
        notes=(
            *(sheet.margin_sentence(suite, [of], f"gain {of.text}:") for of in compared),
            "" if suite.quick_look else f"Behind a gain, * marks a p below alpha. {sheet.BOLD_SENTENCE}",
            sheet.near_ceiling(gain for line in lines for gain in line.gains.values()),
            f"Made elsewhere, in no family of the plan and never bold: {', '.join(imported)}."
            if imported
            else "",
        ),
        missing=[name for line in lines for name in missing_of(line.gains.values())],
    )


def _rows(
    run: Results, lines: list[_Line], futures: Mapping[str, NewDataSet | None]
) -> list[dict[str, object]]:
    of_suite, rows = {"plan_hash": run.suite.plan_hash}, []
    for line in lines:
        row = sheet.head(run.suite, line.place) | sheet.counts(run, line.place) | {"k": len(run.suite.seeds)}
        for column, level in line.levels.items():
            row[f"{column} method"] = level.method if level else MISSING
            row[f"{column} mean"] = level.estimate.value if level else NOT_KNOWN
            row[f"{column} half_width"] = level.estimate.half_width if level else NOT_KNOWN
        for reference, item in line.gains.items():
            row[f"gain {reference}"] = item.estimate.value
            row[f"ci_low {reference}"] = item.estimate.low
            row[f"ci_high {reference}"] = item.estimate.high
            against = item.comparison.kind == "non-inferiority"
            names = ("non_inferiority_p", "non_inferiority") if against else ("p_adjusted", "verdict")
            row[f"{names[0]} {reference}"] = item.asked.p_adjusted
            row[f"{names[1]} {reference}"] = item.asked.verdict
        rows.append(row | of_suite)
    new = sheet.head(run.suite, overall(run.suite)) | {"dataset": NEW}
    for reference, future in futures.items():
        headers = (f"{name} {reference}" for name in ("gain", "ci_low", "ci_high"))
        new |= dict(zip(headers, _future_numbers(future), strict=True))
    return [*rows, new | of_suite]
