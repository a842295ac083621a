"""MedMNIST's .npz: uint8 arrays {train,val,test}_{images,labels}, read image by image from the archive."""

import functools
import hashlib
import lzma
import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weckd.data.catalogue import Dataset
from weckd.data.decode import FILE_LIMIT, Decoded, refuse_too_large
from weckd.data.file_kinds import recognised
from weckd.data.layouts import Listing, Sample, Source
from weckd.errors import UserError

_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_DAMAGED = "download it again"
_MEND = "correct it where it is your own, or download it again"
_DAMAGES = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError)
"""What `zipfile` raises on damaged archives, and on encrypted ones or those packed in an unknown way."""


def list_medmnist(dataset: Dataset, folder: Path, image_size: int) -> Listing:
    """Return the images in the order of the arrays; image ids are `train/00000` and so on.

    Raises:
        UserError: the file or one of its arrays is missing, damaged or of another kind, or a label is of no class.
    """
    (record,) = dataset.record_files(image_size)
    file = folder / record.name
    if not file.is_file():
        raise UserError(f"{file}: no such file; put {record.name} of {dataset.source} there")
    key_of = {entry.label: entry.key for entry in dataset.classes}
    classes: dict[str, list[str]] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for split in _SPLITS:
                labels = _labels(file, archive, split)
                if wrong := [label for label in labels if label not in key_of]:
                    known = ", ".join(f"{number} {key}" for number, key in key_of.items())
                    told = f"{wrong[0]}, which is no class of {dataset.key} ({known})"
                    raise UserError(f"{file}: {split}_labels holds {told}; {_DAMAGED}")
                classes[split] = [key_of[label] for label in labels]
    except _DAMAGES as problem:
        with file.open("rb") as stream:
            beginning = stream.read(1000)
        kind = None if beginning.startswith(b"PK") else recognised(beginning)
        what, remedy = kind or (f"not a readable .npz file ({problem})", _DAMAGED)
        raise UserError(f"{file}: {what}; {remedy}") from problem
    counts = Counter(key for keys in classes.values() for key in keys)
    return Listing(counts.total(), counts, _sources(file, classes))


def _labels(file: Path, archive: zipfile.ZipFile, split: str) -> list[int]:
    with _member(file, archive, f"{split}_labels") as stream:
        shape, dtype = _header(file, stream)
        if dtype.kind not in "iu" or not shape or shape[1:] not in ((), (1,)):
            raise UserError(f"{file}: {split}_labels is {dtype} {shape}, not one integer an image; {_MEND}")
        size = shape[0] * dtype.itemsize
        if size > FILE_LIMIT:
            raise UserError(
                f"{file}: {split}_labels is {dtype} {shape}, more than {FILE_LIMIT:,} bytes; {_MEND}"
            )
        content = stream.read(size)
        if len(content) < size:
            raise UserError(f"{file}: {split}_labels ends before its last label; {_DAMAGED}")
        return list(np.frombuffer(content, dtype=dtype).tolist())


def _sources(file: Path, classes: dict[str, list[str]]) -> Iterator[Source]:
    try:
        with zipfile.ZipFile(file) as archive:
            for split, keys in classes.items():
                with _member(file, archive, f"{split}_images") as stream:
                    for number, image in enumerate(_rows(file, split, len(keys), stream)):
                        read = functools.partial(_read, image, keys[number])
                        yield Source(f"{split}/{number:05d}", _SPLITS[split], keys[number], read)
    except _DAMAGES as problem:  # a wrong checksum shows at the end of an array
        raise UserError(f"{file}: damaged ({problem}); {_DAMAGED}") from problem


def _rows(file: Path, split: str, count: int, stream: IO[bytes]) -> Iterator[NDArray[np.uint8]]:
    shape, dtype = _header(file, stream)
    sides = shape[1:3]
    if dtype != np.uint8 or len(shape) not in (3, 4) or shape[3:] not in ((), (3,)) or shape[0] != count:
        raise UserError(
            f"{file}: {split}_images is {dtype} {shape}, not uint8 ({count}, height, width) or "
            f"({count}, height, width, 3); {_MEND}"
        )
    size = math.prod(shape[1:])
    refuse_too_large(file, *sides[::-1])
    if 0 in sides:
        raise UserError(f"{file}: {split}_images holds images of {sides[1]}x{sides[0]} pixels; {_MEND}")
    for _ in range(count):
        content = stream.read(size)
        if len(content) < size:
            raise UserError(f"{file}: {split}_images ends before its last image; {_DAMAGED}")
        yield np.frombuffer(content, dtype=np.uint8).reshape(*sides, *shape[3:])


def _read(image: NDArray[np.uint8], class_key: str) -> Sample:
    height, width = image.shape[:2]
    rgb = Image.fromarray(image).convert("RGB")
    return Sample(Decoded(rgb, width, height, hashlib.sha256(image.tobytes()).hexdigest()), class_key)


def _member(file: Path, archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    try:
        return archive.open(f"{name}.npy")
    except KeyError as problem:
        raise UserError(f"{file}: has no array {name}; {_DAMAGED}") from problem


def _header(file: Path, stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Read an array's header; a header is text, and nothing in it is run."""
    try:
        formats = np.lib.format
        readers = {(1, 0): formats.read_array_header_1_0, (2, 0): formats.read_array_header_2_0}
        shape, by_columns, dtype = readers[formats.read_magic(stream)](stream)
    except _DAMAGES:
        raise
    except Exception as problem:  # NumPy's parser of headers raises many kinds
        raise UserError(f"{file}: an array in it cannot be read ({problem}); {_DAMAGED}") from problem
    if by_columns:
        raise UserError(f"{file}: an array in it is stored by columns; save numpy.ascontiguousarray of it")
    if min(shape, default=0) < 0:
        raise UserError(f"{file}: an array in it has the shape {shape}; {_DAMAGED}")
    return shape, dtype
