"""The numbers of one data set's audit: its copies, and how far memory alone comes (one nearest neighbour)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weckd.audit.sets import AuditedSet
from weckd.data.duplicates import components
from weckd.errors import counted
from weckd.seeds import generator

SHARE = 0.2
"""Share of the images in the test part that is drawn where the source names none."""
FOLDS = 5
"""Folds that are drawn where the source tells none."""
_ROWS = 256  # images that are compared with all others at a time


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
    pairs_across_patients: int | None  # None, as below, where fewer than two patients are known
    neighbour_by_image: float | None  # accuracy of one nearest neighbour in the other folds, drawn by image
    neighbour_by_patient: float | None  # the same, with folds of whole patients
    folds: str  # what those are, "" where there are none
    suspected_pairs: int | None  # of different groups; None, as below, of a phantom: it is not searched
    suspected_images: int | None
    sources: int | None  # groups that remain where these are joined
    variant_test_images: int | None  # of the official test part, or a random fifth of the groups
    variant_test_suspected: int | None  # with a suspected variant among all others


_OF_VARIANTS = (
    *("suspected_pairs", "suspected_images", "sources"),
    *("variant_test_images", "variant_test_suspected"),
)


def find(audited: AuditedSet, recorded: bool | None, copied_elsewhere: int) -> Findings:
    """Return the numbers of one data set.

    Args:
        audited: the data set.
        recorded: whether its prepared arrays are those of datasets.lock; None where nothing is recorded.
        copied_elsewhere: images with a copy in another data set.
    """
    index, pairs = audited.index, audited.pairs
    chosen = audited.clusters[audited.clusters["chosen"]].iloc[0]
    patients = index[index["given_group"] != ""].groupby("given_group")["class"].nunique()
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
        patients=len(patients) or None,
        patients_in_several_classes=int((patients > 1).sum()) if len(patients) else None,
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
        **_by_patient(audited),
        **_variants(audited),
    )


def _variants(audited: AuditedSet) -> dict[str, Any]:
    """Return what was found of suspected variants, and how many of them a test part would share with training."""
    if audited.phantom:
        return dict.fromkeys(_OF_VARIANTS)
    groups = pd.factorize(audited.index["group_id"])[0]
    pairs = audited.suspected[["first", "second"]].to_numpy()
    sources = components(groups.max() + 1, groups[pairs])
    test = (audited.index["official_split"] == "test").to_numpy()
    if not audited.has_official_test():
        order = generator("audit", "variants", audited.key).permutation(groups.max() + 1)
        test = np.isin(groups, order[: max(1, round(SHARE * len(order)))])
    between = pairs[test[pairs[:, 0]] != test[pairs[:, 1]]]
    suspected = np.intersect1d(between, np.flatnonzero(test))
    counts = (len(pairs), len(np.unique(pairs)), sources.max() + 1, test.sum(), len(suspected))
    return dict(zip(_OF_VARIANTS, map(int, counts), strict=True))


def _by_patient(audited: AuditedSet) -> dict[str, Any]:
    """Return what a split by image would have learnt of patients; an image of an unknown one counts as a patient."""
    given, source = audited.index["given_group"], audited.index["fold"]
    if given[given != ""].nunique() < 2:
        columns = ("pairs_across_patients", "neighbour_by_image", "neighbour_by_patient")
        return {**dict.fromkeys(columns), "folds": ""}
    patients = pd.factorize(given.where(given != "", "of " + audited.index["image_id"]))[0]
    cut = int((source.groupby(patients).nunique() > 1).sum())
    told = (source != "").all() and source.nunique() > 1
    number = source.nunique() if told else min(FOLDS, patients.max() + 1)
    by_image = _drawn_folds(len(source), number, audited.key, "images")
    by_patient, folds = pd.factorize(source)[0], f"{number} of the source"
    if not told or cut:
        by_patient = _drawn_folds(patients.max() + 1, number, audited.key, "patients")[patients]
        folds = f"{number} drawn by patient" + (
            f" (the source's cut {counted(cut, 'patient')})" if told else ""
        )
    return {
        "pairs_across_patients": int(listed_pairs(audited, audited.pairs)["crosses_patients"].sum()),
        "neighbour_by_image": in_other_folds(audited, by_image),
        "neighbour_by_patient": in_other_folds(audited, by_patient),
        "folds": folds,
    }


def _drawn_folds(items: int, number: int, *axes: str) -> NDArray[np.int64]:
    """Return the fold of each item, folds as equal in size as can be."""
    return generator("audit", "folds", *axes).permutation(np.arange(items) % number)


def in_other_folds(audited: AuditedSet, folds: NDArray[np.int64]) -> float:
    """Return the share of images whose class is that of the image in the other folds that correlates most with it.

    Correlations are those of near-duplicates, but unturned; one shade correlates with nothing.

    Args:
        audited: the data set.
        folds: (N,) of each image.
    """
    pixels = audited.thumbnails.reshape(len(folds), -1).astype(np.float64)  # whose sums of integers are exact
    sums = pixels.sum(axis=1)
    spread = np.sqrt(pixels.shape[1] * (pixels**2).sum(axis=1) - sums**2)
    right = 0
    for fold in np.unique(folds):
        others = np.flatnonzero(folds != fold)
        for rows in np.array_split(test := np.flatnonzero(folds == fold), -(-len(test) // _ROWS)):
            products = pixels.shape[1] * (pixels[rows] @ pixels[others].T) - np.outer(
                sums[rows], sums[others]
            )
            likeness = np.divide(
                products, spread[others], out=np.full_like(products, -np.inf), where=spread[others] > 0
            )
            nearest = others[likeness.argmax(axis=1)]
            right += int((audited.classes[nearest] == audited.classes[rows]).sum())
    return right / len(folds)


def listed_pairs(audited: AuditedSet, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of pairs.csv for some pairs of a data set: what they are of, and what is wrong about them."""
    found = pairs[["kind", "correlation"]].reset_index(drop=True)
    found.insert(0, "dataset", audited.key)
    for name in ("image_id", "class", "official_split", "given_group"):
        values = audited.index[name].to_numpy()
        for side, column in (("a", "first"), ("b", "second")):
            found[f"{name.removesuffix('_id')}_{side}"] = values[pairs[column]]
    found["label_conflict"] = found["class_a"] != found["class_b"]
    of_test = (found[f"official_split_{side}"] == "test" for side in "ab")
    found["crosses_official_test"] = next(of_test) != next(of_test)
    named = (found["given_group_a"] != "") & (found["given_group_b"] != "")
    found["crosses_patients"] = named & (found["given_group_a"] != found["given_group_b"])
    return found


@dataclass(frozen=True)
class Neighbour:
    """A test part, which of its images have copies in training, and where the nearest neighbour is right."""

    official: bool  # the source's test part, or a random one
    test: NDArray[np.int64]  # rows
    identical: NDArray[np.bool_]  # (tests,) has the pixels of a training image
    leaked: NDArray[np.bool_]  # (tests,) identical, or a near copy of a training image
    right: NDArray[np.bool_]  # (tests,) the nearest training image has the same class


def nearest_neighbour(audited: AuditedSet) -> Neighbour:
    """Classify each test image by the training image whose thumbnail is nearest (Euclidean, grey, 32x32, unturned).

    The test part is the official one, or a random fifth of the images, drawn by image as is usual.
    """
    split = audited.index["official_split"]
    if audited.has_official_test():
        test, training = (split == "test").to_numpy(), (split != "test").to_numpy()
    else:
        order = generator("audit", audited.key).permutation(len(split))
        test = np.zeros(len(split), dtype=bool)
        test[order[: max(1, round(SHARE * len(split)))]] = True
        training = ~test
    rows = np.flatnonzero(test)
    first, second = audited.pairs["first"].to_numpy(), audited.pairs["second"].to_numpy()
    ours, theirs = np.concatenate([first, second]), np.concatenate([second, first])
    leaking = test[ours] & training[theirs]
    exact = np.tile(audited.pairs["kind"] == "exact", 2)
    identical, leaked = (np.isin(rows, ours[found]) for found in (leaking & exact, leaking))
    nearest = _nearest(audited.thumbnails[rows], audited.thumbnails[training])
    right = audited.classes[training][nearest] == audited.classes[rows]
    return Neighbour(audited.has_official_test(), rows, identical, leaked, right)


def _nearest(test: NDArray[np.uint8], training: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the training image nearest to each test image, the first of equals; integers are exact in float64."""
    x, y = (images.reshape(len(images), -1).astype(np.float64) for images in (test, training))
    squares = (y**2).sum(axis=1)
    found = [
        np.argmin(squares - 2 * (x[start : start + _ROWS] @ y.T), axis=1) for start in range(0, len(x), _ROWS)
    ]
    return np.concatenate([np.empty(0, dtype=np.int64), *found])
