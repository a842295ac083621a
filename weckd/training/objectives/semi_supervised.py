"""Losses that also see unlabelled images: pseudo-labels, Mean Teacher and FixMatch.

n labelled and m unlabelled images a batch, C classes, sigma softmax.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from weckd.methods.losses import FixMatch, MeanTeacher, PseudoLabels
from weckd.training.batches import Step, of_step
from weckd.training.networks import Backbone
from weckd.training.objectives.unlabelled import Unlabelled
from weckd.training.optimisation import Objective, Setup


class PseudoLabelled(Objective):
    """The student learns labelled and unlabelled images alike, in one pass, so that BatchNorm sees both."""

    capturable = True
    settings: PseudoLabels

    def __init__(self, setup: Setup) -> None:
        """Fix, before the first step, what the fit's teacher says of the unlabelled images."""
        super().__init__(setup)
        unlabelled = Unlabelled(setup, self.settings.ratio)
        self.unlabelled = unlabelled.strong() if self.settings.strong else unlabelled.weak(1)
        self.positions = unlabelled.positions
        self.stand_ins = teacher_labels(unlabelled.logits(self.teachers[0]), self.settings.hard)

    def loss(self, step: Step, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a step."""
        logits = self.student(torch.cat([views, self.unlabelled.at(step)]))
        labelled, unlabelled = logits.tensor_split([len(labels)])
        return pseudo_label_loss(labelled, labels, unlabelled, self.stand_ins[of_step(self.positions, step)])


def teacher_labels(teacher_logits: Tensor, hard: bool) -> Tensor:
    """Return what a teacher gives in place of labels: decisions int64 (M,), or probabilities float (M, C).

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


class TaughtByAverage(Objective):
    """The student sees one view of each image, its average another; the average is the fit's result.

    As in the authors' PyTorch code, the average holds parameters alone: it runs in training mode, normalises each
    batch by that batch and keeps BatchNorm statistics of its own, which belong to its own weights.
    """

    capturable = True
    settings: MeanTeacher

    def __init__(self, setup: Setup) -> None:
        """Begin the average with the student's state; it is in training mode, without gradients."""
        super().__init__(setup)
        state = self.student.network.state_dict()
        self.average = setup.cell.networks.teachers([setup.fit], [state])[0].train()
        unlabelled = Unlabelled(setup, self.settings.ratio)
        self.unlabelled, self.unlabelled_again = unlabelled.weak(1), unlabelled.weak(2)
        self.labelled_again = unlabelled.labelled_again()
        steps, settings = self.steps, self.settings
        self.weights = self.table(lambda step: consistency_weight(step, steps, settings))
        self.shares = self.table(lambda step: 1 - average_decay(step, steps, settings))  # of the student

    @property
    def result(self) -> Backbone:
        """The average."""
        return self.average

    def loss(self, step: Step, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a step."""
        logits = self.student(torch.cat([views, self.unlabelled.at(step)]))
        with torch.no_grad():
            others = torch.cat([self.labelled_again.at(step), self.unlabelled_again.at(step)])
            average_logits = self.average(others)
        return mean_teacher_loss(logits, average_logits, labels, of_step(self.weights, step))

    def after_step(self, step: Step) -> None:
        """Move the average's parameters towards the student's (Tarvainen and Valpola 2017, equation 1)."""
        share = of_step(self.shares, step)
        with torch.no_grad():
            for own, other in zip(self.average.parameters(), self.student.parameters(), strict=True):
                own.lerp_(other, share)


def mean_teacher_loss(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, consistency_weight: float | Tensor
) -> Tensor:
    """Return CE(y, z_s) over the n labelled images plus the weighted consistency over all n + m.

    The authors average cross-entropy over all n + m images and multiply the weight by the labelled share; both
    divided by that share, theirs is this form with the weight unchanged.

    Args:
        student_logits: float (n + m, C), labelled images first.
        teacher_logits: float (n + m, C), of the averaged weights on other views.
        labels: int64 (n,).
        consistency_weight: see `consistency_weight`.
    """
    labelled = F.cross_entropy(student_logits[: len(labels)], labels)
    return labelled + consistency_weight * consistency(student_logits, teacher_logits)


def consistency(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Return the mean over images and classes of (sigma(z_s) - sigma(z_t))^2.

    Tarvainen and Valpola 2017, section 2, with the mean over C classes of the authors' code: C times smaller than
    a squared distance. It stays at or below 2 / C. Gradients flow to the student alone. Both must come from different
    views or weights: of one tensor with itself it is zero.

    Args:
        student_logits: float (B, C).
        teacher_logits: float (B, C).
    """
    return F.mse_loss(F.softmax(student_logits, dim=1), F.softmax(teacher_logits.detach(), dim=1))


def consistency_weight(step: int, steps: int, settings: MeanTeacher) -> float:
    """Return the weight at `step` (0 .. steps - 1): w * exp(-5 (1 - t)^2), t rising from 0 to 1 over the ramp.

    Tarvainen and Valpola 2017, appendix B.1.
    """
    done = min(step / max(settings.rampup * steps, 1.0), 1.0)
    return settings.weight * math.exp(-5.0 * (1 - done) ** 2)


def average_decay(step: int, steps: int, settings: MeanTeacher) -> float:
    """Return the weight of the old average in the update that follows `step` (0 .. steps - 1).

    min(1 - 1 / (k + 1), decay) after k = step + 1 updates of the student, as in the authors' code: a plain mean of
    all weights so far, until the exponential one is shorter. Bounded by 1 - 1 / (reach * steps) as well (ours).
    """
    longest = max(settings.reach * steps, 1.0)
    return min(1 - 1 / (step + 2), settings.decay, 1 - 1 / longest)


class FixMatched(Objective):
    """One pass over labelled, weak and strong views, as in the authors' code, so that BatchNorm sees them all."""

    capturable = True
    settings: FixMatch

    def __init__(self, setup: Setup) -> None:
        """Draw both views of the same unlabelled images."""
        super().__init__(setup)
        unlabelled = Unlabelled(setup, self.settings.ratio)
        self.weak, self.strong = unlabelled.weak(1), unlabelled.strong()

    def loss(self, step: Step, views: Tensor, labels: Tensor) -> Tensor:
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
