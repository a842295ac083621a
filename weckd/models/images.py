"""Images that a person names for a network: found, and decoded and resized as those that it was trained on."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weckd.data.decode import decode_image, square
from weckd.data.file_kinds import FOLDER, irregular
from weckd.data.layouts import decoded_side, listed
from weckd.data.layouts.class_folders import natural
from weckd.data.layouts.tables import files_of_rows, first_lost, read_table
from weckd.data.side_by_side import side_by_side
from weckd.errors import BadImageError, UserError, counted

COLUMN = "image"
"""Of a table that lists images: their paths, from its folder on."""
_TABLES = (".csv", ".tsv", ".parquet")
_MORE_SUFFIXES = frozenset(
    (
        ".dcm",
        ".dicom",
        ".ima",
        ".nii",
        ".mha",
        ".nrrd",
        ".heic",
        ".heif",
        ".jxl",
        ".svg",
        ".dng",
        ".cr2",
        ".nef",
    )
)
"""Of images, beside those that Pillow knows; such as cannot be read are refused by name."""
_BEGINNINGS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"RIFF")
_DICOM = slice(128, 132)
_SHOWN = 5  # names in a message
SMALLEST = 8
"""Pixels of the shortest side of an image that is predicted."""
WHOLE = "replace it by the whole image"


@dataclass(frozen=True)
class Batch:
    """Images that were read, n of them, and those that were not."""

    files: tuple[Path, ...]  # (n,)
    images: NDArray[np.uint8]  # (n, S, S, 3)
    bad: tuple[BadImageError, ...]


def image_files(given: Sequence[Path]) -> list[Path]:
    """Return the files that images, folders and tables name, in their order, each once.

    Of a folder that is all files in it and below it, in natural order of their names, but for what operating systems
    leave there, and for files that have neither an image's suffix nor its first bytes, which are told; of a table those
    of its column `image`.

    Raises:
        UserError: there is none, a name is of nothing, or a table lacks the column or a file.
    """
    files = [file for path in given for file in _named(path)]
    if not files:
        raise UserError("IMAGES: no image is named; name files, folders, or tables with a column image")
    if again := len(files) - len(found := list(dict.fromkeys(files))):
        _tell(f"{counted(again, 'name')} of images that were named before; an image has one row")
    return found


def _named(path: Path) -> list[Path]:
    if not path.exists() and not path.is_symlink():
        raise UserError(f"{path}: no such file or folder; name images, folders of them, or a table")
    if irregular(path) == FOLDER:
        found = {file: _may_be_image(file) for file in _below(path)}
        if not any(found.values()):
            raise UserError(f"{path}: holds no image; name a folder that does")
        if others := [file.relative_to(path).as_posix() for file, image in found.items() if not image]:
            what = "file that is no image was" if len(others) == 1 else "files that are no images were"
            more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
            _tell(f"{len(others)} {what} left out: {', '.join(others[:_SHOWN])}{more}")
        return [file for file, image in found.items() if image]
    return _of_table(path) if path.suffix.lower() in _TABLES else [path]


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(listed(folder), key=natural):
        if irregular(path) == FOLDER:
            yield from _below(path)
        else:
            yield path


def _may_be_image(file: Path) -> bool:
    """Tell whether a file has an image's suffix or first bytes; what cannot be looked into may be one."""
    Image.init()
    if file.suffix.lower() in _MORE_SUFFIXES | Image.registered_extensions().keys() or irregular(file):
        return True
    try:
        with file.open("rb") as stream:
            begin = stream.read(_DICOM.stop)
    except OSError:
        return True  # which is told when it is decoded
    return begin.startswith(_BEGINNINGS) or begin[_DICOM] == b"DICM"


def _tell(text: str) -> None:
    print(f"[predict] {text}", file=sys.stderr, flush=True)


def _of_table(table: Path) -> list[Path]:
    cells, place = read_table(table), table.parent
    if COLUMN not in cells:
        raise UserError(
            f"{table}: has no column {COLUMN!r}, it has {', '.join(cells)}; call the column of paths {COLUMN}"
        )
    there = {file.relative_to(place).as_posix() for file in _below(place)}
    paths = cells[COLUMN]
    found = files_of_rows(table, paths, there)
    if lost := [path for path, name in zip(paths, found, strict=True) if not name]:
        told = f"{counted(len(lost), 'row')} without a file in {place} ({first_lost(lost, there)})"
        raise UserError(f"{table}: has {told}; complete the images, or remove those rows")
    return [place / name for name in found]


def decoded_batches(files: Sequence[Path], image_size: int, batch_size: int) -> Iterator[Batch]:
    """Decode files side by side, a batch ahead of the one that is used, and yield them in their order."""
    jobs = len(os.sched_getaffinity(0))
    decoded = side_by_side(partial(_decoded, image_size=image_size), files, jobs, ahead=2 * batch_size)
    for start in range(0, len(files), batch_size):
        some = files[start : start + batch_size]
        found = list(zip(some, islice(decoded, len(some)), strict=True))
        read = [(file, image[None]) for file, image in found if not isinstance(image, BadImageError)]
        none = np.empty((0, image_size, image_size, 3), dtype=np.uint8)
        yield Batch(
            files=tuple(file for file, _ in read),
            images=np.concatenate([none, *(image for _, image in read)]),
            bad=tuple(image for _, image in found if isinstance(image, BadImageError)),
        )


def _decoded(file: Path, image_size: int) -> NDArray[np.uint8] | BadImageError:
    try:
        decoded = decode_image(file, decoded_side(image_size))
    except BadImageError as problem:
        if "set `frame` of" not in str(problem):
            return problem
        # The remedy is a key of a data set's entry, and these images have none.
        return BadImageError(file, problem.what, "save the frames that you need as PNG files")
    if told := too_small(decoded.width, decoded.height):
        return BadImageError(file, told, WHOLE)
    return square(decoded.image, image_size)


def too_small(width: int, height: int) -> str:
    """Return why an image of so many pixels is not predicted; "" where it is."""
    shown = min(width, height) >= SMALLEST
    return "" if shown else f"{width}x{height} pixels show nothing (the least is {SMALLEST} a side)"
