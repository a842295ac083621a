"""What is asked for, as all steps of finding it need it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weckd.data.catalogue import Dataset, RecordFile


@dataclass(frozen=True)
class Wanted:
    """A data set, the places where it may lie, and the hashes that its archives must have."""

    dataset: Dataset
    image_size: int
    data_root: Path | None
    downloads: Path
    recorded: Mapping[str, str]

    @property
    def own(self) -> Path:
        """Return the folder of this data set among the downloads."""
        return self.downloads / self.dataset.key

    @property
    def downloaded(self) -> Path:
        """Return the folder that archives are downloaded to: one for each version that the catalogue pins."""
        version = self.dataset.download and self.dataset.download.version
        return self.own / "archives" / (f"version-{version}" if version else "")

    @property
    def unpacked(self) -> Path:
        """Return the folder that archives are unpacked to."""
        return self.own / "files"

    @property
    def files(self) -> tuple[RecordFile, ...]:
        """Return the files, or patterns of them, that the catalogue names for this image size."""
        return self.dataset.record_files(self.image_size)


@dataclass(frozen=True)
class Found:
    """Where a data set lies, where it came from, and size and SHA-256 of its archives by name."""

    folder: Path
    origin: str
    archives: dict[str, Any]


def say(key: str, text: str) -> None:
    """Tell on stderr how a data set's fetching goes."""
    print(f"[{key}] {text}", file=sys.stderr, flush=True)
