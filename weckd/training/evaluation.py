"""What a network says of images as they are, without augmentation."""

import torch
from torch import Tensor, nn

from weckd.training.backbone import Normalisation
from weckd.training.images import normalised, unit_images

EVALUATION_BATCH = 256


def image_logits(network: nn.Module, images: Tensor, rows: Tensor, normalisation: Normalisation) -> Tensor:
    """Return logits float32 (rows, C), without gradients; the network is put in evaluation mode.

    Args:
        network: the network.
        images: uint8 (N, H, W, 3).
        rows: int64 (rows,), which of them.
        normalisation: of the network's input.
    """
    network.eval()
    found = []
    with torch.no_grad():
        for first in range(0, len(rows), EVALUATION_BATCH):
            batch = images[rows[first : first + EVALUATION_BATCH]]
            found.append(network(normalised(unit_images(batch), normalisation)).float())
    return torch.cat(found)
