"""Groups: images that must stay together in a split, be it a patient's or near-duplicates of each other.

Beside them pairs of different groups that may be variants of one photograph, for a person to judge.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weckd.data.duplicates import FLOOR, Duplicates, Pairs, components, near_duplicates
from weckd.data.prepared import read_facts, read_images, read_index, read_thumbnails
from weckd.data.variants import suspected_variants
from weckd.files import FOLDER_SUMS, write_sums, write_text

CURVE = tuple(round(FLOOR + 0.005 * step, 3) for step in range(20))
"""Thresholds at which clusters are counted, so that a reader sees what the chosen one decides."""


def write_groups(
    dataset: str, prepared: Path, threshold: float, out: Path, *, join_suspected: bool = False
) -> None:
    """Find the groups of a prepared data set.

    Writes into the folder `out`: groups.csv (image_id, group_id), pairs.csv (all exact and near copies, then suspected
    variants of different groups, which are not sought in a phantom: its copies are planted), and clusters.csv (number
    and largest size of near-duplicate clusters at every threshold of CURVE and at the chosen one), and their sums.

    Args:
        dataset: key of the data set.
        prepared: its folder, see `weckd.data.prepare`.
        threshold: correlation above which two images are near-duplicates.
        out: folder to write.
        join_suspected: keep suspected variants together as well, as an entry's `groups: suspected` asks.

    Raises:
        UserError: the folder holds another data set, or not what was prepared.
    """
    index, facts = read_index(prepared), read_facts(prepared, dataset)
    found = near_duplicates(read_thumbnails(prepared, facts), threshold)
    groups, pairs = assign_groups(index, found.pairs.rows), _pairs_frame(index, found.pairs)
    if not facts["phantom"]:
        shapes = index[["width", "height"]].to_numpy(dtype=np.float64)
        numbers = pd.factorize(groups["group_id"])[0]
        suspected = suspected_variants(read_images(prepared, facts), shapes, numbers)
        pairs = pd.concat([pairs, _pairs_frame(index, suspected).assign(kind="suspected")])
        if join_suspected:
            groups = assign_groups(index, np.vstack([found.pairs.rows, suspected.rows]))
    frames = {
        out / "groups.csv": groups,
        out / "pairs.csv": pairs,
        out / "clusters.csv": _clusters_frame(found, threshold),
    }
    for file, frame in frames.items():
        write_text(file, frame.to_csv(index=False, lineterminator="\n", float_format="%.4f"))
    write_sums(out / FOLDER_SUMS, frames)


def assign_groups(index: pd.DataFrame, pairs: NDArray[np.int64]) -> pd.DataFrame:
    """Return image_id and group_id of every image.

    A group is a connected set of images that share a given group (a patient) or are near-duplicates, so that
    neither crosses a split; near-duplicates of two patients make one group of both. It is named after its
    patients where there are any ("17", "17+23"), else g0001, g0002, ... in the order of its first image.

    Args:
        index: columns image_id and given_group (empty where there is none).
        pairs: rows (P, 2) of near-duplicates.
    """
    given = index["given_group"].to_numpy(dtype=np.str_)
    named = np.flatnonzero(given != "")
    # Each image of a patient is joined to the patient's first image.
    _, first, patient = np.unique(given[named], return_index=True, return_inverse=True)
    joined = np.column_stack([named, named[first][patient]])
    labels = components(len(index), np.vstack([pairs, joined]))
    patients = pd.Series(given[named]).groupby(labels[named]).unique()
    names = {label: "+".join(sorted(found)) for label, found in patients.items()}
    group_ids = [names.get(label, f"g{label + 1:04d}") for label in labels.tolist()]
    return pd.DataFrame({"image_id": index["image_id"], "group_id": group_ids})


def _pairs_frame(index: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    ids, pixels = index["image_id"].to_numpy(), index["pixel_sha256"].to_numpy()
    first, second = pairs.rows[:, 0], pairs.rows[:, 1]
    kind = np.where(pixels[first] == pixels[second], "exact", "near")
    return pd.DataFrame(
        {"first": ids[first], "second": ids[second], "kind": kind, "correlation": pairs.correlations}
    )


def _clusters_frame(found: Duplicates, chosen: float) -> pd.DataFrame:
    rows = []
    for threshold in sorted({*CURVE, chosen}):
        sizes = np.bincount(found.clusters(threshold))
        rows.append((threshold, len(sizes), int(sizes.max()), threshold == chosen))
    return pd.DataFrame(rows, columns=["threshold", "clusters", "largest", "chosen"])
