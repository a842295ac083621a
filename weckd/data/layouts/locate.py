"""Where in a folder a data set lies: archives often wrap their content in a folder or two."""

import re
from collections.abc import Iterator
from pathlib import Path

from weckd.data.catalogue import Dataset
from weckd.errors import UserError

_DEPTH = 3
_IGNORED = re.compile(r"\..*|Thumbs\.db|desktop\.ini|__MACOSX")


def locate(dataset: Dataset, folder: Path, image_size: int) -> Path | None:
    """Return the folder that holds the data set in its layout: `folder` itself, or one up to three levels below.

    A folder need not be complete to be found, so that what it lacks can be named; None where nothing of the data
    set is there.

    Raises:
        UserError: two folders of the same depth hold it.
    """
    level = [folder] if folder.is_dir() else []
    for _ in range(_DEPTH + 1):
        found = [place for place in level if _holds(dataset, place, image_size)]
        if len(found) > 1:
            raise UserError(
                f"{folder}: holds {dataset.key} more than once ({found[0]} and {found[1]}); remove one of them"
            )
        if found:
            return found[0]
        level = sorted(below for place in level for below in _folders(place))
    return None


def is_clutter(name: str) -> bool:
    """Tell whether operating systems leave files or folders of this name."""
    return _IGNORED.fullmatch(name) is not None


def _holds(dataset: Dataset, place: Path, image_size: int) -> bool:
    if dataset.layout == "class-folders":
        names = [str(entry.folder) for entry in dataset.classes]
        return all(any((place / f.path / name).is_dir() for name in names) for f in dataset.folders)
    if dataset.layout == "medmnist-npz":
        return any((place / file.name).is_file() for file in dataset.record_files(image_size))
    # The slices of a set may lie in several folders, one an archive: their common folder holds them.
    return any(True for _ in place.rglob("[0-9]*.mat"))


def _folders(place: Path) -> Iterator[Path]:
    return (path for path in place.iterdir() if path.is_dir() and not is_clutter(path.name))
