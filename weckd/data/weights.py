"""Fetched pretrained weights as training reads them, and `weights.lock`: what they were for those who compare."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from weckd.data.recorded import SHA256, read_lock
from weckd.errors import UserError
from weckd.files import file_digest, write_text

_HEADER = """\
# SHA-256 of timm's pretrained weights. `weckd weights` refuses another file. Written by `weckd lock`.
"""


@dataclass(frozen=True)
class WeightsFile:
    """A safetensors file that is as it was when it was fetched."""

    path: Path
    sha256: str


def read_weights(folder: Path, name: str) -> WeightsFile:
    """Return fetched weights by timm's name, hashed anew.

    Args:
        folder: holds <name>.json, as `weckd weights` wrote it.
        name: architecture and tag, such as "resnet50.a1_in1k".

    Raises:
        UserError: they were not fetched, or the file is gone or has changed.
    """
    file = folder / f"{name}.json"
    fetched, weights = _read(file)
    if fetched != name:
        raise UserError(f"{file}: tells of {fetched!r}; make it anew with `weckd weights {name}`")
    return weights


def recorded_weights(lock: Path, name: str) -> str | None:
    """Return the recorded SHA-256 of weights; None where nothing is recorded.

    Raises:
        UserError: the file is no such record.
    """
    sha256 = read_lock(lock, "file of weights").get(name)
    if sha256 is not None and not (isinstance(sha256, str) and SHA256.fullmatch(sha256)):
        raise UserError(f"{lock}: {name}: must be a SHA-256; restore it, or remove the entry and record anew")
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
    for file in fetched:
        name, weights = _read(file)
        entries[name] = weights.sha256
    write_text(lock, _HEADER + yaml.safe_dump(entries, sort_keys=True))


def _read(file: Path) -> tuple[str, WeightsFile]:
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        name, path, sha256 = str(facts["weights"]), Path(facts["file"]), str(facts["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UserError(f"{file}: cannot be read ({problem}); make it with `weckd weights`") from problem
    try:
        found = file_digest(path)
    except OSError as problem:
        raise UserError(
            f"{path}: cannot be read ({problem.strerror}), {file} names it; put it back, or make {file.name} anew with "
            "`weckd weights`"
        ) from problem
    if found != sha256:
        raise UserError(
            f"{path}: its SHA-256 is {found[:12]}…, {file} says {sha256[:12]}…; put the fetched file back, or make "
            f"{file.name} anew with `weckd weights`"
        )
    return name, WeightsFile(path, sha256)
