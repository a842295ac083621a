"""Files outside the run's folder that it stands on, with the digests that the crate records."""

from pathlib import Path

from weckd.data.prepared import FACTS, read_facts
from weckd.data.watch import PREPARED_FILES
from weckd.files import file_digest
from weckd.sums import AGAIN, refuse_other


def prepared_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the files of a prepared data set; empty where it is not there.

    Raises:
        UserError: one is missing, or not what was prepared.
    """
    if not folder.exists():
        return {}
    found = {**read_facts(folder).get("files", {}), FACTS: file_digest(folder / FACTS)}
    for name in PREPARED_FILES:
        refuse_other(folder / name, found.get(name, "nothing"), FACTS, AGAIN)
    return found


def archives_of(folder: Path) -> dict[str, str]:
    """Return name and SHA-256 of the archives that a data set was unpacked from; empty for folders and phantoms."""
    return {name: entry["sha256"] for name, entry in read_facts(folder)["archives"].items()}
