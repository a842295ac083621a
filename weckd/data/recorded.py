"""`datasets.lock`: what the archives and the prepared arrays of each data set were, so that two users can compare."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from weckd.data.prepared import read_facts, read_index
from weckd.errors import UserError
from weckd.files import digest, write_text
from weckd.yaml_files import read_yaml

_HEADER = """\
# SHA-256 of the archives and of the prepared arrays of each data set, by image size (pixels a side).
# `weckd fetch` refuses another archive; the audit tells whether the prepared images are these.
# Written by `weckd lock`. images: over image ids and files; arrays: over pixels and index.
"""
_NOTHING: dict[str, dict[Any, Any]] = {"archives": {}, "sizes": {}}
SHA256 = re.compile("[0-9a-fA-F]{64}")


def recorded_archives(lock: Path, key: str) -> dict[str, str]:
    """Return the recorded SHA-256 of each archive of a data set, by name; empty where nothing is recorded.

    Raises:
        UserError: the file is no such record.
    """
    return dict(_entries(lock).get(key, _NOTHING)["archives"])


def as_recorded(lock: Path, prepared: Iterable[Path]) -> dict[str, bool | None]:
    """Tell by key whether each prepared data set equals the recorded one; None where none of its size is recorded.

    Raises:
        UserError: the lock file, or a prepared folder, cannot be read.
    """
    entries, equal = _entries(lock), dict[str, bool | None]()
    for folder in prepared:
        facts = read_facts(folder)
        recorded = entries.get(facts["key"], _NOTHING)["sizes"].get(facts["image_size"])
        equal[facts["key"]] = None if recorded is None else recorded == _hashes(folder, facts)
    return equal


def record(prepared: Iterable[Path], lock: Path) -> None:
    """Write the hashes of prepared data sets into the lock file, over those of the same set and size.

    Phantoms are not recorded: they are drawn again, and may differ in a pixel between kinds of processors.

    Raises:
        UserError: the lock file, or a prepared folder, cannot be read.
    """
    entries = _entries(lock)
    for folder in prepared:
        facts = read_facts(folder)
        if facts["phantom"]:
            continue
        entry = entries.setdefault(facts["key"], {"archives": {}, "sizes": {}})
        entry["archives"] |= {name: archive["sha256"] for name, archive in facts["archives"].items()}
        entry["sizes"][facts["image_size"]] = _hashes(folder, facts)
    write_text(lock, _HEADER + yaml.safe_dump(entries, sort_keys=True))


def read_lock(lock: Path, what: str) -> dict[str, Any]:
    """Return the entries of a lock file; none where it does not exist.

    Args:
        lock: YAML file.
        what: that which each entry is of, for messages.

    Raises:
        UserError: the file cannot be read, or holds no entries.
    """
    entries = read_yaml(lock, "restore it", {}) if lock.exists() else {}
    if not isinstance(entries, dict):
        raise UserError(
            f"{lock}: must hold an entry for each {what}; restore it, or remove it and record again"
        )
    return entries


def _entries(lock: Path) -> dict[str, Any]:
    """Return the entries of datasets.lock, each of which holds archives and sizes."""
    entries = read_lock(lock, "data set")
    for key, entry in entries.items():
        parts = [entry.get(part) for part in _NOTHING] if isinstance(entry, dict) else [None]
        if not all(isinstance(part, dict) and all(map(_is_hashes, part.values())) for part in parts):
            raise UserError(
                f"{lock}: {key}: must hold SHA-256 below archives and below sizes; restore it, or remove the entry and "
                "record again"
            )
    return entries


def _is_hashes(value: Any) -> bool:
    """Tell whether a value is an archive's hash, or the hashes of a size."""
    values = value.values() if isinstance(value, dict) else [value]
    return all(isinstance(each, str) and SHA256.fullmatch(each) for each in values)


def _hashes(prepared: Path, facts: dict[str, Any]) -> dict[str, str]:
    images = read_index(prepared)[["image_id", "file_sha256"]].to_numpy().tolist()
    return {"images": digest(images), "arrays": facts["fingerprint"]}
