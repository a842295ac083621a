"""A prepared data set as the audit sees it: its images, their groups and their pairs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weckd.data.index import left_out, read_index
from weckd.data.prepared import read_facts, read_thumbnails
from weckd.errors import UserError
from weckd.sums import FOLDER_SUMS, refuse_changed


@dataclass(frozen=True)
class AuditedSet:
    """One data set."""

    key: str
    modality: str
    phantom: bool
    derived_from: tuple[str, ...]
    index: pd.DataFrame  # rows of the images, with a column group_id
    left_out: pd.DataFrame  # rows of the images that were left out
    pairs: pd.DataFrame  # first, second: rows; kind exact or near; correlation
    clusters: pd.DataFrame  # threshold, clusters, largest, chosen
    thumbnails: NDArray[np.uint8]  # (N, 32, 32)
    images: Path  # images.npy

    @property
    def classes(self) -> NDArray[np.str_]:
        """The class key of each image."""
        return self.index["class"].to_numpy(dtype=np.str_)

    def has_official_test(self) -> bool:
        """Whether the source names a test part, and other images to train on."""
        return set(self.index["official_split"]) > {"test"}


def load_set(prepared: Path, groups: Path) -> AuditedSet:
    """Read what `weckd prepare` and `weckd group` wrote of one data set.

    Raises:
        UserError: a file is missing or not what was written, or the two are not of the same images.
    """
    index = read_index(prepared)
    facts = read_facts(prepared)
    for name in ("groups", "pairs", "clusters"):
        refuse_changed(groups / f"{name}.csv", groups / FOLDER_SUMS)
    try:
        # Ids stay text: 7 and 007 are two patients.
        group_of, pairs = (
            pd.read_csv(groups / f"{name}.csv", dtype=str, keep_default_na=False)
            for name in ("groups", "pairs")
        )
        pairs["correlation"] = pairs["correlation"].astype(float)
        clusters = pd.read_csv(groups / "clusters.csv")
    except (OSError, ValueError) as problem:
        raise UserError(f"{groups}: cannot be audited ({problem}); make it with `weckd group`") from problem
    if group_of["image_id"].tolist() != index["image_id"].tolist():
        raise UserError(
            f"{groups}: groups of other images than {prepared} holds; make them again with `weckd group`"
        )
    row_of = {image_id: row for row, image_id in enumerate(index["image_id"])}
    for column in ("first", "second"):
        pairs[column] = pairs[column].map(row_of).astype(np.int64)
    return AuditedSet(
        key=facts["key"],
        modality=facts["modality"],
        phantom=facts["phantom"],
        derived_from=tuple(facts["derived_from"]),
        index=index.assign(group_id=group_of["group_id"].to_numpy()),
        left_out=left_out(prepared),
        pairs=pairs,
        clusters=clusters,
        thumbnails=read_thumbnails(prepared, facts),
        images=prepared / "images.npy",
    )
