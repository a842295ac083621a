"""The archive of a Kaggle data set, with the user's own credentials, which no message may show."""

import base64
import logging
import sys
from contextlib import redirect_stdout
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
from kagglehub.clients import build_kaggle_client
from kagglehub.config import get_kaggle_credentials
from kagglehub.integrity import get_md5_checksum_from_response
from kagglesdk.datasets.types.dataset_api_service import (  # type: ignore[import-untyped]
    ApiDownloadDatasetRequest,
    ApiGetDatasetRequest,
)
from kagglesdk.kaggle_env import get_access_token_from_env  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter

from weckd.data.fetch.network import TIMEOUT, DownloadError, persistently, save, stated_size
from weckd.data.fetch.wanted import md5, say
from weckd.files import refuse_full_disk, remove_left, whole_file

GIVE_CREDENTIALS = (
    "set KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY, or put access_token or kaggle.json "
    "into ~/.kaggle"
)


def download_archive(key: str, name: str, version: int | None, target: Path) -> Path:
    """Download a data set to `target`, unless it is there.

    `kagglehub.dataset_download` would unpack the archive by itself and remove it, and with it the hash that tells
    one version from the next; the same client is asked for the archive only.

    Args:
        key: the data set's key, for messages.
        name: owner/name on Kaggle.
        version: number of the version; None for the newest.
        target: where the archive belongs; its folder must exist.

    Raises:
        DownloadError: no credentials, no connection, or Kaggle refuses.
        UserError: the disk is too small.
    """
    if target.exists():
        return target
    remove_left(target.parent, target.name)
    logging.getLogger("kagglehub").setLevel(logging.WARNING)  # its own messages go to stdout
    if problem := credentials_problem():
        raise DownloadError(problem, GIVE_CREDENTIALS, passing=False)
    persistently(key, lambda: _download(key, name, version, target))
    return target


class _Patient(HTTPAdapter):
    """Requests that do not wait for a silent server for ever; kagglehub's own do."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return super().send(request, *args, **{**kwargs, "timeout": kwargs.get("timeout") or TIMEOUT})


def credentials_problem() -> str | None:
    """Return why the user's credentials cannot be used, or None; the reason holds nothing of what they are."""
    try:
        get_access_token_from_env()
    except (ValueError, OSError):
        return "neither KAGGLE_API_TOKEN nor ~/.kaggle/access_token can be read"
    try:
        credentials = get_kaggle_credentials()
    except (ValueError, TypeError, OSError):
        return "kaggle.json cannot be read"
    if credentials is None:
        return "it needs Kaggle credentials"
    # A request must be able to carry them; else the error of encoding them would end in a traceback.
    parts = (credentials.api_key,) if credentials.api_key else (credentials.username, credentials.key)
    if all(isinstance(part, str) and part.isascii() and part.isprintable() for part in parts):
        return None
    return "the Kaggle credentials hold characters that none have"


def _download(key: str, name: str, version: int | None, target: Path) -> None:
    # kagglehub tells of its newer versions on stdout, which is for results.
    with redirect_stdout(sys.stderr), build_kaggle_client() as client:
        client.http_client()._session.mount("https://", _Patient())
        api = client.datasets.dataset_api_client
        asked, wanted = ApiGetDatasetRequest(), ApiDownloadDatasetRequest()
        asked.owner_slug, asked.dataset_slug = wanted.owner_slug, wanted.dataset_slug = name.split("/")
        try:
            version = version or int(api.get_dataset(asked).current_version_number)
            wanted.dataset_version_number = version
            response = api.download_dataset(wanted)
        except requests.HTTPError as problem:
            raise _refusal(problem, f"{name}/versions/{version}" if version else name) from None
    with response:
        size = stated_size(response)
        refuse_full_disk(target.parent, size)
        say(key, f"downloading {target.name} ({size / 1e6:,.1f} MB) from kaggle:{name}/versions/{version}")
        with whole_file(target) as temporary:
            save(response, temporary, key, target.name, size)
            # As Google's storage writes it.
            if get_md5_checksum_from_response(response) not in (
                None,
                base64.b64encode(md5(temporary)).decode(),
            ):
                reason = "the archive came with another checksum than stated"
                raise DownloadError(reason, "run again later")


def _refusal(problem: requests.HTTPError, what: str) -> Exception:
    """Return what Kaggle means by an answer; its own words may tell of who asked."""
    status = problem.response.status_code if problem.response is not None else None
    meant = {
        HTTPStatus.UNAUTHORIZED: (f"Kaggle refuses the credentials with {status}", GIVE_CREDENTIALS),
        HTTPStatus.FORBIDDEN: (
            f"Kaggle denies these credentials the data set with {status}",
            "log in to its page as the same user and accept what it asks for",
        ),
        HTTPStatus.NOT_FOUND: (f"Kaggle has no {what}", "correct its name in the catalogue"),
    }
    return DownloadError(*meant[HTTPStatus(status)], passing=False) if status in meant else problem
