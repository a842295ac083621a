"""Predictions made elsewhere: checked against a run's splits, then read beside the run's own."""

import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from weckd.analysis.predictions import SUM_TOLERANCE
from weckd.config import Suite
from weckd.data.splits import read_split
from weckd.errors import UserError
from weckd.files import sums_of, whole_file, write_sums
from weckd.methods.catalogue import METHODS
from weckd.run_files import RunFiles

IMPORTED = "imported"
"""The role of methods whose predictions were made elsewhere."""
KEYS = ("dataset", "seed", "split", "image_id", "y")
_LONGEST_NAME = 64  # a row's head in tables, and a file's name
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def import_predictions(suite: Suite, run: Path, file: Path, name: str, selection: str) -> Path:
    """Check long predictions (.csv or .parquet) against the run's splits and keep them as a method of its own.

    A row is a data set, seed, split (test or validation), image_id, y and p_0 .. p_{C-1}, C the classes of the data
    set (columns beyond that are empty). A data set that is there has all seeds of the suite, each with every test
    image once; validation images are all there or none. A seed whose probabilities are all empty has diverged.

    `name` is what tables call the method; `selection` says on which images a model or its settings were chosen. Returns
    the file that was written.

    Raises:
        UserError: selection on test images, or anything in the file that does not fit the run, by name.
    """
    if selection == "test":
        raise UserError(
            f"{file}: models chosen on test images are not comparable (up to 40 % false positives); choose on "
            "validation images, or take the last step"
        )
    if wrong := _wrong_name(suite, name):
        raise UserError(f"method name {wrong}")
    files, frame = RunFiles(run), _read(file, suite)
    for dataset, seed in product(dict.fromkeys(frame["dataset"]), suite.seeds):
        rows = frame[(frame["dataset"] == dataset) & (frame["seed"] == seed)]
        classes, split = suite.facts[dataset].classes, read_split(files.split(dataset, seed))
        for wrong in _wrong_cell(rows, split, len(classes)):
            raise UserError(f"{file}: {dataset}, seed {seed}: {wrong}")
    out = files.imported / f"{name}.parquet"
    with whole_file(out) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")
    write_sums(sums_of(out), [out])
    return out


def imported_files(run: Path) -> dict[str, Path]:
    """Return the imported methods of a run, and their files, by name."""
    return {file.stem: file for file in sorted(RunFiles(run).imported.glob("*.parquet"))}


def with_imported(suite: Suite, run: Path) -> Suite:
    """Return the suite with the run's imported methods behind its own; the plan knows none of them."""
    names = tuple(imported_files(run))
    return replace(
        suite, methods=(*suite.methods, *names), roles={**suite.roles, **dict.fromkeys(names, IMPORTED)}
    )


def _wrong_name(suite: Suite, name: str) -> str:
    planned = [method for family in suite.analysis.families for method in (family.method, *family.references)]
    if not _NAME.fullmatch(name):
        return f"{name!r}: lower-case letters, digits, - and _ only"
    if len(name) > _LONGEST_NAME:
        return f"{name[:20]}..: {_LONGEST_NAME} characters at most"
    if name in suite.methods:
        return f"{name!r}: the suite has a method of that name; choose another"
    if name in METHODS or any(fnmatch.fnmatch(name, method) for method in planned):
        joins = "is that of a method of the package or the plan, whose tests it would join"
        return f"{name!r}: {joins}; choose another"
    return ""


def _read(file: Path, suite: Suite) -> pd.DataFrame:
    """Return the file's columns in their order and types, rows sorted."""
    whole = _table(file)
    most = max(len(suite.facts[key].classes) for key in suite.datasets)
    probabilities = [f"p_{c}" for c in range(most)]
    for wrong in _wrong_table(whole, suite, probabilities):
        raise UserError(f"{file}: {wrong}")
    try:
        frame = whole.reindex(columns=[*KEYS, *probabilities]).astype(
            {"seed": np.int64, "y": np.int64, "image_id": str, **dict.fromkeys(probabilities, np.float32)}
        )
    except (TypeError, ValueError) as problem:
        raise UserError(
            f"{file}: y must be whole numbers and p_0 .. numbers, as 0.5 ({problem})"
        ) from problem
    return frame.sort_values(["dataset", "seed", "split", "image_id"], ignore_index=True)


def _wrong_table(whole: pd.DataFrame, suite: Suite, probabilities: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a table; its data sets become text, since a key may be of digits alone."""
    for column in KEYS:
        if column not in whole.columns:
            yield f"column {column} is missing; needed: {', '.join(KEYS)}, p_0, p_1, .."
    whole["dataset"] = whole["dataset"].astype(str)
    for column in whole.columns:
        if column not in (*KEYS, *probabilities):
            yield f"column {column} is not known; needed: {', '.join(KEYS)}, p_0 .. {probabilities[-1]}"
    allowed = {"dataset": suite.datasets, "seed": suite.seeds, "split": ("test", "validation")}
    for column, known in allowed.items():
        for value in whole.loc[~whole[column].isin(known), column]:
            yield f"{column} {value} is not one of {', '.join(map(str, known))}"
    if whole.empty:
        yield "holds no row; write one for each image of each seed"
    for dataset, rows in whole.groupby("dataset", sort=False):
        for seed in sorted(set(suite.seeds) - set(rows["seed"])):
            yield f"{dataset} lacks seed {seed}; a method is compared on all seeds of the suite or not at all"
    for y in whole.loc[pd.to_numeric(whole["y"], errors="coerce") % 1 != 0, "y"]:
        yield f"y must be whole numbers and p_0 .. numbers (y {y})"


def _table(file: Path) -> pd.DataFrame:
    """Return a table as a .parquet or .csv file has it; columns end at commas, semicolons or tabs alike."""
    try:
        if file.suffix == ".parquet":
            return pd.read_parquet(file)
        with file.open(encoding="utf-8-sig") as stream:
            head = stream.readline()
        mark = max(",;\t", key=head.count)
        numbers = [name for name in head.replace('"', "").strip().split(mark) if name.startswith("p_")]
        return pd.read_csv(
            file,
            dtype={"dataset": str, "image_id": str},
            sep=mark,
            decimal="," if mark == ";" else ".",
            encoding="utf-8-sig",
            keep_default_na=False,  # a data set may be called nan
            na_values=dict.fromkeys(numbers, ("", "NA", "NaN", "nan")),
        )
    except (OSError, ValueError, pa.ArrowException) as problem:
        raise UserError(
            f"{file}: not a readable .csv or .parquet file ({problem}); save it as CSV in UTF-8"
        ) from problem


def _wrong_cell(rows: pd.DataFrame, split: pd.DataFrame, n_classes: int) -> Iterator[str]:
    """Yield what is wrong with the rows of one data set and seed."""
    for part in ("test", "validation"):
        given = rows[rows["split"] == part]
        if part == "validation" and given.empty:
            continue
        label_of = split.loc[split["part"] == part].set_index("image_id")["y"]
        for image in given.loc[given["image_id"].duplicated(), "image_id"]:
            yield f"{part} image {image} is given twice"
        for image in given.loc[~given["image_id"].isin(label_of.index), "image_id"]:
            yield f"{image} is not a {part} image of this run's split"
        lacking = sorted(set(label_of.index) - set(given["image_id"]))
        if lacking:
            yield f"{part} image {lacking[0]} is missing ({len(lacking)} of {len(label_of)} are)"
        wrong = given.loc[given["image_id"].map(label_of) != given["y"], ["image_id", "y"]]
        for image, y in wrong.itertuples(index=False):
            yield f"image {image} has y {y}, in this run's split {label_of[image]}"
    columns = [name for name in rows.columns if name.startswith("p_")]
    used, beyond = columns[:n_classes], columns[n_classes:]
    if rows[beyond].notna().to_numpy().any():
        yield f"{n_classes} classes, but {beyond[0]} is not empty"
    values = rows[used].to_numpy(dtype=np.float64)
    empty = np.isnan(values)
    right = ~empty.any(axis=1) & (values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) <= SUM_TOLERANCE)
    if not empty.all():
        for image in rows.loc[~right, "image_id"]:
            yield f"probabilities of image {image} are not a distribution"
