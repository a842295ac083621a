"""Cross-entropy alone."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from weckd.training.objectives.base import Objective, Setup


def supervised(setup: Setup, _: None) -> Objective:
    """Return the cross-entropy of the student alone."""
    return Supervised(setup.student)


@dataclass
class Supervised:
    """Cross-entropy of the labels."""

    student: nn.Module

    @property
    def trained(self) -> list[nn.Module]:
        """The student."""
        return [self.student]

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy."""
        return F.cross_entropy(self.student(views), labels)
