"""Files that are read back are what was written: sums beside them say so, and what differs is refused, or made anew."""

import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from weckd.errors import UserError
from weckd.files import digest, file_digest, write_json

FOLDER_SUMS = "sums.json"
"""Sums of the files of one job in a folder of its own."""
OWN_SUM = "sum"
"""Key, in a JSON object, of the digest of all else that it says."""
AGAIN = "the same snakemake command makes it anew"


def sums_of(file: Path) -> Path:
    """Return where the sum of a file lies that shares its folder with those of other jobs."""
    return file.with_suffix(".sums.json")


def write_sums(sums: Path, files: Iterable[Path]) -> None:
    """Write the SHA-256 of files that lie in the folder of `sums`."""
    write_json(sums, {file.name: file_digest(file) for file in files})


def with_sum(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object as it will be read (keys are text, tuples lists) with its own sum; an older one is replaced."""
    rest = json.loads(json.dumps({key: value for key, value in content.items() if key != OWN_SUM}))
    return {**rest, OWN_SUM: digest(rest)}


def holds_sum(content: Mapping[str, Any]) -> bool:
    """Return whether an object that was read is what its own sum says.

    Raises:
        KeyError: it has none.
    """
    return bool(content[OWN_SUM] == with_sum(content)[OWN_SUM])


def without_sum(text: str | bytes) -> dict[str, Any]:
    """Return the object that a JSON text holds, without the sum that it must have.

    Raises:
        ValueError: it has none, or another one.
    """
    content: dict[str, Any] = json.loads(text)
    if not holds_sum({OWN_SUM: "", **content}):
        raise ValueError("edited, its sum is another one")
    del content[OWN_SUM]
    return content


def edited(file: Path) -> bool:
    """Return whether a JSON file cannot be read, or is not what its own sum says, where it has one."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return OWN_SUM in content and not holds_sum(content)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return True


def refuse_changed(file: Path, sums: Path, remedy: str = AGAIN) -> None:
    """Refuse a file that is not what was written.

    Raises:
        UserError: it cannot be read, or its sum is another one, or is not there.
    """
    try:
        recorded = str(json.loads(sums.read_text(encoding="utf-8"))[file.name])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UserError(
            f"{file}: {sums.name} beside it does not tell what it was ({problem!r}); {remedy}"
        ) from problem
    refuse_other(file, recorded, sums.name, remedy)


def refuse_other(file: Path, recorded: str, by: str, remedy: str) -> None:
    """Refuse a file whose SHA-256 is not the recorded one.

    Args:
        file: the file.
        recorded: its SHA-256.
        by: name of the file that records it.
        remedy: what to do.

    Raises:
        UserError: it cannot be read, or has another SHA-256.
    """
    try:
        found = file_digest(file)
    except OSError as problem:
        raise UserError(f"{file}: cannot be read ({problem.strerror}); {remedy}") from problem
    if found != recorded:
        raise UserError(
            f"{file}: edited or damaged, its SHA-256 is {found[:12]}…, {by} records {recorded[:12]}…; {remedy}"
        )


def difference(file: Path, sha256: str) -> str:
    """Return in a word how a file differs from one of this SHA-256, "" where it does not; reads regular files alone."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return "not a file"
        return "" if file_digest(file) == sha256 else "changed"
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as problem:
        return f"cannot be read ({problem.strerror})"


def refuse_unsound(sums: Path) -> None:
    """Refuse sums that do not hold.

    Raises:
        UserError: a file that they are of is missing, edited or damaged, or they cannot be read.
    """
    for name in _recorded(sums) or [sums.name]:
        refuse_changed(sums.with_name(name), sums)


def forget_changed(sums: Path) -> list[str]:
    """Remove sums that do not hold, so that their files, declared outputs of one rule, are made anew.

    Returns:
        The files that are not what was written; a missing one is the workflow's own business.
    """
    recorded = _recorded(sums)
    files = {sums.with_name(name): sha256 for name, sha256 in recorded.items()}
    changed = [
        str(file) for file, sha256 in files.items() if file.is_file() and file_digest(file) != sha256
    ] or ([] if recorded else [str(sums)])
    if changed and os.access(sums.parent, os.W_OK):
        sums.unlink()
    return changed


def keep_changed(file: Path, found: Mapping[str, Sequence[str]]) -> dict[str, list[list[str]]]:
    """Return, by what was found not to hold, the files that had changed: a list each time, so far and now.

    Args:
        file: JSON file that keeps them; written where there are new ones and it can be.
        found: the new ones.
    """
    try:
        kept = {
            str(name): [
                list(map(str, files)) for files in (times if isinstance(times, list) else [()] * times)
            ]
            for name, times in json.loads(file.read_text(encoding="utf-8")).items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        kept = {}
    kept |= {name: [*kept.get(name, []), [*files]] for name, files in found.items()}
    if found and os.access(file.parent, os.W_OK):
        write_json(file, kept)
    return kept


def _recorded(sums: Path) -> dict[str, str]:
    """Return the recorded SHA-256 by name; nothing where the file does not tell."""
    try:
        return {
            str(name): str(sha256) for name, sha256 in json.loads(sums.read_text(encoding="utf-8")).items()
        }
    except (OSError, ValueError, AttributeError):
        return {}
