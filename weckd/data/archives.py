"""Zip and tar archives: their files, each checked before it is opened, and a folder of them, whole or not there."""

import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from weckd.data.layouts import is_clutter
from weckd.errors import UserError
from weckd.files import refuse_full_disk, whole_folder, writing

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
"""Ends of the names of archives that can be unpacked."""
_FOREIGN = {
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x28\xb5\x2f\xfd": "packed by zstd",
    b"\x04\x22\x4d\x18": "packed by lz4",
    b"MSCF": "a cabinet file",
}
"""First bytes of what cannot be unpacked here, and what it is."""
_FOREIGN_NAME = re.compile(r"(?i).*\.(rar|7z|zst|lz4|cab|gz|bz2|xz|lzma|z|zipx|[0-9]{3}|z[0-9]{2})")
_REPACK = "unpack it by hand, and pack it as a plain zip"
_INTACT = "replace it by an intact copy, or remove it to have it downloaded again"
_DISTRUST = "do not use it; replace it by the archive of the data set's own page"
_BY_HAND = "if it can be trusted, unpack it by hand and name the folder above with data_root"
_ENCRYPTED, _UTF8 = 0x1, 0x800  # bits of a zip member's flags
_END_OF_ZIP = b"PK\x05\x06"
_LONGEST_END = 22 + 0xFFFF  # bytes, with the longest comment
_BLOCK = 512  # bytes of a tar header
_CHUNK = 1 << 20
MAX_FILES = 200_000
MAX_BYTES = 50_000_000_000
MAX_RATIO = 200
"""Bytes that a byte of an archive may unfold to; images and MATLAB files stay below 20."""
HARMLESS_BYTES = 100_000_000
"""What an archive may unfold to whatever its own size: small archives of flat images shrink a great deal."""


@dataclass(frozen=True)
class Member:
    """A file in an archive."""

    path: PurePosixPath
    open: Callable[[], IO[bytes]]


def is_archive(name: str) -> bool:
    """Tell by its name whether a file is an archive that can be unpacked."""
    return name.lower().endswith(SUFFIXES)


def is_foreign(name: str) -> bool:
    """Tell by its name whether a file is packed in a way that cannot be unpacked here, or a part of an archive."""
    return not is_archive(name) and _FOREIGN_NAME.fullmatch(name) is not None


def members(archive: Path) -> Iterator[Member]:
    """Yield the files, but for what operating systems leave; the content decides whether it is a zip or a tar.

    Raises:
        UserError: the archive is none, damaged or encrypted, or a member is a link, a device or leads out of the
            folder that it is unpacked to.
    """
    with _reading(archive):
        yield from _zip_members(archive) if _is_zip(archive) else _tar_members(archive)


def unpack(archives: Sequence[Path], folder: Path) -> None:
    """Unpack archives side by side into `folder`, replacing what was there.

    Raises:
        UserError: an archive cannot be read or trusted, two of them hold the same file, or the disk is too small.
    """
    said = 0
    for archive in archives:
        said += _unpacked_size(archive)
        _refuse_too_large(archive, said)
    refuse_full_disk(folder, said)
    came = 0  # counted as they come, for headers may lie
    holder: dict[PurePosixPath, Path] = {}
    folders: set[PurePosixPath] = set()
    with whole_folder(folder) as temporary:
        for archive in archives:
            limit = came + max(archive.stat().st_size * MAX_RATIO, HARMLESS_BYTES)
            for member in members(archive):
                _refuse_clash(archive, member.path, holder, folders)
                holder[member.path] = archive
                folders.update(member.path.parents)
                if len(holder) > MAX_FILES:
                    raise UserError(f"{archive}: holds more than {MAX_FILES:,} files; {_BY_HAND}")
                came = _write(archive, member, temporary / member.path, came, limit)


def _unpacked_size(archive: Path) -> int:
    """Return the bytes that a zip says it unpacks to; of a tar, which says nothing, its own."""
    with _reading(archive):
        if not _is_zip(archive):
            return archive.stat().st_size
        with _opened_zip(archive) as opened:
            return sum(info.file_size for info in opened.infolist())


def _refuse_clash(
    archive: Path, path: PurePosixPath, holder: dict[PurePosixPath, Path], folders: set[PurePosixPath]
) -> None:
    """Refuse a file whose path another one has, in this archive or in the one that `holder` names."""
    if holder.get(path) == archive:
        raise UserError(f"{archive}: holds {path} twice; replace it by an intact copy")
    if path in holder:
        raise UserError(f"{holder[path]} and {archive}: both hold {path}; remove one of them")
    if path in folders or any(parent in holder for parent in path.parents):
        raise UserError(f"{archive}: {path} is a file and a folder; replace it by an intact copy")


def _write(archive: Path, member: Member, target: Path, came: int, limit: int) -> int:
    """Write a member, and return the bytes that came so far, which may be `limit`."""
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    with _reading(archive):
        source = member.open()
    with source, writing(target), _new(archive, target) as stream:
        while chunk := _read(archive, source):
            came += len(chunk)
            _refuse_too_large(archive, came)
            if came > limit:
                raise UserError(f"{archive}: unpacks to more than {MAX_RATIO} times its size; {_BY_HAND}")
            stream.write(chunk)
    return came


def _new(archive: Path, target: Path) -> IO[bytes]:
    try:
        return target.open("xb")
    except FileExistsError as problem:  # no member has the name of another
        raise UserError(
            f"{archive}: {target.name} and another file differ only in case, which this disk does not tell apart; "
            "choose a folder for downloads on another disk"
        ) from problem


def _read(archive: Path, source: IO[bytes]) -> bytes:
    with _reading(archive):
        return source.read(_CHUNK)


def _refuse_too_large(archive: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise UserError(f"{archive}: unpacks to more than {MAX_BYTES / 1e9:,.0f} GB; {_BY_HAND}")


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Turn what the readers of archives raise into errors that name the archive."""
    try:
        yield
    except NotImplementedError as problem:
        raise UserError(f"{archive}: packed by a method that is not supported; {_REPACK}") from problem
    except UnicodeDecodeError as problem:
        told = "says that the names of its files are UTF-8, and they are not"
        raise UserError(f"{archive}: {told}; {_REPACK}") from problem
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError) as problem:
        # gzip and bzip2 say by an OSError without a number that their data are damaged.
        number, why = getattr(problem, "errno", None), getattr(problem, "strerror", None)
        what = f"damaged or cut off ({problem})" if number is None else f"cannot be read ({why})"
        raise UserError(f"{archive}: {what}; {_INTACT}") from problem


def _is_zip(archive: Path) -> bool:
    with archive.open("rb") as stream:
        return stream.read(2) == b"PK"


def _opened_zip(archive: Path) -> zipfile.ZipFile:
    with archive.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LONGEST_END))
        end = stream.read()
    number = end[end.rfind(_END_OF_ZIP) :][4:6]
    if number not in (b"\0\0", b"\xff\xff") and _END_OF_ZIP in end:
        raise UserError(f"{archive}: the last of several parts; join them to one zip (`zip -s 0` does)")
    return zipfile.ZipFile(archive)


def _zip_members(archive: Path) -> Iterator[Member]:
    with _opened_zip(archive) as opened:
        for info in opened.infolist():
            name = _zip_name(info)
            path = _safe_path(archive, name)
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on a Unix system
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _not_plain(archive, name, stat.S_ISLNK(kind))
            if info.flag_bits & _ENCRYPTED:
                remedy = "unpack it by hand, and pack it without a password"
                raise UserError(f"{archive}: encrypted ({name}); {remedy}")
            if not name.endswith(("/", "\\")) and path is not None:
                yield Member(path, partial(opened.open, info))


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Return a member's name; many tools write UTF-8 and forget to say so, and it is read as DOS's code page."""
    if info.flag_bits & _UTF8:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode()
    except UnicodeError:
        return info.orig_filename


def _tar_members(archive: Path) -> Iterator[Member]:
    if not tarfile.is_tarfile(archive):
        raise _neither(archive)
    with tarfile.open(archive) as opened:
        for info in opened:
            path = _safe_path(archive, info.name)
            if not info.isfile() and not info.isdir():
                raise _not_plain(archive, info.name, info.issym() or info.islnk())
            if info.isfile() and path is not None:
                yield Member(path, partial(tarfile.ExFileObject, opened, info))
        # A damaged header in the middle, or a tar cut off between two files, ends the list without an error: only
        # a block of zeros is its end.
        if opened.fileobj is not None:
            opened.fileobj.seek(opened.offset)
            if opened.fileobj.read(_BLOCK) != bytes(_BLOCK):
                raise tarfile.ReadError("no end mark")
            while opened.fileobj.read(_CHUNK):  # gzip and others compare their checksum at the very end
                pass


def _neither(archive: Path) -> UserError:
    with archive.open("rb") as stream:
        begin = stream.read(64)
    if what := next((_FOREIGN[first] for first in _FOREIGN if begin.startswith(first)), ""):
        return UserError(f"{archive}: {what}, which cannot be unpacked here; {_REPACK}")
    if begin.lstrip()[:1] == b"<":
        told = "a web page, not an archive; download it again, logged in where the page asks"
        return UserError(f"{archive}: {told}")
    return UserError(f"{archive}: neither a zip nor a tar archive; {_INTACT}")


def _safe_path(archive: Path, name: str) -> PurePosixPath | None:
    """Return where a member belongs, whatever its tool puts between folders; None for clutter."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name or re.match(r"[A-Za-z]:", name):
        told = f"{name!r} would be written outside the folder of the data set"
        raise UserError(f"{archive}: {told}; {_DISTRUST}")
    return None if any(is_clutter(part) for part in path.parts) else path


def _not_plain(archive: Path, name: str, link: bool) -> UserError:
    if link:
        return UserError(f"{archive}: {name!r} is a link, and links are not followed; {_BY_HAND}")
    return UserError(f"{archive}: {name!r} is a device or a pipe, not a file; {_DISTRUST}")
