"""Saved test predictions of a suite: read, checked, and with every missing part named."""

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weckd.analysis.imported import imported_cell
from weckd.analysis.metrics.scored import Predicted, Scored, Validation
from weckd.analysis.prediction_files import REMEDY, read_predictions, sorted_predictions
from weckd.config import Suite
from weckd.errors import UserError, named

Cell = tuple[int, str, int]
"""Seed, method and stage."""


@dataclass(frozen=True)
class DatasetPredictions:
    """Test predictions of one data set: n images in G groups, C classes, k seeds."""

    dataset: str
    seeds: tuple[int, ...]
    n_classes: int
    y: NDArray[np.int64]  # (n,), 0..C-1
    groups: NDArray[np.int64]  # (n,), 0..G-1
    group_ids: tuple[str, ...]  # (G,)
    probabilities: Mapping[tuple[str, int], NDArray[np.float32]]  # (method, stage) -> (k, n, C)
    absent: Mapping[Cell, str]  # cells that cannot be scored (NaN in probabilities) -> why
    absent_seeds: tuple[int, ...]  # seeds whose file is not there
    validation: Mapping[Cell, Validation] = field(default_factory=dict)  # cells without NaN that have it
    scored: dict[tuple[str, str, int], Scored] = field(
        default_factory=dict
    )  # by metric, method, stage; filled on use

    @property
    def n_images(self) -> int:
        """Number of test images."""
        return len(self.y)

    @property
    def n_groups(self) -> int:
        """Number of groups among the test images."""
        return int(self.groups.max()) + 1 if len(self.groups) else 0

    def predicted(self, method: str, stage: int) -> Predicted:
        """Return a method's stage that is whole, for a metric."""
        cells = [(seed, method, stage) for seed in self.seeds]
        validation = tuple(self.validation[cell] for cell in cells if cell in self.validation)
        whole = validation if len(validation) == len(cells) else ()
        return Predicted(self.probabilities[(method, stage)], self.y, self.groups, whole)

    def missing(self, method: str, stage: int, with_validation: bool = False) -> tuple[str, ...]:
        """Return what keeps a method's stage from being scored, by name; empty when it is whole.

        Args:
            method: a method of the suite.
            stage: of the chain, 1 for methods of one stage.
            with_validation: whether the validation predictions are needed too.
        """
        seeds_by_reason: dict[str, list[int]] = {}
        for seed in self.seeds:
            reason = self._reason(seed, method, stage)
            if reason is None and with_validation and (seed, method, stage) not in self.validation:
                reason = f" {method} stage {stage} validation predictions"
            if reason is not None:
                seeds_by_reason.setdefault(reason, []).append(seed)
        return tuple(
            f"{self.dataset} {named('seed', seeds)}{reason}" for reason, seeds in seeds_by_reason.items()
        )

    def _reason(self, seed: int, method: str, stage: int) -> str | None:
        if seed in self.absent_seeds:
            return ""
        stages = [known for name, known in self.probabilities if name == method]
        if not any((seed, method, known) not in self.absent for known in stages):
            diverged = any(self.absent.get((seed, method, known)) == "diverged" for known in stages)
            return f" {method} diverged" if diverged else f" {method}"
        if (method, stage) not in self.probabilities:
            return f" {method} stage {stage}"
        why = self.absent.get((seed, method, stage))
        if why is None:
            return None
        return f" {method} stage {stage}{' diverged' if why == 'diverged' else ''}"


@dataclass(frozen=True)
class SuitePredictions:
    """The predictions of all data sets of a suite, in the suite's order."""

    datasets: Mapping[str, DatasetPredictions]
    stages: Mapping[str, int]  # method -> its last stage in any file (1 where no file has the method)


def load_predictions(
    suite: Suite, folder: Path, imported: Mapping[str, Path] | None = None
) -> SuitePredictions:
    """Read `folder/<dataset>/seed<k>.parquet` for every cell of the suite.

    What is missing (a file, a method, a stage, a diverged fit) is kept and named, never dropped.

    Args:
        suite: the run, with the imported methods among its own.
        folder: of predictions.
        imported: files of predictions made elsewhere, by method.

    Raises:
        UserError: a file is unreadable or inconsistent (columns, path, duplicated rows, probabilities,
            unknown method), or the test images, groups or labels differ between seeds or methods.
    """
    datasets = {key: _load_dataset(suite, folder, key, imported or {}) for key in suite.datasets}
    stages = {
        method: max(
            (stage for data in datasets.values() for name, stage in data.probabilities if name == method),
            default=1,
        )
        for method in suite.methods
    }
    return SuitePredictions(datasets, stages)


@dataclass(frozen=True)
class _TestSet:
    source: str
    image_ids: NDArray[np.object_]
    group_ids: NDArray[np.object_]
    y: NDArray[np.int64]


def _load_dataset(suite: Suite, folder: Path, key: str, imported: Mapping[str, Path]) -> DatasetPredictions:
    classes = suite.facts[key].classes
    test_set: _TestSet | None = None
    found: dict[Cell, NDArray[np.float32]] = {}
    validation: dict[Cell, Validation] = {}
    absent_seeds = []
    for seed in suite.seeds:
        file = folder / key / f"seed{seed}.parquet"
        if not file.exists():
            absent_seeds.append(seed)
            continue
        read = read_predictions(file, suite, key, seed)
        groups = read.drop_duplicates("image_id").set_index("image_id")["group_id"]
        more = [imported_cell(made, key, seed, len(classes), groups) for made in imported.values()]
        read = sorted_predictions(pd.concat([read, *more])) if more else read
        columns = [f"p_{position}" for position in range(len(classes))]
        validation |= _validation(read[read["split"] == "validation"], seed, columns)
        frame = read[read["split"] == "test"]
        values = frame[columns].to_numpy(dtype=np.float32)
        image_ids, group_ids = (frame[name].to_numpy(dtype=object) for name in ("image_id", "group_id"))
        y = frame["y"].to_numpy(dtype=np.int64)
        for cell, rows in frame.groupby(["method", "stage"], observed=True).indices.items():
            method, stage = typing.cast(tuple[str, int], cell)
            where = f"{file}: method {method}, stage {stage}, seed {seed}"
            candidate = _TestSet(where, image_ids[rows], group_ids[rows], y[rows])
            if test_set is None:
                test_set = candidate
                _check_classes(candidate, classes)
            _check_same(candidate, test_set)
            found[(seed, str(method), int(stage))] = values[rows]
    return _assemble(suite, key, test_set, found, validation, tuple(absent_seeds))


def _validation(frame: pd.DataFrame, seed: int, columns: list[str]) -> dict[Cell, Validation]:
    """Return the validation predictions of one file, without those of fits that diverged."""
    values, y = frame[columns].to_numpy(dtype=np.float32), frame["y"].to_numpy(dtype=np.int64)
    found = {}
    for cell, rows in frame.groupby(["method", "stage"], observed=True).indices.items():
        method, stage = typing.cast(tuple[str, int], cell)
        if not np.isnan(values[rows]).any():
            found[(seed, str(method), int(stage))] = Validation(values[rows], y[rows])
    return found


def _assemble(
    suite: Suite,
    key: str,
    test_set: _TestSet | None,
    found: Mapping[Cell, NDArray[np.float32]],
    validation: Mapping[Cell, Validation],
    absent_seeds: tuple[int, ...],
) -> DatasetPredictions:
    n = 0 if test_set is None else len(test_set.y)
    shape = (n, len(suite.facts[key].classes))
    probabilities = {}
    absent: dict[Cell, str] = {}
    for method, stage in sorted({(method, stage) for _, method, stage in found}):
        values = np.full((len(suite.seeds), *shape), np.nan, dtype=np.float32)
        for position, seed in enumerate(suite.seeds):
            cell = (seed, method, stage)
            if cell in found:
                values[position] = found[cell]
            if cell not in found:
                absent[cell] = "absent"
            elif np.isnan(found[cell]).any():
                absent[cell] = "diverged"
        probabilities[(method, stage)] = values
    empty = np.zeros(0, dtype=np.int64)
    group_ids, groups = (
        ((), empty) if test_set is None else np.unique(test_set.group_ids, return_inverse=True)
    )
    return DatasetPredictions(
        dataset=key,
        seeds=suite.seeds,
        n_classes=shape[1],
        y=empty if test_set is None else test_set.y,
        groups=groups,
        group_ids=tuple(map(str, group_ids)),
        probabilities=probabilities,
        absent=absent,
        absent_seeds=absent_seeds,
        validation=validation,
    )


def _check_classes(found: _TestSet, classes: tuple[str, ...]) -> None:
    outside = found.y[(found.y < 0) | (found.y >= len(classes))]
    if len(outside):
        raise UserError(f"{found.source}: y = {outside[0]} is outside 0..{len(classes) - 1}; {REMEDY}")
    for position, name in enumerate(classes):
        if not (found.y == position).any():
            raise UserError(
                f"{found.source}: no test image of class {name}; leave it out with exclude_classes and "
                "split again"
            )


def _check_same(found: _TestSet, expected: _TestSet) -> None:
    for what, one, other in (
        ("images", found.image_ids, expected.image_ids),
        ("groups", found.group_ids, expected.group_ids),
        ("labels", found.y, expected.y),
    ):
        if not np.array_equal(one, other):
            raise UserError(
                f"{found.source}: test {what} differ from those of {expected.source}; "
                "all methods and seeds of a data set must share one test set; delete both files and run again"
            )
