"""FixMatch: labels, and confident decisions on weak views as labels of strong ones."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weckd.methods.losses.semi_supervised import fixmatch_loss
from weckd.methods.recipe import FixMatch
from weckd.training.views import Views


@dataclass
class FixMatched:
    """One pass over labelled, weak and strong views, as in the authors' code, so that BatchNorm sees them all."""

    student: nn.Module
    settings: FixMatch
    weak: Views
    strong: Views  # of the same images

    @property
    def trained(self) -> list[nn.Module]:
        """The student."""
        return [self.student]

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of `weckd.methods.losses.semi_supervised.fixmatch_loss`."""
        weak, strong = self.weak.at(step), self.strong.at(step)
        logits = self.student(torch.cat([views, weak, strong]))
        labelled, weak_logits, strong_logits = logits.split([len(views), len(weak), len(strong)])
        return fixmatch_loss(labelled, labels, weak_logits, strong_logits, self.settings)
