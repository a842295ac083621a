"""Files that appear whole or not at all, and digests of what they hold."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from weckd.errors import UserError

REMEDIES = {
    errno.ENOSPC: "free some space, or choose another disk",
    errno.EDQUOT: "free some space, or choose another disk",
    errno.EFBIG: "raise the limit of file sizes, or choose another disk",
    errno.EACCES: "give yourself the right to write there, or choose another folder",
    errno.EPERM: "give yourself the right to write there, or choose another folder",
    errno.EROFS: "choose a folder that can be written to",
    errno.ENOTDIR: "a file is in the way; remove it, or choose another folder",
    errno.EEXIST: "a file is in the way; remove it, or choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EISDIR: "a folder is in the way; remove it, or choose another file",
    errno.ENAMETOOLONG: "shorten the name, or choose another folder",
}
"""What helps against errors of writing, by their number."""


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

    What a killed process left of an earlier try is removed first: only one process may write a folder at a time.

    Raises:
        UserError: it cannot be written, as on a full disk or in a folder that belongs to somebody else.
    """
    temporary = None
    try:
        with told_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_left(path.parent, path.name)
            temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
            yield temporary
            temporary.chmod(0o755)
            if path.exists():
                shutil.rmtree(path)
            temporary.replace(path)
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


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
    """Write indented JSON with sorted keys, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_object(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        UserError: it cannot be read, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise UserError(f"{path}: cannot be read ({problem}); make it again") from problem
    if not isinstance(value, dict):
        raise UserError(f"{path}: holds no JSON object; make it again")
    return value


def digest(value: Any) -> str:
    """Return the SHA-256 hex digest of a JSON-serialisable value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
