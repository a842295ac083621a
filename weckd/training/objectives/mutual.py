"""Deep mutual learning (Zhang et al. 2018): two networks teach each other while both learn the labels."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from weckd.methods.losses import Mutual
from weckd.training.objectives.base import Objective, Setup
from weckd.training.objectives.temperature import divergence


def mutual(setup: Setup, loss: Mutual) -> Objective:
    """Return the loss of a peer that is trained beside the student."""
    assert setup.peer is not None  # noqa: S101 - drawn wherever the loss names where it starts
    return MutuallyTaught(setup.student, setup.networks.peer(setup.fit, setup.peer), loss.temperature)


@dataclass
class MutuallyTaught:
    """Both networks learn the labels and each other's probabilities."""

    student: nn.Module
    peer: nn.Module
    temperature: float

    @property
    def trained(self) -> list[nn.Module]:
        """The student and its peer."""
        return [self.student, self.peer]

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a step."""
        return mutual_loss(self.student(views), self.peer(views), labels, self.temperature)


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
