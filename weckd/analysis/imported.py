"""Predictions made elsewhere: checked against a run's splits, then read beside the run's own."""

import fnmatch
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from weckd.analysis.prediction_files import SUM_TOLERANCE
from weckd.config import Suite
from weckd.data.splits import read_split
from weckd.errors import UserError
from weckd.files import whole_file
from weckd.methods.catalogue import METHODS
from weckd.sums import refuse_changed, sums_of, write_sums

IMPORTED = "imported"
"""The role of methods whose predictions were made elsewhere, and the run's folder that keeps them."""
KEYS = ("dataset", "seed", "split", "image_id", "y")
_LONGEST_NAME = 64  # a row's head in tables, and a file's name
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def import_predictions(suite: Suite, run: Path, file: Path, name: str, selection: str) -> Path:
    """Check long predictions (.csv or .parquet) against the run's splits and keep them as a method of its own.

    A row is a data set, seed, split (test or validation), image_id, y and p_0 .. p_{C-1}, C the classes of the data
    set (columns beyond that are empty). A data set that is there has all seeds of the suite, each with every test
    image once; validation images are all there or none. A seed whose probabilities are all empty has diverged.

    Args:
        suite: the run's settings.
        run: folder of the run.
        file: the predictions.
        name: what the method is called in tables; no method of the suite.
        selection: on which images a model or its settings were chosen.

    Returns:
        The file that was written.

    Raises:
        UserError: selection on test images, or anything in the file that does not fit the run, by name.
    """
    if selection == "test":
        raise UserError(
            f"{file}: models chosen on test images are not comparable (up to 40 % false positives); choose on "
            "validation images, or take the last step"
        )
    if not _NAME.fullmatch(name):
        raise UserError(f"method name {name!r}: lower-case letters, digits, - and _ only")
    if len(name) > _LONGEST_NAME:
        raise UserError(f"method name {name[:20]}..: {_LONGEST_NAME} characters at most")
    if name in suite.methods:
        raise UserError(f"method name {name!r}: the suite has a method of that name; choose another")
    planned = [method for family in suite.analysis.families for method in (family.method, *family.references)]
    if name in METHODS or any(fnmatch.fnmatch(name, method) for method in planned):
        raise UserError(
            f"method name {name!r}: stands for a method of the package or the plan, whose tests it would join; "
            "choose another"
        )
    frame = _read(file, suite)
    for dataset in dict.fromkeys(frame["dataset"]):
        for seed in suite.seeds:
            rows = frame[(frame["dataset"] == dataset) & (frame["seed"] == seed)]
            _check_cell(file, suite, dataset, seed, rows, run)
    out = run / IMPORTED / f"{name}.parquet"
    with whole_file(out) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")
    write_sums(sums_of(out), [out])
    return out


def imported_files(run: Path) -> dict[str, Path]:
    """Return the imported methods of a run, and their files, by name."""
    return {file.stem: file for file in sorted((run / IMPORTED).glob("*.parquet"))}


def with_imported(suite: Suite, run: Path) -> Suite:
    """Return the suite with the run's imported methods behind its own; the plan knows none of them."""
    names = tuple(imported_files(run))
    return replace(
        suite, methods=(*suite.methods, *names), roles={**suite.roles, **dict.fromkeys(names, IMPORTED)}
    )


def imported_cell(
    file: Path, dataset: str, seed: int, n_classes: int, groups: "pd.Series[str]"
) -> pd.DataFrame:
    """Return an imported method's rows of one cell, with the columns of the run's own predictions.

    Args:
        file: as `import_predictions` wrote it.
        dataset: key of the data set.
        seed: of the cell.
        n_classes: C of the data set.
        groups: group_id by image_id.

    Raises:
        UserError: the file is not what was imported.
    """
    refuse_changed(file, sums_of(file), "import it again with `weckd import-predictions`")
    frame = pd.read_parquet(file, filters=[("dataset", "==", dataset), ("seed", "==", seed)])
    columns = [f"p_{c}" for c in range(n_classes)]
    rows = pd.DataFrame(
        {"dataset": dataset, "seed": seed, "method": file.stem, "stage": 1}, index=frame.index
    )
    known = frame["image_id"].map(groups).to_numpy(dtype=object)
    return rows.assign(
        split=frame["split"], image_id=frame["image_id"], group_id=known, y=frame["y"], **frame[columns]
    )


def _read(file: Path, suite: Suite) -> pd.DataFrame:
    """Return the file's columns in their order and types, rows sorted."""
    whole = _table(file)
    most = max(len(suite.facts[key].classes) for key in suite.datasets)
    probabilities = [f"p_{c}" for c in range(most)]
    for column in KEYS:
        if column not in whole.columns:
            raise UserError(f"{file}: column {column} is missing; needed: {', '.join(KEYS)}, p_0, p_1, ..")
    whole["dataset"] = whole["dataset"].astype(str)  # a key may be of digits alone
    unknown = [c for c in whole.columns if c not in (*KEYS, *probabilities)]
    if unknown:
        raise UserError(
            f"{file}: column {unknown[0]} is not known; needed: {', '.join(KEYS)}, p_0 .. p_{most - 1}"
        )
    for column, known in (
        ("dataset", suite.datasets),
        ("seed", suite.seeds),
        ("split", ("test", "validation")),
    ):
        wrong = whole.loc[~whole[column].isin(known), column]
        if len(wrong):
            raise UserError(f"{file}: {column} {wrong.iloc[0]} is not one of {', '.join(map(str, known))}")
    if whole.empty:
        raise UserError(f"{file}: holds no row; write one for each image of each seed")
    for dataset in dict.fromkeys(whole["dataset"]):
        lacking = sorted(set(suite.seeds) - set(whole.loc[whole["dataset"] == dataset, "seed"]))
        if lacking:
            raise UserError(
                f"{file}: {dataset} lacks seed {lacking[0]}; a method is compared on all seeds of the suite or not "
                "at all"
            )
    broken = whole.loc[pd.to_numeric(whole["y"], errors="coerce") % 1 != 0, "y"]
    if len(broken):
        raise UserError(f"{file}: y must be whole numbers and p_0 .. numbers (y {broken.iloc[0]})")
    try:
        frame = whole.reindex(columns=[*KEYS, *probabilities]).astype(
            {"seed": np.int64, "y": np.int64, "image_id": str, **dict.fromkeys(probabilities, np.float32)}
        )
    except (TypeError, ValueError) as problem:
        raise UserError(
            f"{file}: y must be whole numbers and p_0 .. numbers, as 0.5 ({problem})"
        ) from problem
    return frame.sort_values(["dataset", "seed", "split", "image_id"], ignore_index=True)


def _table(file: Path) -> pd.DataFrame:
    """Return a table as it stands in a .parquet or .csv file; columns end at commas, semicolons or tabs alike."""
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


def _check_cell(file: Path, suite: Suite, dataset: str, seed: int, rows: pd.DataFrame, run: Path) -> None:
    where = f"{file}: {dataset}, seed {seed}"
    split = read_split(run / "splits" / dataset / f"seed{seed}.csv")
    for part in ("test", "validation"):
        given = rows[rows["split"] == part]
        if part == "validation" and given.empty:
            continue
        label_of = split.loc[split["part"] == part].set_index("image_id")["y"]
        twice = given.loc[given["image_id"].duplicated(), "image_id"]
        strangers = [image for image in given["image_id"] if image not in label_of.index]
        lacking = sorted(set(label_of.index) - set(given["image_id"]))
        if len(twice):
            raise UserError(f"{where}: {part} image {twice.iloc[0]} stands twice")
        if strangers:
            raise UserError(f"{where}: {strangers[0]} is not a {part} image of this run's split")
        if lacking:
            raise UserError(
                f"{where}: {part} image {lacking[0]} is missing ({len(lacking)} of {len(label_of)} are)"
            )
        wrong = given.loc[given["image_id"].map(label_of) != given["y"]]
        if len(wrong):
            image, y = wrong.iloc[0][["image_id", "y"]]
            raise UserError(f"{where}: image {image} has y {y}, in this run's split {label_of[image]}")
    _check_probabilities(where, rows, len(suite.facts[dataset].classes))


def _check_probabilities(where: str, rows: pd.DataFrame, n_classes: int) -> None:
    columns = [name for name in rows.columns if name.startswith("p_")]
    used, beyond = columns[:n_classes], columns[n_classes:]
    if rows[beyond].notna().to_numpy().any():
        raise UserError(f"{where}: {n_classes} classes, but {beyond[0]} is not empty")
    values = rows[used].to_numpy(dtype=np.float64)
    empty = np.isnan(values)
    if empty.all():
        return
    right = ~empty.any(axis=1) & (values >= 0).all(axis=1) & (np.abs(values.sum(axis=1) - 1) <= SUM_TOLERANCE)
    if not right.all():
        image = rows["image_id"].iloc[int(np.flatnonzero(~right)[0])]
        raise UserError(f"{where}: probabilities of image {image} are not a distribution")
