"""A data set as one array: decoded or drawn once, with an index of what stands where."""

import hashlib
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
_IGNORED = re.compile(r"^(\.|Thumbs\.db$|desktop\.ini$)")


@dataclass(frozen=True)
class Prepared:
    """All images of a data set in index order."""

    images: NDArray[np.uint8]  # (N, S, S, 3) RGB
    thumbnails: NDArray[np.uint8]  # (N, 32, 32) grey, of the full image
    index: pd.DataFrame  # image_id, class, given_group, official_split


@dataclass(frozen=True)
class _Source:
    file: Path
    image_id: str
    class_key: str
    official_split: str


def prepare(dataset: Dataset, data_root: Path | None, image_size: int, out: Path) -> None:
    """Write images.npy, thumbnails.npy, index.csv and dataset.json into the folder `out`.

    Images are resized to a square of `image_size` pixels. The same images give the same bytes.

    Raises:
        UserError: images are missing, unreadable or not as many as the catalogue says.
    """
    prepared = _phantom(dataset, image_size) if dataset.phantom else _decoded(dataset, data_root, image_size)
    index_text = prepared.index.to_csv(index=False, lineterminator="\n")
    fingerprint = hashlib.sha256(prepared.images.tobytes())
    fingerprint.update(index_text.encode())
    for name, values in (("images", prepared.images), ("thumbnails", prepared.thumbnails)):
        with whole_file(out / f"{name}.npy") as temporary:
            np.save(temporary, values, allow_pickle=False)
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
            "n_images": len(prepared.images),
            "fingerprint": fingerprint.hexdigest(),
        },
    )


def _phantom(dataset: Dataset, image_size: int) -> Prepared:
    phantom = draw(dataset.key, image_size)
    index = pd.DataFrame(
        {
            "image_id": phantom.image_ids,
            "class": phantom.classes,
            "given_group": phantom.given_groups,
            "official_split": "",
        }
    )
    return Prepared(phantom.images, phantom.thumbnails, index)


def _decoded(dataset: Dataset, data_root: Path | None, image_size: int) -> Prepared:
    sources = _sources(dataset, data_root)
    images = np.empty((len(sources), image_size, image_size, 3), dtype=np.uint8)
    thumbnails = np.empty((len(sources), THUMBNAIL, THUMBNAIL), dtype=np.uint8)
    told = time.monotonic()
    for number, source in enumerate(sources):
        image = decode_image(source.file)
        images[number] = np.asarray(image.resize((image_size, image_size), Image.Resampling.BICUBIC))
        thumbnails[number] = np.asarray(
            image.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        )
        if time.monotonic() - told >= _PROGRESS_SECONDS:
            told = time.monotonic()
            print(f"[{dataset.key}] {number + 1}/{len(sources)} images decoded", file=sys.stderr, flush=True)
    index = pd.DataFrame(
        {
            "image_id": [source.image_id for source in sources],
            "class": [source.class_key for source in sources],
            "given_group": "",
            "official_split": [source.official_split for source in sources],
        }
    )
    return Prepared(images, thumbnails, index)


def _sources(dataset: Dataset, data_root: Path | None) -> list[_Source]:
    """Return the files of all classes: class by class, in natural order of their names."""
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
        if found == 0:
            raise UserError(f"{root}: class {entry.key} has no image in a folder {entry.folder!r}")
        if entry.count is not None and found != entry.count:
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
        files = [file for file in place.iterdir() if file.is_file() and not _IGNORED.match(file.name)]
        for file in sorted(files, key=_natural):
            yield _Source(file, file.relative_to(root).as_posix(), entry.key, folder.official_split)


def _refuse_unknown_folders(dataset: Dataset, root: Path) -> None:
    known = {entry.folder for entry in dataset.classes} | {f.path.split("/")[0] for f in dataset.folders}
    for folder in dataset.folders:
        place = root / folder.path
        if not place.is_dir():
            raise UserError(f"{place}: no such folder; {dataset.key} keeps class folders there")
        for found in sorted(place.iterdir()):
            if found.is_dir() and found.name not in known and not _IGNORED.match(found.name):
                raise UserError(
                    f"{found}: not a class of {dataset.key}; remove the folder, or add the class to the catalogue"
                )


def _natural(file: Path) -> list[tuple[int, str]]:
    """Return a sort key that puts o2.jpg before o10.jpg."""
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", file.name) if part
    ]
