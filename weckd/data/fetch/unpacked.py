"""The unpacked copy of a data set's archives, and the file that tells which archives they were."""

import json
from pathlib import Path
from typing import Any

from weckd.data.fetch.advice import expected, not_there, origin
from weckd.data.fetch.checksums import check_archives, check_recorded
from weckd.data.fetch.disk import writing
from weckd.data.fetch.local import check_files_in_place
from weckd.data.fetch.members import is_archive
from weckd.data.fetch.unpack import unpack
from weckd.data.fetch.wanted import Found, Wanted, say
from weckd.data.layouts.locate import locate
from weckd.errors import UserError
from weckd.files import digest, write_json

_SHOWN = 5  # names in a message


def has_unpacked(wanted: Wanted) -> bool:
    """Tell whether archives were unpacked before; without the marker, nothing there is whole."""
    return _marker(wanted).exists() and wanted.unpacked.is_dir()


def refuse_not_there(wanted: Wanted) -> None:
    """Refuse what nobody offers for download and what was not unpacked before.

    Raises:
        UserError: see `not_there`.
    """
    if wanted.dataset.download is None and not has_unpacked(wanted):
        raise not_there(wanted)


def open_archives(wanted: Wanted, came_from: str, archives: list[Path]) -> Found:
    """Check archives and unpack them, unless these very ones are unpacked already.

    Raises:
        UserError: an archive is not the one that is meant, cannot be unpacked, or holds something else.
    """
    facts = check_archives(archives, wanted.files, wanted.recorded)
    if archives[0].suffix == ".npz":
        return Found(archives[0].parent, came_from, facts)
    if _read_marker(wanted)["archives"] != facts or _has_changed(wanted):
        say(wanted.dataset.key, f"unpacking {', '.join(facts)}")
        with writing(_marker(wanted)):
            _marker(wanted).unlink(missing_ok=True)
        unpack(archives, wanted.unpacked)
        _unpack_what_they_hold(wanted, ", ".join(facts))
    found = _in_layout(
        wanted, came_from, facts
    )  # else, once the archive is gone, nothing else would be looked for
    write_json(
        _marker(wanted), {"origin": came_from, "archives": facts, "files": _listing_digest(wanted.unpacked)}
    )
    return found


def unpacked_before(wanted: Wanted) -> Found | None:
    """Return what is unpacked, where it is whole, from the catalogue's source and of the archives in datasets.lock.

    Raises:
        UserError: it is not, and nothing else can be downloaded.
    """
    kept = _read_marker(wanted)
    if not has_unpacked(wanted) or kept["origin"] not in ("local archive", origin(wanted.dataset)):
        return None
    try:
        if _has_changed(wanted):
            raise UserError(
                f"{wanted.unpacked}: has changed since it was unpacked; put {', '.join(kept['archives'])} back where "
                "it was, or remove the folder"
            )
        check_recorded(wanted.own, kept["archives"], wanted.files, wanted.recorded)
    except UserError as problem:
        if wanted.dataset.download is None:
            raise
        say(wanted.dataset.key, f"what was unpacked before is not used: {problem}")
        return None
    return _in_layout(wanted, kept["origin"], kept["archives"])


def _unpack_what_they_hold(wanted: Wanted, names: str) -> None:
    """Unpack the archives that an archive holds, as repositories pack a whole record: one level, side by side.

    Raises:
        UserError: they cannot be unpacked, or not into one folder.
    """
    held = sorted(path for path in wanted.unpacked.rglob("*") if is_archive(path.name) and path.is_file())
    if not held or locate(wanted.dataset, wanted.unpacked, wanted.image_size) is not None:
        return
    say(wanted.dataset.key, f"unpacking {', '.join(path.name for path in held)}, which {names} holds")
    try:
        unpack(held, wanted.unpacked)
    except UserError as problem:
        root = wanted.data_root or wanted.downloads
        raise UserError(
            f"{names}: holds archives that cannot be unpacked side by side; unpack it by hand, and put what the data "
            f"set needs into {root / wanted.dataset.key}/ ({problem})"
        ) from problem


def _in_layout(wanted: Wanted, came_from: str, facts: dict[str, Any]) -> Found:
    folder = locate(wanted.dataset, wanted.unpacked, wanted.image_size)
    if folder is None:
        there = sorted(path.name for path in wanted.unpacked.iterdir())
        shown = f"{', '.join(there[:_SHOWN])}{', ..' if len(there) > _SHOWN else ''}" or "nothing"
        raise UserError(
            f"{wanted.unpacked}: unpacked from {', '.join(facts)}, holds {shown} and not {expected(wanted.dataset)}; "
            f"take the archive of {wanted.dataset.source}, or mend the entry in the catalogue"
        )
    return Found(folder, came_from, facts | check_files_in_place(wanted, folder))


def _has_changed(wanted: Wanted) -> bool:
    """Tell whether files were removed, added or cut since they were unpacked."""
    kept = _read_marker(wanted)["files"]
    return not wanted.unpacked.is_dir() or kept not in (None, _listing_digest(wanted.unpacked))


def _listing_digest(folder: Path) -> str:
    files = (path for path in folder.rglob("*") if path.is_file())
    return digest(sorted((str(path.relative_to(folder)), path.stat().st_size) for path in files))


def _read_marker(wanted: Wanted) -> dict[str, Any]:
    """Return what was unpacked; without names and origin where that is not known."""
    content: dict[str, Any] = {"origin": None, "archives": None, "files": None}
    try:
        return content | dict(json.loads(_marker(wanted).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # gone or damaged: what lies there is not known to be whole
        return content


def _marker(wanted: Wanted) -> Path:
    return wanted.own / "files.json"
