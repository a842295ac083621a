"""The catalogue entry of a folder of class folders that a user has."""

import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from textwrap import indent
from typing import Any

import yaml

from weckd.data.catalogue import RESERVED, TO_FILL_IN, load_catalogue
from weckd.data.layouts import DEPTH, listed
from weckd.data.layouts.class_folders import class_folder_names, image_files, writable_name
from weckd.errors import UserError, counted

_SPLIT = re.compile(r"(train|val|test)(ing|id|idation)?[ _-]?(set|data|images)?(?![a-z])", re.IGNORECASE)
_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_LINE_ENDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_WANTED = "name one that holds a folder for each class"
_ASKED = (
    "modality: otoscopy, microscopy, MRI or other",
    "where the images were made from another data set's, add derived_from: [its key]",
)


class _Dumper(yaml.SafeDumper):
    """Puts text that begins like a number in quotes, so that it stays text for every reader of YAML."""


_Dumper.add_implicit_resolver("number", re.compile(r"[-+.]?[0-9].*", re.DOTALL), list("-+.0123456789"))


def describe_folder(folder: Path) -> str:
    """Return a catalogue entry, as YAML, for class folders, or for folders of official splits that hold them.

    Only file names are read. Licence and source are left for the user to fill in; what else the names do not say, or
    say wrongly, comments ask for.

    Raises:
        UserError: there is no such folder, it cannot be read or holds fewer than two class folders, or the splits'
            classes differ.
    """
    try:
        found = folder.is_dir()
    except OSError as problem:
        raise UserError(f"{folder}: cannot be read ({problem.strerror}); {_WANTED}") from problem
    if not found:
        raise UserError(f"{folder}: no such folder; {_WANTED}")
    root = _root(folder)
    names = class_folder_names(root)
    splits = {name: split for name in names if (split := _split(name)) and class_folder_names(root / name)}
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
        raise UserError(f"{root}: holds {told}; at least two class folders are needed")
    name = writable_name(folder.resolve())
    ((key, doubts),) = _keys([name], {*load_catalogue(), *RESERVED})
    comments = [*doubts, *_ASKED]
    if key != name:
        there = f"data_root/{key}"
        comments.append(f"the images are looked for in {there}: give {name!r} that name, or link it so")
    if others:
        comments.append(f"neither splits nor classes: {', '.join(others)}; move them out of {root}")
    folders = [
        {"path": place.relative_to(root).as_posix(), "official_split": split}
        for place, split in places.items()
    ]
    head: dict[str, Any] = {"title": name, "modality": "other", "licence": TO_FILL_IN, "source": TO_FILL_IN}
    head |= {"layout": "class-folders", "folders": folders, "groups": "near-duplicates"}
    lower = [name.lower() for name in names]
    titles = lower if len(set(lower)) == len(names) else names
    classes = [
        _class(*keyed, name, title, places)
        for keyed, name, title in zip(_keys(names), names, titles, strict=True)
    ]
    top, rest = _dumped({key: head}).split("\n", 1)
    text = f"{top}\n{indent(_told(comments), '  ')}{rest}  classes:\n{indent(''.join(classes), '  ')}"
    return text.encode("utf-8", "backslashreplace").decode()


def _root(folder: Path) -> Path:
    """Return the folder itself, or where it wraps another one folder in a few, the one that is wrapped."""
    for _ in range(DEPTH):
        names = class_folder_names(folder)
        if len(names) != 1 or _split(names[0]) or not class_folder_names(folder / names[0]):
            break
        folder = folder / names[0]
    return folder


def _split(name: str) -> str:
    found = _SPLIT.match(name)
    return _SPLITS[found[1].lower()] if found else ""


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
