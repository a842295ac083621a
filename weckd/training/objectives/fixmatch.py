"""FixMatch (Sohn et al. 2020): labels, and confident decisions on weak views as labels of strong ones.

n labelled and m unlabelled images a batch, C classes, sigma softmax.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weckd.methods.losses import FixMatch
from weckd.training.objectives.base import Objective, Setup
from weckd.training.strong_augmentation import strong_views
from weckd.training.unlabelled import draw_unlabelled
from weckd.training.views import Views


def fixmatched(setup: Setup, loss: FixMatch) -> Objective:
    """Return the loss of labels and of confident decisions on unlabelled images."""
    unlabelled = draw_unlabelled(setup, loss.ratio)
    return FixMatched(setup.student, loss, unlabelled.weak(1), strong_views(unlabelled))


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
        """Return the loss of a step."""
        weak, strong = self.weak.at(step), self.strong.at(step)
        logits = self.student(torch.cat([views, weak, strong]))
        labelled, weak_logits, strong_logits = logits.split([len(views), len(weak), len(strong)])
        return fixmatch_loss(labelled, labels, weak_logits, strong_logits, self.settings)


def fixmatch_loss(
    labelled_logits: Tensor, labels: Tensor, weak_logits: Tensor, strong_logits: Tensor, settings: FixMatch
) -> Tensor:
    """Return CE(y, z) plus w times the mean over m images of [max p >= threshold] CE(argmax p, z_strong).

    p = sigma(z_weak). Sohn et al. 2020, equations 3 and 4: the mean is over all m, those below the threshold count
    as zero. Gradients flow to the labelled and the strong logits, never to the weak ones.

    Args:
        labelled_logits: float (n, C).
        labels: int64 (n,).
        weak_logits: float (m, C).
        strong_logits: float (m, C), of the same images.
        settings: weight and threshold.
    """
    confidence, decisions = F.softmax(weak_logits.detach(), dim=1).max(dim=1)
    terms = F.cross_entropy(strong_logits, decisions, reduction="none")
    unlabelled = torch.where(confidence >= settings.threshold, terms, 0.0).mean()
    return F.cross_entropy(labelled_logits, labels) + settings.weight * unlabelled
