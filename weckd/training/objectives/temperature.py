"""The divergence of softened probabilities, and the temperature that softens them over the steps of a fit."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weckd.methods.losses import Temperature

CURRICULUM_SHARE = 10 / 240
"""Share of the steps over which the reversal of a learned temperature's gradient rises (10 of 240 epochs there)."""


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


def temperature_at(step: int, steps: int, temperature: Temperature) -> float:
    """Return T at `step` (0 .. steps - 1): from the first value to the last along the schedule.

    The paper states that T is annealed over epochs, not how; annealing per step, and each form of the curve, is a
    reading of the suite's.

    Raises:
        ValueError: the temperature is learned; see `LearnedTemperature`.
    """
    first, last = temperature.first, temperature.last
    done = step / (steps - 1) if steps > 1 else 0.0
    if temperature.schedule == "constant":
        return first
    if temperature.schedule == "linear":
        return first + (last - first) * done
    if temperature.schedule == "cosine":
        return last + (first - last) * (1 + math.cos(math.pi * done)) / 2
    if temperature.schedule == "exponential":
        return float(first * (last / first) ** done)
    raise ValueError("a learned temperature has no schedule")


class LearnedTemperature(nn.Module):
    """A temperature that is learned against the student (CTKD, Li et al. 2023, with the global temperature module).

    T = first + (last - first) * sigmoid(theta), with bounds 1 and 21 in the authors' code. Theta starts at 0, the
    middle between the bounds (ours; there at 1, which is T = 15.6). Its gradient is reversed, so that the task grows
    harder as the student learns, and scaled by a cosine curve that rises to 1.
    """

    def __init__(self, temperature: Temperature) -> None:
        """Start in the middle between the bounds."""
        super().__init__()
        self.bounds = (temperature.first, temperature.last)
        self.theta = nn.Parameter(torch.zeros(()))

    def forward(self, step: int, steps: int) -> Tensor:
        """Return T, a scalar tensor, at a step."""
        done = min(step / max(CURRICULUM_SHARE * steps, 1.0), 1.0)
        strength = (1 - math.cos(math.pi * done)) / 2
        low, high = self.bounds
        return low + (high - low) * torch.sigmoid(_Reversed.apply(self.theta, strength))  # type: ignore[no-untyped-call]


class _Reversed(torch.autograd.Function):
    """The identity, whose gradient is turned round and scaled (Ganin and Lempitsky 2015)."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, value: Tensor, strength: float) -> Tensor:
        ctx.strength = strength  # type: ignore[attr-defined]
        return value.view_as(value)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None  # type: ignore[attr-defined]
