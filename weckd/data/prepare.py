"""A data set as one array: decoded or drawn once, with an index of what stands where."""

import dataclasses
import hashlib
import itertools
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from weckd.data.array_file import growing_array
from weckd.data.catalogue import Dataset
from weckd.data.counts import check_counts, refuse_lost_classes, without_bad_image
from weckd.data.index import COLUMNS, Record
from weckd.data.layouts import list_sources
from weckd.data.layouts.source import Listing, Source
from weckd.data.origin import Origin
from weckd.data.phantoms import draw
from weckd.data.watch import PREPARED, hashed, prepared_place, stamps, write_seen
from weckd.errors import BadImageError, UserError
from weckd.files import file_digest, refuse_full_disk, write_json, write_text

THUMBNAIL = 32
"""Pixels a side of the grey thumbnails that near-duplicates are found by."""
_PROGRESS_SECONDS = 5.0


@dataclass(frozen=True)
class _Picture:
    """One row of the arrays and of the index."""

    record: Record
    image: NDArray[np.uint8]  # (S, S, 3) RGB
    thumbnail: NDArray[np.uint8]  # (32, 32) grey, of the whole image, whatever S


def prepare(
    dataset: Dataset,
    origin: Origin | None,
    image_size: int,
    out: Path,
    *,
    jobs: int = 1,
    skip_bad: bool = False,
) -> None:
    """Write images.npy, thumbnails.npy, index.csv, dataset.json and seen.json into the folder `out`.

    images.npy is uint8 (N, image_size, image_size, 3), RGB, each image resized as a whole; thumbnails.npy is
    uint8 (N, 32, 32), grey; both in the order of the index's images. The same images give the same bytes, whatever
    the number of jobs. Only the images being decoded, at most two a job, are in memory.

    Args:
        dataset: entry of the catalogue.
        origin: where a real data set lies; None for a phantom.
        image_size: pixels a side.
        out: folder to write.
        jobs: images that are decoded side by side.
        skip_bad: leave out images that cannot be read, with the reason in the index, instead of stopping.

    Raises:
        UserError: images are missing, unreadable or not as many as the catalogue says, all of a class would be left
            out, or the disk is too small.
    """
    fingerprint = hashlib.sha256()
    records = []
    places = {part: (place, stamps(place)) for part, place in (origin.places if origin else {}).items()}
    total, pictures = _pictures(dataset, origin, image_size, jobs, skip_bad)
    refuse_full_disk(out, total * (3 * image_size**2 + THUMBNAIL**2))
    with (
        growing_array(out / "images.npy", (image_size, image_size, 3)) as append_image,
        growing_array(out / "thumbnails.npy", (THUMBNAIL, THUMBNAIL)) as append_thumbnail,
    ):
        for picture in pictures:
            if isinstance(picture, _Picture):
                append_image(picture.image)
                append_thumbnail(picture.thumbnail)
                fingerprint.update(np.ascontiguousarray(picture.image).data)
                records.append(picture.record)
            else:
                records.append(picture)
        left_out = sum(record.problem != "" for record in records)
        if origin is not None and left_out:
            refuse_lost_classes(dataset, origin.folder, records)
        index_text = _index_text(records)
        write_text(out / "index.csv", index_text)
    fingerprint.update(index_text.encode())
    write_json(
        out / "dataset.json",
        {
            "key": dataset.key,
            "title": dataset.title,
            "modality": dataset.modality,
            "phantom": dataset.phantom,
            "derived_from": list(dataset.derived_from),
            "licence": dataset.licence,
            "source": dataset.source,
            "citation": dataset.citation,
            "classes": [entry.key for entry in dataset.classes],
            "image_size": image_size,
            "n_images": len(records) - left_out,
            "n_left_out": left_out,
            "archives": origin.archives if origin else {},
            "files": {
                name: file_digest(out / name) for name in ("images.npy", "thumbnails.npy", "index.csv")
            },
            "fingerprint": fingerprint.hexdigest(),
        },
    )
    known = {}
    if origin and dataset.layout == "class-folders":
        folder = origin.folder.absolute()
        known = {folder / record.image_id: record.file_sha256 for record in records if record.file_sha256}
    seen = {part: hashed(place, found, None, known) for part, (place, found) in places.items()}
    own = prepared_place(out)
    write_seen(out, {**seen, PREPARED: hashed(own, stamps(own), None, {})})


def _pictures(
    dataset: Dataset, origin: Origin | None, image_size: int, jobs: int, skip_bad: bool
) -> tuple[int, Iterable[_Picture | Record]]:
    """Return the number of images and, one by one, each image or the record of one that is left out."""
    if dataset.phantom:
        drawn = list(_drawn(dataset, image_size))
        return len(drawn), drawn
    if origin is None:
        raise ValueError(f"{dataset.key}: a real data set needs an origin")
    listing = list_sources(dataset, origin.folder, image_size)
    pictures = _decoded(dataset, listing, image_size, jobs, skip_bad)
    if listing.class_counts is None:  # the images themselves tell their class
        return listing.total, _counted(dataset, origin.folder, pictures)
    check_counts(dataset, origin.folder, listing.class_counts)
    return listing.total, pictures


def _drawn(dataset: Dataset, image_size: int) -> Iterator[_Picture]:
    phantom = draw(dataset.key, image_size)
    if any((group != "") != (dataset.groups == "given") for group in phantom.given_groups):
        raise ValueError(f"{dataset.key}: the catalogue says groups: {dataset.groups}, the phantom differs")
    columns = (phantom.image_ids, phantom.classes, phantom.given_groups, phantom.images, phantom.thumbnails)
    for image_id, class_key, group, image, thumbnail in zip(*columns, strict=True):
        content = hashlib.sha256(image.tobytes()).hexdigest()
        record = Record(image_id, class_key, group, "", image_size, image_size, content, content)
        yield _Picture(record, image, thumbnail)


def _decoded(
    dataset: Dataset, listing: Listing, image_size: int, jobs: int, skip_bad: bool
) -> Iterator[_Picture | Record]:
    """Decode side by side (Pillow works outside the interpreter's lock) and yield in the listing's order."""
    told = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        waiting: deque[Future[_Picture | Record]] = deque()
        sources = iter(listing.sources)
        try:
            for done in range(1, listing.total + 1):
                for source in itertools.islice(sources, 2 * jobs - len(waiting)):
                    waiting.append(pool.submit(_decode, dataset, source, image_size, skip_bad))
                yield waiting.popleft().result()
                if time.monotonic() - told >= _PROGRESS_SECONDS:
                    told = time.monotonic()
                    print(
                        f"[{dataset.key}] {done}/{listing.total} images decoded", file=sys.stderr, flush=True
                    )
            next(sources, None)  # the end of an archive, where a wrong checksum shows
        finally:
            pool.shutdown(cancel_futures=True)  # after a refusal nothing else is decoded


def _counted(
    dataset: Dataset, folder: Path, pictures: Iterable[_Picture | Record]
) -> Iterator[_Picture | Record]:
    """Pass images on, and compare their numbers with the catalogue's before anything is kept."""
    counts: Counter[str] = Counter()
    for picture in pictures:
        counts[picture.record.class_key if isinstance(picture, _Picture) else picture.class_key] += 1
        yield picture
    if "" not in counts:  # the class of an image that cannot be read is not known
        check_counts(dataset, folder, counts)


def _decode(dataset: Dataset, source: Source, image_size: int, skip_bad: bool) -> _Picture | Record:
    try:
        sample = source.read()
    except BadImageError as problem:
        if not skip_bad:
            raise UserError(f"{problem}{without_bad_image(dataset, source.class_key)}") from problem
        return Record(
            source.image_id, source.class_key, official_split=source.official_split, problem=problem.what
        )
    decoded = sample.decoded
    whole = decoded.image
    small = whole.resize((image_size, image_size), Image.Resampling.BICUBIC)
    thumbnail = whole.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    pixels = hashlib.sha256(f"{decoded.width}x{decoded.height}:".encode() + whole.tobytes()).hexdigest()
    record = Record(
        source.image_id,
        sample.class_key,
        sample.given_group,
        source.official_split,
        decoded.width,
        decoded.height,
        decoded.file_sha256,
        pixels,
    )
    return _Picture(record, np.asarray(small), np.asarray(thumbnail))


def _index_text(records: list[Record]) -> str:
    frame = pd.DataFrame([dataclasses.astuple(record) for record in records], columns=list(COLUMNS))
    return frame.to_csv(index=False, lineterminator="\n")
