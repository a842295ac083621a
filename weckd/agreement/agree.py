"""Whether a run agrees with a reference, cell by cell, by what the reference declared; and the table of it."""

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from weckd.agreement.freeze import unfreeze, unpack_predictions
from weckd.agreement.reference import (
    ELSEWHERE,
    MadeWith,
    Reference,
    made_with,
    narrowed,
    read_reference,
)
from weckd.analysis import sheet
from weckd.analysis.comparisons import comparisons
from weckd.analysis.contrasts import Contrast, evaluate, evaluate_all, own
from weckd.analysis.inference.reader_study import ROUNDING, Study, t_half_width
from weckd.analysis.predictions import SuitePredictions, load_predictions
from weckd.committed import plan_sentence, refuse_other_suite, with_plans
from weckd.config import Suite, load_suite
from weckd.errors import UserError, counted
from weckd.files import file_digest, refuse_changed, sums_of
from weckd.places import with_finding
from weckd.run_files import RunFiles
from weckd.tables.captions import said
from weckd.tables.cells import NOTHING, Number
from weckd.tables.render import TableFile

ROW = ["split", "method", "stage", "image_id"]
EXACT = 1e-9  # what nothing varies in must be equal, but for the rounding of sums
SHOWN_MISSES = 20
OTHER_TOLERANCES = {"half": 0.5, "twice": 2.0}


@dataclass(frozen=True)
class Cell:
    """One value of the reference and of the rerun. Numbers are percent or percentage points."""

    what: str  # "accuracy", "gain", "predictions", "table" or "figure"
    dataset: str
    name: str  # method, comparison or file
    reference: float  # NaN for files
    rerun: float  # NaN where it is missing
    tolerance: float  # the largest difference that is allowed
    agrees: bool
    note: str
    elsewhere: float = math.nan  # of the rerun that the reference holds beside; NaN where it holds none

    def agrees_at(self, factor: float) -> bool:
        """Whether it would agree at a multiple of its tolerance; a file, or what is missing, as it does at any."""
        difference = abs(self.rerun - self.reference)
        return (
            self.agrees if math.isnan(difference) else difference <= factor * self.tolerance + 100 * ROUNDING
        )


@dataclass(frozen=True)
class Agreement:
    """All cells, and whether the run reproduces the reference."""

    exact: bool  # whether both were made with the same, so that bytes are compared
    differs: str  # in what they were made otherwise; empty where exact
    cells: tuple[Cell, ...]
    equal_files: int  # files whose predictions are equal to the last digit, whether they must be or not
    files: int  # of predictions, one a data set and seed
    plans: Mapping[
        str, str
    ]  # of the run and of the reference: which other plan each was trained under, where any
    elsewhere: str  # with what the rerun was made that the reference holds beside; empty where it holds none

    @property
    def reproduced(self) -> bool:
        """Whether every cell agrees."""
        return all(cell.agrees for cell in self.cells)


def compare(run: Path, reference: Path, lock: Path | None) -> Agreement:
    """Compare a run with a reference of the same suite.

    Made with the same lock, device kind, threads and versions, predictions, tables and figures must be equal, and so
    must every cell. Else a cell may differ by t(level, df) * sqrt(2) * SE, the half-width of the interval for the
    difference of two independent runs whose cell has the reference's standard error (seeds and cases) and df. It
    is wide for a rerun of the same seeds, whose subsets are the same.

    A run of some of the reference's data sets, seeds and methods is compared too: its predictions, and every method's
    accuracy seed by seed, whose standard error is the standard deviation over the reference's seeds.

    Raises:
        UserError: the run is of another suite or plan, a file of either is missing or damaged, or the run was made
            otherwise and the reference has one seed alone, which tells no interval.
    """
    facts = read_reference(reference)
    suite, whole = load_suite(RunFiles(run).suite), load_suite(RunFiles(reference).suite)
    part = narrowed(whole, suite)
    refuse_other_suite(suite, part, reference)
    suite = with_plans(with_finding(suite, RunFiles(run).across), RunFiles(run))
    differs = _differences(made_with(run, lock), facts.made_with)
    if differs and len(whole.seeds) == 1:
        raise UserError(
            f"{reference}: of one seed, which tells nothing of how much runs vary that are made otherwise ({differs}); "
            "compare with a reference of several seeds, of which the run may be a part"
        )
    widest = math.inf if differs else 0.0
    with tempfile.TemporaryDirectory() as name:
        unfreeze(reference, Path(name))
        files, frozen = RunFiles(run), RunFiles(Path(name))
        before = plan_sentence(with_plans(whole, frozen))
        predictions = [*_predictions(suite, files, frozen)]
        ours = load_predictions(suite, files.predictions)
        theirs = load_predictions(suite if part is whole else whole, frozen.predictions)
        others = _elsewhere(suite if part is whole else whole, reference, facts, Path(name, ELSEWHERE))
    if part is whole:
        cells = [*_numbers(suite, ours, theirs, others, widest, facts.level)]
    else:
        cells = [*_seeds(suite, whole, ours, theirs, others, widest, facts.level)]
    plans = {"the run": plan_sentence(suite), "the reference": before}
    if not differs:
        same = plans["the run"] == plans["the reference"]
        cells += [*predictions, *(_outputs(run, facts, same) if part is whole else ())]
    equal = sum(cell.agrees for cell in predictions)
    made = asdict(facts.elsewhere) if facts.elsewhere else {}
    beside = "; ".join(f"{key} {value or 'none'}" for key, value in made.items())
    return Agreement(not differs, differs, tuple(cells), equal, len(predictions), plans, beside)


def _elsewhere(suite: Suite, reference: Path, facts: Reference, place: Path) -> SuitePredictions | None:
    """Return the predictions of the rerun that a reference holds beside its own, unpacked in a folder."""
    if facts.elsewhere is None:
        return None
    for key in suite.datasets:
        unpack_predictions(reference / ELSEWHERE / f"{key}.parquet", suite.seeds, place / key)
    return load_predictions(suite, place)


def _differences(made: MadeWith, reference: MadeWith) -> str:
    mine, theirs = asdict(made), asdict(reference)
    return "; ".join(
        f"{key} {mine[key] or 'none'}, not {theirs[key] or 'none'}"
        for key in mine
        if mine[key] != theirs[key]
    )


def _numbers(
    suite: Suite,
    ours: SuitePredictions,
    theirs: SuitePredictions,
    others: SuitePredictions | None,
    widest: float,
    level: float,
) -> Iterator[Cell]:
    """Yield a cell a level and a gain; none may differ by more than `widest`, nor by more than its interval."""
    metric = suite.analysis.metrics[0]
    contrasts: list[tuple[str, str, Contrast]] = [
        (metric, method, own(method, theirs.stages[method])) for method in suite.methods
    ]
    for item in comparisons(suite, theirs):
        if item.family is not None and item.contrast:
            contrasts.append(("gain", f"{item.family}: {item.method} {item.text}", item.contrast))
    for what, name, contrast in contrasts:
        rerun = evaluate_all(suite, ours.datasets, contrast, metric)
        beside = evaluate_all(suite, others.datasets, contrast, metric) if others else {}
        for dataset, result in evaluate_all(suite, theirs.datasets, contrast, metric).items():
            mine = rerun[dataset]
            here = mine.study.estimate if mine.study else math.nan
            if result.study is None:
                note = f"missing in the reference: {'; '.join(result.missing)}"
                yield Cell(what, dataset, name, math.nan, 100 * here, math.nan, mine.study is None, note)
                continue
            tolerance = max(EXACT, min(widest, tolerance_of(result.study, level)))
            missing = "" if mine.study else f"missing: {'; '.join(mine.missing)}"
            other = beside[dataset].study if others else None
            elsewhere = other.estimate if other else math.nan
            yield _cell(what, dataset, name, result.study.estimate, here, tolerance, missing, elsewhere)


def _seeds(
    suite: Suite,
    whole: Suite,
    ours: SuitePredictions,
    theirs: SuitePredictions,
    others: SuitePredictions | None,
    widest: float,
    level: float,
) -> Iterator[Cell]:
    """Yield a cell a method, data set and seed of a part of the reference."""
    metric, k = suite.analysis.metrics[0], len(whole.seeds)
    for key, method in product(suite.datasets, suite.methods):
        contrast = own(method, theirs.stages[method])
        result = evaluate(theirs.datasets[key], contrast, metric)
        mine = evaluate(ours.datasets[key], contrast, metric)
        beside = evaluate(others.datasets[key], contrast, metric).study if others else None
        spread = float(np.std(result.study.per_seed, ddof=1)) if result.study and k > 1 else math.nan
        tolerance = max(EXACT, min(widest, _difference_of_two(spread, k - 1, level)))
        for place, seed in enumerate(suite.seeds):
            name = f"{method}, seed {seed}"
            if result.study is None or mine.study is None:
                both = result.study is mine.study
                note = f"missing: {'; '.join([*result.missing, *mine.missing])}"
                yield Cell(metric, key, name, math.nan, math.nan, math.nan, both, note)
                continue
            at = whole.seeds.index(seed)
            there, here = result.study.per_seed[at], mine.study.per_seed[place]
            elsewhere = beside.per_seed[at] if beside else math.nan
            yield _cell(metric, key, name, there, here, tolerance, "", elsewhere)


def _cell(
    what: str,
    dataset: str,
    name: str,
    reference: float,
    rerun: float,
    tolerance: float,
    note: str,
    elsewhere: float,
) -> Cell:
    """Return the cell of fractions; a rerun that is missing (NaN) does not agree."""
    agrees = abs(rerun - reference) <= tolerance + ROUNDING
    percent = 100 * reference, 100 * rerun, 100 * tolerance
    return Cell(what, dataset, name, *percent, agrees, note, 100 * elsewhere)


def tolerance_of(study: Study, level: float) -> float:
    """Return t(level, df) * sqrt(2) * SE as a fraction; 0 where nothing varies.

    What a test assumes of seeds near the ceiling is no spread of reruns, and not in it.
    """
    spread = math.sqrt(max(0.0, study.se**2 - study.ceiling_part))
    return _difference_of_two(spread, study.plain_df if study.ceiling_part else study.df, level)


def _difference_of_two(se: float, df: float, level: float) -> float:
    return math.sqrt(2) * t_half_width(se, df, level) if se > 0 else 0.0


def _file_cell(what: str, dataset: str, name: str, note: str) -> Cell:
    return Cell(what, dataset, name, math.nan, math.nan, 0.0, not note, note)


def _predictions(suite: Suite, run: RunFiles, frozen: RunFiles) -> Iterator[Cell]:
    for key, seed in product(suite.datasets, suite.seeds):
        both = run.prediction(key, seed), frozen.prediction(key, seed)
        yield _file_cell("predictions", key, f"seed {seed}", _prediction_difference(*both, suite.methods))


def _prediction_difference(file: Path, frozen: Path, methods: Sequence[str]) -> str:
    """Return the first difference between two files' predictions of some methods, or nothing."""
    if not file.exists():
        return "missing"
    refuse_changed(file, sums_of(file))
    one, other = (
        frame[frame["method"].isin(methods)].sort_values(ROW, kind="stable").reset_index(drop=True)
        for frame in (pd.read_parquet(file), pd.read_parquet(frozen))
    )
    if list(one.columns) != list(other.columns) or len(one) != len(other):
        return "other columns or rows"
    differs = ~(one.eq(other) | (one.isna() & other.isna()))  # NaN of diverged fits
    for column in differs.columns[differs.any()]:
        row, count = one.iloc[int(differs[column].argmax())], int(differs[column].sum())
        return (
            f"{row['method']} stage {row['stage']}, image {row['image_id']}: {column} differs ({count} rows)"
        )
    return ""


def _outputs(run: Path, facts: Reference, same_plans: bool) -> Iterator[Cell]:
    """Yield tables and figures by their bytes; CSV files alone where the others say that plans differ."""
    for name, expected in facts.outputs.items():
        if not same_plans and not name.endswith(".csv"):
            continue
        file = run / name
        note = "missing" if not file.exists() else "" if file_digest(file) == expected else "other bytes"
        yield _file_cell("figure" if name.startswith("figures") else "table", "", name, note)


def agreement_table(suite: Suite, agreement: Agreement, reference: Reference) -> TableFile:
    """Return every cell of an agreement; in the table for people, those that do not agree come first."""
    shown = sheet.listed(
        sorted(agreement.cells, key=lambda cell: cell.agrees),
        {
            "what": lambda cell: cell.what,
            "data set": lambda cell: cell.dataset or NOTHING,
            "of": lambda cell: cell.name,
            "reference": lambda cell: Number(cell.reference, 2),
            "rerun": lambda cell: Number(cell.rerun, 2),
            **({"elsewhere": lambda cell: Number(cell.elsewhere, 2)} if agreement.elsewhere else {}),
            "allowed": lambda cell: Number(cell.tolerance, 2),
            "agrees": lambda cell: "yes" if cell.agrees else "NO",
            "note": lambda cell: cell.note,
        },
    )
    says = said(
        suite,
        f"{_outcome(agreement)}; percent and percentage points, nothing is tested.",
        notes=(
            *(() if agreement.exact else (f"Intervals, {_made_otherwise(agreement)}", _moved(agreement))),
            agreement.plans["the reference"],
            f"elsewhere: {agreement.elsewhere}." if agreement.elsewhere else "",
            f"{reference.rule} Level {reference.level:g}, declared in the reference.",
        ),
    )
    lines = [
        {
            "suite": suite.run,
            **asdict(cell),
            **{f"agrees_at_{name}": cell.agrees_at(factor) for name, factor in OTHER_TOLERANCES.items()},
            "plan_hash": suite.plan_hash,
        }
        for cell in agreement.cells
    ]
    return sheet.file(suite, "agreement", "Agreement with the reference", lines, shown, says)


def verdict(agreement: Agreement) -> str:
    """Return the verdict with the number of cells that agree, and how they were compared."""
    if agreement.exact:
        return f"{_outcome(agreement)}."
    return f"{_outcome(agreement)}, {_made_otherwise(agreement)} {_moved(agreement)}"


def _outcome(agreement: Agreement) -> str:
    inside = sum(cell.agrees for cell in agreement.cells)
    word, how = (
        "Reproduced" if agreement.reproduced else "NOT reproduced",
        "equal bytes" if agreement.exact else "intervals",
    )
    return f"{word}: {inside} of {counted(len(agreement.cells), 'cell')} agree, compared by {how}"


def _made_otherwise(agreement: Agreement) -> str:
    return (
        f"since the run was made otherwise: {agreement.differs}; predictions are equal to the last digit in "
        f"{agreement.equal_files} of {counted(agreement.files, 'cell')} all the same."
    )


def _moved(agreement: Agreement) -> str:
    """Return how the verdict would move at other tolerances; bytes have none."""
    found = []
    for name, factor in OTHER_TOLERANCES.items():
        inside, whole = sum(cell.agrees_at(factor) for cell in agreement.cells), len(agreement.cells)
        found.append(f"at {name} the tolerance {inside} ({'' if inside == whole else 'NOT '}reproduced)")
    return f"Of these cells would agree {' and '.join(found)}."


def summary(agreement: Agreement, out: Path) -> str:
    """Return the verdict, the first misses, and where all cells are."""
    misses = [cell for cell in agreement.cells if not cell.agrees]
    lines = [verdict(agreement), *(f"  {_miss(cell)}" for cell in misses[:SHOWN_MISSES])]
    if len(misses) > SHOWN_MISSES:
        lines.append(f"  and {len(misses) - SHOWN_MISSES} more")
    if agreement.elsewhere:
        lines.append(f"beside it: a rerun elsewhere ({agreement.elsewhere}), a column of all cells")
    lines += [f"{whose}: {told}" for whose, told in agreement.plans.items() if told]
    if agreement.exact and len(set(agreement.plans.values())) > 1:
        lines.append(
            "so tables and figures say other things of their plans: the .csv files alone are compared"
        )
    return "\n".join([*lines, f"all cells: {out / 'agreement.md'}"])


def _miss(cell: Cell) -> str:
    where = f"{cell.what} {cell.dataset} {cell.name}".replace("  ", " ")
    if math.isnan(cell.reference) or math.isnan(cell.rerun):
        return f"{where}: {cell.note}"
    return f"{where}: {cell.rerun:.3f}, reference {cell.reference:.3f}, allowed {cell.tolerance:.3f}"
