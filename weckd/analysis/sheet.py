"""What the sheets share: the two shapes of a table, cells of estimates, and rows of the CSV files."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import pandas as pd

from weckd.analysis.comparisons import Comparison
from weckd.analysis.contrasts import gain as gain_of
from weckd.analysis.estimates import (
    IDENTICAL,
    NOT_KNOWN,
    SINGLE_DATA_SET,
    Estimate,
    Gain,
    Level,
    descriptive,
    why_untested,
)
from weckd.analysis.inference import ceiling
from weckd.analysis.inference.reader_study import Study, adjust, p_value
from weckd.analysis.inference.sensitivity import ONE_DATA_SET
from weckd.analysis.metrics import METRICS
from weckd.analysis.results import Compared, Results
from weckd.config import Suite
from weckd.places import few_seeds, independent, is_phantom, overall
from weckd.tables import captions, cells, terms
from weckd.tables.captions import Said
from weckd.tables.cells import MISSING, NOTHING, Cell, Joined, Name
from weckd.tables.render import Table, TableFile

Row = TypeVar("Row")
Column = TypeVar("Column")
Columns: TypeAlias = dict[str, list[Cell]]
"""The cells of a table by header."""

BOLD_SENTENCE = (
    "Bold: the best of a row, in all columns of the full table, and all that are not significantly worse (two-way "
    "test, Holm in the row)."
)
COUNT = "wins / ties / losses"
UNTESTED: Mapping[str, object] = {
    **{"test": "", "family": "not tested", "correction": ""},
    **{"alpha": NOT_KNOWN, "p": NOT_KNOWN, "p_adjusted": NOT_KNOWN, "verdict": ""},
    **{"non_inferiority": "", "non_inferiority_p": NOT_KNOWN, "non_inferiority_family": ""},
    **{"equivalence": "", "equivalence_p": NOT_KNOWN, "equivalence_family": ""},
}
"""What is in the columns of `tested` where nothing is tested."""


def table(
    suite: Suite,
    label: str,
    title: str,
    shown: Columns | pd.DataFrame,
    says: Said,
    none: tuple[str, str] = ("", ""),
    narrow: Sequence[str] = (),
) -> Table:
    """Return a table of a run, with what its columns, and rows that are none of a data set or method, mean.

    Args:
        suite: the run.
        label: names the table in LaTeX, in a layout and in `weckd.tables.terms`.
        title: without the suite's name.
        shown: the cells.
        says: caption and notes, see `caption`.
        none: where there is no row, one cell below a header says why.
        narrow: headers, or patterns of them, that are shown where the whole table is too wide; empty: all.
    """
    frame = pd.DataFrame(shown)
    if not len(frame) and none[0]:
        frame, narrow = pd.DataFrame({none[0]: [none[1]]}), ()
    headers = list(map(str, frame.columns))
    rows = [cell for cell in frame.iloc[:, 0] if isinstance(cell, str)] if headers else []
    below = [name for name in (*headers, *rows) if name in terms.BELOW]
    notes = (*says.notes, *(f"{name}: {terms.meaning(label, name)}." for name in below))
    narrowed = tuple(name for name in headers if any(terms.fits(pattern, name) for pattern in narrow))
    return Table(
        f"{title}, suite {suite.run}",
        says.caption,
        label,
        frame,
        captions.warning(suite),
        notes,
        terms.terms_of(label, [name for name in headers if name not in below]),
        narrowed if len(narrowed) < len(headers) else (),
    )


def file(
    suite: Suite,
    name: str,
    title: str,
    rows: Any,
    shown: Columns | pd.DataFrame,
    says: Said,
    none: tuple[str, str] = ("", ""),
    narrow: Sequence[str] = (),
) -> TableFile:
    """Return the file of one table of its name, with the rows of its CSV."""
    return TableFile(name, pd.DataFrame(rows), [table(suite, name, title, shown, says, none, narrow)])


def nothing(suite: Suite, name: str, title: str, column: str, why: str) -> TableFile:
    """Return a table of one cell, which says why a run has nothing to show here and what would change that."""
    return file(suite, name, title, {column: [why]}, {column: [why]}, captions.said(suite))


def listed(rows: Iterable[Row], columns: Mapping[str, Callable[[Row], Cell]]) -> Columns:
    """Return a cell a row and header."""
    rows = list(rows)
    return {header: [cell(row) for row in rows] for header, cell in columns.items()}


def pivoted(
    rows: Iterable[Row],
    head: Mapping[str, Callable[[Row], Cell]],
    columns: Mapping[str, Column],
    show: Mapping[str, Callable[[Row, Column], Cell]],
) -> Columns:
    """Return the columns of `head`, then for each of `columns` one for each of `show`, whose headers are patterns."""
    rows = list(rows)
    across = {
        pattern.format(name): [cell(row, column) for row in rows]
        for name, column in columns.items()
        for pattern, cell in show.items()
    }
    return listed(rows, head) | across


def caption(
    run: Results,
    lead: str,
    *,
    test: str = "",
    n: str | None = None,
    level: str = "",
    notes: Iterable[str] = (),
    missing: Iterable[str] = (),
) -> Said:
    """Return what is said of a run's table, see `weckd.tables.captions.said`.

    `n` is by default that of the mean over all data sets.
    """
    n = captions.overall_n(run.suite, run.sizes[overall(run.suite)]) if n is None else n
    return captions.said(run.suite, lead, n=n, test=test, level=level, notes=notes, missing=missing)


def gains_caption(
    run: Results, shown: Iterable[Compared], *notes: str, test: str = "", missing: Iterable[str] | None = None
) -> Said:
    """Return what is said of a table of gains on the primary metric."""
    shown = list(shown)
    names = [name for item in shown for name in item.missing] if missing is None else missing
    near = near_ceiling(gain for item in shown for gain in item.gains.values())
    lead = f"Gains in {run.primary_name}, percentage points."
    return caption(run, lead, test=test, notes=(*notes, near), missing=names)


def near_ceiling(gains: Iterable[Gain]) -> str:
    """Return on which data sets and means gains are near the ceiling, and what was assumed; empty where none is."""
    return ceiling.sentence([x.dataset for x in gains if x.estimate.study and x.estimate.study.ceiling_part])


def margin_sentence(suite: Suite, compared: Iterable[Comparison], where: str = "Against a method") -> str:
    """Return the null of the comparisons *against* a method; nothing where there are none."""
    null = f"the null is a gain of -{suite.analysis.margin_pp:g} points (non-inferiority)"
    return f"{where} {null}." if any(item.null for item in compared) else ""


def place(suite: Suite, name: str) -> Name:
    """Return the cell of a data set, marked where it is derived, or of a mean with the number of its data sets."""
    return Name(name, captions.mean_or_dataset(suite, name).removeprefix(name))


def size(found: tuple[int, int] | None) -> str:
    """Return the cell of test images and groups."""
    return f"{found[0]} ({found[1]})" if found else MISSING


def comparison(item: Compared) -> Cell:
    """Return the cell of what is compared."""
    return Joined((Name(item.comparison.method), item.comparison.text))


def level(shown: Estimate) -> cells.Level:
    """Return the cell of a mean with the half-width of its interval."""
    return cells.Level(shown.value, shown.half_width, shown.scale == 100)


def gain(shown: Estimate, mark: str = "") -> cells.Gain:
    """Return the cell of a difference with its interval."""
    return cells.Gain(shown.value, shown.low, shown.high, shown.scale == 100, mark)


def untested(shown: Estimate) -> Cell:
    """Return a difference with its interval, or that the predictions are identical, where no p is beside it."""
    return IDENTICAL if shown.identical else gain(shown)


def number(shown: Estimate, value: float) -> Cell:
    """Return the cell of a number in the unit of an estimate."""
    return cells.Number(value, None if shown.scale == 100 else cells.NATS_DIGITS)


def with_p(
    suite: Suite, show: Callable[[Row, Column], Cell], p: Callable[[Row, Column], Cell]
) -> dict[str, Callable[[Row, Column], Cell]]:
    """Return what `pivoted` shows of each comparison: a gain and, but in a quick look, its p or verdict."""
    return {"{}": show} if suite.quick_look else {"{}": show, "p, {}": p}


def decision(found: Gain) -> Cell:
    """Return the verdict where a margin is asked for; else the adjusted p, or why there is none."""
    if found.asked.family == SINGLE_DATA_SET:
        return NOTHING
    asks_margin = found.comparison.kind in ("non-inferiority", "equivalence")
    return found.short_verdict if asks_margin else p_adjusted(found)


def p_adjusted(found: Gain) -> Cell:
    """Return the adjusted p of superiority, or why there is none."""
    return cells.P(found.p_adjusted) if math.isfinite(found.p_adjusted) else found.verdict.partition(":")[0]


def row(
    run: Results,
    place: str,
    of: Mapping[str, object],
    metric: str,
    shown: Estimate,
    more: Mapping[str, object] = UNTESTED,
    *,
    value: str = "estimate",
    percent: str = "points",
) -> dict[str, object]:
    """Return a row of a long frame: numbers in the unit of the row, NaN where not defined.

    Args:
        run: the run.
        place: data set or mean.
        of: columns that say what the row is of.
        metric: key in `METRICS`.
        shown: the estimate.
        more: columns behind it.
        value: header of the estimate.
        percent: the unit where the metric's is percent: "points" for differences.
    """
    unit = METRICS[metric].unit
    return {
        **head(run.suite, place),
        **of,
        "metric": metric,
        "k": len(run.suite.seeds),
        **counts(run, place),
        "unit": percent if unit == "percent" else unit,
        value: shown.value,
        "ci_low": shown.low,
        "ci_high": shown.high,
        "se": shown.se,
        "df": shown.df,
        **more,
        "missing": "; ".join(shown.missing),
        "plan_hash": run.suite.plan_hash,
    }


def head(suite: Suite, place: str) -> dict[str, object]:
    """Return the first columns of every long frame."""
    return {"suite": suite.run, "phantom": is_phantom(suite, place), "dataset": place}


def counts(run: Results, place: str) -> dict[str, object]:
    """Return the columns of test images and groups."""
    return dict(zip(("n_images", "n_groups"), run.sizes[place] or (pd.NA, pd.NA), strict=True))


def tested(run: Results, found: Gain) -> dict[str, object]:
    """Return the columns of a gain's tests; the p of non-inferiority and equivalence are adjusted."""
    told = {name: getattr(found, name) for name in ("test", "family", "correction")}
    told["alpha"] = run.suite.analysis.alpha
    told |= {name: getattr(found, name) for name in ("p", "p_adjusted", "verdict")}
    for name, of in (("non_inferiority", found.non_inferiority), ("equivalence", found.equivalence)):
        told |= {name: of.verdict, f"{name}_p": of.p_adjusted, f"{name}_family": of.family}
    return told


def gain_row(run: Results, found: Gain, of: Mapping[str, object]) -> dict[str, object]:
    """Return the row of a tested gain, with its test, family, correction, p and verdict."""
    of = {**of, **compared_of(found)}
    return row(run, found.dataset, of, found.metric, found.estimate, tested(run, found))


def compared_of(item: Gain | Compared) -> dict[str, object]:
    """Return the columns that say what is compared."""
    return {name: getattr(item.comparison, name) for name in ("method", "stage", "reference")}


def independent_studies(suite: Suite, gains: Mapping[str, Gain]) -> dict[str, Study]:
    """Return the independent data sets' studies; empty where one is missing."""
    found = {key: study for key in independent(suite) if (study := gains[key].estimate.study) is not None}
    return found if len(found) == len(independent(suite)) else {}


def why_not_together(suite: Suite, gains: Mapping[str, Gain]) -> str:
    """Return why data sets cannot be taken together; empty where they can."""
    studies = independent_studies(suite, gains)
    if not studies:
        return "missing"
    if len(studies) == 1:
        return ONE_DATA_SET
    if all(study.all_zero for study in studies.values()):
        return IDENTICAL
    return descriptive(suite) if few_seeds(suite) else ""


def count_cell(suite: Suite, gains: Mapping[str, Gain]) -> str:
    """Return `wins_ties_losses` over the data sets; nothing where the run tests nothing."""
    return NOTHING if why_untested(suite) else wins_ties_losses([gains[key] for key in suite.datasets])


def wins_ties_losses(gains: Sequence[Gain]) -> str:
    """Return on how many data sets the interval lies above the null, holds it or has no width, lies below it."""
    known = [gain for gain in gains if gain.estimate.study]
    whole = [(x.estimate, x.estimate.scale * x.comparison.null) for x in known if x.estimate.se > 0]
    wins, losses = (sum(x.low > null for x, null in whole), sum(x.high < null for x, null in whole))
    counts = f"{wins} / {len(known) - wins - losses} / {losses}"
    return f"{counts}, {len(gains) - len(known)} missing" if len(known) < len(gains) else counts


def best_methods(run: Results, levels: Sequence[Level]) -> frozenset[str]:
    """Return the best of some methods on one data set or mean, and those not significantly worse than it.

    Each of the others is compared with the best by the two-way test, p by Holm over them. Nothing is best where a
    level is missing or the run tests nothing. Levels are of one metric of which more is better.
    """
    values = {level.method: level.estimate.study.estimate for level in levels if level.estimate.study}
    if why_untested(run.suite) or not levels or len(values) < len(levels):
        return frozenset()
    best = max(levels, key=lambda level: values[level.method])
    others = [level for level in levels if level.method != best.method]
    p_values = []
    for other in others:
        contrast = gain_of(best.method, best.stage, other.method, other.stage)
        study = run.of(contrast, best.metric)[best.dataset].study
        p_values.append(NOT_KNOWN if study is None or study.all_zero else p_value(study))
    adjusted = zip(others, adjust(p_values, "holm"), strict=True)
    return frozenset(values) - {other.method for other, p in adjusted if p < run.suite.analysis.alpha}
