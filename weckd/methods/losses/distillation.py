"""The distillation loss of the chain, in the reference reading and the others.

    L = w * CE(y, z_s) + alpha * T^2 * KL(sigma(z_t / T) || sigma(z_s / T)) + beta * AT

z_s, z_t: student and teacher logits (B, C); AT: `weckd.methods.attention.attention_transfer`. w is 1 - alpha in the
reference reading ("convex") and 1 in the additive one; the factor T^2 can be left out. None of this is stated by the
paper.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from weckd.methods.attention import attention_transfer
from weckd.methods.recipe import Distillation


def divergence(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float | Tensor, squared: bool = True
) -> Tensor:
    """Return T^2 * KL(sigma(z_t / T) || sigma(z_s / T)), summed over C classes and averaged over B images.

    Hinton et al. 2015, equation 4 with the T^2 of section 2.1, which keeps its gradients' size as T changes.
    (`reduction="batchmean"`: the default reduction of `kl_div` would divide by C as well.) Gradients flow
    to the student alone, and to the temperature where it is a tensor.

    Args:
        student_logits: float (B, C).
        teacher_logits: float (B, C).
        temperature: T > 0, a number or a scalar tensor.
        squared: whether the factor T^2 is there.
    """
    student = F.log_softmax(student_logits / temperature, dim=1)
    teacher = F.log_softmax(teacher_logits.detach() / temperature, dim=1)
    result = F.kl_div(student, teacher, reduction="batchmean", log_target=True)
    return temperature**2 * result if squared else result


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Sequence[Tensor],
    labels: Tensor,
    student_maps: Sequence[Tensor],
    teacher_maps: Sequence[Sequence[Tensor]],
    settings: Distillation,
    temperature: float | Tensor,
) -> Tensor:
    """Return the scalar loss L above; of several teachers the mean of both teacher terms.

    Densely guided distillation (DGKD, Son et al. 2021, equation 4) sums over teachers; the mean is the suite's
    choice, so that alpha weighs the same whatever the number of teachers.

    Args:
        student_logits: float (B, C).
        teacher_logits: for each teacher float (B, C).
        labels: int64 (B,).
        student_maps: maps (B, C_l, H_l, W_l) that attention transfer compares; empty where `settings.beta` is 0.
        teacher_maps: for each teacher its maps, same order.
        settings: alpha, beta and the form of the mixture.
        temperature: T at this step.
    """
    alpha, beta = settings.alpha, settings.beta
    weight = 1 - alpha if settings.mixing == "convex" else 1.0
    loss = weight * F.cross_entropy(student_logits, labels)
    loss = loss + alpha * _mean(
        [divergence(student_logits, logits, temperature, settings.squared) for logits in teacher_logits]
    )
    if beta > 0:
        loss = loss + beta * _mean([attention_transfer(student_maps, maps) for maps in teacher_maps])
    return loss


def _mean(terms: list[Tensor]) -> Tensor:
    return terms[0] if len(terms) == 1 else torch.stack(terms).mean()
