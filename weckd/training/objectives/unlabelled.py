"""The unlabelled images of a fit: which are in which batch, and their views, weak and strong.

Everything is drawn from streams of its own, so that a fit without unlabelled images draws what it always did. No
label is in here, so none can be learnt from.

Strong augmentation is wide geometry and colours, then cutout; batched, drawn up front. It takes the place of
RandAugment in Sohn et al. 2020 (section 2.3) and Xie et al. 2020, two of fourteen operations an image, one image at a
time. Here every image gets all of ours at random strength; strengths are the suite's choice. The square follows Cutout
(DeVries and Taylor 2017) as FixMatch has it: half the side, centred anywhere, in mid-grey.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weckd.config import AugmentationSettings
from weckd.seeds import generator
from weckd.training.batches import (
    Views,
    augment,
    augmented,
    batch_order,
    draw_augmentations,
    outputs,
    views,
)
from weckd.training.optimisation import Setup

STRENGTHS = AugmentationSettings(flip=False, rotation=30, shift=0.15, zoom=0.2, brightness=0.3, contrast=0.5)
"""Half-widths of the uniform draws; flips, and whatever the suite's own augmentation draws wider, stay as there."""
SATURATION = 0.5
"""Half-width of the factor about 1 that moves colours from and towards grey."""
SQUARE = 0.5
"""Side of the cut-out square, a share of the image's side."""


class Unlabelled:
    """Unlabelled images in batches, and further views of the labelled ones.

    The streams are keyed by data set, seed, parts and steps, as those of the labelled batches, and never by method.
    """

    def __init__(self, setup: Setup, ratio: int) -> None:
        """Draw which unlabelled images are in which batch, `ratio` for each labelled one."""
        fit, data = setup.fit, setup.cell.data
        self.images = data.images  # uint8 (N, H, W, 3), all of the cell, on the device
        self.augmentation = setup.cell.augmentation
        self.labelled_rows = setup.labelled.rows  # int64 (steps, n)
        self.axes, self.labelled_axes = (
            (data.dataset, data.seed, "+".join(parts), fit.steps) for parts in (fit.unlabelled, fit.parts)
        )
        steps, size = setup.labelled.rows.shape
        stream = generator("unlabelled-batches", *self.axes)
        order = batch_order(len(setup.unlabelled_rows), ratio * size, steps, stream)
        self.rows = torch.from_numpy(setup.unlabelled_rows).to(data.images.device)  # int64 (M,)
        self.positions = torch.from_numpy(order).to(data.images.device)  # int64 (steps, m), in `rows`

    def weak(self, number: int) -> Views:
        """Return views under the suite's augmentation; each number (1 ..) has draws of its own."""
        stream = generator("unlabelled-augmentation", *self.axes, number)
        return augmented(self.images, self.rows[self.positions], self.augmentation, stream)

    def strong(self) -> Views:
        """Return strong views."""
        steps, size = self.positions.shape
        stream = generator("strong-augmentation", *self.axes)
        draws = draw_strong_augmentations(steps, size, self.augmentation, stream)
        return views(self.images, self.rows[self.positions], augment_strongly, draws)

    def labelled_again(self) -> Views:
        """Return views of the labelled batches, other than those that every fit sees."""
        stream = generator("second-augmentation", *self.labelled_axes)
        return augmented(self.images, self.labelled_rows, self.augmentation, stream)

    def logits(self, network: nn.Module) -> Tensor:
        """Return what a network, in evaluation mode, says of the unaugmented images, float32 (M, C)."""
        return outputs(network, self.images, self.rows)


def strengthened(settings: AugmentationSettings) -> AugmentationSettings:
    """Return the suite's augmentation widened to `STRENGTHS`."""
    names = ("rotation", "shift", "zoom", "brightness", "contrast")
    return replace(
        settings, **{name: max(getattr(settings, name), getattr(STRENGTHS, name)) for name in names}
    )


def draw_strong_augmentations(
    steps: int, batch_size: int, settings: AugmentationSettings, generator: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Draw every strong augmentation of a fit.

    Returns:
        Matrices and colours as of `draw_augmentations`, and float32 (steps, B, 3): factor of the saturation, centre
        of the square in shares of width and height.
    """
    matrices, colours = draw_augmentations(steps, batch_size, strengthened(settings), generator)
    draws = generator.uniform(size=(steps, batch_size, 3))
    draws[..., 0] = 1 + SATURATION * (2 * draws[..., 0] - 1)
    return matrices, colours, draws.astype(np.float32)


def augment_strongly(images: Tensor, matrices: Tensor, colours: Tensor, others: Tensor) -> Tensor:
    """Return strongly augmented images.

    Args:
        images: float (B, 3, H, W) in [0, 1].
        matrices: float (B, 2, 3), see `weckd.training.batches`.
        colours: float (B, 2), see there.
        others: float (B, 3): saturation factor, centre of the square.

    Returns:
        float (B, 3, H, W) in [0, 1].
    """
    moved = augment(images, matrices, colours)
    grey = moved.mean(dim=1, keepdim=True)
    coloured = torch.clamp(grey + (moved - grey) * others[:, 0, None, None, None], 0.0, 1.0)
    across = _inside(others[:, 1], images.shape[3])[:, None, None, :]
    down = _inside(others[:, 2], images.shape[2])[:, None, :, None]
    return torch.where(across & down, 0.5, coloured)


def _inside(centres: Tensor, size: int) -> Tensor:
    """Return bool (B, size): the pixels of a side that lie within half a square of the centres."""
    pixels = (torch.arange(size, device=centres.device) + 0.5) / size
    return (pixels - centres[:, None]).abs() < SQUARE / 2
