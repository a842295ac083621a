"""The archive of a Kaggle data set, with the user's own credentials, which no message may show."""

import logging
import sys
from contextlib import redirect_stdout
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
from kagglehub.clients import build_kaggle_client, download_file
from kagglehub.config import get_kaggle_credentials
from kagglehub.exceptions import DataCorruptionError
from kagglehub.handle import parse_dataset_handle
from kagglesdk.datasets.types.dataset_api_service import (  # type: ignore[import-untyped]
    ApiDownloadDatasetRequest,
    ApiGetDatasetRequest,
)
from requests.adapters import HTTPAdapter

from weckd.data.fetch.network import TIMEOUT, DownloadError, persistently
from weckd.data.fetch.wanted import say
from weckd.files import refuse_full_disk, whole_file

GIVE_CREDENTIALS = "set KAGGLE_USERNAME and KAGGLE_KEY, or put kaggle.json into ~/.kaggle"


def download_archive(key: str, name: str, target: Path) -> Path:
    """Download the newest version of a data set to `target`, unless it is there.

    `kagglehub.dataset_download` would unpack the archive by itself and remove it, and with it the hash that tells
    one version from the next; the same client is asked for the archive only.

    Args:
        key: the data set's key, for messages.
        name: owner/name on Kaggle.
        target: where the archive belongs; its folder must exist.

    Raises:
        DownloadError: no credentials, no connection, or Kaggle refuses.
        UserError: the disk is too small.
    """
    if target.exists():
        return target
    for stale in target.parent.glob(f".{target.name}.*"):  # left behind by a kill
        stale.unlink()
    logging.getLogger("kagglehub").setLevel(logging.WARNING)  # its own messages go to stdout
    _refuse_no_credentials()
    say(key, f"downloading {target.name} from kaggle:{name}")
    persistently(key, lambda: _download(name, target))
    return target


class _Patient(HTTPAdapter):
    """Requests that do not wait for a silent server for ever; kagglehub's own do."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return super().send(request, *args, **{**kwargs, "timeout": kwargs.get("timeout") or TIMEOUT})


def credentials_problem() -> str | None:
    """Return why the user's credentials cannot be used, or None; the reason holds nothing of what is in the file."""
    try:
        credentials = get_kaggle_credentials()
    except (ValueError, OSError):
        return "kaggle.json cannot be read"
    return "it needs Kaggle credentials" if credentials is None else None


def _refuse_no_credentials() -> None:
    if problem := credentials_problem():
        raise DownloadError(problem, GIVE_CREDENTIALS, passing=False)


def _download(name: str, target: Path) -> None:
    handle = parse_dataset_handle(name)
    # kagglehub tells of its newer versions on stdout, which is for results.
    with redirect_stdout(sys.stderr), build_kaggle_client() as client:
        client.http_client()._session.mount("https://", _Patient())
        try:
            response = _answer(client, handle.owner, handle.dataset)
        except requests.HTTPError as problem:
            status = problem.response.status_code if problem.response is not None else None
            if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                reason = f"Kaggle refuses the credentials with {status}"
                raise DownloadError(reason, GIVE_CREDENTIALS, passing=False) from None
            raise
        refuse_full_disk(target.parent, int(response.headers.get("Content-Length", 0)))
        with whole_file(target) as temporary:
            temporary.unlink()  # kagglehub would take the empty file for the beginning of a download
            try:
                download_file(response, str(temporary), handle)
            except DataCorruptionError:
                reason = "the archive came with another checksum than stated"
                raise DownloadError(reason, "run again later") from None


def _answer(client: Any, owner: str, dataset: str) -> requests.Response:
    """Return the beginning of the newest version's archive."""
    service = client.datasets.dataset_api_client
    asked, wanted = ApiGetDatasetRequest(), ApiDownloadDatasetRequest()
    asked.owner_slug = wanted.owner_slug = owner
    asked.dataset_slug = wanted.dataset_slug = dataset
    wanted.dataset_version_number = service.get_dataset(asked).current_version_number
    response: requests.Response = service.download_dataset(wanted)
    return response
