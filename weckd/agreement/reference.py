"""What a frozen reference holds, and how its pieces lie in files.

reference.json            how and with what it was made, tolerances, a digest of every file
suite.json                the run's settings
predictions/<dataset>.parquet  all seeds of a data set
records.tar.xz            splits, manifests, audit tables, numbers of attention maps: no image
tables/*.md               the tables as people read them
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from weckd.config import build
from weckd.errors import UserError
from weckd.files import file_digest

FORMAT = 1
FACTS = "reference.json"
RECORDS = "records.tar.xz"


@dataclass(frozen=True)
class MadeWith:
    """What decides whether two runs must be equal to the byte."""

    lock: str  # SHA-256 of the lock file; empty where there was none
    device: str
    threads: int
    versions: dict[str, str]


@dataclass(frozen=True)
class Reference:
    """The facts of a reference."""

    format: int
    suite: str  # the run's name
    plan_hash: str
    made_with: MadeWith
    level: float  # of the interval that a rerun made with something else must lie in
    rule: str  # what counts as reproduced, in words
    files: dict[str, str]  # frozen file -> SHA-256
    outputs: dict[str, str]  # table or figure that the run made -> SHA-256


def read_reference(folder: Path) -> Reference:
    """Read a reference's facts and check every file of it.

    Raises:
        UserError: it is no reference, of another format, or a file is missing or damaged.
    """
    file = folder / FACTS
    try:
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        facts = build(Reference, values) if values.get("format") == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UserError(
            f"{file}: not a readable reference ({problem}); make one with `weckd freeze`"
        ) from problem
    if facts is None:
        raise UserError(
            f"{file}: format {values.get('format')!r}, this version reads {FORMAT}; freeze the run again"
        )
    assert isinstance(facts, Reference)  # noqa: S101 - tells the type checker what build was asked for
    for name, expected in facts.files.items():
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}: missing; restore the reference, or freeze a run again")
        if file_digest(folder / name) != expected:
            raise UserError(
                f"{folder / name}: damaged, its hash is not the recorded one; restore the reference"
            )
    return facts


def reference_json(reference: Reference) -> dict[str, Any]:
    """Return the facts as plain values."""
    return asdict(reference)
