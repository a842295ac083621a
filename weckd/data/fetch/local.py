"""What the user has of a data set, its folder or the archives that it came in, and whether it is what is meant."""

import hashlib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from weckd.data.archives import SUFFIXES, is_archive, is_foreign
from weckd.data.catalogue import RecordFile
from weckd.data.fetch.wanted import Found, Wanted, not_readable, not_recorded, refuse_no_root
from weckd.data.layouts import is_clutter, locate
from weckd.errors import UserError

_CHUNK = 1 << 20


def find_folder(wanted: Wanted) -> Found | None:
    """Return the user's own folder of the data set, where data_root/<key> holds its layout.

    Raises:
        UserError: two folders do, data_root is none, or a file in it is not the one that is meant.
    """
    refuse_no_root(wanted.data_root, wanted.downloads)
    if wanted.data_root is None:
        return None
    folder = locate(wanted.dataset, wanted.data_root / wanted.dataset.key, wanted.image_size)
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
    return check_archives(files, wanted.files, wanted.recorded)


def find_archives(wanted: Wanted) -> list[Path]:
    """Return archives that the user put into data_root, or else among the downloads.

    Raises:
        UserError: several archives could be meant, or only what cannot be unpacked here.
    """
    roots = [root for root in (wanted.data_root, wanted.downloads) if root is not None]
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


def check_archives(
    files: Sequence[Path], known: Sequence[RecordFile], recorded: Mapping[str, str]
) -> dict[str, Any]:
    """Return size and SHA-256 of each file by its name.

    Args:
        files: what is there.
        known: the record's files, or patterns of their names, some with an MD5.
        recorded: SHA-256 by name, from datasets.lock.

    Raises:
        UserError: a file is not the one of the catalogue or of datasets.lock, cannot be read, or one that
            datasets.lock records is not among them.
    """
    facts: dict[str, Any] = {}
    for file in files:
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        size = 0
        try:
            with file.open("rb") as stream:  # read once for both: archives have gigabytes
                while chunk := stream.read(_CHUNK):
                    size += len(chunk)
                    md5.update(chunk)
                    sha256.update(chunk)
        except OSError as problem:
            raise not_readable(file, problem) from problem
        found = md5.hexdigest()
        wanted = known_md5(file.name, known) or found
        if wanted != found:
            told = f"its MD5 is {found[:12]}…, the catalogue says {wanted[:12]}…"
            raise UserError(f"{file}: {told}; replace it by an intact copy")
        facts[file.name] = {"bytes": size, "sha256": sha256.hexdigest()}
    check_recorded(files[0].parent, facts, known, recorded)
    return facts


def check_recorded(
    folder: Path, facts: Mapping[str, Any], known: Sequence[RecordFile], recorded: Mapping[str, str]
) -> None:
    """Refuse archives that are not those of datasets.lock, or not all of them.

    Raises:
        UserError: a hash differs; or one of the record's files is missing.
    """
    for name, fact in facts.items():
        wanted = recorded.get(name, fact["sha256"]).lower()
        if fact["sha256"] != wanted:
            raise not_recorded(folder / name, fact["sha256"], wanted, "datasets.lock")
    for name in recorded:
        if name not in facts and one_of(name, known):
            raise UserError(
                f"{folder / name}: missing, datasets.lock records it; put it there, or remove its entry from "
                "datasets.lock if another version is meant"
            )


def known_md5(name: str, known: Sequence[RecordFile]) -> str | None:
    """Return the MD5 that the catalogue states for a file of this name."""
    return next((file.md5 for file in known if file.md5 and fnmatchcase(name, file.name)), None)


def one_of(name: str, known: Sequence[RecordFile]) -> bool:
    """Tell whether a file of this name is one of a record's."""
    return any(fnmatchcase(name, file.name) for file in known)
