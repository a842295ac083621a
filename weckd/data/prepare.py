"""A data set as one array: decoded or drawn once, with an index of what stands where."""

import hashlib
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from weckd.data.catalogue import ClassEntry, Dataset
from weckd.data.decode import decode_image
from weckd.data.phantoms import draw
from weckd.errors import UserError
from weckd.files import whole_file, write_json, write_text

THUMBNAIL = 32
"""Pixels a side of the grey thumbnails that near-duplicates are found by."""
_PROGRESS_SECONDS = 5.0
_IGNORED = re.compile(r"\..*|Thumbs\.db|desktop\.ini|__MACOSX")

# An image (S, S, 3) RGB and its thumbnail (32, 32) grey, which is of the full image, whatever S.
_Picture: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class _Source:
    file: Path
    image_id: str
    class_key: str
    official_split: str


def prepare(dataset: Dataset, data_root: Path | None, image_size: int, out: Path) -> None:
    """Write images.npy, thumbnails.npy, index.csv and dataset.json into the folder `out`.

    images.npy is uint8 (N, image_size, image_size, 3), RGB, each image resized as a whole; thumbnails.npy is
    uint8 (N, 32, 32), grey. The same images give the same bytes. No more than one image is in memory: images
    are decoded one by one (4 ms each at 420x380), and data sets are prepared side by side instead.

    Raises:
        UserError: images are missing, unreadable or not as many as the catalogue says.
    """
    index, pictures = (
        _drawn(dataset, image_size) if dataset.phantom else _decoded(dataset, data_root, image_size)
    )
    fingerprint = hashlib.sha256()
    with (
        whole_file(out / "images.npy") as images_file,
        whole_file(out / "thumbnails.npy") as thumbnails_file,
        images_file.open("wb") as images,
        thumbnails_file.open("wb") as thumbnails,
    ):
        _write_header(images, (len(index), image_size, image_size, 3))
        _write_header(thumbnails, (len(index), THUMBNAIL, THUMBNAIL))
        for image, thumbnail in pictures:
            fingerprint.update(image.tobytes())
            images.write(image.tobytes())
            thumbnails.write(thumbnail.tobytes())
    index_text = index.to_csv(index=False, lineterminator="\n")
    fingerprint.update(index_text.encode())
    write_text(out / "index.csv", index_text)
    write_json(
        out / "dataset.json",
        {
            "key": dataset.key,
            "title": dataset.title,
            "modality": dataset.modality,
            "phantom": dataset.phantom,
            "derived_from": list(dataset.derived_from),
            "classes": [entry.key for entry in dataset.classes],
            "image_size": image_size,
            "n_images": len(index),
            "fingerprint": fingerprint.hexdigest(),
        },
    )


def _write_header(stream: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _drawn(dataset: Dataset, image_size: int) -> tuple[pd.DataFrame, Iterator[_Picture]]:
    phantom = draw(dataset.key, image_size)
    if any((group != "") != (dataset.groups == "given") for group in phantom.given_groups):
        raise ValueError(f"{dataset.key}: the catalogue says groups: {dataset.groups}, the phantom differs")
    index = _index(phantom.image_ids, phantom.classes, phantom.given_groups, [""] * len(phantom.image_ids))
    return index, zip(phantom.images, phantom.thumbnails, strict=True)


def _decoded(
    dataset: Dataset, data_root: Path | None, image_size: int
) -> tuple[pd.DataFrame, Iterator[_Picture]]:
    sources = _sources(dataset, data_root)
    index = _index(
        [source.image_id for source in sources],
        [source.class_key for source in sources],
        [""] * len(sources),
        [source.official_split for source in sources],
    )
    return index, _decode_all(dataset.key, sources, image_size)


def _index(
    image_ids: list[str], classes: list[str], given_groups: list[str], official_splits: list[str]
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": image_ids,
            "class": classes,
            "given_group": given_groups,
            "official_split": official_splits,
        }
    )


def _decode_all(key: str, sources: list[_Source], image_size: int) -> Iterator[_Picture]:
    told = time.monotonic()
    for number, source in enumerate(sources, start=1):
        image = decode_image(source.file)
        small = image.resize((image_size, image_size), Image.Resampling.BICUBIC)
        thumbnail = image.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        yield np.asarray(small), np.asarray(thumbnail)
        if time.monotonic() - told >= _PROGRESS_SECONDS:
            told = time.monotonic()
            print(f"[{key}] {number}/{len(sources)} images decoded", file=sys.stderr, flush=True)


def _sources(dataset: Dataset, data_root: Path | None) -> list[_Source]:
    """Return the files of all classes: class by class, folder by folder, in natural order of their names."""
    if data_root is None:
        raise UserError(
            f"{dataset.key}: needs its images in a local folder; name the folder that holds {dataset.key}/ "
            "with --config data_root=PATH (or --data-root)"
        )
    root = data_root / dataset.key
    if not root.is_dir():
        raise UserError(
            f"{root}: no such folder; put {dataset.title} there ({dataset.source}) or mend data_root"
        )
    _refuse_unknown_folders(dataset, root)
    sources = [source for entry in dataset.classes for source in _class_sources(dataset, entry, root)]
    for entry in dataset.classes:
        found = sum(source.class_key == entry.key for source in sources)
        if entry.count not in (None, found):
            raise UserError(
                f"{root}: class {entry.key} has {found} images, the catalogue says {entry.count}; "
                "complete the download, or remove files that do not belong there"
            )
    return sources


def _class_sources(dataset: Dataset, entry: ClassEntry, root: Path) -> Iterator[_Source]:
    for folder in dataset.folders:
        place = root / folder.path / str(entry.folder)
        if not place.is_dir():
            raise UserError(f"{place}: no such folder; class {entry.key} of {dataset.key} belongs there")
        files = _listed(place)
        for file in files:
            if not file.is_file():
                raise UserError(
                    f"{file}: not a file; the images of class {entry.key} must lie directly in {place.name}"
                )
            yield _Source(file, file.relative_to(root).as_posix(), entry.key, folder.official_split)
        if not files:
            raise UserError(f"{place}: holds no image; put those of class {entry.key} there")


def _refuse_unknown_folders(dataset: Dataset, root: Path) -> None:
    """Refuse folders that the catalogue does not name: a class or a part of the data would be left out unseen."""
    tops = {Path(folder.path).parts[0] for folder in dataset.folders if Path(folder.path).parts}
    class_folders = {str(entry.folder) for entry in dataset.classes}
    known = {root: tops} | {root / folder.path: class_folders for folder in dataset.folders}
    for place, names in known.items():
        if not place.is_dir():
            raise UserError(f"{place}: no such folder; {dataset.key} keeps class folders there")
        for found in _listed(place):
            if found.is_dir() and found.name not in names:
                raise UserError(
                    f"{found}: not a folder of {dataset.key}, which has {', '.join(sorted(names))}; "
                    "remove it, or add it to the catalogue"
                )


def _listed(place: Path) -> list[Path]:
    """Return what lies in a folder, in natural order, but for what operating systems leave there."""
    return sorted((path for path in place.iterdir() if not _IGNORED.fullmatch(path.name)), key=_natural)


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a sort key that puts o2.jpg before o10.jpg; the name itself tells o2 from o02."""
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name)
    return [(int(part), "") if part[0] in "0123456789" else (-1, part) for part in parts], path.name
