"""Saved predictions of a suite: files, one a cell, read, checked, and put together with all that is missing named."""

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from weckd.analysis.metrics.scores import Predicted, Scored, Validation
from weckd.config import Suite
from weckd.errors import UserError, named, unreadable
from weckd.files import refuse_changed, sums_of

NAMES = ("dataset", "method", "split", "image_id", "group_id")
KEYS = ("dataset", "seed", "method", "stage", "split", "image_id", "group_id", "y")
SUM_TOLERANCE = 1e-3  # float32 probabilities of up to a few dozen classes
REMEDY = "delete the file and run the suite again"

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
    # By metric, method, stage; filled on use.
    scored: dict[tuple[str, str, int], Scored] = field(default_factory=dict)

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
        """Return what keeps a method's stage from being scored, by name; empty when it is whole."""
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
        why = {  # by stage; None where it is whole
            known: self.absent.get((seed, method, known))
            for name, known in self.probabilities
            if name == method
        }
        if None not in why.values():
            return f" {method} diverged" if "diverged" in why.values() else f" {method}"
        if stage in why and why[stage] is None:
            return None
        return f" {method} stage {stage}{' diverged' if why.get(stage) == 'diverged' else ''}"


@dataclass(frozen=True)
class SuitePredictions:
    """The predictions of all data sets of a suite, in the suite's order."""

    datasets: Mapping[str, DatasetPredictions]
    stages: Mapping[str, int]  # method -> its last stage in any file (1 where no file has the method)


def load_predictions(
    suite: Suite, folder: Path, imported: Mapping[str, Path] | None = None
) -> SuitePredictions:
    """Read `folder/<dataset>/seed<k>.parquet` for every cell of the suite.

    What is missing (a file, a method, a stage, a diverged fit) is kept and named, never dropped. `imported` holds the
    files of predictions made elsewhere, by method of the suite.

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
class _Rows:
    """Rows of one split and cell, sorted by image."""

    source: str  # what an error names
    values: NDArray[np.float32]  # (n, C)
    images: NDArray[np.object_]  # (n,), names
    groups: NDArray[np.object_]
    labels: NDArray[np.int64]


def _load_dataset(suite: Suite, folder: Path, key: str, imported: Mapping[str, Path]) -> DatasetPredictions:
    classes, files = (
        suite.facts[key].classes,
        {seed: folder / key / f"seed{seed}.parquet" for seed in suite.seeds},
    )
    found: dict[Cell, _Rows] = {}
    validation: dict[Cell, Validation] = {}
    for seed, file in files.items():
        frame = cell_predictions(file, suite, key, seed, imported) if file.exists() else None
        for split, cell, rows in _cells(file, frame, seed) if frame is not None else ():
            if split == "test":
                found[cell] = rows
            elif not np.isnan(rows.values).any():
                validation[cell] = Validation(rows.values, rows.labels)
    # All others must have the images, groups and labels of the first.
    first = next(iter(found.values()), None)
    for rows in found.values():
        _refuse_others(rows, first or rows, classes)
    y = np.zeros(0, dtype=np.int64) if first is None else first.labels
    nothing = np.full((len(y), len(classes)), np.nan, dtype=np.float32)
    values = {cell: rows.values for cell, rows in found.items()}
    whole = {cell for cell, numbers in values.items() if not np.isnan(numbers).any()}
    stages = sorted({(method, stage) for _, method, stage in found})
    group_ids, groups = np.unique([] if first is None else first.groups, return_inverse=True)
    return DatasetPredictions(
        dataset=key,
        seeds=suite.seeds,
        n_classes=len(classes),
        y=y,
        groups=groups,
        group_ids=tuple(map(str, group_ids)),
        probabilities={
            one: np.stack([values.get((seed, *one), nothing) for seed in suite.seeds]) for one in stages
        },
        absent={
            (seed, *one): "diverged" if (seed, *one) in found else "absent"
            for one in stages
            for seed in suite.seeds
            if (seed, *one) not in whole
        },
        absent_seeds=tuple(seed for seed, file in files.items() if not file.exists()),
        validation=validation,
    )


def cell_predictions(
    file: Path, suite: Suite, key: str, seed: int, imported: Mapping[str, Path]
) -> pd.DataFrame:
    """Return the rows of one file, as `read_predictions` does, with those of the imported methods among them."""
    frame = read_predictions(file, suite, key, seed)
    if not imported:
        return frame
    group_of = frame.drop_duplicates("image_id").set_index("image_id")["group_id"]
    more = (_imported_cell(made, key, seed, list(frame.columns), group_of) for made in imported.values())
    return sorted_predictions(pd.concat([frame, *more]))


def _cells(file: Path, frame: pd.DataFrame, seed: int) -> Iterator[tuple[str, Cell, _Rows]]:
    """Yield the split and the rows of each method and stage of one file."""
    values = frame.iloc[:, len(KEYS) :].to_numpy(dtype=np.float32)
    images, groups = (frame[name].to_numpy(dtype=object) for name in ("image_id", "group_id"))
    labels = frame["y"].to_numpy(dtype=np.int64)
    for of, rows in frame.groupby(["split", "method", "stage"], observed=True).indices.items():
        split, method, stage = typing.cast(tuple[str, str, int], of)
        source = f"{file}: method {method}, stage {stage}, seed {seed}"
        cell = (seed, str(method), int(stage))
        yield split, cell, _Rows(source, values[rows], images[rows], groups[rows], labels[rows])


def _refuse_others(found: _Rows, first: _Rows, classes: tuple[str, ...]) -> None:
    """Refuse test rows of other images, groups or labels than the first; and of the first, labels of no class."""
    outside = found.labels[(found.labels < 0) | (found.labels >= len(classes))]
    if found is first and len(outside):
        raise UserError(f"{found.source}: y = {outside[0]} is outside 0..{len(classes) - 1}; {REMEDY}")
    for position, name in enumerate(classes):
        if found is first and not (found.labels == position).any():
            raise UserError(
                f"{found.source}: no test image of class {name}; leave it out with exclude_classes and "
                "split again"
            )
    for what in ("images", "groups", "labels"):
        if not np.array_equal(getattr(found, what), getattr(first, what)):
            raise UserError(
                f"{found.source}: test {what} differ from those of {first.source}; "
                "all methods and seeds of a data set must share one test set; delete both files and run again"
            )


def read_predictions(file: Path, suite: Suite, key: str, seed: int) -> pd.DataFrame:
    """Return the rows of one file, checked, sorted by method, stage and image.

    Raises:
        UserError: it cannot be read, is not what `gather` wrote, has other columns, is of another data set or seed,
            names an unknown method, or holds a row twice or something that is no distribution.
    """
    refuse_changed(file, sums_of(file))
    with unreadable(file, "not a readable parquet file", REMEDY):
        # Names as numbers: comparing and sorting text would take most of the analysis' time.
        frame = pq.read_table(file, read_dictionary=list(NAMES)).to_pandas()
    for wrong in _wrong(frame, suite, key, seed):
        raise UserError(f"{file}: {wrong}; {REMEDY}")
    return sorted_predictions(frame)


def _wrong(frame: pd.DataFrame, suite: Suite, key: str, seed: int) -> Iterator[str]:
    columns = [*KEYS, *(f"p_{position}" for position in range(len(suite.facts[key].classes)))]
    if list(frame.columns) != columns:
        yield f"columns must be {', '.join(columns)}; found {', '.join(frame.columns)}"
    for column, expected in (("dataset", key), ("seed", seed)):
        for value in frame.loc[frame[column] != expected, column]:
            yield f"column {column} must be {expected} as in the path; found {value}"
    for method in sorted(set(frame["method"]) - set(suite.methods)):
        yield f"method {method} is not in the suite; its methods: {', '.join(suite.methods)}"
    cells = ["method", "stage", "split", "image_id"]
    for method, stage, split, image in frame.loc[frame.duplicated(cells), cells].itertuples(index=False):
        yield f"method {method}, stage {stage}, seed {seed}: {split} image {image} is given twice"
    values = frame[columns[len(KEYS) :]].to_numpy(dtype=np.float64)
    wrong = (values < 0).any(axis=1) | (np.abs(values.sum(axis=1) - 1) > SUM_TOLERANCE)  # False where NaN
    for method, stage, _, image in frame.loc[wrong, cells].itertuples(index=False):
        where = f"method {method}, stage {stage}, seed {seed}"
        yield f"{where}: probabilities of image {image} are not a distribution"


def sorted_predictions(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows sorted by method, stage and image, with names as categories in their own order."""
    frame = frame.assign(**{name: _category(frame[name]) for name in NAMES})
    return frame.sort_values(["method", "stage", "image_id"], kind="stable", ignore_index=True)


def _category(names: "pd.Series[str]") -> "pd.Series[Any]":
    categories = names.astype("category")
    return categories.cat.reorder_categories(sorted(categories.cat.categories))


def _imported_cell(
    file: Path, dataset: str, seed: int, columns: list[str], groups: "pd.Series[str]"
) -> pd.DataFrame:
    """Return one cell of what `import_predictions` kept with the columns of the run's own; `groups` is by image."""
    refuse_changed(file, sums_of(file), "import it again with `weckd import-predictions`")
    frame = pd.read_parquet(file, filters=[("dataset", "==", dataset), ("seed", "==", seed)])
    known = frame["image_id"].map(groups).to_numpy(dtype=object)
    return frame.assign(method=file.stem, stage=1, group_id=known)[columns]
