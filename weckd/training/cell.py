"""A cell's images: one prepared data set as one seed splits it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from weckd.data.index import read_index
from weckd.data.prepared import read_facts, read_images
from weckd.data.splits import part_rows
from weckd.errors import UserError
from weckd.training.memory import SMALLER_IMAGES, memory_for


@dataclass(frozen=True)
class Prepared:
    """A prepared data set, its images on the device."""

    dataset: str
    images: Tensor  # uint8 (N, H, W, 3)
    image_ids: pd.Index  # of the images, in their order
    fingerprint: str


@dataclass(frozen=True)
class CellData:
    """The images of one data set as one seed splits them."""

    dataset: str
    seed: int
    images: Tensor  # uint8 (N, H, W, 3), on the device; rows of the split file are rows here
    labels: NDArray[np.int64]  # (N,)
    groups: NDArray[np.str_]  # (N,)
    parts: Mapping[str, NDArray[np.int64]]  # part -> rows
    classes: int


def load_prepared(dataset: str, folder: Path, device: torch.device) -> Prepared:
    """Read the folder that `weckd prepare` wrote.

    Raises:
        UserError: the images do not fit into memory, are of another data set, or are not what was prepared.
    """
    facts = read_facts(folder, dataset)
    with memory_for(f"{dataset}: all its prepared images", SMALLER_IMAGES):
        images = torch.from_numpy(read_images(folder, facts)).to(device)
    return Prepared(dataset, images, pd.Index(read_index(folder)["image_id"]), facts["fingerprint"])


def cell_data(prepared: Prepared, seed: int, split: pd.DataFrame, classes: int) -> CellData:
    """Return the images that a split names, in its order.

    Raises:
        UserError: the split names an image that the prepared data set lacks.
    """
    images = prepared.images
    rows = prepared.image_ids.get_indexer(pd.Index(split["image_id"]))
    if (rows < 0).any():
        missing = split["image_id"].iloc[int(np.argmax(rows < 0))]
        raise UserError(
            f"{prepared.dataset}, seed {seed}: the split names {missing}, which the prepared data lacks"
        )
    complete = len(rows) == len(images) and bool((rows == np.arange(len(rows))).all())
    return CellData(
        dataset=prepared.dataset,
        seed=seed,
        images=images if complete else images[torch.from_numpy(rows).to(images.device)],
        labels=split["y"].to_numpy(dtype=np.int64),
        groups=split["group_id"].to_numpy(dtype=np.str_),
        parts=part_rows(split),
        classes=classes,
    )
