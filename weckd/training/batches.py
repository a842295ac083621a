"""A cell's images: loaded, in the batches of a fit, as augmented views, and what a network says of them as they are.

All draws of a fit are made at its start from streams of its own, so that a step needs no random state.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from weckd.config import AugmentationSettings
from weckd.data.prepared import read_facts, read_images, read_index
from weckd.data.splits import part_rows
from weckd.errors import UserError
from weckd.training.limits import SMALLER_IMAGES, memory_for

EVALUATION_BATCH = 256
Step = int | Tensor
"""The number of a step (0 ..): an int; or int64 (1,) on the device, which a captured step reads there."""


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


@dataclass(frozen=True)
class Views:
    """One augmented view of every image of every batch."""

    images: Tensor  # uint8 (N, H, W, 3)
    rows: Tensor  # int64 (steps, B), rows of the images
    augment: Callable[..., Tensor]
    draws: tuple[Tensor, ...]  # (steps, B, ...), what `augment` takes beside the images

    def at(self, step: Step) -> Tensor:
        """Return the views of a step, float (B, 3, H, W); each network normalises them itself."""
        rows, *draws = (of_step(table, step) for table in (self.rows, *self.draws))
        return self.augment(unit_images(self.images[rows]), *draws)


def of_step(table: Tensor, step: Step) -> Tensor:
    """Return the row of a table (steps, ..) that belongs to a step."""
    return table[step] if isinstance(step, int) else table[step].squeeze(0)


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


def unit_images(images: Tensor) -> Tensor:
    """Return uint8 (B, H, W, 3) as float32 (B, 3, H, W) in [0, 1], channels last in memory."""
    return images.permute(0, 3, 1, 2).float() / 255


def batch_order(count: int, batch_size: int, steps: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return positions (steps, batch_size) into a subset of `count` images.

    Every image comes once before any comes again; a subset may be smaller than a batch.

    Raises:
        ValueError: the subset is empty.
    """
    if count < 1:
        raise ValueError("no batches from an empty subset")
    rounds = -(-steps * batch_size // count)
    chain = np.concatenate([generator.permutation(count) for _ in range(rounds)])
    return chain[: steps * batch_size].reshape(steps, batch_size).astype(np.int64)


def augmented(
    images: Tensor, rows: Tensor, settings: AugmentationSettings, generator: np.random.Generator
) -> Views:
    """Return views of rows (steps, B) of images (N, H, W, 3) under the suite's augmentation."""
    steps, size = rows.shape
    return views(images, rows, augment, draw_augmentations(steps, size, settings, generator))


def views(
    images: Tensor, rows: Tensor, augment: Callable[..., Tensor], draws: tuple[NDArray[np.float32], ...]
) -> Views:
    """Return views of rows (steps, B) of images (N, H, W, 3) under an augmentation with its draws."""
    return Views(images, rows, augment, tuple(torch.from_numpy(values).to(images.device) for values in draws))


def draw_augmentations(
    steps: int, batch_size: int, settings: AugmentationSettings, generator: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw every augmentation of a fit.

    Returns:
        Affine matrices float32 (steps, B, 2, 3) from output to input coordinates in [-1, 1], and colour
        draws float32 (steps, B, 2): brightness offset in shares of the full range, contrast factor.
    """
    draws = generator.uniform(-1.0, 1.0, size=(steps, batch_size, 7))
    flip = np.where(draws[..., 0] < 0, -1.0, 1.0) if settings.flip else np.ones((steps, batch_size))
    angle = np.deg2rad(settings.rotation) * draws[..., 1]
    # A shift by a share of the side is twice that share in coordinates from -1 to 1.
    shift_x, shift_y = 2 * settings.shift * draws[..., 2], 2 * settings.shift * draws[..., 3]
    scale = 1 / (1 + settings.zoom * draws[..., 4])
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    matrices = np.stack(
        [
            np.stack([flip * cosine, -flip * sine, shift_x], axis=-1),
            np.stack([sine, cosine, shift_y], axis=-1),
        ],
        axis=-2,
    )
    colours = np.stack([settings.brightness * draws[..., 5], 1 + settings.contrast * draws[..., 6]], axis=-1)
    return matrices.astype(np.float32), colours.astype(np.float32)


def augment(images: Tensor, matrices: Tensor, colours: Tensor) -> Tensor:
    """Return augmented images.

    Args:
        images: float (B, 3, H, W) in [0, 1].
        matrices: float (B, 2, 3), see `draw_augmentations`; what lies outside repeats the border.
        colours: float (B, 2): brightness offset and contrast factor about the image's mean.

    Returns:
        float (B, 3, H, W) in [0, 1].
    """
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    mean = moved.mean(dim=(1, 2, 3), keepdim=True)
    offset, factor = colours[:, 0, None, None, None], colours[:, 1, None, None, None]
    return torch.clamp((moved - mean) * factor + mean + offset, 0.0, 1.0)


@torch.no_grad()
def outputs(network: Callable[[Tensor], Tensor], images: Tensor, rows: Tensor | NDArray[np.int64]) -> Tensor:
    """Return what a network, in evaluation mode, makes of images as they are: float32 (rows, ..), without gradients.

    Args:
        network: takes images (B, 3, H, W) in [0, 1]; logits (B, C) are the usual answer.
        images: uint8 (N, H, W, 3).
        rows: int64 (rows,), which of them.
    """
    batches = torch.split(torch.as_tensor(rows, device=images.device), EVALUATION_BATCH)
    return torch.cat([network(unit_images(images[batch])).float() for batch in batches])
