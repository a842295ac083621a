"""The catalogue of data sets: `catalogue.yaml`, as the dataclasses that declare what an entry may hold."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, TypeAlias

from weckd.analysis_plan import Modality
from weckd.config import LONGEST_NAME, NEUTRAL, SuiteKeys
from weckd.declared import NOT_EMPTY, UNIQUE, Bounds, Declared, Rule, checked, marked, near, pattern, plain
from weckd.errors import UserError
from weckd.yaml_files import read_yaml

CATALOGUE_FILE = Path(__file__).with_name("catalogue.yaml")
PACKAGED = Path(__file__).with_name("small")
"""Folder of small copies of real images, an archive each, made by docs/small_copies.py."""
TO_FILL_IN = "FILL IN"
"""What `weckd datasets --describe` writes where it knows nothing."""
RESERVED = ("weights", "macro", "largest")
"""Keys of no data set: the folder of pretrained weights, and what tables call means and the largest gain."""

_PATIENTS = (
    "no patients are named, neither by `patients` nor by a column of a table",
    "its patients are named",
)
_KEY = rf"[a-z0-9][a-z0-9_]{{0,{LONGEST_NAME - 1}}}"
_KEY_WORDS = f"at most {LONGEST_NAME} lower-case letters, digits and _"
_Count: TypeAlias = Annotated[int, Bounds(ge=1)] | None
_ClassKey: TypeAlias = Annotated[str, pattern(_KEY, _KEY_WORDS)]
_Key: TypeAlias = Annotated[
    str, pattern(rf"(?!({'|'.join(RESERVED)})\Z){_KEY}", f"{_KEY_WORDS}, and not weights, macro or largest")
]
_Label: TypeAlias = Annotated[
    Any,
    Rule(
        lambda label: label is None or (type(label) is int and label >= 0) or (type(label) is str and label),
        "a whole number from 0, or text, or null",
    ),
]
_Doi: TypeAlias = Annotated[str, pattern(r"10\.[0-9]+/\S+", "a DOI, as 10.5281/zenodo.4558155")]
_OnKaggle: TypeAlias = Annotated[
    str, pattern("[a-z0-9-]+/[a-z0-9-]+", "owner/name on Kaggle, in lower-case letters, digits and -")
]
_BELOW = Rule(
    lambda path: not {"/", ".."} & set(PurePosixPath(path).parts), "a path below the data set's folder"
)
_FILLED_IN = Rule(lambda text: TO_FILL_IN not in text, f"text other than {TO_FILL_IN}")
_Told: TypeAlias = Annotated[str, _FILLED_IN]
_Title: TypeAlias = Annotated[str, NOT_EMPTY, _FILLED_IN]
_Name: TypeAlias = Annotated[str, pattern(r"(?!\.\.?\Z)[^/\0]+", "the name of a file or folder, without /")]
_File: TypeAlias = Annotated[str, NOT_EMPTY, _BELOW, _FILLED_IN]
_Column: TypeAlias = Annotated[str, NOT_EMPTY, _FILLED_IN]
_Frame: TypeAlias = Annotated[str, pattern("[0-9]{1,9}|middle", "a number from 0, or middle")]


def _names_patient(regex: str) -> bool:
    try:
        return "patient" in re.compile(regex).groupindex
    except re.error:
        return False


@dataclass(frozen=True)
class ClassEntry(Declared):
    """A class: its key in all files, where it is in the source, and the number of images where it is known."""

    key: _ClassKey
    """what the class is called in all files"""
    title: _Title
    """what it is called in tables and figures"""
    folder: _Name | None = None
    """of class folders, as the source spells it"""
    label: _Label = None
    """what the class is called in a table (text or a number), or in the files of other layouts (a number)"""
    count: _Count = None
    """images to be found; leave it out where it is not known, and leave out a class without images"""
    unverified: Annotated[tuple[Literal["folder", "count"], ...], UNIQUE] = ()
    """what was not checked at the source, and only warns"""


@dataclass(frozen=True)
class SourceFolder(Declared):
    """Where class folders lie below the data set's folder, and the official split that they are."""

    path: Annotated[str, _BELOW]
    official_split: Literal["train", "validation", "test", ""]


@dataclass(frozen=True)
class LabelTable(Declared):
    """A table with a row an image, and the names of its columns."""

    file: _File
    """the table, CSV, TSV or Parquet, below the data set's folder"""
    image: _Column
    """column of the images' paths, with or without the ends of the files' names"""
    label: _Column
    """column of labels, text or numbers"""
    patient: _Column | None = None
    """column of patients"""
    split: _Column | None = None
    """column of the official split: train, validation, test or nothing"""
    fold: _Column | None = None
    """column of the source's own folds, which the audit looks at"""
    folder: Annotated[str, _BELOW] = "."
    """where the paths begin, below the data set's folder"""


@dataclass(frozen=True)
class Patients(Declared):
    """Where the patient of each image is told, if not by the table of labels or by the images' files."""

    file: _File | None = None
    """a table with a row an image, below the data set's folder"""
    image: _Column = "image"
    """its column of paths, as those of table.image"""
    patient: _Column = "patient"
    """its column of patients"""
    pattern: (
        Annotated[str, Rule(_names_patient, "a regular expression with a group (?P<patient>..)")] | None
    ) = None
    """in place of a table; searched in the image's path, and where that has none in its file's name"""


@dataclass(frozen=True)
class RecordFile(Declared):
    """A file of a repository's record, or a pattern of names."""

    name: _Name
    md5: Annotated[str, pattern("[0-9a-f]{32}", "32 digits 0 to f, in quotes")] | None = None
    pixels: _Count = None
    """side of its images, where a record holds several sizes; the smallest that suffices is used"""


@dataclass(frozen=True)
class Download(Declared):
    """Where a data set is fetched from: a DOI of figshare or Zenodo, or a name on Kaggle."""

    doi: _Doi | None = None
    """of a figshare or Zenodo record"""
    kaggle: _OnKaggle | None = None
    version: _Count = None
    """of the data set on Kaggle; without it the newest"""
    files: tuple[RecordFile, ...] = ()
    """files of the record, by name or pattern; without it every archive of the record"""


@dataclass(frozen=True)
class Dataset(Declared):
    """One entry of the catalogue."""

    key: _Key
    title: _Title
    """what the data set is called in tables and figures"""
    modality: Modality
    """by which results are averaged"""
    layout: Literal["class-folders", "csv", "medmnist-npz", "matlab-v73", "phantom"]
    """how its images lie in files"""
    groups: Literal["near-duplicates", "given", "suspected"]
    """clusters of near-duplicates, or given (patients are named), joined with such clusters; suspected: either, joined
    with suspected variants too"""
    classes: Annotated[
        tuple[ClassEntry, ...], Rule(lambda classes: len(classes) > 1, "of two or more classes")
    ]
    folders: tuple[SourceFolder, ...] = ()
    """where class folders lie below the data set's folder, and the official split that they are"""
    table: LabelTable | None = None
    """of the layout csv"""
    patients: Patients | None = None
    """of class folders, or of a table without a column of patients"""
    licence: Annotated[_Told, NEUTRAL] = "MIT (drawn by this suite)"
    """of the images; unknown where it is not known"""
    source: Annotated[_Told, NEUTRAL] = "drawn by this suite"
    """where a person reads about the images"""
    citation: Annotated[_Told, NEUTRAL] = ""
    """of the images, for the report"""
    frame: _Frame | None = None
    """of DICOM files of several frames, the one that is used"""
    groups_note: Annotated[_Told, NEUTRAL] = ""
    """what is known of patients or videos"""
    download: Annotated[Download | None, NEUTRAL] = None
    """where they are fetched from; without it they must lie in data_root/<key>"""
    derived_from: Annotated[tuple[str, ...], UNIQUE] = ()
    """data sets that these images were made from; where none of them is in the suite, the data set counts as
    independent"""

    @property
    def phantom(self) -> bool:
        """Whether the images are drawn by the suite."""
        return self.layout == "phantom"

    @property
    def packaged(self) -> bool:
        """Whether an archive of the images lies in the package."""
        return (PACKAGED / f"{self.key}.tar.xz").is_file()

    @property
    def official_test(self) -> bool:
        """Whether the source has a test part of its own."""
        split = self.layout == "medmnist-npz" or bool(self.table and self.table.split)
        return split or any(folder.official_split == "test" for folder in self.folders)

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
        UserError: a file is no YAML, an entry is not as it is declared, or a key is in both; the message names the
            entry and the key.
    """
    if own is None:
        return _read(CATALOGUE_FILE, {})
    return load_catalogue() | _read(own, load_catalogue())


def find_dataset(key: str, own: Path | None = None) -> Dataset:
    """Return the data set with this key, from the package's catalogue or the user's own.

    Raises:
        UserError: there is none; the message lists the known ones.
    """
    catalogue = load_catalogue(own)
    if key not in catalogue:
        where = f"look into {own}" if own else "one of your own is read from a file: catalogue=FILE"
        raise UserError(
            f"no data set {key!r}{near(key, list(catalogue))} Known data sets: {', '.join(catalogue)}; {where}"
        )
    return catalogue[key]


def suite_datasets(suite: SuiteKeys) -> dict[str, Dataset]:
    """Return a suite's data sets by key.

    Raises:
        UserError: as `find_dataset`.
    """
    own = Path(suite.catalogue) if suite.catalogue else None
    return {key: find_dataset(key, own) for key in suite.datasets}


def own_entries(own: Path) -> dict[str, dict[str, Any]]:
    """Return what decides results of each entry of a file of the user's own, by key, as plain values.

    Raises:
        UserError: as `load_catalogue`.
    """
    neutral = marked(Dataset, NEUTRAL)
    return {
        key: {
            field: value
            for field, value in asdict(dataset).items()
            if field not in neutral and value is not None
        }
        for key, dataset in load_catalogue(own).items()
        if key not in load_catalogue()
    }


def _read(file: Path, known: Mapping[str, Dataset]) -> dict[str, Dataset]:
    what = f"{file}: not a valid catalogue"
    entries = plain(dict[str, Dataset], read_yaml(file, "name a catalogue file"))
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        told = "must hold the key of each data set, and below it its entry"
        raise UserError(f"{what}: {told}; see docs/data-sets.md")
    named = {key: {"key": key, **entry} for key, entry in entries.items()}
    found = checked(dict[str, Dataset], named, what)
    wrong = {key: _contradictions(key, frozenset(entries[key]), found, known) for key in found}
    if problems := [f"  {key}{problem}" for key in found for problem in wrong[key]]:
        raise UserError("\n".join([what, *problems]))
    return found


def _contradictions(
    key: str, written: frozenset[str], found: Mapping[str, Dataset], packaged: Mapping[str, Dataset]
) -> Iterator[str]:
    """Yield what no single key's declaration can say, each after the entry's key."""
    dataset, known = found[key], {**packaged, **found}
    if key in packaged:
        yield ": the package's catalogue has a data set of this key; choose another"
    if packaged and dataset.phantom:
        yield ".layout: a phantom can only be one of the package's own"
    if dataset.key != key:
        yield ".key: the key is what is above the entry; leave it out here"
    for field in ("key", "title", "folder", "label"):
        values = [str(value) for entry in dataset.classes if (value := getattr(entry, field)) is not None]
        yield from (f".classes: {field} {value!r} is given twice" for value in twice(values))
    paths = [str(Path(folder.path)) for folder in dataset.folders]
    yield from (f".folders: path {path!r} is given twice" for path in twice(paths))
    for other in dataset.derived_from:
        if other not in known:
            yield f".derived_from: no data set {other!r} in the catalogue"
        elif key in made_from(other, known):
            yield f".derived_from: {other} is itself derived from {key}"
    download, files = dataset.download, dataset.download.files if dataset.download else ()
    if download and (download.doi is None) == (download.kaggle is None):
        yield ".download: must hold one of doi and kaggle"
    if download and download.version and not download.kaggle:
        yield ".download.version: a DOI names a version by itself"
    pixels = [file.pixels for file in files]
    if any(pixels) and (None in pixels or twice(pixels)):
        yield ".download.files: pixels must be told of every file or of none, and none twice"
    patterns = any({"*", "?", "["} & set(file.name) for file in files)
    if dataset.layout == "medmnist-npz" and (patterns or not (len(files) == 1 or any(pixels))):
        yield ".download.files: must name the npz file, or one for each size with its pixels"
    if not dataset.phantom:
        yield from _contradicts_layout(dataset, written)


def _contradicts_layout(dataset: Dataset, written: frozenset[str]) -> Iterator[str]:
    layout = dataset.layout
    folders = layout == "class-folders"
    own = {"class-folders": ["folders"], "csv": ["table"]}.get(layout, [])
    for field in ("licence", "source", *own):
        if field not in written:
            yield f".{field}: is missing"
    if not folders and dataset.folders:
        yield f".folders: there are none in the layout {layout}"
    if layout != "csv" and dataset.table:
        yield f".table: has no place in the layout {layout}"
    yield from _contradicts_patients(dataset)
    has, lacks = ("folder", "label") if folders else ("label", "folder")
    for number, entry in enumerate(dataset.classes):
        if getattr(entry, has) is None:
            yield f".classes.{number}.{has}: is missing"
        if getattr(entry, lacks) is not None:
            yield f".classes.{number}.{lacks}: has no place in the layout {layout}"
        if not own and isinstance(entry.label, str):
            yield f".classes.{number}.label: must be a whole number in the layout {layout}"


def _contradicts_patients(dataset: Dataset) -> Iterator[str]:
    table, patients = dataset.table, dataset.patients
    if dataset.layout in ("class-folders", "csv"):
        named = bool(patients or (table and table.patient))
        if dataset.groups != "suspected" and named != (dataset.groups == "given"):
            yield f".groups: must be {'given' if named else 'near-duplicates'}: {_PATIENTS[named]}"
    elif patients:
        yield f".patients: has no place in the layout {dataset.layout}"
    if patients and (patients.file is None) == (patients.pattern is None):
        yield ".patients: must hold one of file and pattern"
    if patients and table and table.patient:
        yield ".patients: table.patient names them already; leave one out"


def made_from(key: str, known: Mapping[str, Dataset]) -> set[str]:
    """Return the data sets that one is derived from, and those that they are, and so on."""
    found: set[str] = set()
    ahead = {key}
    while ahead:
        ahead = {other for one in ahead & set(known) for other in known[one].derived_from} - found
        found |= ahead
    return found


def twice(values: Sequence[Any]) -> list[Any]:
    """Return the values that are there more than once."""
    return list(dict.fromkeys(value for value in values if values.count(value) > 1))
