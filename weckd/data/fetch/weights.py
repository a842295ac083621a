"""timm's pretrained weights on this machine: the user's own copy, or downloaded from the hub."""

import difflib
import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weckd.data.fetch.advice import refuse_no_root
from weckd.data.fetch.disk import writing
from weckd.data.fetch.wanted import say
from weckd.errors import UserError
from weckd.files import file_digest, remove_left, whole_file, write_json
from weckd.locks import held_lock


@dataclass(frozen=True)
class _Wanted:
    """Weights by timm's name, the places where they may lie, and the SHA-256 that they must have."""

    name: str
    repository: str | None  # on the hub
    own: Path | None
    downloads: Path
    recorded: str | None

    @property
    def target(self) -> Path:
        """Return the file that weights are downloaded to."""
        return self.downloads / f"{self.name}.safetensors"

    @property
    def marker(self) -> Path:
        """Return the file that tells what was downloaded; a file without it was put there by hand."""
        return self.downloads / f".{self.name}.json"

    @property
    def by_hand(self) -> Path:
        """Return where a file that the user downloads belongs."""
        return (self.own or self.downloads) / self.target.name


@dataclass(frozen=True)
class _Found:
    file: Path
    sha256: str
    origin: str


def fetch_weights(
    name: str, data_root: Path | None, downloads: Path, recorded: str | None, out: Path
) -> None:
    """Find or download timm's pretrained weights and write where they lie.

    The user's own copy comes first, then what was downloaded before, then a download.

    Args:
        name: of timm's weights, architecture and tag, such as "resnet50.a1_in1k".
        data_root: the user's own copies, weights/<name>.safetensors; never written to.
        downloads: folder to download to, likewise.
        recorded: SHA-256 from weights.lock; None for any.
        out: JSON file to write: the file, its SHA-256, its origin, and its licence where timm states one.

    Raises:
        UserError: timm knows no such weights, they are not there and cannot be downloaded, the file is not intact or
            not the recorded one, or the disk is too small.
    """
    own_root, downloads = data_root.absolute() if data_root else None, downloads.absolute()
    refuse_no_root(own_root, downloads)
    registered = registered_weights(name)
    own = own_root / "weights" if own_root else None
    wanted = _Wanted(name, registered.hf_hub_id, own, downloads / "weights", recorded)
    found = _own_copy(wanted) or _from_downloads(wanted)
    if recorded not in (None, found.sha256):
        raise UserError(
            f"{found.file}: its SHA-256 is {found.sha256[:12]}…, weights.lock records {str(recorded)[:12]}…; replace "
            "it by the file that is recorded, or remove its entry from weights.lock if another version is meant"
        )
    licence = {"licence": registered.license} if registered.license else {}
    facts = {"file": str(found.file), "sha256": found.sha256, "origin": found.origin}
    write_json(out, {"weights": name, **facts, **licence})


def registered_weights(name: str) -> Any:
    """Return what timm's registry says of the weights.

    Raises:
        UserError: it knows none of this name.
    """
    try:
        from timm.models import get_pretrained_cfg  # noqa: PLC0415 - takes seconds, as it imports torch
    except ValueError as problem:  # the hub's client takes it apart as it is imported
        raise UserError(
            "HF_ENDPOINT is no address of a server; write it as https://HOST, or unset it"
        ) from problem
    try:
        settings = get_pretrained_cfg(name)
    except RuntimeError:  # the architecture is known, the tag is not
        settings = None
    if settings is None or name != f"{settings.architecture}.{settings.tag}":
        raise UserError(f"backbone.init: timm has no weights {name!r}; {_others(name)}, or init: random")
    return settings


def _others(name: str) -> str:
    from timm import list_pretrained  # noqa: PLC0415

    tags = [other for other in list_pretrained(f"{name.partition('.')[0]}.*") if other != name]
    near = tags or difflib.get_close_matches(name, list_pretrained(), n=5)
    return f"use other weights ({', '.join(near) or 'timm.list_pretrained() lists them'})"


def _own_copy(wanted: _Wanted) -> _Found | None:
    """Return the file in data_root, which may be the folder of downloads too."""
    if wanted.own is None or wanted.own.resolve() == wanted.downloads.resolve():
        return None
    file = wanted.own / wanted.target.name
    return _Found(file, _checked(file), "local file") if file.is_file() else None


def _checked(file: Path) -> str:
    """Return the SHA-256 of a whole safetensors file.

    Raises:
        UserError: it is something else, or cannot be read.
    """
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    try:
        sha256 = file_digest(file)
        with safe_open(file, framework="numpy"):
            return sha256
    except OSError as problem:
        raise UserError(
            f"{file}: cannot be read ({problem.strerror}); give yourself the right to read it, or replace it"
        ) from problem
    except SafetensorError as problem:
        raise UserError(
            f"{file}: no whole safetensors file ({problem}); replace it by an intact copy"
        ) from problem


def _from_downloads(wanted: _Wanted) -> _Found:
    with ExitStack() as stack:
        with writing(wanted.downloads):
            stack.enter_context(held_lock(wanted.downloads / f".{wanted.name}.lock"))
        return _downloaded_before(wanted) or _downloaded(wanted)


def _downloaded_before(wanted: _Wanted) -> _Found | None:
    if not wanted.target.is_file():
        return None
    if not wanted.marker.exists():
        return _Found(wanted.target, _checked(wanted.target), "local file")
    try:
        kept = json.loads(wanted.marker.read_text(encoding="utf-8"))
        same = kept["sha256"] == file_digest(wanted.target)
    except (OSError, ValueError, KeyError, TypeError):  # damaged, it vouches for nothing
        same = False
    if not same:
        say(wanted.name, f"{wanted.target} is not what was downloaded; it is downloaded anew")
        return None
    return _Found(wanted.target, kept["sha256"], kept["origin"])


def _downloaded(wanted: _Wanted) -> _Found:
    if wanted.repository is None:
        raise UserError(
            f"backbone.init: timm names no repository to download {wanted.name!r} from; {_others(wanted.name)}, or "
            f"save its safetensors file as {wanted.by_hand}"
        )
    # Imported here, for a second that users of local files need not wait.
    from weckd.data.fetch.hub import FILE, download_file  # noqa: PLC0415
    from weckd.data.fetch.network import DownloadError  # noqa: PLC0415

    with writing(wanted.downloads):
        # The file first: without its marker it would count as put there by hand.
        wanted.target.unlink(missing_ok=True)
        wanted.marker.unlink(missing_ok=True)
        remove_left(wanted.downloads, wanted.target.name)
    try:
        with whole_file(wanted.target) as temporary:
            folder = wanted.target.parent
            stated = download_file(wanted.name, wanted.repository, wanted.recorded, temporary, folder)
            origin = f"hub:{wanted.repository}@{stated.commit}"
            write_json(wanted.marker, {"sha256": stated.sha256, "origin": origin})
    except DownloadError as problem:
        where = f"hub:{wanted.repository}"
        by_hand = f"download {FILE} from https://huggingface.co/{wanted.repository} by hand"
        raise UserError(
            f"{wanted.name}: cannot be downloaded from {where} ({problem.reason}); {problem.remedy}, or {by_hand} and "
            f"save it as {wanted.by_hand}"
        ) from problem
    return _Found(wanted.target, stated.sha256, origin)
