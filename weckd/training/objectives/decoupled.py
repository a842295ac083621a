"""Decoupled knowledge distillation (DKD, Zhao et al. 2022)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weckd.methods.losses import Decoupled
from weckd.training.objectives.base import Objective, Setup, both_logits


def decoupled(setup: Setup, loss: Decoupled) -> Objective:
    """Return decoupled distillation from the fit's teacher."""
    return DecoupledDistilled(setup.student, setup.taught_by()[0], loss, setup.fit.steps)


@dataclass
class DecoupledDistilled:
    """Decoupled distillation from one teacher."""

    student: nn.Module
    teacher: nn.Module
    settings: Decoupled
    steps: int

    @property
    def trained(self) -> list[nn.Module]:
        """The student."""
        return [self.student]

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a step."""
        logits, teacher_logits = both_logits(self.student, self.teacher, views)
        # As in the authors' code: the weight rises with the number of the epoch, beginning at one of `warmup`.
        ramp = min((step + 1) / max(self.settings.warmup * self.steps, 1.0), 1.0)
        return decoupled_loss(logits, teacher_logits, labels, self.settings, ramp)


def decoupled_loss(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, settings: Decoupled, ramp: float
) -> Tensor:
    """Return CE + ramp * T^2 * (target * TCKD + others * NCKD), averaged over B images.

    Zhao et al. 2022, equation 7: with b = (p_y, 1 - p_y) and p^ the softmax over the classes other than y, at
    temperature T, TCKD = KL(b_t || b_s) and NCKD = KL(p^_t || p^_s). Cross-entropy has weight 1, as in the
    authors' code. Gradients flow to the student alone.

    Args:
        student_logits: float (B, C), C of at least 3: the softmax over one other class is constant.
        teacher_logits: float (B, C).
        labels: int64 (B,).
        settings: weights and temperature.
        ramp: from 0 to 1, the authors' warm-up of the distillation term.

    Raises:
        ValueError: there are two classes.
    """
    classes = student_logits.shape[1]
    if classes < 3:
        raise ValueError(
            "decoupled distillation needs three classes: with two, its second term is always zero"
        )
    temperature = settings.temperature
    student, teacher = student_logits / temperature, teacher_logits.detach() / temperature
    target = F.one_hot(labels, classes).bool()
    log_binary_student, log_binary_teacher = _log_binary(student, target), _log_binary(teacher, target)
    target_term = F.kl_div(log_binary_student, log_binary_teacher, reduction="batchmean", log_target=True)
    others_term = F.kl_div(
        F.log_softmax(_without(student, target), dim=1),
        F.log_softmax(_without(teacher, target), dim=1),
        reduction="batchmean",
        log_target=True,
    )
    distillation = temperature**2 * (settings.target * target_term + settings.others * others_term)
    return F.cross_entropy(student_logits, labels) + ramp * distillation


def _log_binary(logits: Tensor, target: Tensor) -> Tensor:
    """Return the logarithm (B, 2) of the probabilities of the target and of all others together."""
    log_probabilities = F.log_softmax(logits, dim=1)
    own = log_probabilities[target]
    others = torch.logsumexp(_without(log_probabilities, target), dim=1)
    return torch.stack([own, others], dim=1)


def _without(values: Tensor, target: Tensor) -> Tensor:
    """Return (B, C - 1): the values of all classes but the target."""
    return values[~target].reshape(len(values), -1)
