"""The catalogue of data sets: `catalogue.yaml`, checked and as dataclasses."""

import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jsonschema
import yaml

from weckd.errors import UserError

CATALOGUE_FILE = Path(__file__).with_name("catalogue.yaml")
SCHEMA_FILE = Path(__file__).with_name("catalogue_schema.yaml")


@dataclass(frozen=True)
class ClassEntry:
    """A class: its key in all files, its folder in the source, and the number of images where it is known."""

    key: str
    title: str
    folder: str | None = None
    count: int | None = None


@dataclass(frozen=True)
class SourceFolder:
    """Where class folders lie below the data set's folder, and the official split that they stand for."""

    path: str
    official_split: Literal["train", "test", ""]


@dataclass(frozen=True)
class Dataset:
    """One entry of the catalogue."""

    key: str
    title: str
    modality: str
    layout: Literal["class-folders", "phantom"]
    groups: Literal["near-duplicates", "given"]
    classes: tuple[ClassEntry, ...]
    folders: tuple[SourceFolder, ...] = ()
    licence: str = "MIT (drawn by this suite)"
    source: str = "drawn by this suite"
    derived_from: tuple[str, ...] = ()

    @property
    def phantom(self) -> bool:
        """Whether the images are drawn by the suite."""
        return self.layout == "phantom"


@cache
def load_catalogue(file: Path = CATALOGUE_FILE) -> dict[str, Dataset]:
    """Return all data sets by key, in the file's order.

    Raises:
        UserError: an entry is not as the schema asks; the message names the entry and the key.
    """
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    schema = yaml.safe_load(SCHEMA_FILE.read_text(encoding="utf-8"))
    problems = sorted(
        jsonschema.Draft202012Validator(schema).iter_errors(entries), key=lambda e: [str(p) for p in e.path]
    )
    if problems:
        lines = [f"  {'.'.join(str(p) for p in problem.path)}: {problem.message}" for problem in problems]
        raise UserError(f"{file}: not a valid catalogue\n" + "\n".join(lines))
    return {key: _dataset(key, entry) for key, entry in entries.items()}


def find_dataset(key: str) -> Dataset:
    """Return the data set with this key.

    Raises:
        UserError: there is none; the message lists the known ones.
    """
    catalogue = load_catalogue()
    if key not in catalogue:
        close = difflib.get_close_matches(key, catalogue, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UserError(f"no data set {key!r}{hint} Known data sets: {', '.join(catalogue)}")
    return catalogue[key]


def _dataset(key: str, entry: dict[str, Any]) -> Dataset:
    parts: dict[str, Any] = {
        **entry,
        "classes": tuple(ClassEntry(**item) for item in entry["classes"]),
        "folders": tuple(SourceFolder(**item) for item in entry.get("folders", ())),
        "derived_from": tuple(entry.get("derived_from", ())),
    }
    return Dataset(key=key, **parts)
