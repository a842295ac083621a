"""The distillation loss of the reference reading.

    L = (1 - alpha) * CE(y, z_s) + alpha * T^2 * KL(sigma(z_t / T) || sigma(z_s / T)) + beta * AT

z_s, z_t: student and teacher logits (B, C); AT: `weckd.methods.attention.attention_transfer`.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from weckd.methods.attention import attention_transfer
from weckd.methods.recipe import Distillation


def divergence(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Return T^2 * KL(sigma(z_t / T) || sigma(z_s / T)), summed over C classes and averaged over B images.

    Hinton et al. 2015, equation 4 with the T^2 of section 2.1, which keeps its gradients' size as T changes.
    (`reduction="batchmean"`: the default reduction of `kl_div` would divide by C as well.) Gradients flow
    to the student alone.

    Args:
        student_logits: float (B, C).
        teacher_logits: float (B, C).
        temperature: T > 0.
    """
    student = F.log_softmax(student_logits / temperature, dim=1)
    teacher = F.log_softmax(teacher_logits.detach() / temperature, dim=1)
    return temperature**2 * F.kl_div(student, teacher, reduction="batchmean", log_target=True)


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    student_features: Sequence[Tensor],
    teacher_features: Sequence[Tensor],
    settings: Distillation,
    temperature: float,
) -> Tensor:
    """Return the scalar loss L above.

    Args:
        student_logits: float (B, C).
        teacher_logits: float (B, C).
        labels: int64 (B,).
        student_features: feature maps (B, C_l, H_l, W_l) of the stages that attention transfer compares;
            empty where `settings.beta` is 0.
        teacher_features: the teacher's, same order.
        settings: alpha and beta.
        temperature: T at this step.
    """
    alpha, beta = settings.alpha, settings.beta
    loss = (1 - alpha) * F.cross_entropy(student_logits, labels)
    loss = loss + alpha * divergence(student_logits, teacher_logits, temperature)
    if beta > 0:
        loss = loss + beta * attention_transfer(student_features, teacher_features)
    return loss
