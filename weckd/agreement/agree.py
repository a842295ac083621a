"""Whether a run agrees with a reference: cell by cell, by what the reference declared beforehand."""

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from weckd.agreement.freeze import unfreeze
from weckd.agreement.made_with import made_with
from weckd.agreement.reference import MadeWith, Reference, read_reference
from weckd.agreement.same_suite import narrowed, refuse_other_suite
from weckd.analysis.comparisons import comparisons
from weckd.analysis.contrasts import Contrast, evaluate, evaluate_all, own
from weckd.analysis.inference.reader_study import ROUNDING, Study
from weckd.analysis.predictions import SuitePredictions, load_predictions
from weckd.config import Suite, load_suite
from weckd.data.overlap import FINDING, with_finding
from weckd.files import file_digest
from weckd.sums import refuse_changed, sums_of

ROW = ["split", "method", "stage", "image_id"]
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
    equal_files: int  # files whose predictions are equal to the last digit, whether they must be or not
    files: int  # of predictions, one a data set and seed

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
        UserError: the run is of another suite or plan, or a file of either is missing or damaged.
    """
    facts = read_reference(reference)
    suite, whole = load_suite(run / "suite.json"), load_suite(reference / "suite.json")
    part = narrowed(whole, suite)
    refuse_other_suite(suite, part, reference)
    suite = with_finding(suite, run / FINDING)
    made = made_with(run, lock)
    differs = _differences(made, facts.made_with)
    widest = math.inf if differs else 0.0
    with tempfile.TemporaryDirectory() as name:
        frozen = Path(name)
        unfreeze(reference, frozen)
        predictions = [*_predictions(suite, run, frozen)]
        if part is whole:
            cells = [*_numbers(suite, run, frozen, widest, facts.level)]
            outputs = [] if differs else [*_outputs(run, facts)]
        else:
            cells, outputs = [*_seeds(suite, whole, run, frozen, widest, facts.level)], []
    equal = sum(cell.agrees for cell in predictions)
    compared = cells if differs else [*cells, *predictions, *outputs]
    return Agreement(not differs, differs, tuple(compared), equal, len(predictions))


def agreement_frame(suite: Suite, agreement: Agreement) -> pd.DataFrame:
    """Return the long frame of `agreement.csv`."""
    rows = [{"suite": suite.run, **asdict(cell), "plan_hash": suite.plan_hash} for cell in agreement.cells]
    return pd.DataFrame(rows)


def _differences(made: MadeWith, reference: MadeWith) -> str:
    mine, theirs = asdict(made), asdict(reference)
    return "; ".join(
        f"{key} {mine[key] or 'none'}, not {theirs[key] or 'none'}"
        for key in mine
        if mine[key] != theirs[key]
    )


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


def _seeds(
    suite: Suite, whole: Suite, run: Path, frozen: Path, widest: float, level: float
) -> Iterator[Cell]:
    """Yield a cell a method, data set and seed of a part of the reference."""
    metric = suite.analysis.metrics[0]
    ours, theirs = (load_predictions(s, f / "predictions") for s, f in ((suite, run), (whole, frozen)))
    for key in suite.datasets:
        for method in suite.methods:
            contrast = own(method, theirs.stages[method])
            result = evaluate(theirs.datasets[key], contrast, metric)
            mine = evaluate(ours.datasets[key], contrast, metric)
            spread = (
                float(np.std(result.study.per_seed, ddof=1))
                if result.study and len(whole.seeds) > 1
                else math.nan
            )
            tolerance = max(EXACT, min(widest, _difference_of_two(spread, len(whole.seeds) - 1, level)))
            for place, seed in enumerate(suite.seeds):
                name = f"{method}, seed {seed}"
                if result.study is None or mine.study is None:
                    both = result.study is mine.study
                    note = f"missing: {'; '.join([*result.missing, *mine.missing])}"
                    yield Cell(metric, key, name, math.nan, math.nan, math.nan, both, note)
                    continue
                theirs_here = result.study.per_seed[whole.seeds.index(seed)]
                ours_here = mine.study.per_seed[place]
                yield Cell(
                    metric,
                    key,
                    name,
                    100 * theirs_here,
                    100 * ours_here,
                    100 * tolerance,
                    abs(ours_here - theirs_here) <= tolerance + ROUNDING,
                    "",
                )


def tolerance_of(study: Study, level: float) -> float:
    """Return t(level, df) * sqrt(2) * SE as a fraction; 0 where nothing varies."""
    return _difference_of_two(study.se, study.df, level)


def _difference_of_two(se: float, df: float, level: float) -> float:
    return float(stdtrit(df, (1 + level) / 2)) * math.sqrt(2) * se if se > 0 else 0.0


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
            files = run / "predictions" / name, frozen / "predictions" / name
            note = _prediction_difference(*files, suite.methods)
            yield Cell("predictions", key, f"seed {seed}", math.nan, math.nan, 0.0, not note, note)


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
