"""The numbers of one data set's audit."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from weckd.audit.neighbour import nearest_neighbour
from weckd.audit.sets import AuditedSet
from weckd.data.duplicates import components


@dataclass(frozen=True)
class Findings:
    """One row of the audit's table. Shares are fractions; None where there is nothing to measure."""

    dataset: str
    phantom: bool
    recorded: str  # yes, no, or not recorded
    images: int
    left_out: int
    distinct: int  # different images, by their pixels
    exact_pairs: int
    near_pairs: int  # that are not exact
    clusters: int  # of near-duplicates, at the threshold
    largest_cluster: int
    patients: int | None
    patients_in_several_classes: int | None
    groups: int  # clusters and patients joined: what a split keeps together
    conflicts_exact: int  # sets of identical images that carry several classes
    conflicts_near: int  # clusters that carry several classes
    test_part: str  # official, or random
    test_images: int
    test_identical: int
    test_leaked: int  # identical or near
    neighbour_clean: float | None  # accuracy of one nearest neighbour
    neighbour_leaked: float | None
    copied_elsewhere: int  # images with a copy in another data set of the run


def find(audited: AuditedSet, recorded: bool | None, copied_elsewhere: int) -> Findings:
    """Return the numbers of one data set.

    Args:
        audited: the data set.
        recorded: whether its prepared arrays are those of datasets.lock; None where nothing is recorded.
        copied_elsewhere: images with a copy in another data set.
    """
    index, pairs = audited.index, audited.pairs
    chosen = audited.clusters[audited.clusters["chosen"]].iloc[0]
    given = index[index["given_group"] != ""]
    neighbour = nearest_neighbour(audited)
    leaked = neighbour.leaked
    clusters = components(len(index), pairs[["first", "second"]].to_numpy())
    classes_of_cluster = pd.Series(audited.classes).groupby(clusters).nunique()
    same_pixels = index.groupby("pixel_sha256")["class"].nunique()
    return Findings(
        dataset=audited.key,
        phantom=audited.phantom,
        recorded={True: "yes", False: "no", None: "not recorded"}[recorded],
        images=len(index),
        left_out=len(audited.left_out),
        distinct=int(index["pixel_sha256"].nunique()),
        exact_pairs=int((pairs["kind"] == "exact").sum()),
        near_pairs=int((pairs["kind"] == "near").sum()),
        clusters=int(chosen["clusters"]),
        largest_cluster=int(chosen["largest"]),
        patients=int(given["given_group"].nunique()) if len(given) else None,
        patients_in_several_classes=(
            int((given.groupby("given_group")["class"].nunique() > 1).sum()) if len(given) else None
        ),
        groups=int(index["group_id"].nunique()),
        conflicts_exact=int((same_pixels > 1).sum()),
        conflicts_near=int((classes_of_cluster > 1).sum()),
        test_part="official" if neighbour.official else "random",
        test_images=len(neighbour.test),
        test_identical=int(neighbour.identical.sum()),
        test_leaked=int(leaked.sum()),
        neighbour_clean=float(neighbour.right[~leaked].mean()) if (~leaked).any() else None,
        neighbour_leaked=float(neighbour.right[leaked].mean()) if leaked.any() else None,
        copied_elsewhere=copied_elsewhere,
    )


def listed_pairs(audited: AuditedSet) -> dict[str, np.ndarray]:
    """Return the columns of pairs.csv for one data set: the pairs, with what is wrong about them."""
    first, second = (audited.index.iloc[audited.pairs[column]] for column in ("first", "second"))
    columns: dict[str, np.ndarray] = {
        "dataset": np.full(len(first), audited.key),
        "kind": audited.pairs["kind"].to_numpy(),
        "correlation": audited.pairs["correlation"].to_numpy(),
    }
    for name, source in (
        ("image", "image_id"),
        ("class", "class"),
        ("official_split", "official_split"),
        ("given_group", "given_group"),
    ):
        columns[f"{name}_a"], columns[f"{name}_b"] = first[source].to_numpy(), second[source].to_numpy()
    columns["label_conflict"] = columns["class_a"] != columns["class_b"]
    columns["crosses_official_test"] = (columns["official_split_a"] == "test") != (
        columns["official_split_b"] == "test"
    )
    named = (columns["given_group_a"] != "") & (columns["given_group_b"] != "")
    columns["crosses_patients"] = named & (columns["given_group_a"] != columns["given_group_b"])
    return columns
