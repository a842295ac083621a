"""Files that appear whole or not at all, and are read back as what was written.

Sums beside files, or within them, say what they hold; what differs is refused, or made again.
"""

import errno
import hashlib
import json
import lzma
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from weckd.errors import UserError, unreadable

REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space, or choose another disk"),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM), "give yourself the right to write there, or choose another folder"
    ),
    **dict.fromkeys(
        (errno.ENOTDIR, errno.EEXIST), "a file is in the way; remove it, or choose another folder"
    ),
    errno.EFBIG: "raise the limit of file sizes, or choose another disk",
    errno.EROFS: "choose a folder that can be written to",
    errno.EISDIR: "a folder is in the way; remove it, or choose another file",
    errno.ENAMETOOLONG: "shorten the name, or choose another folder",
}
"""What helps against errors of writing, by their number."""
FOLDER_SUMS = "sums.json"
"""Sums of the files of one job in a folder of its own."""
COMPRESSED = ".xz"
OWN_SUM = "sum"
"""Key, in a JSON object, of the digest of all else that it says."""
AGAIN = "the same snakemake command makes it again"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in a folder beside `path`; rename it to `path` on success, remove it on any failure.

    A folder, so that what a killed process leaves is none of the files that are looked for by their endings.

    Raises:
        UserError: the file cannot be written, as on a full disk or in a folder that belongs to somebody else.
    """
    with told_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as beside:
            temporary = Path(beside, f"whole{path.suffix}")
            temporary.touch()
            yield temporary
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)


def remove_left(folder: Path, name: str) -> None:
    """Remove what killed processes left of writing a file or a folder, whose name may be a pattern."""
    for left in folder.glob(f".{name}.*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; put it in the place of `path` on success, remove it on any failure.

    What is in that place stays until the new one is whole. What a killed process left of an earlier try is removed
    first, or put back where nothing is in that place: only one process may write a folder at a time.

    Raises:
        UserError: it cannot be written, as on a full disk or in a folder that belongs to somebody else.
    """
    with told_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        for before in path.parent.glob(f".{path.name}.*/before"):
            if not path.exists():
                before.replace(path)
        remove_left(path.parent, path.name)
        with tempfile.TemporaryDirectory(
            prefix=f".{path.name}.", dir=path.parent, ignore_cleanup_errors=True
        ) as beside:
            temporary = Path(beside, "whole")
            temporary.mkdir()
            yield temporary
            temporary.chmod(0o755)
            before = temporary.with_name("before")
            try:
                if path.exists():
                    path.replace(before)
                temporary.replace(path)
            finally:
                if before.exists() and not path.exists():
                    before.replace(path)


@contextmanager
def told_errors(path: Path) -> Iterator[None]:
    """Turn what keeps `path`, or the temporary one beside it, from being written into a message."""
    try:
        yield
    except OSError as problem:
        # Errors of writing name no file, or one on the way to this one; all others are somebody else's.
        name, place = problem.filename, path.absolute()
        file = place if name is None else Path(name).absolute()
        own = file in (place, *place.parents) or place.parent in file.parents
        if own and problem.errno in REMEDIES:
            raise UserError(
                f"{path}: cannot be written ({problem.strerror}); {REMEDIES[problem.errno]}"
            ) from problem
        raise


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn every numbered error of writing to `place` into a message, also that of a library.

    Raises:
        UserError: the disk is full, the folder belongs to somebody else, or a file is in its place.
    """
    try:
        yield
    except OSError as problem:
        if problem.errno is None:  # the network's errors are OSErrors too, without a number
            raise
        remedy = REMEDIES.get(problem.errno, "choose another folder")
        raise UserError(f"{place}: cannot be written ({problem.strerror}); {remedy}") from problem


def refuse_full_disk(folder: Path, needed: int) -> None:
    """Refuse to begin what the disk cannot hold.

    Args:
        folder: where it would be written; it need not exist yet.
        needed: bytes.

    Raises:
        UserError: fewer bytes are free.
    """
    place = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise UserError(
            f"{folder}: needs {needed / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free; {REMEDIES[errno.ENOSPC]}"
        )


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with sorted keys, so that equal values give equal bytes; compressed where it is a .xz."""
    content = (json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()
    with whole_file(path) as temporary:
        temporary.write_bytes(lzma.compress(content) if path.suffix == COMPRESSED else content)


def read_text(path: Path) -> str:
    """Return the UTF-8 text of a file, compressed or not; what keeps it from being read, `unreadable` tells."""
    content = path.read_bytes()
    return (lzma.decompress(content) if path.suffix == COMPRESSED else content).decode()


def digest(value: Any) -> str:
    """Return the SHA-256 hex digest of a JSON-serialisable value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sums_of(file: Path) -> Path:
    """Return where the sum of a file lies that shares its folder with those of other jobs."""
    return file.with_suffix(".sums.json")


def write_sums(sums: Path, files: Iterable[Path]) -> None:
    """Write the SHA-256 of files that lie in the folder of `sums`."""
    write_json(sums, {file.name: file_digest(file) for file in files})


def with_sum(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object as it will be read (keys are text, tuples lists) with its own sum; an older one is replaced."""
    rest = json.loads(json.dumps({key: value for key, value in content.items() if key != OWN_SUM}))
    return {**rest, OWN_SUM: digest(rest)}


def without_sum(text: str | bytes) -> dict[str, Any]:
    """Return the object that a JSON text holds, without the sum that it must have.

    Raises:
        ValueError, TypeError: it is no object, or has no sum, or another one.
    """
    content: dict[str, Any] = dict(json.loads(text))
    if content.pop(OWN_SUM, None) != digest(content):
        raise ValueError("edited, its sum is another one")
    return content


def edited(file: Path) -> bool:
    """Return whether a JSON file cannot be read, or is not what its own sum says, or has none."""
    try:
        without_sum(file.read_bytes())
    except (OSError, ValueError, TypeError, RecursionError):
        return True
    return False


def refuse_changed(file: Path, sums: Path, remedy: str = AGAIN) -> None:
    """Refuse a file that is not what was written.

    Raises:
        UserError: it cannot be read, or its sum is another one, or is not there.
    """
    with unreadable(file, f"{sums.name} beside it does not tell what it was", remedy, repr):
        recorded = str(json.loads(sums.read_text(encoding="utf-8"))[file.name])
    refuse_other(file, recorded, sums.name, remedy)


def refuse_other(file: Path, recorded: str, by: str, remedy: str) -> None:
    """Refuse a file whose SHA-256 is not the recorded one.

    Args:
        file: the file.
        recorded: its SHA-256.
        by: name of the file that records it.
        remedy: what to do.

    Raises:
        UserError: it cannot be read, or has another SHA-256.
    """
    try:
        found = file_digest(file)
    except OSError as problem:
        raise UserError(f"{file}: cannot be read ({problem.strerror}); {remedy}") from problem
    if found != recorded:
        raise UserError(
            f"{file}: edited or damaged, its SHA-256 is {found[:12]}…, {by} records {recorded[:12]}…; {remedy}"
        )


def difference(file: Path, sha256: str) -> str:
    """Return in a word how a file differs from one of this SHA-256, "" where it does not; reads regular files alone."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return "not a file"
        return "" if file_digest(file) == sha256 else "changed"
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as problem:
        return f"cannot be read ({problem.strerror})"


def refuse_unsound(sums: Path) -> None:
    """Refuse sums that do not hold.

    Raises:
        UserError: a file that they are of is missing, edited or damaged, or they cannot be read.
    """
    for file in _recorded(sums) or [sums]:
        refuse_changed(file, sums)


def unlike_sums(sums: Path) -> list[str]:
    """Return the files that are not what was written; a missing one is the workflow's own business."""
    recorded = _recorded(sums)
    unlike = [file for file, sha256 in recorded.items() if difference(file, sha256) not in ("", "missing")]
    return list(map(str, unlike if recorded else [sums]))


def _recorded(sums: Path) -> dict[Path, str]:
    """Return the recorded SHA-256 by file; nothing where the sums are no regular file, or do not tell."""
    try:
        text = sums.read_text(encoding="utf-8") if sums.is_file() else ""
        return {sums.with_name(name): str(sha256) for name, sha256 in json.loads(text).items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
