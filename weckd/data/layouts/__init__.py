"""How data sets lie in their sources, and where; beside this, one module a layout, each from files to images."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weckd.data.catalogue import Dataset, load_catalogue
from weckd.data.file_kinds import FOLDER, irregular
from weckd.errors import UserError, counted

if TYPE_CHECKING:
    from weckd.data.decode import Decoded

DECODED_SIDE = 336
"""Sides that a JPEG keeps when it is decoded smaller: one and a half times the largest image size of our suites (224),
so that thumbnails, and the clusters found by them, do not depend on the image size."""
DEPTH = 3
"""Levels below a folder that are looked through: archives often wrap their content in a folder or two."""
_CLUTTER = re.compile(
    r"\..*|__MACOSX|Icon\r|(eh)?thumbs(_vista)?\.db|desktop\.ini|\$RECYCLE\.BIN|System Volume Information|lost\+found"
    r"|@eaDir|@tmp|#recycle|#snapshot",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Sample:
    """One decoded image and what its source says of it."""

    decoded: "Decoded"
    class_key: str
    given_group: str = ""


@dataclass(frozen=True)
class Source:
    """One image of a data set, not read yet.

    `read` raises BadImageError where this image cannot be used, and UserError where its data set is not what the
    catalogue says.
    """

    image_id: str
    official_split: str
    class_key: str  # "" where only the file itself says it
    read: Callable[[], Sample]
    fold: str = ""  # of the source's own, where it tells them


@dataclass(frozen=True)
class Listing:
    """The sources of a data set in the order of its index."""

    total: int
    class_counts: Mapping[str, int] | None  # None where only the files themselves tell their class
    sources: Iterator[Source]
    lacking: str = ""  # files that are not there, which only skip_bad passes over


def list_sources(dataset: Dataset, folder: Path, image_size: int) -> Listing:
    """Return the sources of a real data set that lies in `folder`, checked as far as can be without reading images.

    Raises:
        UserError: the folder is missing, or not laid out as the catalogue says.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; {dataset.title} belongs there ({dataset.source})")
    # Imported here: the workflow, which asks where data lie, need not wait for what decodes them.
    if dataset.layout == "medmnist-npz":
        from weckd.data.layouts.medmnist import list_medmnist  # noqa: PLC0415

        return list_medmnist(dataset, folder, image_size)
    if dataset.layout == "matlab-v73":
        from weckd.data.layouts.matlab import list_matlab  # noqa: PLC0415

        return list_matlab(dataset, folder)
    if dataset.layout == "csv":
        from weckd.data.layouts.labels import list_labels  # noqa: PLC0415

        return list_labels(dataset, folder, decoded_side(image_size))
    from weckd.data.layouts.class_folders import list_class_folders  # noqa: PLC0415

    return list_class_folders(dataset, folder, decoded_side(image_size))


def decoded_side(image_size: int) -> int:
    """Return the pixels that both sides of a JPEG keep when it is decoded smaller."""
    return max(DECODED_SIDE, image_size * 3 // 2)


def check_counts(dataset: Dataset, folder: Path, found: Mapping[str, int]) -> None:
    """Compare the number of images of each class key with the catalogue's.

    A count that was never checked at the source only warns, on stderr.

    Raises:
        UserError: a class has no image, or not as many as it must have.
    """
    place = folder / dataset.table.file if dataset.table else folder
    what = "table" if dataset.table else "download" if dataset.key in load_catalogue() else "folder"
    for entry in dataset.classes:
        number = found.get(entry.key, 0)
        if number == 0 and dataset.table:
            told = f"has no row with the label {entry.label!r} of class {entry.key}"
            raise UserError(f"{place}: {told}; complete it, or take that class out of the catalogue")
        if number == 0:
            raise UserError(f"{folder}: class {entry.key} has no image; complete the {what}")
        if entry.count is None or entry.count == number:
            continue
        told = f"{place}: class {entry.key} has {counted(number, 'image')}, the catalogue says {entry.count}"
        if "count" not in entry.unverified:
            fewer = f"complete the {what} (what cannot be read may stay, skip_bad=true leaves it out)"
            more = f"remove {'rows' if dataset.table else 'files'} that do not belong there"
            remedy = (
                f"{fewer if number < entry.count else more}, or set its `count` in the catalogue to {number}"
            )
            raise UserError(f"{told}; {remedy}")
        print(f"[{dataset.key}] {told} (a count not checked at the source)", file=sys.stderr, flush=True)


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


def _holds(dataset: Dataset, place: Path, image_size: int) -> bool:
    if dataset.layout == "class-folders":
        names = [str(entry.folder) for entry in dataset.classes]
        return all(any((place / f.path / name).is_dir() for name in names) for f in dataset.folders)
    if dataset.table:
        return (place / dataset.table.file).is_file()
    if dataset.layout == "medmnist-npz":
        return any((place / file.name).is_file() for file in dataset.record_files(image_size))
    # The slices of a set may lie in several folders, one an archive: their common folder holds them.
    return any(True for _ in slices(place))


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
