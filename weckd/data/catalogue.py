"""The catalogue of data sets: `catalogue.yaml`, checked and as dataclasses."""

import difflib
from collections.abc import Iterator
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
    """A class: its key in all files, where it stands in the source, and the number of images where it is known."""

    key: str
    title: str
    folder: str | None = None  # of class folders
    label: int | None = None  # the class's number in the files of other layouts
    count: int | None = None
    unverified: tuple[str, ...] = ()  # "folder" and "count", where they were not checked at the source


@dataclass(frozen=True)
class SourceFolder:
    """Where class folders lie below the data set's folder, and the official split that they stand for."""

    path: str
    official_split: Literal["train", "validation", "test", ""]


@dataclass(frozen=True)
class RecordFile:
    """A file of a repository's record, or a pattern of names."""

    name: str
    md5: str | None = None
    pixels: int | None = None  # side of its images, where a record holds several sizes


@dataclass(frozen=True)
class Download:
    """Where a data set is fetched from: a DOI of figshare or Zenodo, or a name on Kaggle."""

    doi: str | None = None
    kaggle: str | None = None
    version: int | None = None  # of the data set on Kaggle; None for the newest
    files: tuple[RecordFile, ...] = ()  # none: every archive of the record


@dataclass(frozen=True)
class Dataset:
    """One entry of the catalogue."""

    key: str
    title: str
    modality: str
    layout: Literal["class-folders", "medmnist-npz", "matlab-v73", "phantom"]
    groups: Literal["near-duplicates", "given"]
    classes: tuple[ClassEntry, ...]
    folders: tuple[SourceFolder, ...] = ()
    licence: str = "MIT (drawn by this suite)"
    source: str = "drawn by this suite"
    citation: str = ""
    groups_note: str = ""
    download: Download | None = None
    derived_from: tuple[str, ...] = ()

    @property
    def phantom(self) -> bool:
        """Whether the images are drawn by the suite."""
        return self.layout == "phantom"

    @property
    def official_test(self) -> bool:
        """Whether the source has a test part of its own."""
        return self.layout == "medmnist-npz" or any(f.official_split == "test" for f in self.folders)

    def record_files(self, image_size: int) -> tuple[RecordFile, ...]:
        """Return the files that images of `image_size` pixels a side are made from.

        Of several sizes that is the smallest that need not be enlarged, or the largest there is.
        """
        files = self.download.files if self.download else ()
        sized = sorted((file.pixels, file) for file in files if file.pixels is not None)
        if not sized:
            return files
        large_enough = [file for pixels, file in sized if pixels >= image_size]
        return (large_enough[0] if large_enough else sized[-1][1],)


@cache
def load_catalogue(own: Path | None = None) -> dict[str, Dataset]:
    """Return all data sets by key: the package's, then those of a file of the user's own, each in its file's order.

    Raises:
        UserError: a file is no YAML, an entry is not as the schema asks, or a key stands in both; the message
            names the entry and the key.
    """
    entries = _checked(CATALOGUE_FILE, {})
    if own is not None:
        entries = entries | _checked(own, entries)
    return {key: _dataset(key, entry) for key, entry in entries.items()}


def find_dataset(key: str, own: Path | None = None) -> Dataset:
    """Return the data set with this key, from the package's catalogue or the user's own.

    Raises:
        UserError: there is none; the message lists the known ones.
    """
    catalogue = load_catalogue(own)
    if key not in catalogue:
        close = difflib.get_close_matches(key, catalogue, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise UserError(f"no data set {key!r}{hint} Known data sets: {', '.join(catalogue)}")
    return catalogue[key]


def _checked(file: Path, known: dict[str, Any]) -> dict[str, Any]:
    entries = _read(file)
    schema = yaml.safe_load(SCHEMA_FILE.read_text(encoding="utf-8"))
    found = jsonschema.Draft202012Validator(schema).iter_errors(entries)
    problems = [_told(problem) for problem in sorted(found, key=lambda p: [str(part) for part in p.path])]
    problems = problems or list(_contradictions(entries, known))
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise UserError(f"{file}: not a valid catalogue{lines}")
    return dict(entries)


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error: a copied entry must not replace its original."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key_node.value!r} stands twice", key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def _read(file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UserError(f"{file}: cannot be read ({problem}); name a catalogue file") from problem
    loader = _UniqueKeyLoader(text)
    try:
        return loader.get_single_data()
    except yaml.YAMLError as problem:
        raise UserError(f"{file}: not valid YAML: {problem}") from problem
    finally:
        loader.dispose()


def _told(problem: jsonschema.ValidationError) -> str:
    place = ".".join(str(part) for part in problem.path) or "top level"
    hint = "; write yes and no in quotes" if isinstance(problem.instance, bool) else ""
    return f"{place}: {problem.message}{hint}"


def _contradictions(entries: dict[str, Any], known: dict[str, Any]) -> Iterator[str]:
    """Yield what a schema cannot say: keys that stand twice or point to nothing."""
    for key, entry in entries.items():
        if key in known:
            yield f"{key}: the package's catalogue has a data set of this key; choose another"
        for field in ("key", "folder", "label"):
            values = [item[field] for item in entry["classes"] if field in item]
            for value in dict.fromkeys(value for value in values if values.count(value) > 1):
                yield f"{key}.classes: {field} {value!r} stands twice"
        for other in entry.get("derived_from", ()):
            if other not in entries and other not in known:
                yield f"{key}.derived_from: no data set {other!r} in the catalogue"


def _dataset(key: str, entry: dict[str, Any]) -> Dataset:
    parts: dict[str, Any] = {
        **entry,
        "classes": tuple(_class_entry(item) for item in entry["classes"]),
        "folders": tuple(SourceFolder(**item) for item in entry.get("folders", ())),
        "derived_from": tuple(entry.get("derived_from", ())),
        "download": _download(entry.get("download")),
    }
    return Dataset(key=key, **parts)


def _class_entry(item: dict[str, Any]) -> ClassEntry:
    return ClassEntry(**{**item, "unverified": tuple(item.get("unverified", ()))})


def _download(item: dict[str, Any] | None) -> Download | None:
    if item is None:
        return None
    return Download(**{**item, "files": tuple(RecordFile(**file) for file in item.get("files", ()))})
