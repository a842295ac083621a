"""Tables that name images: their cells as text, the files that their paths mean, and the patients of images."""

import csv
import io
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from weckd.data.catalogue import Dataset, twice
from weckd.data.decode import read_file
from weckd.data.fetch.wanted import say
from weckd.errors import UserError, counted, unreadable

Cells = Mapping[str, Sequence[str]]
"""The cells of each column of a table, by its name."""
_SEPARATORS = ",;\t"
_BEGINNING = 100_000
"""Signs of a file in which its head and first row are looked for, to see what separates cells."""
_PARQUET = b"PAR1"
_SAVE = "save it as CSV in UTF-8, or as Parquet"


def read_table(file: Path) -> Cells:
    """Return the cells of a CSV, TSV or Parquet file as text, without blanks at their ends; the content decides.

    Of comma, semicolon and tab, the one that head and first row hold most of separates cells. Numbers of Parquet that
    are whole are written as such (1, not 1.0); what is missing there is "".

    Raises:
        UserError: there is no such file, or it is no table of one row or more.
    """
    if not file.exists():
        raise UserError(f"{file}: no such file; put the table there, or correct its name in the catalogue")
    content = read_file(file)
    with unreadable(file, "not a readable table", _SAVE):
        cells = _parquet(content) if content.startswith(_PARQUET) else _separated(file, content)
    if not any(cells.values()):
        raise UserError(f"{file}: holds no row below its head; put a row for each image there")
    return {name: [cell.strip() for cell in column] for name, column in cells.items()}


def _separated(file: Path, content: bytes) -> Cells:
    text = re.sub("^sep=[,;\t]\r?\n", "", content.decode("utf-8-sig"))  # a word of Excel's to itself
    first = [line for line in text[:_BEGINNING].splitlines() if line][:2]
    try:
        separator = max(
            _SEPARATORS, key=lambda sign: min(map(len, csv.reader(first, delimiter=sign)), default=0)
        )
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if any(row)]
    except csv.Error as problem:
        raise ValueError(problem) from problem
    if not rows:
        raise UserError(f"{file}: is empty; put a head and a row for each image there")
    head = [name.strip() for name in rows[0]]
    for name in twice([name for name in head if name]):
        raise UserError(f"{file}: has two columns {name!r}; rename one")
    for number, row in enumerate(rows[1:], 1):
        if len(row) != len(head):
            told = f"row {number} has {counted(len(row), 'cell')}, its head has {len(head)}"
            raise UserError(
                f"{file}: {told}; correct that row, or put quotes around cells with a separator in them"
            )
    return dict(zip(head, zip(*rows[1:], strict=True) if rows[1:] else [()] * len(head), strict=True))


def _parquet(content: bytes) -> Cells:
    import pyarrow  # noqa: PLC0415 - as the next one: takes a while
    import pyarrow.parquet  # noqa: PLC0415

    try:
        found = pyarrow.parquet.read_table(io.BytesIO(content)).to_pydict()
    except pyarrow.ArrowException as problem:
        raise ValueError(problem) from problem
    return {name: [_text(value) for value in column] for name, column in found.items()}


def _text(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else str(int(value)) if value.is_integer() else str(value)
    return "" if value is None else str(value)


def column(file: Path, cells: Cells, name: str, key: str) -> Sequence[str]:
    """Return the cells of one column.

    Args:
        file: the table, for messages.
        cells: what it holds.
        name: of the column.
        key: of the catalogue's entry, which names it.

    Raises:
        UserError: there is none, or a cell of it holds a line break or another sign that cannot be seen.
    """
    if name not in cells:
        there = f"it has {', '.join(cells)}; correct {key} in the catalogue"
        raise UserError(f"{file}: has no column {name!r}; {there}")
    for number, cell in enumerate(cells[name], 1):
        if re.search(r"[\x00-\x1f\x7f]", cell):
            told = f"row {number} has a line break or a control sign in the column {name!r}"
            raise UserError(f"{file}: {told}; correct it (a quote may not be closed)")
    return cells[name]


def columns_of_classes(cells: Cells) -> str:
    """Return what is wrong with a table that has a column for each class, 1 in one of them a row; "" if it has none."""
    marks = [name for name, column in cells.items() if {*column} <= {"0", "1", "0.0", "1.0"}]
    rows = zip(*(cells[name] for name in marks), strict=True)
    if len(marks) < 2 or not all(sum(map(float, row)) == 1 for row in rows):
        return ""
    return (
        f"a column for each class ({', '.join(marks)}), which is not read; add one column that holds the class's name "
        "in each row, and name it as table.label"
    )


def without_end(path: str) -> str:
    """Return a path without the end of its file's name, as `.png`."""
    return re.sub(r"\.[^./]*$", "", path)


def files_of_rows(file: Path, paths: Sequence[str], there: Collection[str]) -> list[str]:
    r"""Return the file that each row's path means, "" where it is not there; `\` between folders counts as `/`.

    Args:
        file: the table, for messages.
        paths: one a row, with or without the end of the file's name.
        there: paths of the files that there are, of the same beginning.

    Raises:
        UserError: a path is empty, leads out of the folder, or means two files.
    """
    # Some systems write an accent in two signs.
    seen = {unicodedata.normalize("NFC", name): name for name in there}
    by_stem = defaultdict(list)
    for name in seen:
        by_stem[without_end(name)].append(name)
    if empty := [number for number, path in enumerate(paths, 1) if not path]:
        told = f"{counted(len(empty), 'row')} without a path (the first: row {empty[0]})"
        raise UserError(f"{file}: has {told}; name the image, or remove the row")
    found = []
    for number, path in enumerate(paths, 1):
        pure = PurePosixPath(path.replace("\\", "/"))
        if pure.is_absolute() or ".." in pure.parts or re.match("[A-Za-z]:", path):
            told = f"row {number} names {path!r}, which leads out of the data set's folder"
            raise UserError(f"{file}: {told}; write paths from that folder on")
        plain = unicodedata.normalize("NFC", str(pure))
        meant = [plain] if plain in seen else by_stem.get(plain, [])
        if len(meant) > 1:
            told = f"row {number} names {path!r}, which may be {' or '.join(sorted(meant))}"
            raise UserError(f"{file}: {told}; write the end of the file's name, too")
        found.append(seen[meant[0]] if meant else "")
    return found


def first_lost(lost: Sequence[str], there: Iterable[str]) -> str:
    """Return the first of the paths that are no file's, and a file of that name in another case, place or format."""

    def name_of(path: str) -> str:
        return without_end(path.replace("\\", "/").rpartition("/")[2]).casefold()

    near = {name_of(path): path for path in there}.get(name_of(lost[0]))
    return f"the first: {lost[0]}" + (f"; there is {near}" if near else "")


def patients_of(dataset: Dataset, folder: Path, images: Sequence[str]) -> Sequence[str]:
    """Return the patient of each image as the entry's `patients` tells it; "" for all where it has none.

    Args:
        dataset: entry of the catalogue.
        folder: where the data set lies.
        images: their paths.

    Raises:
        UserError: an image has no patient or two, the pattern takes a class for a part of one, or the table cannot be
            read.
    """
    told = dataset.patients
    if told is None:
        return [""] * len(images)
    if told.file is None:
        regex = re.compile(str(told.pattern))
        plain = (path.replace("\\", "/") for path in images)
        matches = (regex.search(path) or regex.search(path.rpartition("/")[2]) for path in plain)
        named = [(match["patient"] or "").strip() if match else "" for match in matches]
        place = f"{dataset.key}: patients.pattern"
        refuse_unnamed(place, images, named, "correct the pattern")
        held = [pair for pair in zip(named, images, strict=True) if "/" in pair[0]]
        if held and dataset.layout == "class-folders":
            taken = "takes a class's folder for a part of the patient ({!r} of {})".format(*held[0])
            raise UserError(f"{place}: {taken}, who would be two in two classes; write [^/] in place of .")
        return named
    file = folder / told.file
    cells = read_table(file)
    patients = column(file, cells, told.patient, "patients.patient")
    found: dict[str, str] = {}
    paths = column(file, cells, told.image, "patients.image")
    rows = files_of_rows(file, paths, images)
    if lost := [path for path, row in zip(paths, rows, strict=True) if not row]:
        rows_of_none = f"{counted(len(lost), 'row')} of no image ({first_lost(lost, images)})"
        say(dataset.key, f"{file}: {rows_of_none}; not used")
    for image, patient in zip(rows, patients, strict=True):
        if found.setdefault(image, patient) != patient and image:
            both = f"{image!r} twice, of the patients {found[image]!r} and {patient!r}"
            raise UserError(f"{file}: names {both}; correct one")
    named = [found.get(image, "") for image in images]
    refuse_unnamed(f"{file}", images, named, _NAME)
    return named


_NAME = "name the patient; where none is known, give the image a name of its own, as unknown-1"


def refuse_unnamed(place: str, images: Sequence[str], patients: Sequence[str], remedy: str = _NAME) -> None:
    """Refuse images without a patient, which could be in training and test at once.

    Raises:
        UserError: there is one; the message has their number.
    """
    if lost := [image for image, patient in zip(images, patients, strict=True) if not patient]:
        told = f"names no patient for {counted(len(lost), 'image')} (the first: {lost[0]})"
        raise UserError(f"{place}: {told}; {remedy}")


def tell_alike(dataset: str, patients: Iterable[str]) -> None:
    """Tell of patients whose names differ in case, blanks, leading zeros or folders alone: one may be in two splits."""
    names = defaultdict(set)
    for patient in {*patients}:
        plain = unicodedata.normalize("NFKC", patient).casefold().rpartition("/")[2]
        names[re.sub(r"\s|(?<![0-9])0+(?=[0-9])", "", plain)].add(patient)
    if alike := sorted(sorted(written) for written in names.values() if len(written) > 1):
        told = f"{counted(len(alike), 'patient')} may be written in several ways"
        say(dataset, f"{told} (the first: {' and '.join(alike[0])}); each way counts as a patient of its own")


def refuse_in_two_splits(place: str, patients: Iterable[str], splits: Iterable[str], remedy: str) -> None:
    """Refuse a patient with images in several of the source's parts: its test would be no test.

    Raises:
        UserError: there is one; the message has their number.
    """
    parts: dict[str, set[str]] = defaultdict(set)
    for patient, split in zip(patients, splits, strict=True):
        parts[patient].add(split or "none")
    if crossing := [patient for patient in parts if patient and len(parts[patient]) > 1]:
        first = f"{crossing[0]} in {' and '.join(sorted(parts[crossing[0]]))}"
        told = f"{counted(len(crossing), 'patient')} in several official splits (the first: {first})"
        raise UserError(f"{place}: has {told}; {remedy}")
