"""From stored bytes to values that every network's own normalisation begins with."""

from torch import Tensor


def unit_images(images: Tensor) -> Tensor:
    """Return uint8 (B, H, W, 3) as float32 (B, 3, H, W) in [0, 1], channels last in memory."""
    return images.permute(0, 3, 1, 2).float() / 255
