"""From stored bytes to a network's input."""

import torch
from torch import Tensor

from weckd.training.backbone import Normalisation


def unit_images(images: Tensor) -> Tensor:
    """Return uint8 (B, H, W, 3) as float32 (B, 3, H, W) in [0, 1], channels last in memory."""
    return images.permute(0, 3, 1, 2).to(torch.float32) / 255


def normalised(images: Tensor, normalisation: Normalisation) -> Tensor:
    """Return float (B, 3, H, W) in [0, 1] as the backbone expects it."""
    mean = torch.tensor(normalisation.mean, device=images.device)[:, None, None]
    std = torch.tensor(normalisation.std, device=images.device)[:, None, None]
    return (images - mean) / std
