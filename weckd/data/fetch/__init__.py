"""The images of a real data set on this machine: the user's own, or downloaded and unpacked."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from weckd.data.archives import is_archive, unpack
from weckd.data.catalogue import Dataset
from weckd.data.fetch.wanted import (
    Found,
    Wanted,
    check_archives,
    check_files_in_place,
    check_recorded,
    expected,
    find_archives,
    find_folder,
    has_unpacked,
    not_downloaded,
    not_there,
    origin,
    own_root,
    refuse_not_there,
    say,
)
from weckd.data.layouts import locate
from weckd.errors import UserError
from weckd.files import digest, write_json, writing
from weckd.locks import held_lock

_LOCAL = "local archive"
_SHOWN = 5  # names in a message


def fetch(
    dataset: Dataset,
    image_size: int,
    data_root: Path | None,
    downloads: Path,
    recorded: Mapping[str, str],
    out: Path,
) -> None:
    """Find, unpack or download the images of a real data set and write where they lie.

    The user's own folder comes first, then archives of the user, or of the package, then what was unpacked before, then
    a download.

    Args:
        dataset: entry of the catalogue.
        image_size: pixels a side, which chooses among files of several sizes.
        data_root: the user's own data sets, <key>/ or an archive each; never written to.
        downloads: folder to download to and to unpack in.
        recorded: SHA-256 of this data set's archives by name, from datasets.lock.
        out: JSON file to write: the data set's folder, its origin, size and hash of its archives, and where it was
            looked for.

    Raises:
        UserError: the data set is a phantom, its images are not there and cannot be downloaded, an archive is not the
            one that the catalogue or datasets.lock means or cannot be unpacked, or the disk is too small.
    """
    if dataset.phantom:
        raise UserError(f"{dataset.key}: phantoms are drawn, not fetched; name a data set of real images")
    own = own_root(dataset, data_root.absolute() if data_root else None)
    wanted = Wanted(dataset, image_size, own, downloads.absolute(), recorded)
    found = find_folder(wanted) or _from_archives(wanted)
    facts = {"folder": str(found.folder), "origin": found.origin, "archives": found.archives}
    looked_in = {"data_root": str(data_root) if data_root else None, "downloads": str(downloads)}
    write_json(out, {"dataset": dataset.key, **facts, "looked_in": looked_in})


def _from_archives(wanted: Wanted) -> Found:
    if not (archives := find_archives(wanted)):
        refuse_not_there(wanted)
    with ExitStack() as stack:
        with writing(wanted.own):
            stack.enter_context(held_lock(wanted.own / ".lock"))
        if archives:
            return _unpacked(wanted, _LOCAL, archives)
        return _unpacked_before(wanted) or _unpacked(wanted, origin(wanted.dataset), _downloaded(wanted))


def _downloaded(wanted: Wanted) -> list[Path]:
    # Imported here, for a second that users of local folders need not wait.
    from weckd.data.fetch.network import DownloadError  # noqa: PLC0415

    dataset = wanted.dataset
    if dataset.download is None:
        raise not_there(wanted)
    if wanted.data_root is not None and (wanted.data_root / dataset.key).exists():
        say(dataset.key, f"{wanted.data_root / dataset.key} holds neither {expected(dataset)} nor an archive")
    folder = wanted.downloaded
    try:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if dataset.download.doi:
                from weckd.data.fetch.repository import download_record  # noqa: PLC0415

                return download_record(dataset.key, dataset.download.doi, wanted.files, folder)
            from weckd.data.fetch.kaggle import download_archive  # noqa: PLC0415

            name, version = str(dataset.download.kaggle), dataset.download.version
            return [download_archive(dataset.key, name, version, folder / f"{dataset.key}.zip")]
    except DownloadError as problem:
        raise not_downloaded(wanted, problem.reason, problem.remedy) from problem


def _unpacked(wanted: Wanted, came_from: str, archives: list[Path]) -> Found:
    """Check archives and unpack them, unless these very ones are unpacked already."""
    facts = check_archives(wanted, archives)
    if archives[0].suffix == ".npz":
        return Found(archives[0].parent, came_from, facts)
    names = ", ".join(facts)
    if _marked(wanted)["archives"] != facts or _has_changed(wanted):
        say(wanted.dataset.key, f"unpacking {names}")
        with writing(wanted.marker):
            wanted.marker.unlink(missing_ok=True)
        unpack(archives, wanted.unpacked)
        _unpack_what_they_hold(wanted, names)
    # The marker last: else, once the archive is gone, nothing else would be looked for.
    found = _in_layout(wanted, came_from, facts)
    files = _listing_digest(wanted.unpacked)
    write_json(wanted.marker, {"origin": came_from, "archives": facts, "files": files})
    return found


def _unpacked_before(wanted: Wanted) -> Found | None:
    """Return what is unpacked, where it is whole, from the catalogue's source and of the archives in datasets.lock.

    Raises:
        UserError: it is not, and nothing else can be downloaded.
    """
    marked = _marked(wanted)
    if not has_unpacked(wanted) or marked["origin"] not in (_LOCAL, origin(wanted.dataset)):
        return None
    try:
        if _has_changed(wanted):
            raise UserError(
                f"{wanted.unpacked}: has changed since it was unpacked; put {', '.join(marked['archives'])} back where "
                "it was, or remove the folder"
            )
        check_recorded(wanted, wanted.own, marked["archives"])
    except UserError as problem:
        if wanted.dataset.download is None:
            raise
        say(wanted.dataset.key, f"what was unpacked before is not used: {problem}")
        return None
    return _in_layout(wanted, marked["origin"], marked["archives"])


def _unpack_what_they_hold(wanted: Wanted, names: str) -> None:
    """Unpack the archives that an archive holds, as repositories pack a whole record: one level, side by side."""
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
            f"take the archive of {wanted.dataset.source}, or correct the entry in the catalogue"
        )
    return Found(folder, came_from, facts | check_files_in_place(wanted, folder))


def _has_changed(wanted: Wanted) -> bool:
    """Tell whether files were removed, added or cut since they were unpacked."""
    kept = _marked(wanted)["files"]
    return not wanted.unpacked.is_dir() or kept not in (None, _listing_digest(wanted.unpacked))


def _listing_digest(folder: Path) -> str:
    files = (path for path in folder.rglob("*") if path.is_file())
    return digest(sorted((str(path.relative_to(folder)), path.stat().st_size) for path in files))


def _marked(wanted: Wanted) -> dict[str, Any]:
    """Return what was unpacked; without names and origin where that is not known."""
    content: dict[str, Any] = {"origin": None, "archives": None, "files": None}
    try:
        return content | dict(json.loads(wanted.marker.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # gone or damaged: what lies there is not known to be whole
        return content
