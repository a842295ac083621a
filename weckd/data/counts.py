"""Images of each class against the catalogue's counts."""

import sys
from collections.abc import Mapping
from pathlib import Path

from weckd.data.catalogue import Dataset
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
