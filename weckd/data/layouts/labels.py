"""A table of labels: a row an image, with its path, label and, where there are columns of them, patient and split."""

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from weckd.data.catalogue import Dataset
from weckd.data.fetch.wanted import say
from weckd.data.layouts import Listing, Source
from weckd.data.layouts.class_folders import read_image
from weckd.data.layouts.tables import (
    Cells,
    column,
    columns_of_classes,
    files_of_rows,
    first_lost,
    patients_of,
    read_table,
    refuse_in_two_splits,
    refuse_unnamed,
    tell_alike,
)
from weckd.data.watch import Place, stamps
from weckd.errors import UserError, counted

_SPLIT = re.compile(r"(train|val|test)(ing|id|idation)?[ _-]?(set|data|images)?(?![a-z])", re.IGNORECASE)
_SPLITS = {"train": "train", "val": "validation", "test": "test"}


def official_split(name: str) -> str:
    """Return the official split that a folder's name, or a cell of a table, means; "" where it means none."""
    found = _SPLIT.match(name)
    return _SPLITS[found[1].lower()] if found else ""


def list_labels(dataset: Dataset, folder: Path, decoded_side: int) -> Listing:
    """Return the images in the order of the table; an image's id is its path as the table has it.

    Files of the same kind without a row are told on stderr; rows without a file are the listing's `lacking`.

    Raises:
        UserError: the table cannot be read, lacks a column, or says what cannot be: a label of no class, an image
            twice, an image without a patient, a patient in two official splits, a path that leads out of the folder.
    """
    table = dataset.table
    if table is None:
        raise ValueError(f"{dataset.key}: the layout csv needs a table")
    file, images = folder / table.file, folder / table.folder
    cells = read_table(file)
    if table.label not in cells:
        _refuse_columns_of_classes(file, cells)
    paths, labels = (column(file, cells, getattr(table, key), f"table.{key}") for key in ("image", "label"))
    patients, splits, folds = (
        column(file, cells, name, f"table.{key}") if (name := getattr(table, key)) else [""] * len(paths)
        for key in ("patient", "split", "fold")
    )
    there = {name.partition("/")[2] for name in stamps(Place((str(images),)))}
    found = files_of_rows(file, paths, there)
    _refuse_twice(file, found, list(zip(paths, labels, patients, splits, folds, strict=True)))
    keys = _classes(dataset, file, cells, labels)
    if table.patient:
        refuse_unnamed(f"{file}", paths, patients)
    else:
        by_file = dataset.patients is not None and dataset.patients.file is not None
        names = [name or path for name, path in zip(found, paths, strict=True)]
        patients = patients_of(dataset, folder, names if by_file else paths)
    tell_alike(dataset.key, patients)
    parts = _official_splits(file, splits)
    leave = "correct the table, or leave table.split out to split the images by patients alone"
    refuse_in_two_splits(f"{file}", patients, parts, leave)
    _tell_without_row(dataset, file, images, there, found)
    sources = []
    for path, name, key, patient, split, fold in zip(paths, found, keys, patients, parts, folds, strict=True):
        read = functools.partial(read_image, dataset, decoded_side, images / (name or path), key, patient)
        sources.append(Source(path, split, key, read, fold))
    lost = [path for path, name in zip(paths, found, strict=True) if not name]
    lacking = ""
    if lost:
        told = f"{counted(len(lost), 'row')} without a file in {images} ({first_lost(lost, there)})"
        lacking = f"{file}: has {told}; complete the images, remove those rows, or leave them out with skip_bad=true"
    return Listing(len(sources), Counter(keys), iter(sources), lacking)


def _refuse_twice(file: Path, found: Sequence[str], rows: Sequence[tuple[str, ...]]) -> None:
    """Refuse rows of one image; those without a file are one where they have the same path."""
    numbers = defaultdict(list)
    for number, (name, row) in enumerate(zip(found, rows, strict=True)):
        numbers[name or row[0]].append(number)
    several = [held for held in numbers.values() if len(held) > 1]
    for held in several:
        labels = list(dict.fromkeys(rows[number][1] for number in held))
        if len(labels) > 1:
            told = f"{rows[held[0]][0]!r} has {len(held)} rows with the labels {' and '.join(labels)}"
            raise UserError(f"{file}: {told}; an image has one label: correct it, or remove the image")
    if several:
        first = f"{rows[several[0][0]][0]}, rows {' and '.join(str(number + 1) for number in several[0])}"
        told = f"{counted(len(several), 'image')} in more than one row (the first: {first})"
        raise UserError(f"{file}: has {told}; remove the rows that repeat another")


def _refuse_columns_of_classes(file: Path, cells: Cells) -> None:
    if told := columns_of_classes(cells):
        raise UserError(f"{file}: has {told}")


def _classes(dataset: Dataset, file: Path, cells: Cells, labels: Sequence[str]) -> list[str]:
    """Return the class key of each label."""
    known = {str(entry.label): entry.key for entry in dataset.classes}
    if not any(labels):
        name = dataset.table.label if dataset.table else ""
        raise UserError(
            f"{file}: has no label in the column {name!r}; name the column of labels as table.label"
        )
    if unknown := Counter(label for label in labels if label not in known):
        _refuse_columns_of_classes(file, cells)
        rows = counted(unknown.total(), "row")
        told = f"{rows} with a label of no class of {dataset.key} (the first: {next(iter(unknown))!r})"
        remedy = f"its classes have {', '.join(known)}; correct the table, or the classes in the catalogue"
        raise UserError(f"{file}: has {told}; {remedy}")
    return [known[label] for label in labels]


def _official_splits(file: Path, cells: Sequence[str]) -> list[str]:
    if wrong := [cell for cell in cells if cell and not official_split(cell)]:
        told = (
            f"{counted(len(wrong), 'row')} with an official split that is not known (the first: {wrong[0]!r})"
        )
        raise UserError(f"{file}: has {told}; write train, validation, test or nothing")
    return [official_split(cell) for cell in cells]


def _tell_without_row(
    dataset: Dataset, file: Path, images: Path, there: set[str], found: Sequence[str]
) -> None:
    """Tell of files that no row names, of the kinds that rows name."""
    ends = {PurePosixPath(name).suffix.lower() for name in found if name}
    left = sorted(name for name in there - {*found} if PurePosixPath(name).suffix.lower() in ends)
    left = [name for name in left if images / name != file]
    if left:
        told = f"{counted(len(left), 'file')} in {images} without a row (the first: {left[0]})"
        say(dataset.key, f"{file}: {told}; not used")
