"""Images of each class: as many as the catalogue says, and some that can be read."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from weckd.data.catalogue import Dataset
from weckd.data.index import Record
from weckd.errors import UserError


def check_counts(dataset: Dataset, folder: Path, found: Mapping[str, int]) -> None:
    """Compare the number of images of each class key with the catalogue's.

    A count that was never checked at the source only warns, on stderr.

    Raises:
        UserError: a class has no image, or not as many as it must have.
    """
    for entry in dataset.classes:
        number = found.get(entry.key, 0)
        if number == 0:
            raise UserError(f"{folder}: class {entry.key} has no image; complete the download")
        if entry.count in (None, number):
            continue
        told = f"{folder}: class {entry.key} has {number} images, the catalogue says {entry.count}"
        if "count" not in entry.unverified:
            raise UserError(
                f"{told}; {_by_count(number < entry.count)} its `count` in the catalogue to {number}"
            )
        print(f"[{dataset.key}] {told} (a count not checked at the source)", file=sys.stderr, flush=True)


def _by_count(too_few: bool) -> str:
    if too_few:
        return "complete the download (what cannot be read may stay, skip_bad=true leaves it out), or set"
    return "remove files that do not belong there, or set"


def without_bad_image(dataset: Dataset, class_key: str) -> str:
    """Return how else to go on than by the remedy of one image that cannot be read, as the end of its sentence.

    Args:
        dataset: entry of the catalogue.
        class_key: the image's class, "" where it is not known.
    """
    counted = any(
        entry.count is not None and "count" not in entry.unverified
        for entry in dataset.classes
        if class_key in ("", entry.key)
    )
    removed = (
        "; where it is removed, `count` of its class in the catalogue must be one less" if counted else ""
    )
    return f", or leave out what cannot be read with skip_bad=true{removed}"


def refuse_lost_classes(dataset: Dataset, folder: Path, records: Iterable[Record]) -> None:
    """Refuse to go on without a class: images that cannot be read may be left out, but not all of them.

    Raises:
        UserError: a class has no image left.
    """
    kept: Counter[str] = Counter()
    lost: dict[str, Record] = {}
    for record in records:
        if record.problem:
            lost.setdefault(record.class_key, record)
        kept[record.class_key] += not record.problem
    for entry in dataset.classes:
        if not kept[entry.key]:
            first = lost.get(entry.key) or lost[""]  # of layouts whose files alone tell their class
            raise UserError(
                f"{folder}: no image of class {entry.key} can be read (the first: {first.image_id}: {first.problem}); "
                "replace them by intact copies"
            )
