"""What the user has of a data set: its folder, or the archives that it came in."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from weckd.data.fetch.advice import refuse_no_root
from weckd.data.fetch.checksums import check_archives
from weckd.data.fetch.members import SUFFIXES, is_archive, is_foreign
from weckd.data.fetch.wanted import Found, Wanted
from weckd.data.layouts.locate import is_clutter, locate
from weckd.errors import UserError


def find_folder(wanted: Wanted) -> Found | None:
    """Return the user's own folder of the data set, where data_root/<key> holds its layout.

    Raises:
        UserError: two folders do, data_root is none, or a file in it is not the one that is meant.
    """
    refuse_no_root(wanted.data_root, wanted.downloads)
    if wanted.data_root is None:
        return None
    folder = locate(wanted.dataset, wanted.data_root / wanted.dataset.key, wanted.image_size)
    if folder is None or _written_by_fetch(wanted, folder):
        return None
    return Found(folder, "local folder", check_files_in_place(wanted, folder))


def _written_by_fetch(wanted: Wanted, folder: Path) -> bool:
    """Tell whether a folder is, holds or lies in a download: data_root may be the folder of downloads too."""
    places = (place for place in (wanted.unpacked, wanted.downloaded) if place.exists())
    return any(place.is_relative_to(folder) or folder.is_relative_to(place) for place in places)


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
    named = [path for path in files if any(fnmatchcase(path.name, file.name) for file in wanted.files)]
    inside = named or [path for path in files if is_archive(path.name) and not is_clutter(path.name)]
    if inside:
        return inside
    beside = [path for suffix in SUFFIXES if (path := root / f"{key}{suffix}").is_file()]
    if len(beside) > 1:
        raise UserError(f"{beside[0]} and {beside[1]}: only one of them can be {key}; remove the other")
    return beside or _refuse_foreign(wanted, root, files)


def _refuse_foreign(wanted: Wanted, root: Path, files: list[Path]) -> list[Path]:
    """Return nothing, unless what cannot be unpacked, or bears another name, lies where an archive is looked for."""
    key = wanted.dataset.key
    beside = sorted(path for path in root.glob(f"{key}.*") if path.is_file())
    for path in beside:
        if path.name.lower() in (f"{key}{suffix}" for suffix in SUFFIXES):  # as Windows writes it
            raise UserError(f"{path}: is not looked for under this name; rename it to {path.name.lower()}")
    for path in (*files, *beside):
        if is_foreign(path.name):
            where = (
                f"into {root / key}/"
                if root == wanted.data_root
                else "and name the folder above with data_root"
            )
            raise UserError(
                f"{path}: packed in a way that cannot be unpacked here; unpack it by hand {where}, or pack it as a "
                "plain zip"
            )
    return []
