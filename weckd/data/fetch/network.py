"""Requests that are made again when they fail, files as they come, and why a download failed in a few words."""

import json
import os
import re
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests import exceptions
from requests.utils import get_environ_proxies, select_proxy
from tqdm import tqdm  # type: ignore[import-untyped]
from urllib3.exceptions import LocationValueError, NameResolutionError, ReadTimeoutError

from weckd.data.fetch.wanted import say

TRIES = 3
PAUSE = 5.0
"""Seconds before the second try; the third waits twice as long."""
LONGEST_PAUSE = 60.0
"""Seconds that are waited for a server that says when to come back."""
TIMEOUT = 30.0
"""Seconds that a server may be silent, at connecting and between two pieces of a file."""
CHUNK = 1 << 20
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype|!--|html|head|body|script|\?xml)", re.IGNORECASE)
_BROWSER = "look at its page in a browser: it may ask for a login, or shut out scripts or this network"
_ELSEWHERE = "run again later or from another network"
_LOGIN = "log in to this network if a browser is asked to, or run again from another network"
_CONNECT = "connect this machine to the network and run again"
_NAME = "connect this machine to the network, or repair its name server (DNS), and run again"
_CERTIFICATES = (
    "where a proxy of your network has signed it, name the file of its certificates in REQUESTS_CA_BUNDLE; "
    "else repair the machine's clock or certificates"
)
_OF_PROXY = (exceptions.ProxyError, exceptions.MissingSchema, exceptions.InvalidURL, exceptions.InvalidSchema)
_REMEDIES: dict[int, str] = {
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "name the proxy with its user and password in HTTP_PROXY",
    HTTPStatus.NOT_FOUND: "correct its address in the catalogue if it has moved",
    HTTPStatus.GONE: "look at its page for what has taken its place",
}

_T = TypeVar("_T")


@dataclass(eq=False)
class DownloadError(Exception):
    """A download that failed. It holds no address, which may carry a signature."""

    reason: str
    remedy: str
    passing: bool = True  # whether the next try may succeed
    pause: float = 0.0  # seconds to wait for it at least


def persistently(key: str, request: Callable[[], _T]) -> _T:
    """Return what `request` returns; it is tried again where its failure may pass.

    Raises:
        DownloadError: all tries failed, or one for good.
    """
    for attempt in range(1, TRIES):
        try:
            return _told(request)
        except DownloadError as problem:
            if not problem.passing:
                raise
            wait = max(PAUSE * attempt, problem.pause)
            say(key, f"{problem.reason}; trying again in {wait:g} s ({attempt} of {TRIES} tries failed)")
            time.sleep(wait)
    return _told(request)


def stated_size(response: requests.Response) -> int:
    """Return the bytes of a body; 0 where the answer does not say, or nothing that is a number."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else 0


def save(response: requests.Response, target: Path, key: str, name: str, size: int) -> None:
    """Write the body of an answer to `target` as it comes, with a progress bar on stderr.

    Args:
        response: to a request with stream=True.
        target: file to write.
        key: of the data set, and
        name: of the file, for the bar and messages.
        size: bytes that belong to the file; 0 where nobody says.

    Raises:
        DownloadError: something else came in place of the file, or not all of it.
    """
    chunks = response.iter_content(CHUNK)
    first = next(chunks, b"")
    refuse_page(response, first)
    interval = 0.5 if sys.stderr.isatty() else 30.0  # a log file gets few lines
    shown = {"desc": f"[{key}] {name}", "unit": "B", "unit_scale": True, "mininterval": interval}
    came = 0
    with target.open("wb") as out, tqdm(total=size, file=sys.stderr, **shown) as bar:
        for chunk in chain([first], chunks):
            out.write(chunk)
            bar.update(len(chunk))
            came += len(chunk)
    if came < size:
        raise DownloadError(f"{came:,} of {size:,} bytes came from {_host(response)}", "run again")


def refuse_page(response: requests.Response, first: bytes) -> None:
    """Refuse what firewalls and login pages answer in place of a file, most often as a success.

    Args:
        response: of whatever status.
        first: the beginning of its body.

    Raises:
        DownloadError: the status is a failure's, or the body is none or a web page.
    """
    status = response.status_code
    if status == HTTPStatus.ACCEPTED or "x-amzn-waf-action" in response.headers:
        reason = f"the firewall of {_host(response)} answered {status}: it takes this for a robot"
        raise DownloadError(reason, _ELSEWHERE)
    response.raise_for_status()
    if not first:
        raise DownloadError(f"{_host(response)} sent nothing in place of the file", "run again later")
    if _PAGE.match(first):
        raise DownloadError(f"{_host(response)} sent a web page in place of the file", _LOGIN)


def _told(request: Callable[[], _T]) -> _T:
    # Each without its cause: what servers answer, and the addresses they were asked at, belong into no log.
    try:
        return request()
    except (json.JSONDecodeError, KeyError, IndexError, TypeError) as problem:
        raise _not_json(getattr(problem, "doc", "{}")) from None
    except requests.RequestException as problem:
        raise _in_words(problem) from None
    except LocationValueError:
        raise _no_address() from None
    except OSError as problem:
        if problem.errno is None and "CA certificate bundle" in str(problem):
            raise _bad_bundle("is not there") from None
        raise


def _not_json(answer: str) -> DownloadError:
    if not answer.strip():
        return DownloadError("the repository sent an empty answer", _ELSEWHERE)
    if _PAGE.match(answer.encode()):
        return DownloadError("a web page came in place of the repository's answer", _LOGIN)
    return DownloadError("the answer of the repository cannot be read", "run again later")


def _in_words(problem: requests.RequestException) -> DownloadError:
    url = str(problem.request.url) if problem.request is not None else ""
    server = str(urlsplit(url).hostname or "the server")
    cause: Any = problem.args[0] if problem.args else None  # urllib3's error
    cause = getattr(cause, "reason", cause)
    turning = isinstance(problem, exceptions.TooManyRedirects)
    if problem.response is not None and not turning:
        return _failure(problem.response)
    if isinstance(problem, _OF_PROXY):
        return _proxy_failure(problem, url or "https://-", getattr(cause, "original_error", cause))
    if isinstance(problem, exceptions.SSLError):
        return _not_secure(server, next(iter(getattr(cause, "args", ())), cause))
    silent = isinstance(problem, requests.Timeout) or isinstance(cause, ReadTimeoutError)
    known = bool(url)  # one that broke off does not know its request
    told = (
        (turning, f"{server} leads from one address to the next without an end", _LOGIN),
        (isinstance(cause, NameResolutionError), f"the name {server} is not known to this network", _NAME),
        (silent, f"{server} did not answer in {TIMEOUT:g} s", "run again later"),
        (isinstance(problem, requests.ConnectionError) and known, f"no connection to {server}", _CONNECT),
        (True, "the connection broke off", "run again"),
    )
    return next(DownloadError(reason, remedy) for holds, reason, remedy in told if holds)


def _failure(response: requests.Response) -> DownloadError:
    status = response.status_code
    reason = f"{_host(response)} answered {status} {response.reason}"
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING
    after = response.headers.get("Retry-After", "")
    if passing and after.isdecimal():
        pause, again = float(after), f"run again in {after} s"
        return DownloadError(reason, again, passing=pause <= LONGEST_PAUSE, pause=min(pause, LONGEST_PAUSE))
    remedy = "run again later" if passing else _REMEDIES.get(status, _BROWSER)
    return DownloadError(reason, remedy, passing=passing)


def _proxy_failure(problem: requests.RequestException, url: str, cause: Any) -> DownloadError:
    proxy = select_proxy(url, get_environ_proxies(url)) or ""
    if not proxy or isinstance(problem, exceptions.MissingSchema):
        return _no_address()
    names = (f"{urlsplit(url).scheme}_proxy", "all_proxy")
    variable = _variable(*(each for name in names for each in (name, name.upper())), value=proxy)
    variable = variable or "the system's settings"
    remedy = f"correct {variable}, or unset it"
    if isinstance(problem, exceptions.InvalidSchema) and proxy.lower().startswith("socks"):
        reason = f"{variable} names a SOCKS proxy, for which the package PySocks is missing"
        return DownloadError(reason, "install pysocks, or name an HTTP proxy", passing=False)
    if not isinstance(problem, exceptions.ProxyError):
        return DownloadError(f"{variable} names no address of a proxy", remedy, passing=False)
    place = f"the proxy {proxy.rpartition('@')[2]} of {variable}"  # never its user and password
    if answer := re.search(r"Tunnel connection failed: (.*)", str(cause)):
        return DownloadError(f"{place} answered {answer[1]}", remedy, passing=answer[1].startswith("5"))
    if isinstance(cause, NameResolutionError):
        return DownloadError(f"{place} has a name that is not known to this network", remedy)
    return DownloadError(f"{place} does not answer", remedy)


def _not_secure(server: str, cause: Any) -> DownloadError:
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = f"the certificate of {server} is not trusted: {cause.verify_message}"
        return DownloadError(reason, _CERTIFICATES, passing=False)
    if isinstance(cause, ssl.SSLError) and cause.reason == "NO_CERTIFICATE_OR_CRL_FOUND":
        return _bad_bundle("holds no certificate")
    words = str(getattr(cause, "reason", None) or getattr(cause, "strerror", None) or cause)
    reason = f"no secure connection to {server}: {words.lower().replace('_', ' ')}"
    return DownloadError(reason, "look whether a proxy or a firewall is in between, and run again")


def _bad_bundle(what: str) -> DownloadError:
    if variable := _variable("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        reason = f"{variable} names {os.environ[variable]}, which {what}"
        return DownloadError(reason, "name a file of PEM certificates, or unset it", passing=False)
    reason = f"the file of certificates of the package certifi {what}"
    return DownloadError(reason, "install certifi again", passing=False)


def _variable(*names: str, value: str | None = None) -> str:
    """Return the first variable of the environment that holds a value, or this one; "" where none does."""
    return next((n for n in names if (os.environ.get(n) == value if value else os.environ.get(n))), "")


def _no_address() -> DownloadError:
    reason = "the repository names no address that can be asked"
    return DownloadError(reason, "run again later", passing=False)


def _host(response: requests.Response) -> str:
    return str(urlsplit(response.url).hostname or "the server")
