"""Class folders: one folder a class, below one folder an official split where there are any."""

import functools
import itertools
import os
import re
import unicodedata
from collections import Counter
from pathlib import Path

from weckd.data.catalogue import ClassEntry, Dataset
from weckd.data.decode import decode_image
from weckd.data.file_kinds import FOLDER, irregular
from weckd.data.layouts import Listing, Sample, Source, listed
from weckd.data.layouts.tables import patients_of, refuse_in_two_splits, tell_alike
from weckd.errors import UserError


def list_class_folders(dataset: Dataset, folder: Path, decoded_side: int) -> Listing:
    """Return the images class by class, folder by folder, in natural order of their names.

    Raises:
        UserError: a folder is missing, empty or unknown, or holds what is no file or has a name that cannot be kept; or
            an image has no patient where the entry names them, or a patient has images in two official splits.
    """
    _refuse_unknown_folders(dataset, folder)
    found: list[tuple[Path, str, str]] = []
    first: dict[Path, Path] = {}
    for entry, part in itertools.product(dataset.classes, dataset.folders):
        place = folder / part.path / str(entry.folder)
        found += [(file, part.official_split, entry.key) for file in _images(dataset, entry, place)]
        twin = first.setdefault(place.resolve(), place)
        if twin is not place:  # which would count each image twice, or in two classes
            remedy = "remove the link, and put its own images there"
            raise UserError(f"{place}: the same folder as {twin}; {remedy}")
    ids = [file.relative_to(folder).as_posix() for file, _, _ in found]
    patients = patients_of(dataset, folder, ids)
    tell_alike(dataset.key, patients)
    remedy = 'correct the patients, or set official_split: "" of the folders to split by patients alone'
    refuse_in_two_splits(f"{folder}", patients, (split for _, split, _ in found), remedy)
    sources = (
        Source(image_id, split, key, functools.partial(read_image, dataset, decoded_side, file, key, patient))
        for image_id, (file, split, key), patient in zip(ids, found, patients, strict=True)
    )
    return Listing(len(found), Counter(key for _, _, key in found), sources)


def class_folder_names(place: Path) -> list[str]:
    """Return the names of the folders in `place`, in natural order, but for what operating systems leave there.

    Raises:
        UserError: `place` cannot be read, or a name cannot be written down.
    """
    return [writable_name(path) for path in sorted(listed(place), key=natural) if irregular(path) == FOLDER]


def image_files(place: Path, class_key: str) -> list[Path]:
    """Return the files of a class folder in natural order of their names; their content is not looked at.

    Raises:
        UserError: there is none, or one is no file or has a name that cannot be written down.
    """
    files = sorted(listed(place), key=natural)
    if not files:
        raise UserError(f"{place}: holds no image; put those of class {class_key} there")
    for file in files:
        writable_name(file)
        if kind := irregular(file):
            told = f"the images of class {class_key} must lie directly in {place.name}"
            raise UserError(f"{file}: {kind}, not a file; {told if kind == FOLDER else 'remove it'}")
    return files


def writable_name(path: Path) -> str:
    """Return the name of a file or folder, which files of ours are to hold.

    Raises:
        UserError: it is not UTF-8, or holds a carriage return.
    """
    name = path.name
    if re.search("[\ud800-\udfff]", name):
        told, shown = "is not UTF-8", str(os.fsencode(name))[1:]
    elif "\r" in name:
        told, shown = "holds a carriage return", ascii(name)  # which no CSV file gives back
    else:
        return name
    raise UserError(f"{path.parent}: the name {shown} in it {told}; rename it")


def read_image(dataset: Dataset, decoded_side: int, file: Path, class_key: str, patient: str) -> Sample:
    """Return one image that is a file of its own.

    Raises:
        BadImageError: it cannot be read.
    """
    return Sample(decode_image(file, decoded_side, dataset.frame), class_key, patient)


def _images(dataset: Dataset, entry: ClassEntry, place: Path) -> list[Path]:
    if not place.is_dir():
        found = ", ".join(class_folder_names(place.parent)) or "no folder"
        spelling = " (its spelling was not checked at the source)" if "folder" in entry.unverified else ""
        raise UserError(
            f"{place}: no such folder; class {entry.key} of {dataset.key} belongs there{spelling}. "
            f"{place.parent.name or place.parent} holds {found}"
        )
    return image_files(place, entry.key)


def _refuse_unknown_folders(dataset: Dataset, root: Path) -> None:
    """Refuse folders that the catalogue does not name: a class or a part of the data would be left out unseen."""
    tops = {Path(folder.path).parts[0] for folder in dataset.folders if Path(folder.path).parts}
    class_folders = {str(entry.folder) for entry in dataset.classes}
    known = {root: tops} | {root / folder.path: class_folders for folder in dataset.folders}
    if dataset.patients and dataset.patients.file:
        known[root] = known[root].union(Path(dataset.patients.file).parts[:-1][:1])
    for place, names in known.items():
        if not place.is_dir():
            raise UserError(f"{place}: no such folder; {dataset.key} keeps class folders there")
        for name in class_folder_names(place):
            if name not in names:
                twin = next((known for known in names if _seen(known) == _seen(name)), None)
                told = f" ({name!a} is not {twin!a}: rename it)" if twin else ""
                raise UserError(
                    f"{place / name}: not a folder of {dataset.key}, which has {', '.join(sorted(names))}{told}; "
                    "remove it, or add it to the catalogue"
                )


def _seen(name: str) -> str:
    """Return what a person sees of a name: no space at its ends, no way to write an accent."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a sort key that puts o2.jpg before o10.jpg; the name itself tells o2 from o02."""
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name)
    return [(int(part), "") if part[0] in "0123456789" else (-1, part) for part in parts], path.name
