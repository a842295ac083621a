"""What a network says of images as they are, without augmentation."""

import torch
from torch import Tensor, nn

from weckd.training.images import unit_images

EVALUATION_BATCH = 256


def image_logits(network: nn.Module, images: Tensor, rows: Tensor) -> Tensor:
    """Return logits float32 (rows, C), without gradients; the network is put in evaluation mode.

    Args:
        network: takes images in [0, 1].
        images: uint8 (N, H, W, 3).
        rows: int64 (rows,), which of them.
    """
    network.eval()
    found = []
    with torch.no_grad():
        for first in range(0, len(rows), EVALUATION_BATCH):
            batch = images[rows[first : first + EVALUATION_BATCH]]
            found.append(network(unit_images(batch)).float())
    return torch.cat(found)
