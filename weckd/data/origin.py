"""Where a real data set lies on this machine: what `fetch` wrote down, or a folder that the user names."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weckd.data.catalogue import Dataset
from weckd.data.file_kinds import irregular
from weckd.data.layouts.locate import locate
from weckd.data.watch import OWN, Place, source_places
from weckd.errors import UserError


@dataclass(frozen=True)
class Origin:
    """The folder that holds a data set in its layout, and the archives that it was unpacked from."""

    folder: Path
    archives: dict[str, Any]  # name: {"bytes": .., "sha256": ..}; empty where there was none
    places: Mapping[str, Place] = field(default_factory=dict)  # where it was looked for, to be watched


def read_origin(dataset: Dataset, source: Path | None, image_size: int) -> Origin:
    """Return where a data set lies.

    Args:
        dataset: entry of the catalogue.
        source: source.json of `weckd fetch`, or a folder that holds the data set.
        image_size: chooses among files of several sizes.

    Raises:
        UserError: no source is named, or it is not such a file or folder.
    """
    if source is None:
        raise UserError(
            f"{dataset.key}: needs its images; name their folder, or the source.json of `weckd fetch`, with --source"
        )
    if source.is_dir():
        return Origin(locate(dataset, source, image_size) or source, {}, {OWN: Place((str(source),))})
    if kind := irregular(source):
        raise UserError(f"{source}: {kind}, neither a folder nor a source.json; make it with `weckd fetch`")
    try:
        found = json.loads(source.read_text(encoding="utf-8"))
        folder, key, archives = Path(found["folder"]), found["dataset"], dict(found["archives"])
        looked_in = found["looked_in"]
        data_root = Path(looked_in["data_root"]) if looked_in["data_root"] else None
        places = source_places(dataset, image_size, data_root, Path(looked_in["downloads"]))
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UserError(
            f"{source}: neither a folder nor a source.json ({problem}); make it with `weckd fetch`"
        ) from problem
    if key != dataset.key:
        raise UserError(f"{source}: tells where {key} lies, not {dataset.key}; name that of {dataset.key}")
    return Origin(folder, archives, places)
