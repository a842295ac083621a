"""What a prepared data set was read from, and whether it still is that.

`weckd prepare` leaves `seen.json` beside the images: every file of the places where the data set may lie, and those
that it wrote. The workflow compares it at every start and removes it where a content differs; as a declared output that
is missing it has the data set prepared again. What has the size and times that it had is not read.
"""

import itertools
import json
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from weckd.data.archives import SUFFIXES, is_archive
from weckd.data.catalogue import Dataset
from weckd.data.fetch.wanted import Wanted, own_root, refuse_no_root, refuse_not_there
from weckd.data.layouts import is_clutter
from weckd.data.prepared import PREPARED_FILES
from weckd.errors import counted
from weckd.files import file_digest, write_json, write_text

SEEN = "seen.json"
PARTS = OWN, DOWNLOADS, PREPARED = "own", "downloads", "prepared"
_WRITTEN_BY_FETCH = re.compile(r"source-[0-9]+px\.json|files\.json")
_TOLD_BYTES = 500_000_000
"""Bytes whose comparison takes seconds, so that a word is due."""

Stamp = tuple[int, int, int]
"""Size in bytes, and in ns when content and entry of a file changed last; no tool sets the second time back."""


@dataclass(frozen=True)
class Place:
    """Files and folders that a data set is, or may be, read from; not all need be there."""

    roots: tuple[str, ...]
    only: tuple[str, ...] = ()  # names of the files that count beside archives; none: all


@dataclass(frozen=True)
class Seen:
    """A place and what lay there: size, times and SHA-256 of each file, by its path from the folder of its root."""

    place: Place = Place(())
    files: Mapping[str, tuple[Stamp, str]] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Return where a file lies."""
        top = name.partition("/")[0]
        return next(root for root in map(Path, self.place.roots) if root.name == top).parent / name


def source_places(
    dataset: Dataset, image_size: int, data_root: Path | None, downloads: Path
) -> dict[str, Place]:
    """Return where a real data set may lie: the user's own (or package's) copies, and what was downloaded."""
    data_root = own_root(dataset, data_root)
    only: tuple[str, ...] = ()
    if dataset.layout == "medmnist-npz":  # a file a size
        only = tuple(file.name for file in dataset.record_files(image_size))
    folders = {DOWNLOADS: downloads}
    if data_root is not None and data_root.absolute() != downloads.absolute():
        folders[OWN] = data_root
    return {
        part: Place(tuple(str(folder / f"{dataset.key}{end}") for end in ("", *SUFFIXES)), only)
        for part, folder in folders.items()
    }


def stamps(place: Place) -> dict[str, Stamp]:
    """Return size and times of the files of a place; what operating systems leave does not count."""
    return {
        path: (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        for root in map(Path, place.roots)
        if os.access(root, os.F_OK)
        for path, status in _below(str(root), root.name, root.stat(), ())
        if not _WRITTEN_BY_FETCH.fullmatch(name := path.rpartition("/")[2])
        and (not place.only or name in place.only or is_archive(name))
    }


def hashed(place: Place, found: Mapping[str, Stamp], before: Seen | None, known: Mapping[Path, str]) -> Seen:
    """Return what lies in a place.

    Args:
        place: where the files lie.
        found: their sizes and times.
        before: what lay there; a file that has its size and times is not read.
        known: SHA-256 of files that need not be read either, by absolute path.
    """
    old = before.files if before else {}
    reading = [name for name, stamp in found.items() if name not in old or old[name][0] != stamp]
    if before and (size := sum(found[name][0] for name in reading)) > _TOLD_BYTES:
        print(
            f"{place.roots[0]}: {counted(len(reading), 'file')} with other times; comparing {size / 1e6:,.0f} MB",
            file=sys.stderr,
            flush=True,
        )
    paths = {name: Seen(place).path(name) for name in reading}
    new = {name: known.get(path.absolute()) or _content(path) for name, path in paths.items()}
    return Seen(place, {name: (found[name], new.get(name) or old[name][1]) for name in found})


def write_seen(prepared: Path, seen_parts: Mapping[str, Seen]) -> None:
    """Write `seen.json` into the folder of a prepared data set."""
    files = {
        part: {n: [*stamp, sha] for n, (stamp, sha) in seen.files.items()}
        for part, seen in seen_parts.items()
    }
    entries = {part: {**asdict(seen.place), "files": files[part]} for part, seen in seen_parts.items()}
    write_json(prepared / SEEN, entries)


def keep_seen(prepared: Path, kept: Path) -> None:
    """Copy `seen.json` to the file `kept`, where it is another: it goes with the images, and tables rest on it."""
    file = prepared / SEEN
    if file.is_file() and os.access(kept.parent if kept.parent.exists() else kept.parents[1], os.W_OK):
        text = file.read_text(encoding="utf-8")
        if not kept.is_file() or kept.read_text(encoding="utf-8") != text:
            write_text(kept, text)


def read_seen(file: Path) -> dict[str, Seen] | None:
    """Return what a data set was prepared from, by part; None where nothing, or nothing readable, tells of it."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        found = {}
        for part, entry in entries.items():
            files = {name: ((size, *times), sha) for name, (size, *times, sha) in entry["files"].items()}
            found[part] = Seen(Place(tuple(entry["roots"]), tuple(entry["only"])), files)
        return {part: found.get(part, Seen()) for part in PARTS}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def forget_changed(
    dataset: Dataset, image_size: int, data_root: Path | None, downloads: Path, prepared: Path, kept: Path
) -> list[str]:
    """Remove `seen.json` where what it tells of has changed, and what `fetch` wrote where the sources have, or moved.

    Args:
        dataset: entry of the catalogue.
        image_size: pixels a side.
        data_root: the user's own data sets.
        downloads: folder of downloads.
        prepared: folder of the prepared data set.
        kept: copy of `seen.json` (see `keep_seen`), which tells where the prepared files are gone.

    Returns:
        The files that have changed, `seen.json` where it does not tell; none where nothing was prepared yet.

    Raises:
        UserError: data_root is not there, or lacks the data set that nobody offers for download, and is not the folder
            that it was prepared from.
    """
    file, source = prepared / SEEN, downloads / dataset.key / f"source-{image_size}px.json"
    before = read_seen(file)
    lost = before is None and (prepared / "dataset.json").exists()
    if before is None:
        file.unlink(missing_ok=True)
        before = {} if lost else read_seen(kept) or {}
    else:
        keep_seen(prepared, kept)
    places = dict.fromkeys(PARTS, Place(())) | {PREPARED: prepared_place(prepared)}
    if not dataset.phantom:
        places |= source_places(dataset, image_size, data_root, downloads)
    old = {part: before.get(part, Seen()) for part in PARTS}
    found = {part: stamps(places[part]) for part in PARTS}
    if not dataset.phantom and places[OWN].roots != old[OWN].place.roots:
        refuse_no_root(data_root, downloads)
        if old[OWN].files and not found[OWN]:
            refuse_not_there(Wanted(dataset, image_size, data_root, downloads, {}))
    forget_moved(source, "folder", map(Path, places[OWN].roots + places[DOWNLOADS].roots))
    if not before:
        return [str(file)] if lost else []
    # Of deleted downloads, or a disk that is not there, what was prepared is used.
    kept_as_is = {part for part in PARTS if not found[part] and places[part].roots == old[part].place.roots}
    now = {
        part: old[part] if part in kept_as_is else hashed(places[part], found[part], old[part], {})
        for part in PARTS
    }
    changed = {part: _differences(old[part], now[part]) for part in PARTS}
    # What is missing there the workflow sees to by itself.
    changed[PREPARED] = list(filter(os.path.lexists, changed[PREPARED]))
    if changed[OWN] and not found[OWN]:
        changed[OWN] = [f"{old[OWN].place.roots[0]} (data_root is {data_root}, which holds no {dataset.key})"]
    elif old[OWN].files and not found[OWN]:
        print(f"{old[OWN].place.roots[0]}: not there; what was prepared of it is used", file=sys.stderr)
    gone = [file] if any(changed.values()) else []
    if any(changed[part] or now[part].place != old[part].place for part in (OWN, DOWNLOADS)):
        gone.append(source)
    for each in gone:
        if each.exists() and os.access(each.parent, os.W_OK):
            each.unlink()
    if not any(changed.values()) and now != old and file.exists() and os.access(prepared, os.W_OK):
        write_seen(prepared, now)
    return list(itertools.chain.from_iterable(changed.values()))


def forget_moved(file: Path, key: str, roots: Iterable[Path]) -> None:
    """Remove what `fetch` or `weights` wrote where the path that it names lies below no root, as in a copied folder.

    Args:
        file: JSON object; need not be there.
        key: of the absolute path in it.
        roots: files and folders where a data set, or weights, may lie.
    """
    try:
        path = Path(json.loads(file.read_text(encoding="utf-8"))[key])
    except (OSError, ValueError, KeyError, TypeError):
        return  # whoever reads it tells of it
    if not any(path.is_relative_to(root.absolute()) for root in roots) and os.access(file.parent, os.W_OK):
        file.unlink()


def _differences(old: Seen, now: Seen) -> list[str]:
    """Return the files that came, went or have another content."""
    then, by_now = ({name: sha for name, (_, sha) in seen.files.items()} for seen in (old, now))
    different = (name for name in {**then, **by_now} if then.get(name) != by_now.get(name))
    return [str((now if name in by_now else old).path(name)) for name in different]


def prepared_place(prepared: Path) -> Place:
    """Return the files of a prepared data set."""
    return Place(tuple(str(prepared / name) for name in PREPARED_FILES))


def _below(
    path: str, name: str, status: os.stat_result, above: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files below a path, through links, as those who read them go, but in no circle."""
    if not stat.S_ISDIR(status.st_mode):
        yield name, status
        return
    own = (status.st_dev, status.st_ino)
    if own in above or not os.access(path, os.R_OK | os.X_OK):
        return
    with os.scandir(path) as entries:
        for entry in entries:
            # A link to nothing has no content; whoever prepares the data says so.
            if not is_clutter(entry.name) and (not entry.is_symlink() or os.access(entry.path, os.F_OK)):
                yield from _below(entry.path, f"{name}/{entry.name}", entry.stat(), (*above, own))


def _content(path: Path) -> str:
    """Return a file's SHA-256, or what keeps it from having one."""
    if not path.is_file():
        return "not a file"
    try:
        return file_digest(path)
    except OSError as problem:
        return str(problem.strerror)
