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
            raise UserError(f"{told}; complete the download, or remove files that do not belong there")
        print(f"[{dataset.key}] {told} (a count not checked at the source)", file=sys.stderr, flush=True)


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
