"""Requests that are made again when they fail, and why they failed in a few words."""

import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

import requests
from tqdm import tqdm  # type: ignore[import-untyped]

from weckd.data.fetch.wanted import say

TRIES = 3
PAUSE = 5.0
"""Seconds before the second try; the third waits twice as long."""
TIMEOUT = 30.0
"""Seconds that a server may be silent, at connecting and between two pieces of a file."""
CHUNK = 1 << 20
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_UNREADABLE = (requests.exceptions.JSONDecodeError, KeyError, IndexError, TypeError)

_T = TypeVar("_T")


class DownloadError(Exception):
    """A download that failed: why, and what may help. It holds no address, which may carry a signature."""

    def __init__(self, reason: str, remedy: str, *, passing: bool = True) -> None:
        """Keep the reason, the remedy, and whether the next try may succeed."""
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.passing = passing


def persistently(key: str, request: Callable[[], _T]) -> _T:
    """Return what `request` returns; it is tried anew where its failure may pass.

    Raises:
        DownloadError: all tries failed, or one for good.
    """
    for attempt in range(1, TRIES):
        try:
            return _told(request)
        except DownloadError as problem:
            if not problem.passing:
                raise
            wait = PAUSE * attempt
            say(key, f"{problem.reason}; trying again in {wait:g} s ({attempt} of {TRIES} tries failed)")
            time.sleep(wait)
    return _told(request)


def progress_bar(key: str, name: str, size: int) -> "tqdm[None]":
    """Return a progress bar on stderr; where that is a log file, it gets few lines."""
    interval = 0.5 if sys.stderr.isatty() else 30.0
    return tqdm(
        total=size, desc=f"[{key}] {name}", unit="B", unit_scale=True, mininterval=interval, file=sys.stderr
    )


def _told(request: Callable[[], _T]) -> _T:
    try:
        return request()
    except _UNREADABLE:
        # Without its cause: what servers answer, and the addresses they were asked at, belong into no log.
        raise DownloadError("the answer of the repository cannot be read", "run again later") from None
    except requests.RequestException as problem:
        raise _in_words(problem) from None


def _in_words(problem: requests.RequestException) -> DownloadError:
    host = urlsplit(problem.request.url).hostname if problem.request is not None else None
    server = str(host or "the server")
    if problem.response is not None:
        status = problem.response.status_code
        server = str(urlsplit(problem.response.url).hostname or server)
        passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING
        words = f"{server} answered {status} {problem.response.reason}"
        return DownloadError(words, "run again later", passing=passing)
    if isinstance(problem, requests.exceptions.SSLError):
        return DownloadError(
            f"the certificate of {server} is not trusted", "mend the machine's clock or certificates"
        )
    if isinstance(problem, requests.Timeout):
        return DownloadError(f"{server} did not answer in {TIMEOUT:g} s", "run again later")
    if isinstance(problem, requests.ConnectionError) and not _was_streaming(problem):
        return DownloadError(
            f"no connection to {server}", "connect this machine to the network and run again"
        )
    return DownloadError("the connection broke off", "run again")


def _was_streaming(problem: requests.ConnectionError) -> bool:
    """Tell a connection that broke off from one that never was: only the latter knows its request."""
    return problem.request is None
