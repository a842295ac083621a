"""Prepared data sets as the audit sees them: images, groups and pairs, and the copies that two of them share."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weckd.data.duplicates import Pairs, pairs_between
from weckd.data.prepared import read_facts, read_index, read_thumbnails
from weckd.errors import UserError, unreadable
from weckd.files import FOLDER_SUMS, refuse_changed
from weckd.places import UNDECLARED

COLUMNS = ("dataset_a", "image_a", "class_a", "dataset_b", "image_b", "class_b", "kind", "correlation")


@dataclass(frozen=True)
class AuditedSet:
    """One data set."""

    key: str
    title: str
    modality: str
    phantom: bool
    derived_from: tuple[str, ...]
    index: pd.DataFrame  # rows of the images, with a column group_id
    left_out: pd.DataFrame  # rows of the images that were left out
    pairs: pd.DataFrame  # first, second: rows; kind exact or near; correlation
    suspected: pd.DataFrame  # likewise, of kind suspected: variants of different groups
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
    text: dict[str, Any] = {"dtype": str, "keep_default_na": False}  # 7 and 007 are two patients
    with unreadable(groups, "cannot be audited", "make it with `weckd group`"):
        group_of = pd.read_csv(groups / "groups.csv", **text)
        pairs = pd.read_csv(groups / "pairs.csv", **text).astype({"correlation": float})
        clusters = pd.read_csv(groups / "clusters.csv")
    if group_of["image_id"].tolist() != index["image_id"].tolist():
        told = f"groups of other images than {prepared} holds; make them again with `weckd group`"
        raise UserError(f"{groups}: {told}")
    row_of = {image_id: row for row, image_id in enumerate(index["image_id"])}
    for column in ("first", "second"):
        pairs[column] = pairs[column].map(row_of).astype(np.int64)
    return AuditedSet(
        key=facts["key"],
        title=facts["title"],
        modality=facts["modality"],
        phantom=facts["phantom"],
        derived_from=tuple(facts["derived_from"]),
        index=index.assign(group_id=group_of["group_id"].to_numpy()),
        left_out=read_index(prepared, left_out=True),
        pairs=pairs[pairs["kind"] != "suspected"],
        suspected=pairs[pairs["kind"] == "suspected"],
        clusters=clusters,
        thumbnails=read_thumbnails(prepared, facts),
        images=prepared / "images.npy",
    )


@dataclass(frozen=True)
class Overlap:
    """How many images of one data set have a copy in another."""

    dataset: str
    other: str
    images: int  # of the data set
    copied: int
    declared: bool  # the catalogue derives one of the two from the other

    @property
    def verdict(self) -> str:
        """What the overlap means for tests across data sets."""
        if self.copied:
            return "as declared" if self.declared else UNDECLARED
        return "declared, but not found" if self.declared else "none found"


def pairs_across(sets: Sequence[AuditedSet], threshold: float) -> pd.DataFrame:
    """Return the pairs of copies between data sets, with the columns of COLUMNS.

    Near ones are asked for within a modality; identical ones in all sets, since the modality is what a catalogue says.
    """
    frames = [pd.DataFrame(columns=list(COLUMNS))]
    for a, b in combinations(sets, 2):
        one_modality = a.modality == b.modality
        found = pairs_between(a.thumbnails, b.thumbnails, threshold) if one_modality else _identical(a, b)
        columns: dict[str, Any] = {}
        pixels = []
        for side, one, rows in zip("ab", (a, b), found.rows.T, strict=True):
            columns[f"dataset_{side}"] = one.key
            columns[f"image_{side}"] = one.index["image_id"].to_numpy()[rows]
            columns[f"class_{side}"] = one.index["class"].to_numpy()[rows]
            pixels.append(one.index["pixel_sha256"].to_numpy()[rows])
        kind = np.where(pixels[0] == pixels[1], "exact", "near")
        frames.append(pd.DataFrame({**columns, "kind": kind, "correlation": found.correlations}))
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def overlaps(sets: Sequence[AuditedSet], across: pd.DataFrame) -> tuple[Overlap, ...]:
    """Return the overlap of each pair of data sets of one modality, or of shared images, in both directions."""
    found = []
    for a, b in combinations(sets, 2):
        own = across[(across["dataset_a"] == a.key) & (across["dataset_b"] == b.key)]
        if a.modality != b.modality and own.empty:
            continue
        declared = a.key in b.derived_from or b.key in a.derived_from
        found.append(Overlap(a.key, b.key, len(a.index), own["image_a"].nunique(), declared))
        found.append(Overlap(b.key, a.key, len(b.index), own["image_b"].nunique(), declared))
    return tuple(found)


def copied_elsewhere(key: str, across: pd.DataFrame) -> int:
    """Return how many images of a data set have a copy in any other."""
    as_first = across.loc[across["dataset_a"] == key, "image_a"]
    as_second = across.loc[across["dataset_b"] == key, "image_b"]
    return len({*as_first, *as_second})


def _identical(a: AuditedSet, b: AuditedSet) -> Pairs:
    """Return the pairs of images with the same pixels, but for those of one shade, which say nothing."""
    hashes = []
    for audited in (a, b):
        drawn = np.ptp(audited.thumbnails.reshape(len(audited.index), -1), axis=1) > 0
        rows = np.flatnonzero(drawn)
        hashes.append(pd.DataFrame({"row": rows, "pixels": audited.index["pixel_sha256"].to_numpy()[rows]}))
    same = hashes[0].merge(hashes[1], on="pixels").sort_values(["row_x", "row_y"])
    return Pairs(same[["row_x", "row_y"]].to_numpy(dtype=np.int64), np.ones(len(same)))
