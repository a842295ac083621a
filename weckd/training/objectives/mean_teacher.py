"""Mean Teacher: labels, and agreement with an average of the student's own weights."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from weckd.methods.losses.semi_supervised import average_decay, consistency_weight, mean_teacher_loss
from weckd.methods.recipe import MeanTeacher
from weckd.training.backbone import Backbone
from weckd.training.views import Views


@dataclass
class TaughtByAverage:
    """The student sees one view of each image, its average another; the average is the fit's result.

    As in the authors' PyTorch code, the average holds parameters alone: it runs in training mode, normalises each
    batch by that batch and keeps BatchNorm statistics of its own, which belong to its own weights.
    """

    student: nn.Module
    average: Backbone  # begins with the student's state
    settings: MeanTeacher
    steps: int
    unlabelled: Views
    unlabelled_again: Views
    labelled_again: Views

    def __post_init__(self) -> None:
        """Put the average in training mode, without gradients."""
        self.average.requires_grad_(False).train()

    @property
    def trained(self) -> list[nn.Module]:
        """The student."""
        return [self.student]

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of `weckd.methods.losses.semi_supervised.mean_teacher_loss`."""
        logits = self.student(torch.cat([views, self.unlabelled.at(step)]))
        with torch.no_grad():
            others = torch.cat([self.labelled_again.at(step), self.unlabelled_again.at(step)])
            average_logits = self.average(others)
        weight = consistency_weight(step, self.steps, self.settings)
        return mean_teacher_loss(logits, average_logits, labels, weight)

    def after_step(self, step: int) -> None:
        """Move the average's parameters towards the student's (Tarvainen and Valpola 2017, equation 1)."""
        decay = average_decay(step, self.steps, self.settings)
        update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            update(list(self.average.parameters()), list(self.student.parameters()), None)
