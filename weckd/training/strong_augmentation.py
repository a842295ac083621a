"""Strong augmentation of unlabelled images: wide geometry and colours, then cutout; batched, drawn up front.

It stands where Sohn et al. 2020 (section 2.3) and Xie et al. 2020 use RandAugment, two of fourteen operations an
image, one image at a time. Here every image gets all of ours at random strength; strengths are the suite's choice.
The square follows Cutout (DeVries and Taylor 2017) as FixMatch has it: half the side, centred anywhere, in mid-grey.
"""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weckd.config import AugmentationSettings
from weckd.seeds import generator
from weckd.training.augmentation import augment, draw_augmentations
from weckd.training.unlabelled import Unlabelled
from weckd.training.views import Views

STRENGTHS = AugmentationSettings(flip=False, rotation=30, shift=0.15, zoom=0.2, brightness=0.3, contrast=0.5)
"""Half-widths of the uniform draws; flips, and whatever the suite's own augmentation draws wider, stay as there."""
SATURATION = 0.5
"""Half-width of the factor about 1 that moves colours from and towards grey."""
SQUARE = 0.5
"""Side of the cut-out square, a share of the image's side."""


def strong_views(unlabelled: Unlabelled) -> Views:
    """Return strong views of a fit's unlabelled images."""
    rows = unlabelled.rows[unlabelled.positions]
    stream = generator("strong-augmentation", *unlabelled.axes)
    draws = draw_strong_augmentations(rows.shape[0], rows.shape[1], unlabelled.augmentation, stream)
    return unlabelled.views(rows, augment_strongly, draws)


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
        matrices: float (B, 2, 3), see `weckd.training.augmentation`.
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
