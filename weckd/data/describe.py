"""The catalogue entry of a folder that a user has: of its class folders, or of its table of labels."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from textwrap import indent
from typing import Any

import yaml

from weckd.data.catalogue import RESERVED, TO_FILL_IN, ClassEntry, Dataset, LabelTable, load_catalogue
from weckd.data.layouts import DEPTH, listed
from weckd.data.layouts.class_folders import class_folder_names, image_files, writable_name
from weckd.data.layouts.labels import list_labels, official_split
from weckd.data.layouts.tables import Cells, columns_of_classes, read_table, without_end
from weckd.data.watch import Place, stamps
from weckd.errors import UserError, counted

_LINE_ENDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_WANTED = "name one that holds a folder for each class, or a table of labels"
_TABLES = (".csv", ".tsv", ".parquet")
_NEEDED = f"at least two class folders, or a table of labels ({', '.join(_TABLES)}), are needed"
_FEW = 12
"""Different cells, at most, of a column that may be of labels."""
_NAMES = {
    "image": "image path file filename filepath imagepath imagefile imagename imageid imageindex img bild datei name"
    " idcode id",
    "label": "label class diagnosis dx target category classname labels findinglabels befund diagnose",
    "patient": "patient patientid subject subjectid case caseid pid patientennummer",
    "split": "split set partition subset",
    "fold": "fold folds",
}
"""Names that the columns of a table have in the field, letters alone, the likeliest first."""
_ASKED = (
    "modality: otoscopy, microscopy, MRI or other",
    "where the images were made from another data set's, add derived_from: [its key]",
)
_PATIENTS = "where several images are of one patient, add `patients` and groups: given (docs/data-sets.md)"


class _Dumper(yaml.SafeDumper):
    """Puts text that begins like a number in quotes, so that it stays text for every reader of YAML."""


_Dumper.add_implicit_resolver("number", re.compile(r"[-+.]?[0-9].*", re.DOTALL), list("-+.0123456789"))


def describe_folder(folder: Path) -> str:
    """Return a catalogue entry, as YAML, for a table of labels, for class folders, or for official splits of them.

    Of images only the names are read. Licence and source are left for the user to fill in; what else the names do not
    say, or say wrongly, comments ask for.

    Raises:
        UserError: there is no such folder, it cannot be read or holds neither a table nor two class folders, or the
            splits' classes differ.
    """
    try:
        found = folder.is_dir()
    except OSError as problem:
        raise UserError(f"{folder}: cannot be read ({problem.strerror}); {_WANTED}") from problem
    if not found:
        raise UserError(f"{folder}: no such folder; {_WANTED}")
    tables = [file for file in sorted(listed(folder)) if file.suffix.lower() in _TABLES and file.is_file()]
    columns, unread = {}, []
    for file in tables:
        try:
            columns[file] = _guessed(read_table(file))
        except UserError as problem:
            columns[file] = {}
            unread.append(str(problem))
    labelled = [file for file in tables if {"image", "label"} <= columns[file].keys()]
    name = writable_name(folder.resolve())
    if labelled or (tables and len(class_folder_names(_root(folder))) < 2):
        file = [*labelled, *tables][0]
        body, comments, classes = _table(folder, file, columns[file])
        one = "an entry has one: join them, with a column of the official split where they are its parts"
        comments += [f"another table: {other.name}; {one}" for other in labelled if other != file]
    else:
        body, comments, classes = _class_folders(folder)
        for file in (file for file in tables if {"image", "patient"} <= columns[file].keys()):
            body |= {"groups": "given", "patients": {"file": file.name, **columns[file]}}
    ((key, doubts),) = _keys([name], {*load_catalogue(), *RESERVED})
    moved = f"the images are looked for in data_root/{key}: give {name!r} that name, or link it so"
    asked = [*_ASKED, _PATIENTS] if body["groups"] == "near-duplicates" else _ASKED
    comments = [*doubts, *asked, *([moved] if key != name else []), *unread, *comments]
    head = {"title": name, "modality": "other", "licence": TO_FILL_IN, "source": TO_FILL_IN, **body}
    top, rest = _dumped({key: head}).split("\n", 1)
    text = f"{top}\n{indent(_told(comments), '  ')}{rest}  classes:\n{indent(''.join(classes), '  ')}"
    return text.encode("utf-8", "backslashreplace").decode()


def _class_folders(folder: Path) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return what an entry says of class folders, its comments, and its classes."""
    root = _root(folder)
    names = class_folder_names(root)
    splits = {
        name: split for name in names if (split := official_split(name)) and class_folder_names(root / name)
    }
    places = {root / name: split for name, split in splits.items()} or {root: ""}
    others = [name for name in names if name not in splits] if splits else []
    classes_of = {place: class_folder_names(place) for place in places}
    names = next(iter(classes_of.values()))
    for place, held in classes_of.items():
        if held != names:
            told = f"holds the classes {', '.join(held)}, elsewhere {', '.join(names)}"
            raise UserError(f"{place}: {told}; correct one")
    if len(names) < 2:
        files = len(list(listed(root))) - len(names)
        told = f"{counted(len(names), 'class folder')} and {counted(files, 'file')}"
        raise UserError(f"{root}: holds {told}; {_NEEDED}")
    stray = f"neither splits nor classes: {', '.join(others)}; move them out of {root}"
    folders = [
        {"path": place.relative_to(root).as_posix(), "official_split": split}
        for place, split in places.items()
    ]
    body = {"layout": "class-folders", "folders": folders, "groups": "near-duplicates"}
    classes = [
        _class(*keyed, name, title, places)
        for keyed, name, title in zip(_keys(names), names, _titles(names), strict=True)
    ]
    return body, [stray] if others else [], classes


def _table(
    folder: Path, file: Path, columns: Mapping[str, str]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return what an entry says of a table of labels, its comments, and its classes.

    Args:
        folder: of the data set.
        file: the table in it.
        columns: names of its columns, by key, as far as they could be guessed.

    Raises:
        UserError: the table cannot be read, or has fewer than two labels.
    """
    cells = read_table(file)
    table = {"file": file.name, **dict.fromkeys(("image", "label"), TO_FILL_IN), **columns}
    comments = [f"columns of {file.name}: {', '.join(cells)}"]
    groups = "given" if "patient" in columns else "near-duplicates"
    if "label" not in columns:
        if told := columns_of_classes(cells):
            comments.append(f"it has {told}")
        for name, column in cells.items():
            if 1 < len({*column}) <= min(_FEW, len(column) // 2):
                comments.append(f"{name!r} holds {', '.join(sorted({*column}))}")
        blank = dict.fromkeys(("key", "label", "title"), TO_FILL_IN)
        return {"layout": "csv", "table": table, "groups": groups}, comments, [_dumped([blank])]
    counts = Counter(filter(None, cells[columns["label"]]))
    labels = sorted(counts, key=lambda label: (len(label) if label.isdigit() else 0, label))
    if len(labels) < 2:
        told = f"holds {counted(len(labels), 'label')} in the column {columns['label']!r}"
        raise UserError(f"{file}: {told}; at least two classes are needed")
    entries = [
        (doubts, ClassEntry(key, title, label=label, count=counts[label]))
        for (key, doubts), label, title in zip(_keys(labels), labels, _titles(labels), strict=True)
    ]
    if "image" in columns:
        start = _beginning(folder, cells[columns["image"]][0])
        table |= {"folder": start} if start != "." else {}
        comments += _doubts_of_table(folder, table, [entry for _, entry in entries], groups)
    classes = [
        _told(doubts) + _dumped([{key: getattr(entry, key) for key in ("key", "label", "title", "count")}])
        for doubts, entry in entries
    ]
    return {"layout": "csv", "table": table, "groups": groups}, comments, classes


def _doubts_of_table(
    folder: Path, table: Mapping[str, str], classes: Sequence[ClassEntry], groups: Any
) -> list[str]:
    """Return what would be refused of a table by now."""
    named = LabelTable(**table)
    dataset = Dataset("described", "described", "other", "csv", groups, tuple(classes), table=named)
    try:
        lacking = list_labels(dataset, folder, 1).lacking
    except UserError as problem:
        return [str(problem)]
    return [lacking] if lacking else []


def _beginning(folder: Path, image: str) -> str:
    """Return the folder in which a path begins: one that is in the data set's folder, or else that itself."""
    names = {name.partition("/")[2] for name in stamps(Place((str(folder),)))}
    names |= {without_end(name) for name in names}
    first = PurePosixPath(image.replace("\\", "/"))
    below = (name for name in class_folder_names(folder) if f"{name}/{first}" in names)
    return "." if str(first) in names else next(below, ".")


def _root(folder: Path) -> Path:
    """Return the folder itself, or where it wraps another one folder in a few, the one that is wrapped."""
    for _ in range(DEPTH):
        names = class_folder_names(folder)
        if len(names) != 1 or official_split(names[0]) or not class_folder_names(folder / names[0]):
            break
        folder = folder / names[0]
    return folder


def _titles(names: Sequence[str]) -> Sequence[str]:
    lower = [name.lower() for name in names]
    return lower if len(set(lower)) == len(names) else names


def _guessed(cells: Cells) -> dict[str, str]:
    """Return the columns that a table's names tell, by key of the catalogue; that of splits its cells tell."""
    plain = {re.sub("[^a-z]", "", name.lower()): name for name in [*cells][::-1]}
    found = {
        key: next((plain[word] for word in words.split() if word in plain), "")
        for key, words in _NAMES.items()
    }
    if any(cell and not official_split(cell) for cell in cells.get(found["split"], [" "])):
        found["split"] = next((name for name, held in cells.items() if all(map(official_split, held))), "")
    return {key: name for key, name in found.items() if name}


def _keys(names: Iterable[str], taken: Iterable[str] = ()) -> list[tuple[str, list[str]]]:
    """Return a key for each name, none of them twice or taken, and what is to be said of it."""
    used, keys = set(taken), []
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:60]
        wished = plain or "unnamed"
        numbered = (f"{wished}_{number}" for number in itertools.count(2))
        key = next(key for key in itertools.chain([wished], numbered) if key not in used)
        doubts = [] if plain else [f"{name!r} has no letter from a to z: choose a key"]
        if key != wished:
            doubts.append(f"the key {wished} is taken: choose another for {name!r}")
        used.add(key)
        keys.append((key, doubts))
    return keys


def _class(key: str, doubts: list[str], name: str, title: str, places: Iterable[Path]) -> str:
    entry: dict[str, Any] = {"key": key, "folder": name, "title": title}
    try:
        entry["count"] = sum(len(image_files(place / name, key)) for place in places)
    except UserError as problem:
        doubts = [*doubts, str(problem)]
    return _told(doubts) + _dumped([entry])


def _told(comments: Iterable[str]) -> str:
    """Return comments of one line each, whatever the names in them hold."""
    return "".join(f"# {_LINE_ENDS.sub('?', comment)}\n" for comment in comments)


def _dumped(value: Any) -> str:
    # Unescaped, some ends of lines would be read as blanks.
    plain = not any(sign in repr(value) for sign in ("\\x85", "\\u2028", "\\u2029"))
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=plain, width=1000)
