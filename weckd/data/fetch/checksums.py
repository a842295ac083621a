"""Whether a file is the one that the catalogue and datasets.lock mean."""

import hashlib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from weckd.data.catalogue import RecordFile
from weckd.errors import UserError

_CHUNK = 1 << 20


def check_archives(
    files: Sequence[Path], known: Sequence[RecordFile], recorded: Mapping[str, str]
) -> dict[str, Any]:
    """Return size and SHA-256 of each file by its name.

    Args:
        files: what is there.
        known: the record's files, or patterns of their names, some with an MD5.
        recorded: SHA-256 by name, from datasets.lock.

    Raises:
        UserError: a file is not the one of the catalogue or of datasets.lock, cannot be read, or one that
            datasets.lock records is not among them.
    """
    facts: dict[str, Any] = {}
    for file in files:
        size, md5, sha256 = _hashed(file)
        expected = known_md5(file.name, known)
        if expected not in (None, md5):
            raise UserError(
                f"{file}: its MD5 is {_short(md5)}, the catalogue says {_short(str(expected))}; replace it by an "
                "intact copy"
            )
        facts[file.name] = {"bytes": size, "sha256": sha256}
    check_recorded(files[0].parent, facts, known, recorded)
    return facts


def check_recorded(
    folder: Path, facts: Mapping[str, Any], known: Sequence[RecordFile], recorded: Mapping[str, str]
) -> None:
    """Refuse archives that are not those of datasets.lock, or not all of them.

    Raises:
        UserError: a hash differs; or one of the record's files is missing.
    """
    for name, fact in facts.items():
        expected = recorded.get(name, fact["sha256"]).lower()
        if fact["sha256"] != expected:
            raise UserError(
                f"{folder / name}: its SHA-256 is {_short(fact['sha256'])}, datasets.lock records "
                f"{_short(expected)}; replace it by the file that is recorded, or remove its entry from "
                "datasets.lock if another version is meant"
            )
    for name in recorded:
        if name not in facts and any(fnmatchcase(name, file.name) for file in known):
            raise UserError(
                f"{folder / name}: missing, datasets.lock records it; put it there, or remove its entry from "
                "datasets.lock if another version is meant"
            )


def known_md5(name: str, known: Sequence[RecordFile]) -> str | None:
    """Return the MD5 that the catalogue states for a file of this name."""
    return next((file.md5 for file in known if file.md5 and fnmatchcase(name, file.name)), None)


def _hashed(file: Path) -> tuple[int, str, str]:
    """Return size, MD5 and SHA-256, read in one go: archives have gigabytes."""
    size = 0
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                md5.update(chunk)
                sha256.update(chunk)
    except OSError as problem:
        raise UserError(
            f"{file}: cannot be read ({problem.strerror}); give yourself the right to read it, or replace it"
        ) from problem
    return size, md5.hexdigest(), sha256.hexdigest()


def _short(digest: str) -> str:
    return f"{digest[:12]}…"
