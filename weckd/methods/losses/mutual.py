"""Deep mutual learning (Zhang et al. 2018): two networks teach each other while both learn the labels."""

import torch.nn.functional as F
from torch import Tensor

from weckd.methods.losses.distillation import divergence


def mutual_loss(first_logits: Tensor, second_logits: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Return the sum of both networks' losses, CE(y, z_1) + KL(p_2 || p_1) and CE(y, z_2) + KL(p_1 || p_2).

    Zhang et al. 2018, equations 7 and 8 (T = 1 there). Each divergence moves only the network that it is the loss of;
    both are updated at once, where the authors update one after the other.

    Args:
        first_logits: float (B, C).
        second_logits: float (B, C), of the peer, on the same views.
        labels: int64 (B,).
        temperature: T > 0.
    """
    first = F.cross_entropy(first_logits, labels) + divergence(first_logits, second_logits, temperature)
    second = F.cross_entropy(second_logits, labels) + divergence(second_logits, first_logits, temperature)
    return first + second
