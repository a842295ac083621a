"""A data set as one array: decoded or drawn once, with an index of what lies where."""

import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weckd.data.catalogue import Dataset
from weckd.data.decode import square
from weckd.data.fetch.wanted import say
from weckd.data.file_kinds import irregular
from weckd.data.layouts import Listing, Source, check_counts, list_sources, locate
from weckd.data.layouts.tables import refuse_in_two_splits
from weckd.data.phantoms import draw
from weckd.data.prepared import ARRAYS_AND_INDEX, FACTS, Record, index_frame
from weckd.data.side_by_side import side_by_side
from weckd.data.watch import OWN, PREPARED, Place, hashed, prepared_place, source_places, stamps, write_seen
from weckd.errors import BadImageError, UserError, counted, unreadable
from weckd.files import file_digest, refuse_full_disk, whole_file, write_json, write_text

THUMBNAIL = 32
"""Pixels a side of the grey thumbnails that near-duplicates are found by."""
_FACTS = ("key", "title", "modality", "phantom", "derived_from", "licence", "source", "citation")
_PROGRESS_SECONDS = 5.0
_BY_ENTRY = "with `patients` of the data set's entry in the catalogue"
_ONE_SPLIT = (
    'correct the splits, or split by patients alone (official_split: "" of the folders, no table.split)'
)


@dataclass(frozen=True)
class Origin:
    """The folder that holds a data set in its layout, and the archives that it was unpacked from."""

    folder: Path
    archives: dict[str, Any]  # name: {"bytes": .., "sha256": ..}; empty where there was none
    places: Mapping[str, Place] = field(default_factory=dict)  # where it was looked for, to be watched


@dataclass(frozen=True)
class _Row:
    """One row of the index, and the image, uint8 (S, S, 3) RGB, with its thumbnail, uint8 (32, 32), unless left out."""

    record: Record
    image: NDArray[np.uint8] | None = None
    thumbnail: NDArray[np.uint8] | None = None  # grey, of the whole image, whatever S
    patient: str = ""  # of a DICOM file, as a hospital knows them; like its series, for no file of ours
    series: str = ""


def read_origin(dataset: Dataset, source: Path | None, image_size: int) -> Origin:
    """Return where a data set lies on this machine.

    Args:
        dataset: entry of the catalogue.
        source: source.json of `weckd fetch`, or a folder that holds the data set.
        image_size: chooses among files of several sizes.

    Raises:
        UserError: no source is named, or it is not such a file or folder.
    """
    if source is None:
        raise UserError(
            f"{dataset.key}: needs its images; name their folder, or the source.json of `weckd fetch`, with --source"
        )
    if source.is_dir():
        return Origin(locate(dataset, source, image_size) or source, {}, {OWN: Place((str(source),))})
    if kind := irregular(source):
        raise UserError(f"{source}: {kind}, neither a folder nor a source.json; make it with `weckd fetch`")
    with unreadable(source, "neither a folder nor a source.json", "make it with `weckd fetch`"):
        found = json.loads(source.read_text(encoding="utf-8"))
        folder, key, archives = Path(found["folder"]), found["dataset"], dict(found["archives"])
        looked_in = found["looked_in"]
        data_root = Path(looked_in["data_root"]) if looked_in["data_root"] else None
        places = source_places(dataset, image_size, data_root, Path(looked_in["downloads"]))
    if key != dataset.key:
        raise UserError(f"{source}: tells where {key} lies, not {dataset.key}; name that of {dataset.key}")
    return Origin(folder, archives, places)


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
    total, rows = _rows(dataset, origin, image_size, jobs, skip_bad)
    refuse_full_disk(out, total * (3 * image_size**2 + THUMBNAIL**2))
    with (
        _growing_array(out / "images.npy", (image_size, image_size, 3)) as append_image,
        _growing_array(out / "thumbnails.npy", (THUMBNAIL, THUMBNAIL)) as append_thumbnail,
    ):
        for row in rows:
            records.append(row.record)
            if row.image is not None and row.thumbnail is not None:
                append_image(row.image)
                append_thumbnail(row.thumbnail)
                fingerprint.update(np.ascontiguousarray(row.image).data)
        left_out = sum(record.problem != "" for record in records)
        if origin is not None and left_out:
            _refuse_lost_classes(dataset, origin.folder, records)
        index_text = index_frame(records).to_csv(index=False, lineterminator="\n")
        write_text(out / "index.csv", index_text)
    fingerprint.update(index_text.encode())
    facts = {
        **{name: getattr(dataset, name) for name in _FACTS},
        "classes": [entry.key for entry in dataset.classes],
        "image_size": image_size,
        "n_images": len(records) - left_out,
        "n_left_out": left_out,
        "archives": origin.archives if origin else {},
        "files": {name: file_digest(out / name) for name in ARRAYS_AND_INDEX},
        "fingerprint": fingerprint.hexdigest(),
    }
    write_json(out / FACTS, facts)
    known = {}
    if origin and dataset.layout in ("class-folders", "csv"):
        folder = origin.folder.absolute() / (dataset.table.folder if dataset.table else "")
        known = {folder / record.image_id: record.file_sha256 for record in records if record.file_sha256}
    seen = {part: hashed(place, found, None, known) for part, (place, found) in places.items()}
    own = prepared_place(out)
    write_seen(out, {**seen, PREPARED: hashed(own, stamps(own), None, {})})


def _rows(
    dataset: Dataset, origin: Origin | None, image_size: int, jobs: int, skip_bad: bool
) -> tuple[int, Iterable[_Row]]:
    """Return the number of images, and their rows one by one."""
    if dataset.phantom:
        drawn = list(_drawn(dataset, image_size))
        return len(drawn), drawn
    if origin is None:
        raise ValueError(f"{dataset.key}: a real data set needs an origin")
    listing = list_sources(dataset, origin.folder, image_size)
    if listing.lacking and not skip_bad:
        raise UserError(listing.lacking)
    rows = _with_patients(dataset, origin.folder, _decoded(dataset, listing, image_size, jobs, skip_bad))
    if listing.class_counts is None:  # the images themselves tell their class
        return listing.total, _counted(dataset, origin.folder, rows)
    check_counts(dataset, origin.folder, listing.class_counts)
    return listing.total, rows


def _drawn(dataset: Dataset, image_size: int) -> Iterator[_Row]:
    phantom = draw(dataset.key, image_size)
    if any((group != "") != (dataset.groups == "given") for group in phantom.given_groups):
        raise ValueError(f"{dataset.key}: the catalogue says groups: {dataset.groups}, the phantom differs")
    columns = (phantom.image_ids, phantom.classes, phantom.given_groups, phantom.images, phantom.thumbnails)
    for image_id, class_key, group, image, thumbnail in zip(*columns, strict=True):
        content = hashlib.sha256(image.tobytes()).hexdigest()
        record = Record(image_id, class_key, group, "", image_size, image_size, content, content)
        yield _Row(record, image, thumbnail)


def _decoded(
    dataset: Dataset, listing: Listing, image_size: int, jobs: int, skip_bad: bool
) -> Iterator[_Row]:
    """Decode side by side, and yield in the listing's order."""
    told = time.monotonic()
    decode = partial(_decode, dataset, image_size=image_size, skip_bad=skip_bad)
    # All sources are asked for, and so the end of an archive, where a wrong checksum shows.
    for done, row in enumerate(side_by_side(decode, listing.sources, jobs, ahead=2 * jobs), 1):
        yield row
        if time.monotonic() - told >= _PROGRESS_SECONDS:
            told = time.monotonic()
            say(dataset.key, f"{done}/{listing.total} images decoded")


def _with_patients(dataset: Dataset, folder: Path, rows: Iterable[_Row]) -> Iterator[_Row]:
    """Pass images on, those of DICOM files with the number of their patient where the catalogue names none.

    Patients are p001, p002, .. in the order of their first images.

    Raises:
        UserError: images of one series differ in size, or all are of one patient, or a patient's are in two official
            splits; the message has no text of a header.
    """
    series: dict[str, Record] = {}
    patients: dict[str, Record] = {}
    named: list[tuple[str, str]] = []
    unnamed = 0
    for row in rows:
        record = row.record
        first = series.setdefault(row.series, record) if row.series else record
        if (first.width, first.height) != (record.width, record.height):
            sizes = f"{record.width}x{record.height} pixels, {first.width}x{first.height} in {first.image_id}"
            remedy = "move what is no picture of the series out of the folder, or convert it to PNG"
            raise UserError(f"{folder}: {record.image_id} has {sizes} of the same DICOM series; {remedy}")
        told = ""
        if row.patient and not record.given_group:
            numbered = replace(record, given_group=f"p{len(patients) + 1:03d}")
            first = patients.setdefault(row.patient, numbered)
            told = f"{first.given_group} of {first.image_id}"
            record = replace(record, given_group=first.given_group)
        if not record.problem:
            named.append((told, record.official_split))
            unnamed += not record.given_group
        yield replace(row, record=record)
    if not series:  # no DICOM
        return
    of_images = [patient for patient, _ in named]
    if len(patients) == 1 and not unnamed:
        raise UserError(f"{folder}: all DICOM files have one PatientID; name the patients {_BY_ENTRY}")
    refuse_in_two_splits(f"{folder}", of_images, (split for _, split in named), _ONE_SPLIT)
    if unnamed:
        lacking = f"{counted(unnamed, 'image')} of {len(named)} without a PatientID"
        say(
            dataset.key, f"{lacking}, kept together with near-duplicates alone; name all patients {_BY_ENTRY}"
        )


def _counted(dataset: Dataset, folder: Path, rows: Iterable[_Row]) -> Iterator[_Row]:
    """Pass images on, and compare their numbers with the catalogue's before anything is kept."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.record.class_key] += 1
        yield row
    if "" not in counts:  # the class of an image that cannot be read is not known
        check_counts(dataset, folder, counts)


def _decode(dataset: Dataset, source: Source, image_size: int, skip_bad: bool) -> _Row:
    try:
        sample = source.read()
    except BadImageError as problem:
        if not skip_bad:
            raise UserError(f"{problem}{_without_bad_image(dataset, source.class_key)}") from problem
        split, fold = source.official_split, source.fold
        record = Record(source.image_id, source.class_key, "", split, problem=problem.what, fold=fold)
        return _Row(record)
    except MemoryError as problem:  # skip_bad must not leave sound images out for it
        lacking = f"{dataset.key}: there is not enough memory to read {source.image_id}"
        raise UserError(
            f"{lacking}; give the job more, or remove the image if all others are read"
        ) from problem
    decoded = sample.decoded
    whole = decoded.image
    thumbnail = whole.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    pixels = hashlib.sha256(f"{decoded.width}x{decoded.height}:".encode() + whole.tobytes()).hexdigest()
    told = (source.image_id, sample.class_key, sample.given_group, source.official_split)
    size = decoded.width, decoded.height
    record = Record(*told, *size, decoded.file_sha256, pixels, fold=source.fold)
    return _Row(record, square(whole, image_size), np.asarray(thumbnail), decoded.patient, decoded.series)


def _without_bad_image(dataset: Dataset, class_key: str) -> str:
    """Return how else to go on than by the remedy of one image of a class ("": not known) that cannot be read."""
    removed = "; where it is removed, `count` of its class in the catalogue must be one less"
    entries = (entry for entry in dataset.classes if class_key in ("", entry.key))
    counted = any(entry.count is not None and "count" not in entry.unverified for entry in entries)
    return f", or leave out what cannot be read with skip_bad=true{removed if counted else ''}"


@contextmanager
def _growing_array(
    path: Path, item_shape: tuple[int, ...]
) -> Iterator[Callable[[NDArray[np.uint8]], object]]:
    """Yield a function that appends one uint8 item to a NumPy file, so that it need not fit into memory.

    The file appears, whole, when the block ends without error.
    """
    header: dict[str, Any] = {"descr": "|u1", "fortran_order": False}
    with whole_file(path) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {**header, "shape": (0, *item_shape)})
        begin = stream.tell()
        yield lambda item: stream.write(np.ascontiguousarray(item).data)
        count = (stream.tell() - begin) // math.prod(item_shape)
        stream.seek(0)  # NumPy pads headers, so that the first axis can grow in place
        np.lib.format.write_array_header_1_0(stream, {**header, "shape": (count, *item_shape)})


def _refuse_lost_classes(dataset: Dataset, folder: Path, records: Sequence[Record]) -> None:
    """Refuse to go on without a class: images that cannot be read may be left out, but not all of them."""
    kept = {record.class_key for record in records if not record.problem}
    for entry in dataset.classes:
        if entry.key not in kept:
            lost = [record for record in records if record.problem]
            # "": of layouts whose files alone tell their class
            first = next(record for key in (entry.key, "") for record in lost if record.class_key == key)
            raise UserError(
                f"{folder}: no image of class {entry.key} can be read (the first: {first.image_id}: {first.problem}); "
                "replace them by intact copies"
            )
