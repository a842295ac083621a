"""Where in a folder a data set lies: archives often wrap their content in a folder or two."""

import re
from collections.abc import Iterator
from pathlib import Path

from weckd.data.catalogue import Dataset
from weckd.data.file_kinds import FOLDER, irregular
from weckd.errors import UserError

DEPTH = 3
"""Levels below a folder that are looked through."""
_CLUTTER = re.compile(
    r"\..*|__MACOSX|Icon\r|(eh)?thumbs(_vista)?\.db|desktop\.ini|\$RECYCLE\.BIN|System Volume Information|lost\+found"
    r"|@eaDir|@tmp|#recycle|#snapshot",
    re.IGNORECASE,
)


def locate(dataset: Dataset, folder: Path, image_size: int) -> Path | None:
    """Return the folder that holds the data set in its layout: `folder` itself, or one up to three levels below.

    A folder need not be complete to be found, so that what it lacks can be named; None where nothing of the data
    set is there.

    Raises:
        UserError: two folders of the same depth hold it, or one cannot be read.
    """
    level = [folder] if irregular(folder) == FOLDER else []
    for _ in range(DEPTH + 1):
        found = [place for place in level if _holds(dataset, place, image_size)]
        if len(found) > 1:
            raise UserError(
                f"{folder}: holds {dataset.key} more than once ({found[0]} and {found[1]}); remove one of them"
            )
        if found:
            return found[0]
        level = sorted(below for place in level for below in listed(place) if irregular(below) == FOLDER)
    return None


def is_clutter(name: str) -> bool:
    """Tell whether operating systems and network drives leave files or folders of this name."""
    return _CLUTTER.fullmatch(name) is not None


def listed(place: Path) -> Iterator[Path]:
    """Yield what lies in a folder, but for clutter.

    Raises:
        UserError: the folder cannot be read.
    """
    try:
        paths = list(place.iterdir())
    except OSError as problem:
        raise UserError(
            f"{place}: cannot be read ({problem.strerror}); give yourself the right to read it"
        ) from problem
    return (path for path in paths if not is_clutter(path.name))


def slices(folder: Path) -> Iterator[Path]:
    """Yield the MATLAB files below a folder whose name is a number, but for clutter."""
    found = folder.rglob("[0-9]*.[mM][aA][tT]")
    return (file for file in found if not any(map(is_clutter, file.relative_to(folder).parts)))


def _holds(dataset: Dataset, place: Path, image_size: int) -> bool:
    if dataset.layout == "class-folders":
        names = [str(entry.folder) for entry in dataset.classes]
        return all(any((place / f.path / name).is_dir() for name in names) for f in dataset.folders)
    if dataset.layout == "medmnist-npz":
        return any((place / file.name).is_file() for file in dataset.record_files(image_size))
    # The slices of a set may lie in several folders, one an archive: their common folder holds them.
    return any(True for _ in slices(place))
