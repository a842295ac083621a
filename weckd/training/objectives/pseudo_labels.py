"""Cross-entropy of labels and of a teacher's stand-ins for labels."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weckd.methods.losses.semi_supervised import pseudo_label_loss
from weckd.training.views import Views


@dataclass
class PseudoLabelled:
    """The student learns labelled and unlabelled images alike, in one pass, so that BatchNorm sees both."""

    student: nn.Module
    unlabelled: Views
    positions: Tensor  # int64 (steps, m), where the stand-ins of a step's unlabelled images lie
    stand_ins: Tensor  # int64 (M,) or float (M, C), fixed before the first step

    @property
    def trained(self) -> list[nn.Module]:
        """The student."""
        return [self.student]

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of `weckd.methods.losses.semi_supervised.pseudo_label_loss`."""
        logits = self.student(torch.cat([views, self.unlabelled.at(step)]))
        labelled, unlabelled = logits.tensor_split([len(labels)])
        return pseudo_label_loss(labelled, labels, unlabelled, self.stand_ins[self.positions[step]])
