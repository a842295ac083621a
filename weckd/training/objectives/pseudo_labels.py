"""Pseudo-labels: cross-entropy of labels and of a teacher's stand-ins for labels.

n labelled and m unlabelled images a batch, C classes.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weckd.methods.losses import PseudoLabels
from weckd.training.objectives.base import Objective, Setup
from weckd.training.strong_augmentation import strong_views
from weckd.training.unlabelled import draw_unlabelled
from weckd.training.views import Views


def pseudo_labelled(setup: Setup, loss: PseudoLabels) -> Objective:
    """Return the loss of labels and of what the fit's teacher says of the unlabelled images."""
    unlabelled = draw_unlabelled(setup, loss.ratio)
    decided = teacher_labels(unlabelled.logits(setup.taught_by()[0]), loss.hard)
    views = strong_views(unlabelled) if loss.strong else unlabelled.weak(1)
    return PseudoLabelled(setup.student, views, unlabelled.positions, decided)


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
        """Return the loss of a step."""
        logits = self.student(torch.cat([views, self.unlabelled.at(step)]))
        labelled, unlabelled = logits.tensor_split([len(labels)])
        return pseudo_label_loss(labelled, labels, unlabelled, self.stand_ins[self.positions[step]])


def teacher_labels(teacher_logits: Tensor, hard: bool) -> Tensor:
    """Return a teacher's stand-ins for labels: decisions int64 (M,), or probabilities float (M, C).

    Lee 2013, equation 14 (hard); Xie et al. 2020, algorithm 1, step 2 (soft). Neither carries a gradient.

    Args:
        teacher_logits: float (M, C).
        hard: the most probable class rather than all probabilities.
    """
    logits = teacher_logits.detach()
    return logits.argmax(dim=1) if hard else F.softmax(logits, dim=1)


def pseudo_label_loss(
    labelled_logits: Tensor, labels: Tensor, unlabelled_logits: Tensor, stand_ins: Tensor
) -> Tensor:
    """Return CE(y, z) over n labelled plus CE(y', z') over m unlabelled images, each term a mean of its own.

    Xie et al. 2020, algorithm 1, step 3; Lee 2013, equation 15, at alpha = 1. Gradients flow to both logits.

    Args:
        labelled_logits: float (n, C).
        labels: int64 (n,).
        unlabelled_logits: float (m, C).
        stand_ins: see `teacher_labels`: int64 (m,) or float (m, C).
    """
    return F.cross_entropy(labelled_logits, labels) + F.cross_entropy(unlabelled_logits, stand_ins)
