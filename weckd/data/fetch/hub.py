"""The safetensors file of a repository on the Hugging Face hub, checked against the SHA-256 that the hub states.

`huggingface_hub` knows the hub's address and the user's token. Its own `hf_hub_download` is not used: it prints signed
addresses when a connection breaks, and would choose between two ways of transfer by what is installed.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import requests
from huggingface_hub import constants, get_token, hf_hub_url
from requests.structures import CaseInsensitiveDict

from weckd.data.fetch.network import TIMEOUT, DownloadError, persistently, refuse_page, save, stated_size
from weckd.data.fetch.wanted import say
from weckd.files import file_digest, refuse_full_disk

FILE = "model.safetensors"
_MEND = "correct HF_TOKEN or log in again, or use none: these weights are public"
_ADDRESS = re.compile(r"https?://([^\s/@]*@)?([\w-]+(\.[\w-]+)*|\[[0-9a-fA-F:.]+\])(:\d{1,5})?/")
_BEGINNING = 1024  # bytes that tell a web page
_SHA256 = re.compile(r'(?:W/)?"?([0-9a-f]{64})"?')


@dataclass(frozen=True)
class HubFile:
    """A file as the hub states it."""

    commit: str
    sha256: str
    size: int  # bytes


def download_file(key: str, repository: str, recorded: str | None, target: Path, folder: Path) -> HubFile:
    """Download the newest `model.safetensors` of a repository to `target`, over what is there.

    Args:
        key: for messages.
        repository: owner/name on the hub.
        recorded: SHA-256 that it must have; None for any.
        target: file to write; its folder must exist.
        folder: where the file is meant for, which a message names.

    Raises:
        DownloadError: no connection, the hub refuses, or the file is not the one that is stated or recorded.
        UserError: the disk is too small.
    """
    if constants.HF_HUB_OFFLINE:
        raise DownloadError("HF_HUB_OFFLINE is set", "unset it", passing=False)
    return persistently(key, lambda: _download(key, repository, recorded, target, folder))


def _download(key: str, repository: str, recorded: str | None, target: Path, folder: Path) -> HubFile:
    url = hf_hub_url(repository, FILE)
    if not _ADDRESS.match(url):
        remedy = "write it as https://HOST, or unset it"
        raise DownloadError("HF_ENDPOINT is no address of a server", remedy, passing=False)
    with requests.get(url, headers=_headers(), stream=True, timeout=TIMEOUT) as response:
        _refuse_failure(response)
        stated = _stated(response)
        if recorded not in (None, stated.sha256):
            reason = f"its {FILE} has the SHA-256 {stated.sha256[:12]}…, weights.lock records {str(recorded)[:12]}…"
            remedy = "remove its entry from weights.lock if another version is meant"
            raise DownloadError(reason, remedy, passing=False)
        refuse_full_disk(folder, stated.size)
        say(key, f"downloading {FILE} ({stated.size / 1e6:,.1f} MB) from hub:{repository}")
        save(response, target, key, FILE, stated.size)
    if file_digest(target) != stated.sha256:
        raise DownloadError(f"{FILE} came with another SHA-256 than the hub states", "run again later")
    return stated


def _headers() -> dict[str, str]:
    # Not compressed on the way: the stated length is that of the file.
    headers = {"Accept-Encoding": "identity"}
    try:
        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    except (OSError, ValueError):
        raise DownloadError("the token of the hub cannot be read", _MEND, passing=False) from None
    if token is not None:
        if not token.isascii():  # else the error of encoding it would end in a traceback
            raise DownloadError("the token holds characters that no token has", _MEND, passing=False)
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _refuse_failure(response: requests.Response) -> None:
    status = response.status_code
    if status == HTTPStatus.NOT_FOUND:
        raise DownloadError(f"there is no {FILE}", "choose the tag of other weights", passing=False)
    refused = status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    if refused and "Authorization" in response.request.headers:
        raise DownloadError(f"the hub refuses the token with {status}", _MEND, passing=False)
    response.raise_for_status()


def _stated(response: requests.Response) -> HubFile:
    """Return what the hub's own answer states, which leads on to where large files are stored."""
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    for answer in (response, *reversed(response.history)):
        headers.update(answer.headers)
    etag = _SHA256.fullmatch(headers.get("X-Linked-Etag") or headers.get("ETag") or "")
    commit = headers.get("X-Repo-Commit")
    if etag is None or commit is None:
        refuse_page(response, next(response.iter_content(_BEGINNING), b""))
        reason = f"the answer states no commit and SHA-256 of {FILE}, as the hub does"
        raise DownloadError(reason, "repair the connection, or HF_ENDPOINT where it is set", passing=False)
    return HubFile(commit, etag[1], stated_size(response))
