"""Archives to one folder that is whole or not there."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from weckd.data.fetch.disk import writing
from weckd.data.fetch.members import Member, members, reading, unpacked_size
from weckd.errors import UserError
from weckd.files import refuse_full_disk

MAX_FILES = 200_000
MAX_BYTES = 50_000_000_000
MAX_RATIO = 200
"""Bytes that a byte of an archive may unfold to; images and MATLAB files stay below 20."""
HARMLESS_BYTES = 100_000_000
"""What an archive may unfold to whatever its own size: small archives of flat images shrink a great deal."""
_TEMPORARY = ".unpacking-"
_CHUNK = 1 << 20
_BY_HAND = "if it can be trusted, unpack it by hand and name the folder above with data_root"


def unpack(archives: Sequence[Path], folder: Path) -> None:
    """Unpack archives side by side into `folder`, replacing what was there.

    Raises:
        UserError: an archive cannot be read or trusted, two of them hold the same file, or the disk is too small.
    """
    for stale in folder.parent.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(stale)
    needed = 0
    for archive in archives:
        needed += unpacked_size(archive)
        _refuse_too_large(archive, needed)
    refuse_full_disk(folder, needed)
    with writing(folder):
        temporary = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=folder.parent))
    try:
        unpacking = _Unpacking(temporary)
        for archive in archives:
            unpacking.add(archive)
        with writing(folder):
            temporary.chmod(0o755)
            if folder.exists():
                shutil.rmtree(folder)
            temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Unpacking:
    """What was unpacked so far; sizes are counted as they come, for headers may lie."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._origins: dict[PurePosixPath, Path] = {}
        self._parents: set[PurePosixPath] = set()
        self._bytes = 0

    def add(self, archive: Path) -> None:
        own_bytes = max(archive.stat().st_size * MAX_RATIO, HARMLESS_BYTES)
        before = self._bytes
        for member in members(archive):
            self._claim(archive, member.path)
            self._write(archive, member, before + own_bytes)

    def _claim(self, archive: Path, path: PurePosixPath) -> None:
        if path in self._origins:
            if self._origins[path] == archive:
                raise UserError(f"{archive}: holds {path} twice; replace it by an intact copy")
            raise UserError(f"{self._origins[path]} and {archive}: both hold {path}; remove one of them")
        if path in self._parents or any(parent in self._origins for parent in path.parents):
            raise UserError(f"{archive}: {path} is a file and a folder; replace it by an intact copy")
        self._origins[path] = archive
        self._parents.update(path.parents)
        if len(self._origins) > MAX_FILES:
            raise UserError(f"{archive}: holds more than {MAX_FILES:,} files; {_BY_HAND}")

    def _write(self, archive: Path, member: Member, limit: int) -> None:
        target = self._folder / member.path
        with writing(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        with reading(archive):
            source = member.open()
        with source, writing(target), _new(archive, target) as stream:
            while chunk := _read(archive, source):
                self._bytes += len(chunk)
                _refuse_too_large(archive, self._bytes)
                if self._bytes > limit:
                    raise UserError(f"{archive}: unpacks to more than {MAX_RATIO} times its size; {_BY_HAND}")
                stream.write(chunk)


def _new(archive: Path, target: Path) -> IO[bytes]:
    try:
        return target.open("xb")
    except FileExistsError as problem:  # no name stands twice
        raise UserError(
            f"{archive}: {target.name} and another file differ only in case, which this disk does not tell apart; "
            "choose a folder for downloads on another disk"
        ) from problem


def _refuse_too_large(archive: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise UserError(f"{archive}: unpacks to more than {MAX_BYTES / 1e9:,.0f} GB; {_BY_HAND}")


def _read(archive: Path, source: IO[bytes]) -> bytes:
    with reading(archive):
        return source.read(_CHUNK)
