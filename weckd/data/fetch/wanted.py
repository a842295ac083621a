"""What is asked for, what the user has of it, and what can be done where it cannot be had by itself."""

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from weckd.data.archives import SUFFIXES, is_archive, is_foreign
from weckd.data.catalogue import PACKAGED, Dataset, RecordFile
from weckd.data.file_kinds import FOLDER, irregular
from weckd.data.layouts import is_clutter, locate
from weckd.errors import UserError
from weckd.files import file_digest

_BY_OPTION = "--config data_root=FOLDER of snakemake (--data-root FOLDER of `weckd fetch`)"


@dataclass(frozen=True)
class Wanted:
    """A data set, the places where it may lie, and the hashes that its archives must have."""

    dataset: Dataset
    image_size: int
    data_root: Path | None
    downloads: Path
    recorded: Mapping[str, str]

    @property
    def own(self) -> Path:
        """Return the folder of this data set among the downloads."""
        return self.downloads / self.dataset.key

    @property
    def downloaded(self) -> Path:
        """Return the folder that archives are downloaded to: one for each version that the catalogue pins."""
        version = self.dataset.download and self.dataset.download.version
        return self.own / "archives" / (f"version-{version}" if version else "")

    @property
    def unpacked(self) -> Path:
        """Return the folder that archives are unpacked to."""
        return self.own / "files"

    @property
    def marker(self) -> Path:
        """Return the file that tells what was unpacked; without it, nothing there is whole."""
        return self.own / "files.json"

    @property
    def files(self) -> tuple[RecordFile, ...]:
        """Return the files, or patterns of them, that the catalogue names for this image size."""
        return self.dataset.record_files(self.image_size)


@dataclass(frozen=True)
class Found:
    """Where a data set lies, where it came from, and size and SHA-256 of its archives by name."""

    folder: Path
    origin: str
    archives: dict[str, Any]


def say(key: str, text: str) -> None:
    """Tell on stderr how a data set's fetching goes."""
    print(f"[{key}] {text}", file=sys.stderr, flush=True)


def origin(dataset: Dataset) -> str:
    """Return where the catalogue says that a data set is downloaded from; "" where it names nothing."""
    download = dataset.download
    if download is None:
        return ""
    version = f"/versions/{download.version}" if download.version else ""
    return f"doi:{download.doi}" if download.doi else f"kaggle:{download.kaggle}{version}"


def expected(dataset: Dataset) -> str:
    """Return what a folder of the data set holds."""
    if dataset.table:
        return f"its table {dataset.table.file}"
    class_folders = f"its class folders ({', '.join(str(entry.folder) for entry in dataset.classes)})"
    return {"medmnist-npz": "its npz file", "matlab-v73": "its .mat files"}.get(dataset.layout, class_folders)


def not_there(wanted: Wanted) -> UserError:
    """Return the error of a data set that nobody offers for download and that is not in data_root."""
    dataset = wanted.dataset
    if wanted.data_root is None:
        return UserError(
            f"{dataset.key}: needs its images in a local folder; name the folder that holds {dataset.key}/ "
            f"with {_BY_OPTION}"
        )
    folder = wanted.data_root / dataset.key
    put = f"put {dataset.title} there ({dataset.source})"
    if not folder.is_dir():
        return UserError(f"data_root: {folder}: no such folder; {put} or correct data_root")
    taken = ", or remove the folder: the package holds a copy" if dataset.packaged else ""
    return UserError(f"data_root: {folder}: holds neither {expected(dataset)} nor an archive; {put}{taken}")


def has_unpacked(wanted: Wanted) -> bool:
    """Tell whether archives were unpacked before; without the marker, nothing there is whole."""
    return wanted.marker.exists() and wanted.unpacked.is_dir()


def refuse_not_there(wanted: Wanted) -> None:
    """Refuse, by `not_there`, what nobody offers for download and what was not unpacked before."""
    if wanted.dataset.download is None and not has_unpacked(wanted):
        raise not_there(wanted)


def not_downloaded(wanted: Wanted, reason: str, remedy: str) -> UserError:
    """Return the error of a failed download: what failed, why, and every way to go on."""
    dataset, place = wanted.dataset, (wanted.data_root or wanted.downloads) / wanted.dataset.key
    version = dataset.download and dataset.download.version
    if files := " and ".join(file.name for file in wanted.files):
        what, put = files, f"put it into {place}/"
    elif origin(dataset).startswith("kaggle:"):
        what, put = f"its archive{f' (version {version})' if version else ''}", f"save it as {place}.zip"
    else:
        what, put = "its archives", f"put them into {place}/"
    own = f", or name the folder that holds {dataset.key}/ with {_BY_OPTION}"
    return UserError(
        f"{dataset.key}: {dataset.title} cannot be downloaded from {origin(dataset)} ({reason}); {remedy}, or download "
        f"{what} from {dataset.source} by hand and {put}{own if wanted.data_root is None else ''}"
    )


def not_recorded(file: Path, found: str, recorded: str, lock: str) -> UserError:
    """Return the error of a file whose SHA-256 is another than its lock file records."""
    remedy = f"replace it by the file that is recorded, or remove its entry from {lock} if another version is meant"
    if file.parent == PACKAGED:
        remedy = "install the package again, or take the file from its repository again"
    return UserError(f"{file}: its SHA-256 is {found[:12]}…, {lock} records {recorded[:12]}…; {remedy}")


def not_readable(file: Path, problem: OSError) -> UserError:
    """Return the error of a file that cannot be read."""
    return UserError(
        f"{file}: cannot be read ({problem.strerror}); give yourself the right to read it, or replace it"
    )


def refuse_no_root(data_root: Path | None, downloads: Path) -> None:
    """Refuse a folder of the user's own copies that is none: what is in it must not be downloaded in silence.

    Raises:
        UserError: it is not there, or a file.
    """
    if data_root not in (None, downloads) and irregular(data_root) != FOLDER:
        shell = " (~ and $ are signs of a shell, which it does not replace here)"
        signs = shell if {"~", "$"} & set(str(data_root)) else ""
        raise UserError(
            f"data_root: {data_root}: no such folder{signs}; correct it, or leave it out to download what can be"
        )


def own_root(dataset: Dataset, data_root: Path | None) -> Path | None:
    """Return the folder of the user's own copies, or the package's where only that holds the data set."""
    places = [data_root / f"{dataset.key}{end}" for end in ("", *SUFFIXES)] if data_root else []
    lacks = data_root is None or irregular(data_root) == FOLDER  # what is no folder will be refused
    held = any(os.access(place, os.F_OK) for place in places)
    return PACKAGED if dataset.packaged and lacks and not held else data_root


def find_folder(wanted: Wanted) -> Found | None:
    """Return the user's own folder of the data set, where data_root/<key> holds its layout.

    Raises:
        UserError: two folders do, data_root is none, or a file in it is not the one that is meant.
    """
    refuse_no_root(wanted.data_root, wanted.downloads)
    own = wanted.data_root and wanted.data_root / wanted.dataset.key
    folder = locate(wanted.dataset, own, wanted.image_size) if own else None
    if folder is None:
        return None
    # data_root may be the folder of downloads too: what is, holds or lies in a download is not the user's own.
    for place in (wanted.unpacked, wanted.downloaded):
        if place.exists() and (place.is_relative_to(folder) or folder.is_relative_to(place)):
            return None
    return Found(folder, "local folder", check_files_in_place(wanted, folder))


def check_files_in_place(wanted: Wanted, folder: Path) -> dict[str, Any]:
    """Return size and hash of a record's files that are read as they are, without unpacking.

    Raises:
        UserError: one of them is not the one that is meant.
    """
    if wanted.dataset.layout != "medmnist-npz":
        return {}
    files = [folder / file.name for file in wanted.files if (folder / file.name).is_file()]
    return check_archives(wanted, files)


def find_archives(wanted: Wanted) -> list[Path]:
    """Return archives that the user put into data_root, or else among the downloads.

    Raises:
        UserError: several archives could be meant, or only what cannot be unpacked here.
    """
    roots = filter(None, (wanted.data_root, wanted.downloads))
    return next(filter(None, (_archives_in(wanted, root) for root in roots)), [])


def _archives_in(wanted: Wanted, root: Path) -> list[Path]:
    """Return the archives in root/<key>/, or else root/<key>.zip and the like."""
    key = wanted.dataset.key
    folder = root / key
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    named = [path for path in files if one_of(path.name, wanted.files)]
    inside = named or [path for path in files if is_archive(path.name) and not is_clutter(path.name)]
    if inside:
        return inside
    beside = [path for suffix in SUFFIXES if (path := root / f"{key}{suffix}").is_file()]
    if len(beside) > 1:
        raise UserError(f"{beside[0]} and {beside[1]}: only one of them can be {key}; remove the other")
    if not beside:
        _refuse_foreign(wanted, root, files)
    return beside


def _refuse_foreign(wanted: Wanted, root: Path, files: list[Path]) -> None:
    """Refuse what cannot be unpacked, or bears another name, where an archive is looked for."""
    key = wanted.dataset.key
    beside = sorted(path for path in root.glob(f"{key}.*") if path.is_file())
    for path in beside:
        if path.name.lower() in (f"{key}{suffix}" for suffix in SUFFIXES):  # as Windows writes it
            raise UserError(f"{path}: is not looked for under this name; rename it to {path.name.lower()}")
    own = root == wanted.data_root
    where = f"into {root / key}/" if own else "and name the folder above with data_root"
    for path in (*files, *beside):
        if is_foreign(path.name):
            raise UserError(
                f"{path}: packed in a way that cannot be unpacked here; unpack it by hand {where}, or pack it as a "
                "plain zip"
            )


def check_archives(wanted: Wanted, files: Sequence[Path]) -> dict[str, Any]:
    """Return size and SHA-256 of each file by its name.

    Raises:
        UserError: a file is not the one of the catalogue or of datasets.lock, cannot be read, or one that
            datasets.lock records is not among them.
    """
    facts: dict[str, Any] = {}
    for file in files:
        stated = known_md5(file.name, wanted.files)
        try:
            found = md5(file).hex() if stated else None
            facts[file.name] = {"bytes": file.stat().st_size, "sha256": file_digest(file)}
        except OSError as problem:
            raise not_readable(file, problem) from problem
        if stated and found and stated != found:
            told = f"its MD5 is {found[:12]}…, the catalogue says {stated[:12]}…"
            raise UserError(f"{file}: {told}; replace it by an intact copy")
    check_recorded(wanted, files[0].parent, facts)
    return facts


def check_recorded(wanted: Wanted, folder: Path, facts: Mapping[str, Any]) -> None:
    """Refuse archives that are not those of datasets.lock, or not all of them.

    Raises:
        UserError: a hash differs; or one of the record's files is missing.
    """
    for name, fact in facts.items():
        recorded = wanted.recorded.get(name, fact["sha256"]).lower()
        if fact["sha256"] != recorded:
            raise not_recorded(folder / name, fact["sha256"], recorded, "datasets.lock")
    for name in wanted.recorded:
        if name not in facts and one_of(name, wanted.files):
            raise UserError(
                f"{folder / name}: missing, datasets.lock records it; put it there, or remove its entry from "
                "datasets.lock if another version is meant"
            )


def md5(file: Path) -> bytes:
    """Return a file's MD5, as repositories state it."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).digest()


def known_md5(name: str, known: Sequence[RecordFile]) -> str | None:
    """Return the MD5 that the catalogue states for a file of this name."""
    return next((file.md5 for file in known if file.md5 and fnmatchcase(name, file.name)), None)


def one_of(name: str, known: Sequence[RecordFile]) -> bool:
    """Tell whether a file of this name is one of a record's."""
    return any(fnmatchcase(name, file.name) for file in known)
