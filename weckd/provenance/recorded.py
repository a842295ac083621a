"""Files outside the run's folder that it stands on, with the digests that the crate records."""

import json
from pathlib import Path

from weckd.files import file_digest

FACTS = "dataset.json"
PREPARED_FILES = ("images.npy", "index.csv", FACTS)


def prepared_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of what a run reads of a prepared data set; empty where it is not there."""
    files = [folder / name for name in PREPARED_FILES]
    return {file.name: file_digest(file) for file in files if file.exists()}


def archives_of(folder: Path) -> dict[str, str]:
    """Return name and SHA-256 of the archives that a data set was unpacked from; empty for folders and phantoms."""
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    return {name: entry["sha256"] for name, entry in facts["archives"].items()}
