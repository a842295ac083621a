"""Files of a record on figshare or Zenodo, found by its DOI."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
import requests
from pooch.downloaders import REQUESTS_HEADERS, doi_to_repository

from weckd.data.archives import is_archive
from weckd.data.catalogue import RecordFile
from weckd.data.fetch.network import TIMEOUT, DownloadError, persistently, refuse_page, save
from weckd.data.fetch.wanted import known_md5, one_of, say
from weckd.files import refuse_full_disk

_LEFT_BEHIND = re.compile(r"tmp[a-z0-9_]{8}")  # pooch's own temporary files, after a kill
_LOOK = "compare the record with the catalogue"


@dataclass(frozen=True)
class _Record:
    """What a repository says of a record."""

    checksums: dict[str, str]  # as pooch writes them: "md5:..."
    sizes: dict[str, int]
    urls: dict[str, str]


def download_record(key: str, doi: str, wanted: Sequence[RecordFile], folder: Path) -> list[Path]:
    """Download the wanted files of a record into `folder`, where intact ones stay as they are.

    Args:
        key: the data set's key, for messages.
        doi: of the record.
        wanted: names or patterns; none means all archives.
        folder: must exist.

    Raises:
        DownloadError: no connection, or the record is not as the catalogue says.
        UserError: the disk is too small.
    """
    if wanted and all(file.md5 and (folder / file.name).is_file() for file in wanted):
        # Their checksums are the catalogue's, and are compared before the files are used: nobody needs to be asked.
        return [folder / file.name for file in wanted]
    for stale in folder.iterdir():
        if _LEFT_BEHIND.fullmatch(stale.name):
            stale.unlink()
    pooch.get_logger().setLevel("WARNING")  # its own messages name no data set
    record = persistently(key, lambda: _record(doi))
    names = _chosen(record, wanted)
    manager = pooch.create(
        folder, f"doi:{doi}", registry={name: record.checksums[name] for name in names}, urls=record.urls
    )
    refuse_full_disk(folder, sum(record.sizes.get(name, 0) for name in names if not (folder / name).exists()))
    files = []
    for name in names:
        size = record.sizes.get(name, 0)
        if not (folder / name).exists():
            say(key, f"downloading {name} ({size / 1e6:,.1f} MB) from doi:{doi}")
        files.append(persistently(key, partial(_fetched, key, manager, name, size)))
    return files


def _record(doi: str) -> _Record:
    try:
        with warnings.catch_warnings():
            # Which version a figshare DOI means is told by datasets.lock, not by its number.
            warnings.filterwarnings("ignore", "The Figshare DOI", UserWarning)
            repository = doi_to_repository(
                doi, headers=REQUESTS_HEADERS, timeout=TIMEOUT, hooks={"response": _refuse_failure}
            )
            listed = pooch.create(".", f"doi:{doi}")
            repository.populate_registry(listed)
            urls = {name: repository.download_url(name) for name in listed.registry}
    except ValueError as problem:
        if isinstance(problem, OSError):  # an answer that is no JSON is both, and the network's
            raise
        reason = "the DOI leads to no record of figshare or Zenodo"
        raise DownloadError(reason, "correct the DOI in the catalogue", passing=False) from None
    return _Record(dict(listed.registry), _sizes(repository.api_response), urls)


def _refuse_failure(response: requests.Response, **_: Any) -> None:
    """Raise what pooch overlooks: it reads an error of an API as if it were an answer."""
    parts = urlsplit(response.url)
    if parts.hostname == "api.figshare.com" or parts.path.startswith("/api/records/"):
        refuse_page(response, b"read as JSON")


def _sizes(answer: Any) -> dict[str, int]:
    """Return the sizes that an API tells: figshare as a list, Zenodo below a key, under old names or new ones."""
    entries = answer["files"] if isinstance(answer, dict) else answer
    if not isinstance(entries, list):
        return {}
    names = (str(entry.get("name") or entry.get("key") or entry.get("filename")) for entry in entries)
    sizes = (int(entry.get("size") or entry.get("filesize") or 0) for entry in entries)
    return dict(zip(names, sizes, strict=True))


def _chosen(record: _Record, wanted: Sequence[RecordFile]) -> list[str]:
    """Return the names of the wanted files; refuse a record that lacks one, or has another than the catalogue's."""
    there = sorted(record.checksums)
    held = f"it holds {', '.join(there) or 'nothing'}"
    for name in there:
        if Path(name).name != name or "\\" in name:
            raise DownloadError(f"the record holds a file named {name!r}", _LOOK, passing=False)
    chosen = [name for name in there if (one_of(name, wanted) if wanted else is_archive(name))]
    lacking = (file.name for file in wanted if not any(fnmatchcase(name, file.name) for name in there))
    if lacks := next(lacking, "" if chosen else "zip or tar archive"):
        raise DownloadError(f"the record holds no {lacks}, {held}", _LOOK, passing=False)
    for name in chosen:
        md5, stated = known_md5(name, wanted), record.checksums[name]
        if md5 is not None and stated.startswith("md5:") and stated != f"md5:{md5}":
            reason = f"the record's {name} has the {stated[:16]}…, the catalogue says md5:{md5[:12]}…"
            raise DownloadError(reason, _LOOK, passing=False)
    return chosen


def _fetched(key: str, manager: pooch.Pooch, name: str, size: int) -> Path:
    def download(url: str, target: str, _: pooch.Pooch) -> None:
        with requests.get(url, headers=REQUESTS_HEADERS, stream=True, timeout=TIMEOUT) as response:
            save(response, Path(target), key, name, size)

    try:
        return Path(manager.fetch(name, downloader=download))
    except ValueError as problem:
        if isinstance(problem, OSError):
            raise
        reason = f"{name} came with another checksum than its record states"
        raise DownloadError(reason, "run again later") from None
