"""Batched augmentation: one affine resampling for all geometry, then brightness and contrast.

All draws of a fit are made at its start from its own stream, so that a step needs no random state.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from weckd.config import AugmentationSettings


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
