"""Groups: images that must stay together in a split, be it a patient's or near-duplicates of each other."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from weckd.files import write_text

_BLOCK = 512  # rows of correlations at a time: bounded memory


def write_groups(dataset: str, prepared: Path, threshold: float, out: Path) -> None:
    """Find the groups of a prepared data set and write `image_id,group_id`.

    Args:
        dataset: key of the data set, for messages.
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
    neither crosses a split. It is named after its patients where there are any, else g0001, g0002, ... in the
    order of its first image.
    """
    pairs = near_duplicate_pairs(thumbnails, threshold)
    given = index["given_group"].to_numpy(dtype=np.str_)
    codes = pd.factorize(pd.Series(given))[0]
    named = np.flatnonzero(given != "")
    # Each image of a patient is joined to the patient's first image.
    first = pd.Series(named).groupby(codes[named]).transform("min").to_numpy(dtype=np.int64)
    labels = _components(len(index), np.vstack([pairs, np.column_stack([named, first])]))
    names = {}
    for label in range(int(labels.max()) + 1):
        patients = sorted(set(given[labels == label]) - {""})
        names[label] = "+".join(patients) if patients else f"g{label + 1:04d}"
    return pd.DataFrame({"image_id": index["image_id"], "group_id": [names[label] for label in labels]})


def near_duplicate_groups(thumbnails: NDArray[np.uint8], threshold: float) -> NDArray[np.int64]:
    """Return the cluster number (N,) of each thumbnail, numbered in the order of first images."""
    return _components(len(thumbnails), near_duplicate_pairs(thumbnails, threshold))


def near_duplicate_pairs(thumbnails: NDArray[np.uint8], threshold: float) -> NDArray[np.int64]:
    """Return pairs (P, 2), first before second, whose correlation exceeds the threshold.

    The correlation is Pearson's over the pixels of two grey thumbnails, at its largest over the eight flips and
    rotations of one of them. An image without any contrast correlates with no other.

    Args:
        thumbnails: uint8 (N, 32, 32).
        threshold: correlation, below 1.
    """
    unit = _standardised(thumbnails)
    turned = [_standardised(variant) for variant in _eight_variants(thumbnails)]
    found = []
    for start in range(0, len(unit), _BLOCK):
        block = unit[start : start + _BLOCK]
        close = np.zeros((len(block), len(unit)), dtype=bool)
        for variant in turned:
            close |= block @ variant.T > threshold
        first, second = np.nonzero(close)
        first += start
        found.append(np.column_stack([first, second])[first < second])
    return np.vstack(found).astype(np.int64)


def _eight_variants(thumbnails: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    turns = [np.rot90(thumbnails, quarter, axes=(1, 2)) for quarter in range(4)]
    return turns + [turn[:, :, ::-1] for turn in turns]


def _standardised(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return rows (N, pixels) of mean 0 and length 1, so that their products are correlations."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.divide(flat, length, out=np.zeros_like(flat), where=length > 0).astype(np.float32)


def _components(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    return np.asarray(pd.factorize(pd.Series(labels))[0], dtype=np.int64)
