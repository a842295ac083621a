"""timm's pretrained weights: found or downloaded, read as training needs them, and recorded in `weights.lock`."""

import difflib
import json
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from weckd.data.fetch.wanted import not_readable, not_recorded, refuse_no_root, say
from weckd.data.recorded import SHA256, read_lock
from weckd.errors import UserError, unreadable
from weckd.files import file_digest, remove_left, whole_file, write_json, write_text, writing
from weckd.locks import held_lock

_HEADER = """\
# SHA-256 of timm's pretrained weights. `weckd weights` refuses another file. Written by `weckd lock`.
"""


@dataclass(frozen=True)
class WeightsFile:
    """A safetensors file that is as it was when it was fetched."""

    path: Path
    sha256: str


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
        return self.downloads / f"{self.name}.safetensors"

    @property
    def marker(self) -> Path:  # tells what was downloaded; a file without it was put there by hand
        return self.downloads / f".{self.name}.json"

    @property
    def by_hand(self) -> Path:  # where a file belongs that the user downloads
        return (self.own or self.downloads) / self.target.name


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
    file = wanted.by_hand  # data_root may be the folder of downloads too
    if own and own.resolve() != wanted.downloads.resolve() and file.is_file():
        facts = _put_by_hand(file)
    else:
        file = wanted.target
        with ExitStack() as stack:
            with writing(wanted.downloads):
                stack.enter_context(held_lock(wanted.downloads / f".{name}.lock"))
            facts = _downloaded_before(wanted) or _downloaded(wanted)
    if recorded is not None and facts["sha256"] != recorded:
        raise not_recorded(file, facts["sha256"], recorded, "weights.lock")
    licence = {"licence": registered.license} if registered.license else {}
    write_json(out, {"weights": name, "file": str(file), **facts, **licence})


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


def read_weights(folder: Path, name: str) -> WeightsFile:
    """Return fetched weights by timm's name, hashed again.

    Args:
        folder: holds <name>.json, as `weckd weights` wrote it.
        name: architecture and tag, such as "resnet50.a1_in1k".

    Raises:
        UserError: they were not fetched, or the file is gone or has changed.
    """
    file = folder / f"{name}.json"
    fetched, weights = _read(file)
    if fetched != name:
        raise UserError(f"{file}: tells of {fetched!r}; make it again with `weckd weights {name}`")
    return weights


def recorded_weights(lock: Path, name: str) -> str | None:
    """Return the recorded SHA-256 of weights; None where nothing is recorded.

    Raises:
        UserError: the file is no such record.
    """
    sha256 = read_lock(lock, "file of weights").get(name)
    if sha256 is not None and not (isinstance(sha256, str) and SHA256.fullmatch(sha256)):
        raise UserError(
            f"{lock}: {name}: must be a SHA-256; restore it, or remove the entry and record again"
        )
    return sha256


def record_weights(fetched: Iterable[Path], lock: Path) -> None:
    """Write the SHA-256 of fetched weights into the lock file, over those of the same name.

    Args:
        fetched: JSON files that `weckd weights` wrote.
        lock: file to write.

    Raises:
        UserError: the lock file or one of the JSON files cannot be read, or weights are gone or have changed.
    """
    entries = read_lock(lock, "file of weights")
    entries |= {name: weights.sha256 for name, weights in map(_read, fetched)}
    write_text(lock, _HEADER + yaml.safe_dump(entries, sort_keys=True))


def _read(file: Path) -> tuple[str, WeightsFile]:
    with unreadable(file, "cannot be read", "make it with `weckd weights`"):
        facts = json.loads(file.read_text(encoding="utf-8"))
        name, path, sha256 = str(facts["weights"]), Path(facts["file"]), str(facts["sha256"])
    again = f"or make {file.name} again with `weckd weights`"
    try:
        found = file_digest(path)
    except OSError as problem:
        raise UserError(
            f"{path}: cannot be read ({problem.strerror}), {file} names it; put it back, {again}"
        ) from problem
    if found != sha256:
        raise UserError(
            f"{path}: its SHA-256 is {found[:12]}…, {file} says {sha256[:12]}…; put the fetched file back, {again}"
        )
    return name, WeightsFile(path, sha256)


def _others(name: str) -> str:
    from timm import list_pretrained  # noqa: PLC0415

    tags = [other for other in list_pretrained(f"{name.partition('.')[0]}.*") if other != name]
    near = tags or difflib.get_close_matches(name, list_pretrained(), n=5)
    return f"use other weights ({', '.join(near) or 'timm.list_pretrained() lists them'})"


def _put_by_hand(file: Path) -> dict[str, str]:
    """Return the facts of a file that no marker tells of, where it is a whole safetensors file."""
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    try:
        with safe_open(file, framework="numpy"):
            return {"sha256": file_digest(file), "origin": "local file"}
    except OSError as problem:
        raise not_readable(file, problem) from problem
    except SafetensorError as problem:
        raise UserError(
            f"{file}: no whole safetensors file ({problem}); replace it by an intact copy"
        ) from problem


def _downloaded_before(wanted: _Wanted) -> dict[str, str] | None:
    if not wanted.target.is_file():
        return None
    if not wanted.marker.exists():
        return _put_by_hand(wanted.target)
    with suppress(OSError, ValueError, KeyError, TypeError):  # damaged, it vouches for nothing
        kept = json.loads(wanted.marker.read_text(encoding="utf-8"))
        if kept["sha256"] == file_digest(wanted.target):
            return {"sha256": kept["sha256"], "origin": kept["origin"]}
    say(wanted.name, f"{wanted.target} is not what was downloaded; it is downloaded again")
    return None


def _downloaded(wanted: _Wanted) -> dict[str, str]:
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
            stated = download_file(
                wanted.name, wanted.repository, wanted.recorded, temporary, wanted.target.parent
            )
            facts = {"sha256": stated.sha256, "origin": f"hub:{wanted.repository}@{stated.commit}"}
            write_json(wanted.marker, facts)
    except DownloadError as problem:
        told = f"cannot be downloaded from hub:{wanted.repository} ({problem.reason}); {problem.remedy}"
        raise UserError(
            f"{wanted.name}: {told}, or download {FILE} from https://huggingface.co/{wanted.repository} by hand and "
            f"save it as {wanted.by_hand}"
        ) from problem
    return facts
