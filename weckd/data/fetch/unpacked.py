"""The unpacked copy of a data set's archives, and the file that tells which archives they were."""

import json
from pathlib import Path
from typing import Any

from weckd.data.fetch.advice import expected, origin
from weckd.data.fetch.checksums import check_archives, check_recorded
from weckd.data.fetch.local import check_files_in_place
from weckd.data.fetch.unpack import unpack
from weckd.data.fetch.wanted import Found, Wanted, say
from weckd.data.layouts.locate import locate
from weckd.errors import UserError
from weckd.files import write_json


def has_unpacked(wanted: Wanted) -> bool:
    """Tell whether archives were unpacked before; without the marker, nothing there is whole."""
    return _marker(wanted).exists() and wanted.unpacked.is_dir()


def open_archives(wanted: Wanted, came_from: str, archives: list[Path]) -> Found:
    """Check archives and unpack them, unless these very ones are unpacked already.

    Raises:
        UserError: an archive is not the one that is meant, cannot be unpacked, or holds something else.
    """
    facts = check_archives(archives, wanted.files, wanted.recorded)
    if archives[0].suffix == ".npz":
        return Found(archives[0].parent, came_from, facts)
    if not (has_unpacked(wanted) and _read_marker(wanted)["archives"] == facts):
        say(wanted.dataset.key, f"unpacking {', '.join(facts)}")
        _marker(wanted).unlink(missing_ok=True)
        unpack(archives, wanted.unpacked)
    write_json(_marker(wanted), {"origin": came_from, "archives": facts})
    return _in_layout(wanted, came_from, facts)


def unpacked_before(wanted: Wanted) -> Found | None:
    """Return what is unpacked, where it is from the catalogue's source and of the archives in datasets.lock.

    Raises:
        UserError: it is not, and nothing else can be downloaded.
    """
    if not has_unpacked(wanted):
        return None
    kept = _read_marker(wanted)
    if kept["origin"] not in ("local archive", origin(wanted.dataset)):
        return None
    try:
        check_recorded(wanted.own, kept["archives"], wanted.files, wanted.recorded)
    except UserError as problem:
        if wanted.dataset.download is None:
            raise
        say(wanted.dataset.key, f"what was unpacked before is not used: {problem}")
        return None
    return _in_layout(wanted, kept["origin"], kept["archives"])


def _in_layout(wanted: Wanted, came_from: str, facts: dict[str, Any]) -> Found:
    folder = locate(wanted.dataset, wanted.unpacked, wanted.image_size)
    if folder is None:
        raise UserError(
            f"{wanted.unpacked}: unpacked from {', '.join(facts)}, does not hold {expected(wanted.dataset)}; "
            f"take the archive of {wanted.dataset.source}, or mend the entry in the catalogue"
        )
    return Found(folder, came_from, facts | check_files_in_place(wanted, folder))


def _read_marker(wanted: Wanted) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_marker(wanted).read_text(encoding="utf-8"))
    return content


def _marker(wanted: Wanted) -> Path:
    return wanted.own / "files.json"
