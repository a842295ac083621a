"""What is asked for, where it may lie, and what a user can do where it cannot be had by itself."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weckd.data.catalogue import Dataset, RecordFile
from weckd.data.file_kinds import FOLDER, irregular
from weckd.errors import UserError

_BY_OPTION = "--config data_root=FOLDER of snakemake (--data-root FOLDER of `weckd fetch`)"


@dataclass(frozen=True)
class Wanted:
    """A data set, the places where it may lie, and the hashes that its archives must have."""

    dataset: Dataset
    image_size: int
    data_root: Path | None
    downloads: Path
    recorded: Mapping[str, str]

    @property
    def own(self) -> Path:
        """Return the folder of this data set among the downloads."""
        return self.downloads / self.dataset.key

    @property
    def downloaded(self) -> Path:
        """Return the folder that archives are downloaded to: one for each version that the catalogue pins."""
        version = self.dataset.download and self.dataset.download.version
        return self.own / "archives" / (f"version-{version}" if version else "")

    @property
    def unpacked(self) -> Path:
        """Return the folder that archives are unpacked to."""
        return self.own / "files"

    @property
    def marker(self) -> Path:
        """Return the file that tells what was unpacked; without it, nothing there is whole."""
        return self.own / "files.json"

    @property
    def files(self) -> tuple[RecordFile, ...]:
        """Return the files, or patterns of them, that the catalogue names for this image size."""
        return self.dataset.record_files(self.image_size)


@dataclass(frozen=True)
class Found:
    """Where a data set lies, where it came from, and size and SHA-256 of its archives by name."""

    folder: Path
    origin: str
    archives: dict[str, Any]


def say(key: str, text: str) -> None:
    """Tell on stderr how a data set's fetching goes."""
    print(f"[{key}] {text}", file=sys.stderr, flush=True)


def origin(dataset: Dataset) -> str:
    """Return where the catalogue says that a data set is downloaded from; "" where it names nothing."""
    download = dataset.download
    if download is None:
        return ""
    version = f"/versions/{download.version}" if download.version else ""
    return f"doi:{download.doi}" if download.doi else f"kaggle:{download.kaggle}{version}"


def expected(dataset: Dataset) -> str:
    """Return what a folder of the data set holds."""
    class_folders = f"its class folders ({', '.join(str(entry.folder) for entry in dataset.classes)})"
    return {"medmnist-npz": "its npz file", "matlab-v73": "its .mat files"}.get(dataset.layout, class_folders)


def not_there(wanted: Wanted) -> UserError:
    """Return the error of a data set that nobody offers for download and that is not in data_root."""
    dataset = wanted.dataset
    if wanted.data_root is None:
        return UserError(
            f"{dataset.key}: needs its images in a local folder; name the folder that holds {dataset.key}/ "
            f"with {_BY_OPTION}"
        )
    folder = wanted.data_root / dataset.key
    put = f"put {dataset.title} there ({dataset.source})"
    if not folder.is_dir():
        return UserError(f"data_root: {folder}: no such folder; {put} or correct data_root")
    return UserError(f"data_root: {folder}: holds neither {expected(dataset)} nor an archive; {put}")


def has_unpacked(wanted: Wanted) -> bool:
    """Tell whether archives were unpacked before; without the marker, nothing there is whole."""
    return wanted.marker.exists() and wanted.unpacked.is_dir()


def refuse_not_there(wanted: Wanted) -> None:
    """Refuse what nobody offers for download and what was not unpacked before.

    Raises:
        UserError: see `not_there`.
    """
    if wanted.dataset.download is None and not has_unpacked(wanted):
        raise not_there(wanted)


def not_downloaded(wanted: Wanted, reason: str, remedy: str) -> UserError:
    """Return the error of a failed download: what failed, why, and every way to go on."""
    dataset, place = wanted.dataset, (wanted.data_root or wanted.downloads) / wanted.dataset.key
    version = dataset.download and dataset.download.version
    if files := " and ".join(file.name for file in wanted.files):
        what, put = files, f"put it into {place}/"
    elif origin(dataset).startswith("kaggle:"):
        what, put = f"its archive{f' (version {version})' if version else ''}", f"save it as {place}.zip"
    else:
        what, put = "its archives", f"put them into {place}/"
    own = f", or name the folder that holds {dataset.key}/ with {_BY_OPTION}"
    return UserError(
        f"{dataset.key}: {dataset.title} cannot be downloaded from {origin(dataset)} ({reason}); {remedy}, or download "
        f"{what} from {dataset.source} by hand and {put}{own if wanted.data_root is None else ''}"
    )


def not_recorded(file: Path, found: str, recorded: str, lock: str) -> UserError:
    """Return the error of a file whose SHA-256 is another than its lock file records."""
    return UserError(
        f"{file}: its SHA-256 is {found[:12]}…, {lock} records {recorded[:12]}…; replace it by the file that is "
        f"recorded, or remove its entry from {lock} if another version is meant"
    )


def not_readable(file: Path, problem: OSError) -> UserError:
    """Return the error of a file that cannot be read."""
    return UserError(
        f"{file}: cannot be read ({problem.strerror}); give yourself the right to read it, or replace it"
    )


def refuse_no_root(data_root: Path | None, downloads: Path) -> None:
    """Refuse a folder of the user's own copies that is none: what is in it must not be downloaded in silence.

    Raises:
        UserError: it is not there, or a file.
    """
    if data_root not in (None, downloads) and irregular(data_root) != FOLDER:
        shell = " (~ and $ are signs of a shell, which it does not replace here)"
        signs = shell if {"~", "$"} & set(str(data_root)) else ""
        raise UserError(
            f"data_root: {data_root}: no such folder{signs}; correct it, or leave it out to download what can be"
        )
