"""Rivals of the chain's distillation: decoupled (DKD), mutual (DML), and any loss of a teacher's logits."""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weckd.methods.losses import Decoupled, LogitLoss, Mutual
from weckd.training.batches import Step, of_step
from weckd.training.objectives.distillation import divergence
from weckd.training.optimisation import Objective, Setup, named


class OfLogits(Objective):
    """A declared function of the student's and one teacher's logits.

    It gets the fields of the settings alone: a fit's identity holds them, and no other code of a declaration. What the
    function does is not known, so the steps are not captured.
    """

    capturable = False
    settings: LogitLoss

    def loss(self, step: Step, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of the function."""
        fields = SimpleNamespace(**vars(self.settings))
        value: Tensor = named(self.settings.function)(*_both_logits(self, views), labels, fields)
        return value


def _both_logits(objective: Objective, views: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits of student and teacher on the same views; the teacher's without gradients."""
    with torch.no_grad():
        teacher_logits = objective.teachers[0](views)
    return objective.student(views), teacher_logits


class DecoupledDistilled(Objective):
    """Decoupled distillation from one teacher."""

    capturable = True
    settings: Decoupled

    def __init__(self, setup: Setup) -> None:
        """Fix how the weight of distillation rises."""
        super().__init__(setup)
        # As in the authors' code: the weight rises with the number of the epoch, beginning at one of `warmup`.
        warmup = max(self.settings.warmup * self.steps, 1.0)
        self.ramps = self.table(lambda step: min((step + 1) / warmup, 1.0))

    def loss(self, step: Step, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a step."""
        ramp = of_step(self.ramps, step)
        return decoupled_loss(*_both_logits(self, views), labels, self.settings, ramp)


def decoupled_loss(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, settings: Decoupled, ramp: float | Tensor
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
    log_binary_student, log_binary_teacher = _log_binary(student, labels), _log_binary(teacher, labels)
    target_term = F.kl_div(log_binary_student, log_binary_teacher, reduction="batchmean", log_target=True)
    others_term = F.kl_div(
        F.log_softmax(_without(student, labels), dim=1),
        F.log_softmax(_without(teacher, labels), dim=1),
        reduction="batchmean",
        log_target=True,
    )
    distillation = temperature**2 * (settings.target * target_term + settings.others * others_term)
    return F.cross_entropy(student_logits, labels) + ramp * distillation


def _log_binary(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the logarithm (B, 2) of the probabilities of the target and of all others together."""
    log_probabilities = F.log_softmax(logits, dim=1)
    target = labels[:, None] == torch.arange(logits.shape[1], device=labels.device)
    own = torch.where(target, log_probabilities, 0.0).sum(dim=1)
    others = torch.logsumexp(_without(log_probabilities, labels), dim=1)
    return torch.stack([own, others], dim=1)


def _without(values: Tensor, labels: Tensor) -> Tensor:
    """Return (B, C - 1): the values of all classes but the label's."""
    before = torch.arange(values.shape[1] - 1, device=labels.device) < labels[:, None]
    return torch.where(before, values[:, :-1], values[:, 1:])


class MutuallyTaught(Objective):
    """Student and peer both learn the labels and each other's probabilities."""

    capturable = True
    settings: Mutual

    def __init__(self, setup: Setup) -> None:
        """Take the peer as well, which is drawn wherever the loss names where it starts."""
        super().__init__(setup)
        assert setup.given.peer is not None  # noqa: S101 - drawn wherever the loss names where it starts
        self.peer = setup.cell.networks.student(setup.fit, setup.given.peer, role="peer")

    @property
    def trained(self) -> list[nn.Module]:
        """The student and its peer."""
        return [self.student, self.peer]

    def loss(self, step: Step, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a step."""
        return mutual_loss(self.student(views), self.peer(views), labels, self.settings.temperature)


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
