"""Whether a run agrees with a reference: cell by cell, by what the reference declared beforehand."""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from weckd.agreement.freeze import unfreeze
from weckd.agreement.made_with import made_with
from weckd.agreement.reference import MadeWith, Reference, read_reference
from weckd.agreement.same_suite import refuse_other_suite
from weckd.analysis.comparisons import comparisons
from weckd.analysis.contrasts import Contrast, evaluate_all, own
from weckd.analysis.inference.reader_study import ROUNDING, Study
from weckd.analysis.predictions import SuitePredictions, load_predictions
from weckd.config import Suite, load_suite
from weckd.files import file_digest

EXACT = 1e-9  # what nothing varies in must be equal, but for the rounding of sums


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


@dataclass(frozen=True)
class Agreement:
    """All cells, and whether the run reproduces the reference."""

    exact: bool  # whether both were made with the same, so that bytes are compared
    differs: str  # in what they were made otherwise; empty where exact
    cells: tuple[Cell, ...]

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

    Raises:
        UserError: the run is of another suite or plan, or a file of either is missing or damaged.
    """
    facts = read_reference(reference)
    suite = load_suite(run / "suite.json")
    refuse_other_suite(suite, load_suite(reference / "suite.json"), reference)
    made = made_with(run, lock)
    differs = _differences(made, facts.made_with)
    with tempfile.TemporaryDirectory() as name:
        frozen = Path(name)
        unfreeze(reference, frozen)
        cells = [*_numbers(suite, run, frozen, math.inf if differs else 0.0, facts.level)]
        if not differs:
            cells += [*_predictions(suite, run, frozen), *_outputs(run, facts)]
    return Agreement(not differs, differs, tuple(cells))


def agreement_frame(suite: Suite, agreement: Agreement) -> pd.DataFrame:
    """Return the long frame of `agreement.csv`."""
    rows = [{"suite": suite.run, **asdict(cell), "plan_hash": suite.plan_hash} for cell in agreement.cells]
    return pd.DataFrame(rows)


def _differences(made: MadeWith, reference: MadeWith) -> str:
    mine, theirs = asdict(made), asdict(reference)
    return "; ".join(f"{key} {mine[key]}, not {theirs[key]}" for key in mine if mine[key] != theirs[key])


def _numbers(suite: Suite, run: Path, frozen: Path, widest: float, level: float) -> Iterator[Cell]:
    """Yield a cell a level and a gain; none may differ by more than `widest`, nor by more than its interval."""
    ours, theirs = (load_predictions(suite, folder / "predictions") for folder in (run, frozen))
    for what, name, contrast in _contrasts(suite, theirs):
        metric = suite.analysis.metrics[0]
        rerun = evaluate_all(suite, ours.datasets, contrast, metric)
        for dataset, result in evaluate_all(suite, theirs.datasets, contrast, metric).items():
            mine = rerun[dataset]
            if result.study is None:
                note = f"missing in the reference: {'; '.join(result.missing)}"
                agrees = mine.study is None
                yield Cell(what, dataset, name, math.nan, _points(mine.study), math.nan, agrees, note)
                continue
            tolerance = max(EXACT, min(widest, tolerance_of(result.study, level)))
            missing = f"missing: {'; '.join(mine.missing)}" if mine.study is None else ""
            off = abs(mine.study.estimate - result.study.estimate) if mine.study else math.inf
            yield Cell(
                what,
                dataset,
                name,
                _points(result.study),
                _points(mine.study),
                100 * tolerance,
                off <= tolerance + ROUNDING,
                missing,
            )


def tolerance_of(study: Study, level: float) -> float:
    """Return t(level, df) * sqrt(2) * SE as a fraction; 0 where nothing varies."""
    if not study.se > 0:
        return 0.0
    return float(stdtrit(study.df, (1 + level) / 2)) * math.sqrt(2) * study.se


def _contrasts(suite: Suite, predictions: SuitePredictions) -> Iterator[tuple[str, str, Contrast]]:
    for method in suite.methods:
        yield suite.analysis.metrics[0], method, own(method, predictions.stages[method])
    for comparison in comparisons(suite, predictions):
        if comparison.family is not None and comparison.contrast:
            yield "gain", f"{comparison.family}: {comparison.method} {comparison.text}", comparison.contrast


def _points(study: Study | None) -> float:
    return 100 * study.estimate if study else math.nan


def _predictions(suite: Suite, run: Path, frozen: Path) -> Iterator[Cell]:
    for key in suite.datasets:
        for seed in suite.seeds:
            name = f"{key}/seed{seed}.parquet"
            note = _prediction_difference(run / "predictions" / name, frozen / "predictions" / name)
            yield Cell("predictions", key, f"seed {seed}", math.nan, math.nan, 0.0, not note, note)


def _prediction_difference(file: Path, frozen: Path) -> str:
    """Return the first difference between two files of predictions, or nothing."""
    if not file.exists():
        return "missing"
    one, other = pd.read_parquet(file), pd.read_parquet(frozen)
    if list(one.columns) != list(other.columns) or len(one) != len(other):
        return "other columns or rows"
    for column in one.columns:
        a, b = one[column].to_numpy(), other[column].to_numpy()
        equal = np.equal(a, b) | ((a != a) & (b != b))  # noqa: PLR0124 - NaN of diverged fits
        if not equal.all():
            row = one.iloc[int(np.flatnonzero(~equal)[0])]
            count = int((~equal).sum())
            return f"{row['method']} stage {row['stage']}, image {row['image_id']}: {column} differs ({count} rows)"
    return ""


def _outputs(run: Path, facts: Reference) -> Iterator[Cell]:
    for name, expected in facts.outputs.items():
        file = run / name
        note = "missing" if not file.exists() else "" if file_digest(file) == expected else "other bytes"
        what = "figure" if name.startswith("figures") else "table"
        yield Cell(what, "", name, math.nan, math.nan, 0.0, not note, note)
