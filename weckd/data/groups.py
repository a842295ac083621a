"""Groups: images that must stay together in a split, be it a patient's or near-duplicates of each other."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from weckd.files import write_text

_BLOCK = 512  # rows of correlations at a time: memory grows with N, not with its square
_ROUNDING = 1e-4  # more than float32 can be off in a product of two unit vectors of 1,024 pixels (6e-5)


def write_groups(dataset: str, prepared: Path, threshold: float, out: Path) -> None:
    """Find the groups of a prepared data set and write `image_id,group_id`.

    Args:
        dataset: key of the data set.
        prepared: its folder, see `weckd.data.prepare`.
        threshold: correlation above which two images are near-duplicates.
        out: CSV file to write.
    """
    index = pd.read_csv(prepared / "index.csv", dtype=str, keep_default_na=False)
    facts = json.loads((prepared / "dataset.json").read_text(encoding="utf-8"))
    thumbnails = np.load(prepared / "thumbnails.npy", allow_pickle=False)
    if facts["key"] != dataset:
        raise ValueError(f"{prepared} holds {facts['key']}, not {dataset}")
    groups = assign_groups(index, thumbnails, threshold)
    write_text(out, groups.to_csv(index=False, lineterminator="\n"))


def assign_groups(index: pd.DataFrame, thumbnails: NDArray[np.uint8], threshold: float) -> pd.DataFrame:
    """Return image_id and group_id of every image.

    A group is a connected set of images that share a given group (a patient) or are near-duplicates, so that
    neither crosses a split; near-duplicates of two patients make one group of both. It is named after its
    patients where there are any ("17", "17+23"), else g0001, g0002, ... in the order of its first image.

    Args:
        index: columns image_id and given_group (empty where there is none).
        thumbnails: uint8 (N, 32, 32), in the index's order.
        threshold: correlation above which two images are near-duplicates.
    """
    given = index["given_group"].to_numpy(dtype=np.str_)
    named = np.flatnonzero(given != "")
    # Each image of a patient is joined to the patient's first image.
    _, first, patient = np.unique(given[named], return_index=True, return_inverse=True)
    joined = np.column_stack([named, named[first][patient]])
    labels = _components(len(index), np.vstack([near_duplicate_pairs(thumbnails, threshold), joined]))
    patients = pd.Series(given[named]).groupby(labels[named]).unique()
    names = {label: "+".join(sorted(found)) for label, found in patients.items()}
    group_ids = [names.get(label, f"g{label + 1:04d}") for label in labels.tolist()]
    return pd.DataFrame({"image_id": index["image_id"], "group_id": group_ids})


def near_duplicate_groups(thumbnails: NDArray[np.uint8], threshold: float) -> NDArray[np.int64]:
    """Return the cluster number (N,) of each thumbnail, numbered in the order of first images.

    Clusters are the connected components of `near_duplicate_pairs`.
    """
    return _components(len(thumbnails), near_duplicate_pairs(thumbnails, threshold))


def near_duplicate_pairs(thumbnails: NDArray[np.uint8], threshold: float) -> NDArray[np.int64]:
    """Return pairs (P, 2), first before second, whose correlation exceeds the threshold.

    The correlation is Pearson's over the pixels of two grey thumbnails, at its largest over the eight flips and
    rotations of one of them. Images without any contrast have no correlation; they are near-duplicates of each other.
    Pairs too near the threshold for float32 are decided in exact integers, so that the result depends neither
    on the number of threads nor on the machine's matrix library.

    Args:
        thumbnails: uint8 (N, 32, 32).
        threshold: correlation, from 0 to 1.
    """
    unit = _standardised(thumbnails)
    blank = np.flatnonzero(np.ptp(thumbnails, axis=(1, 2)) == 0)
    found = [np.column_stack([blank[:-1], blank[1:]])]
    for start in range(0, len(unit), _BLOCK):
        # The eight variants are a group, so turning one side of each pair is enough.
        variants = _eight_variants(thumbnails[start : start + _BLOCK])
        largest = np.full((len(variants[0]), len(unit) - start), -1.0, dtype=np.float32)
        for variant in variants:
            np.maximum(largest, _standardised(variant) @ unit[start:].T, out=largest)
        pairs = np.argwhere(np.triu(largest > threshold - _ROUNDING, k=1)).astype(np.int64)
        doubtful = largest[pairs[:, 0], pairs[:, 1]] < threshold + _ROUNDING
        pairs += start
        for number in np.flatnonzero(doubtful):
            first, second = thumbnails[pairs[number]]
            doubtful[number] = not _exceeds(first, second, threshold)
        found.append(pairs[~doubtful])
    return np.vstack(found)


def _exceeds(first: NDArray[np.uint8], second: NDArray[np.uint8], threshold: float) -> bool:
    """Tell whether two thumbnails correlate above the threshold, from sums of integers, which are exact."""
    x, count = first.astype(np.int64), first.size
    variants = [variant[0].astype(np.int64) for variant in _eight_variants(second[np.newaxis])]
    covariance = max(int(count * (x * y).sum() - x.sum() * y.sum()) for y in variants)
    deviations = [math.sqrt(int(count * (v * v).sum() - v.sum() ** 2)) for v in (x, variants[0])]
    return covariance > threshold * deviations[0] * deviations[1]


def _eight_variants(thumbnails: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    turns = [np.rot90(thumbnails, quarter, axes=(1, 2)) for quarter in range(4)]
    return turns + [turn[:, :, ::-1] for turn in turns]


def _standardised(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return rows (N, pixels) of mean 0 and length 1, so that their products are correlations."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(flat, length, out=np.zeros_like(flat), where=length > 0)
    return unit.astype(np.float32)


def _components(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    return np.asarray(pd.factorize(pd.Series(labels))[0], dtype=np.int64)
