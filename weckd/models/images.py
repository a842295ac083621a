"""Images that a person names for a network: found, and decoded and resized as those that it was trained on."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weckd.data.decode import decode_image, square
from weckd.data.file_kinds import FOLDER, irregular
from weckd.data.layouts import decoded_side, listed
from weckd.data.layouts.class_folders import natural
from weckd.data.layouts.tables import files_of_rows, first_lost, read_table
from weckd.errors import BadImageError, UserError, counted

COLUMN = "image"
"""Of a table that lists images: their paths, from its folder on."""
_TABLES = (".csv", ".tsv", ".parquet")
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
    leave there; of a table those of its column `image`.

    Raises:
        UserError: there is none, a name is of nothing, or a table lacks the column or a file.
    """
    files = [file for path in given for file in _named(path)]
    if not files:
        raise UserError("IMAGES: no image is named; name files, folders, or tables with a column image")
    return list(dict.fromkeys(files))


def _named(path: Path) -> list[Path]:
    if not path.exists() and not path.is_symlink():
        raise UserError(f"{path}: no such file or folder; name images, folders of them, or a table")
    if irregular(path) == FOLDER:
        if not (found := list(_below(path))):
            raise UserError(f"{path}: holds no image; name a folder that does")
        return found
    return _of_table(path) if path.suffix.lower() in _TABLES else [path]


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(listed(folder), key=natural):
        if irregular(path) == FOLDER:
            yield from _below(path)
        else:
            yield path


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
    waiting: deque[tuple[Path, Future[NDArray[np.uint8]]]] = deque()
    left = iter(files)
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while True:
                for file in islice(left, 2 * batch_size - len(waiting)):
                    waiting.append((file, pool.submit(_decoded, file, image_size)))
                if not waiting:
                    return
                yield _batch([waiting.popleft() for _ in range(min(batch_size, len(waiting)))], image_size)
        finally:
            pool.shutdown(cancel_futures=True)


def _batch(futures: Sequence[tuple[Path, Future[NDArray[np.uint8]]]], image_size: int) -> Batch:
    read, images, bad = [], [np.empty((0, image_size, image_size, 3), dtype=np.uint8)], []
    for file, future in futures:
        try:
            images.append(future.result()[None])
            read.append(file)
        except BadImageError as problem:
            bad.append(problem)
    return Batch(tuple(read), np.concatenate(images), tuple(bad))


def _decoded(file: Path, image_size: int) -> NDArray[np.uint8]:
    decoded = decode_image(file, decoded_side(image_size))
    if told := too_small(decoded.width, decoded.height):
        raise BadImageError(file, told, WHOLE)
    return square(decoded.image, image_size)


def too_small(width: int, height: int) -> str:
    """Return why an image of so many pixels is not predicted; "" where it is."""
    shown = min(width, height) >= SMALLEST
    return "" if shown else f"{width}x{height} pixels show nothing (the least is {SMALLEST} a side)"
