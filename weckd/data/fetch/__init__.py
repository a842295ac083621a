"""The images of a real data set on this machine: the user's own, or downloaded and unpacked."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from weckd.data.catalogue import Dataset
from weckd.data.fetch.advice import expected, not_downloaded, not_there, origin
from weckd.data.fetch.disk import writing
from weckd.data.fetch.local import find_archives, find_folder
from weckd.data.fetch.unpacked import open_archives, refuse_not_there, unpacked_before
from weckd.data.fetch.wanted import Found, Wanted, say
from weckd.errors import UserError
from weckd.files import write_json
from weckd.locks import held_lock


def fetch(
    dataset: Dataset,
    image_size: int,
    data_root: Path | None,
    downloads: Path,
    recorded: Mapping[str, str],
    out: Path,
) -> None:
    """Find, unpack or download the images of a real data set and write where they lie.

    The user's own folder comes first, then archives of the user, then what was unpacked before, then a download.

    Args:
        dataset: entry of the catalogue.
        image_size: pixels a side, which chooses among files of several sizes.
        data_root: the user's own data sets, <key>/ or an archive each; never written to.
        downloads: folder to download to and to unpack in.
        recorded: SHA-256 of this data set's archives by name, from datasets.lock.
        out: JSON file to write: the data set's folder, its origin, size and hash of its archives, and where it was
            looked for.

    Raises:
        UserError: the data set is a phantom, its images are not there and cannot be downloaded, an archive is not the
            one that the catalogue or datasets.lock means or cannot be unpacked, or the disk is too small.
    """
    if dataset.phantom:
        raise UserError(f"{dataset.key}: phantoms are drawn, not fetched; name a data set of real images")
    own_root = data_root.absolute() if data_root else None
    wanted = Wanted(dataset, image_size, own_root, downloads.absolute(), recorded)
    found = find_folder(wanted) or _from_archives(wanted)
    facts = {"folder": str(found.folder), "origin": found.origin, "archives": found.archives}
    looked_in = {"data_root": str(data_root) if data_root else None, "downloads": str(downloads)}
    write_json(out, {"dataset": dataset.key, **facts, "looked_in": looked_in})


def _from_archives(wanted: Wanted) -> Found:
    archives = find_archives(wanted)
    if not archives:
        refuse_not_there(wanted)
    with ExitStack() as stack:
        with writing(wanted.own):
            stack.enter_context(held_lock(wanted.own / ".lock"))
        if archives:
            return open_archives(wanted, "local archive", archives)
        return unpacked_before(wanted) or open_archives(wanted, origin(wanted.dataset), _downloaded(wanted))


def _downloaded(wanted: Wanted) -> list[Path]:
    # Imported here, for a second that users of local folders need not wait.
    from weckd.data.fetch.network import DownloadError  # noqa: PLC0415

    dataset = wanted.dataset
    if dataset.download is None:
        raise not_there(wanted)
    if wanted.data_root is not None and (wanted.data_root / dataset.key).exists():
        say(dataset.key, f"{wanted.data_root / dataset.key} holds neither {expected(dataset)} nor an archive")
    folder = wanted.downloaded
    try:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if dataset.download.doi:
                from weckd.data.fetch.repository import download_record  # noqa: PLC0415

                return download_record(dataset.key, dataset.download.doi, wanted.files, folder)
            from weckd.data.fetch.kaggle import download_archive  # noqa: PLC0415

            name, version = str(dataset.download.kaggle), dataset.download.version
            return [download_archive(dataset.key, name, version, folder / f"{dataset.key}.zip")]
    except DownloadError as problem:
        raise not_downloaded(wanted, problem.reason, problem.remedy) from problem
