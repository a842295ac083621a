"""What a user can do where a data set cannot be had by itself."""

from pathlib import Path

from weckd.data.catalogue import Dataset
from weckd.data.fetch.wanted import Wanted
from weckd.data.file_kinds import FOLDER, irregular
from weckd.errors import UserError


def not_downloaded(wanted: Wanted, reason: str, remedy: str) -> UserError:
    """Return the error of a failed download: what failed, why, and every way to go on."""
    dataset = wanted.dataset
    own = f", or name the folder that holds {dataset.key}/ with --config data_root=PATH"
    return UserError(
        f"{dataset.key}: {dataset.title} cannot be downloaded from {origin(dataset)} ({reason}); {remedy}, or "
        f"{_by_hand(wanted)}{own if wanted.data_root is None else ''}"
    )


def refuse_no_root(data_root: Path | None, downloads: Path) -> None:
    """Refuse a folder of the user's own copies that is none: what is in it must not be downloaded in silence.

    Raises:
        UserError: it is not there, or a file.
    """
    if data_root not in (None, downloads) and irregular(data_root) != FOLDER:
        signs = (
            " (~ and $ are signs of a shell, which it does not replace here)"
            if {"~", "$"} & set(str(data_root))
            else ""
        )
        raise UserError(
            f"data_root: {data_root}: no such folder{signs}; correct it, or leave it out to download what can be"
        )


def not_there(wanted: Wanted) -> UserError:
    """Return the error of a data set that nobody offers for download and that is not in data_root."""
    dataset = wanted.dataset
    if wanted.data_root is None:
        return UserError(
            f"{dataset.key}: needs its images in a local folder; name the folder that holds {dataset.key}/ "
            "with --config data_root=PATH (or --data-root)"
        )
    folder = wanted.data_root / dataset.key
    put = f"put {dataset.title} there ({dataset.source})"
    if not folder.is_dir():
        return UserError(f"data_root: {folder}: no such folder; {put} or correct data_root")
    return UserError(f"data_root: {folder}: holds neither {expected(dataset)} nor an archive; {put}")


def origin(dataset: Dataset) -> str:
    """Return where the catalogue says that a data set is downloaded from; "" where it names nothing."""
    download = dataset.download
    if download is None:
        return ""
    version = f"/versions/{download.version}" if download.version else ""
    return f"doi:{download.doi}" if download.doi else f"kaggle:{download.kaggle}{version}"


def expected(dataset: Dataset) -> str:
    """Return what a folder of the data set holds."""
    if dataset.layout == "medmnist-npz":
        return "its npz file"
    if dataset.layout == "matlab-v73":
        return "its .mat files"
    return f"its class folders ({', '.join(str(entry.folder) for entry in dataset.classes)})"


def _by_hand(wanted: Wanted) -> str:
    dataset = wanted.dataset
    root = wanted.data_root or wanted.downloads
    files = " and ".join(file.name for file in wanted.files)
    if files:
        return f"download {files} from {dataset.source} by hand and put it into {root / dataset.key}/"
    if origin(dataset).startswith("kaggle:"):
        version = (
            f" (version {dataset.download.version})" if dataset.download and dataset.download.version else ""
        )
        return f"download its archive{version} from {dataset.source} by hand and save it as {root / dataset.key}.zip"
    return f"download its archives from {dataset.source} by hand and put them into {root / dataset.key}/"
