"""The catalogue entry of a folder of class folders that a user has."""

import re
from pathlib import Path
from typing import Any

import yaml

from weckd.data.layouts.class_folders import class_folder_names, image_names
from weckd.errors import UserError

_SPLIT_OF_BEGINNING = {"train": "train", "val": "validation", "test": "test"}
_TO_FILL_IN = "FILL IN"


def describe_folder(folder: Path) -> str:
    """Return a catalogue entry, as YAML, for class folders, or for folders of official splits that hold them.

    Only file names are read. Modality, licence and source are left for the user to fill in.

    Raises:
        UserError: there is no such folder, it holds fewer than two class folders, or the splits' classes differ.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name one that holds a folder for each class")
    tops = class_folder_names(folder)
    splits = {name: split for name in tops if (split := _official_split(name))}
    places = {folder / name: splits[name] for name in tops} if len(splits) == len(tops) else {folder: ""}
    classes = {place: class_folder_names(place) for place in places}
    names = next(iter(classes.values()))
    for place, found in classes.items():
        if found != names:
            raise UserError(
                f"{place}: holds the classes {', '.join(found)}, elsewhere {', '.join(names)}; mend one"
            )
    if len(names) < 2:
        raise UserError(f"{folder}: holds {len(names)} class folders; at least two are needed")
    counts = {name: sum(len(image_names(place / name)) for place in places) for name in names}
    entry: dict[str, Any] = {
        "title": folder.resolve().name,
        "modality": "other",
        "licence": _TO_FILL_IN,
        "source": _TO_FILL_IN,
        "layout": "class-folders",
        "folders": [
            {"path": place.relative_to(folder).as_posix(), "official_split": split}
            for place, split in places.items()
        ],
        "groups": "near-duplicates",
        "classes": [
            {"key": _key(name), "folder": name, "title": name.lower(), "count": counts[name]}
            for name in names
        ],
    }
    return yaml.safe_dump(
        {_key(folder.resolve().name): entry}, sort_keys=False, allow_unicode=True, width=120
    )


def _official_split(name: str) -> str:
    return next((split for start, split in _SPLIT_OF_BEGINNING.items() if name.lower().startswith(start)), "")


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "unnamed"
