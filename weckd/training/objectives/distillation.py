"""The distillation loss of the chain, in the reference reading and the others.

    L = w * CE(y, z_s) + alpha * T^2 * KL(sigma(z_t / T) || sigma(z_s / T)) + beta * AT

z_s, z_t: student and teacher logits (B, C). w is 1 - alpha in the reference reading ("convex") and 1 in the additive
one; the factor T^2 can be left out. None of this is stated by the paper. AT is attention transfer (Zagoruyko and
Komodakis 2017), the suite's reading of the paper's spatial attention: what is compared are feature maps, or the maps of
learned gates (`weckd.training.gate`): maps of one channel.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weckd.methods.fits import Fit
from weckd.methods.losses import Distillation, Temperature
from weckd.training.batches import Step, of_step
from weckd.training.networks import Backbone, Networks
from weckd.training.optimisation import Objective, Setup

CURRICULUM_SHARE = 10 / 240
"""Share of the steps over which the reversal of a learned temperature's gradient rises (10 of 240 epochs there)."""


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

    def forward(self, strength: Tensor) -> Tensor:
        """Return T, a scalar tensor; for the strength see `reversal_strength`."""
        low, high = self.bounds
        return low + (high - low) * torch.sigmoid(_Reversed.apply(self.theta, strength))  # type: ignore[no-untyped-call]


def reversal_strength(step: int, steps: int) -> float:
    """Return what the reversed gradient of a learned temperature is multiplied by at `step` (0 .. steps - 1)."""
    done = min(step / max(CURRICULUM_SHARE * steps, 1.0), 1.0)
    return (1 - math.cos(math.pi * done)) / 2


class _Reversed(torch.autograd.Function):
    """The identity, whose gradient is turned round and scaled (Ganin and Lempitsky 2015)."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, value: Tensor, strength: Tensor) -> Tensor:
        ctx.strength = strength  # type: ignore[attr-defined]
        return value.view_as(value)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None  # type: ignore[attr-defined]


def _compared_stages(fit: Fit, networks: Networks, *, attention: bool) -> list[list[int]]:
    """Return the stages whose maps are compared, of the student and of each teacher: as many of each, the deepest."""
    members = (fit, *fit.taught_by)
    if not attention:
        return [[] for _ in members]
    stages = [networks.attention(member) for member in members]
    count = min(len(found) for found in stages)
    return [found[-count:] for found in stages]


class Distilled(Objective):
    """The chain's loss, with one teacher or several."""

    capturable = True
    settings: Distillation

    def __init__(self, setup: Setup) -> None:
        """Find what is compared, and make the temperature, where it is learned, on the student's device."""
        super().__init__(setup)
        self.gated = setup.fit.gate  # compare the gates' maps instead of the features
        self.stages = _compared_stages(setup.fit, setup.cell.networks, attention=self.settings.beta > 0)
        temperature, steps = self.settings.temperature, self.steps
        self.learned = None
        if temperature.schedule == "learned":
            self.strengths = self.table(lambda step: reversal_strength(step, steps))
            self.learned = LearnedTemperature(temperature).to(self.strengths.device)
        else:
            self.temperatures = self.table(lambda step: temperature_at(step, steps, temperature))
            self.squares = self.table(lambda step: temperature_at(step, steps, temperature) ** 2)

    @property
    def trained(self) -> list[nn.Module]:
        """The student, and the temperature where it is learned."""
        return [self.student, self.learned] if self.learned else [self.student]

    def loss(self, step: Step, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a step."""
        logits, maps = self._seen(self.student, views, self.stages[0])
        with torch.no_grad():
            seen = [
                self._taught(teacher, step, views, stages)
                for teacher, stages in zip(self.teachers, self.stages[1:], strict=True)
            ]
        return distillation_loss(
            logits,
            [teacher_logits for teacher_logits, _ in seen],
            labels,
            maps,
            [teacher_maps for _, teacher_maps in seen],
            self.settings,
            *self._temperature(step),
        )

    def _taught(
        self, teacher: Backbone, step: Step, views: Tensor, stages: Sequence[int]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the logits and the maps that a teacher gives at a step."""
        return self._seen(teacher, views, stages)

    def _seen(self, network: Backbone, views: Tensor, stages: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Return a network's logits and the maps that attention transfer compares."""
        if not stages:
            return network(views), []
        if self.gated:
            logits = network(views)
            maps: list[Tensor] = [gate.map for gate in network.gates]  # type: ignore[misc]
            return logits, maps[-len(stages) :]
        return network.with_features(views, stages)

    def _temperature(self, step: Step) -> tuple[Tensor, Tensor | None]:
        """Return T, and T^2 where it is not to be computed from that."""
        if self.learned is not None:
            return self.learned(of_step(self.strengths, step)), None
        return of_step(self.temperatures, step), of_step(self.squares, step)


def distillation_loss(
    student_logits: Tensor,
    teacher_logits: Sequence[Tensor],
    labels: Tensor,
    student_maps: Sequence[Tensor],
    teacher_maps: Sequence[Sequence[Tensor]],
    settings: Distillation,
    temperature: float | Tensor,
    square: float | Tensor | None = None,
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
        square: T^2, by default computed from that.
    """
    alpha, beta = settings.alpha, settings.beta
    weight = 1 - alpha if settings.mixing == "convex" else 1.0
    loss = weight * F.cross_entropy(student_logits, labels)
    loss = loss + alpha * _mean(
        [
            divergence(student_logits, logits, temperature, square if settings.squared else 1.0)
            for logits in teacher_logits
        ]
    )
    if beta > 0:
        loss = loss + beta * _mean([attention_transfer(student_maps, maps) for maps in teacher_maps])
    return loss


def _mean(terms: list[Tensor]) -> Tensor:
    return terms[0] if len(terms) == 1 else torch.stack(terms).mean()


def divergence(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float | Tensor,
    factor: float | Tensor | None = None,
) -> Tensor:
    """Return T^2 * KL(sigma(z_t / T) || sigma(z_s / T)), summed over C classes and averaged over B images.

    Hinton et al. 2015, equation 4 with the T^2 of section 2.1, which keeps its gradients' size as T changes.
    (`reduction="batchmean"`: the default reduction of `kl_div` would divide by C as well.) Gradients flow
    to the student alone, and to the temperature where it is a tensor.

    Args:
        student_logits: float (B, C).
        teacher_logits: float (B, C).
        temperature: T > 0, a number or a scalar tensor.
        factor: what takes the place of T^2.
    """
    student = F.log_softmax(student_logits / temperature, dim=1)
    teacher = F.log_softmax(teacher_logits.detach() / temperature, dim=1)
    result = F.kl_div(student, teacher, reduction="batchmean", log_target=True)
    return (temperature**2 if factor is None else factor) * result


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


def attention_energy(features: Tensor) -> Tensor:
    """Return the mean over channels of the squared activation: (B, C, H, W) -> (B, H, W)."""
    return features.square().mean(dim=1)


def attention_transfer(student_features: Sequence[Tensor], teacher_features: Sequence[Tensor]) -> Tensor:
    """Return the sum over stages of the batch mean of || Q_s - Q_t ||^2, summed over positions.

    Q is a stage's attention energy, flattened and L2-normalised per image. Where the two maps differ in
    size, the larger is average-pooled to the smaller. Gradients flow to the student alone.

    Args:
        student_features: maps (B, C_l, H_l, W_l), one a stage; channels may differ from the teacher's.
        teacher_features: the teacher's maps, same order.

    Raises:
        ValueError: the two have no stage, or not the same number of stages.
    """
    if not student_features or len(student_features) != len(teacher_features):
        raise ValueError(
            f"attention transfer compares equal numbers of stages, at least one: "
            f"{len(student_features)} of the student, {len(teacher_features)} of the teacher"
        )
    distances = []
    for student, teacher in zip(student_features, teacher_features, strict=True):
        energies = [attention_energy(student), attention_energy(teacher.detach())]
        size = (min(e.shape[1] for e in energies), min(e.shape[2] for e in energies))
        maps = [F.normalize(average_pooled(e, size).flatten(1), dim=1) for e in energies]
        distances.append((maps[0] - maps[1]).square().sum(dim=1).mean())
    return torch.stack(distances).sum()


def average_pooled(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return maps (B, H, W) average-pooled to (B, *size), as `adaptive_avg_pool2d` does it.

    By two products of matrices: torch has no deterministic gradient of adaptive pooling on a GPU.
    """
    if maps.shape[1:] == size:
        return maps
    down, across = (_shares(length, cells, maps) for length, cells in zip(maps.shape[1:], size, strict=True))
    return down @ maps @ across.T


def _shares(length: int, cells: int, like: Tensor) -> Tensor:
    """Return (cells, length): the share of each position in each cell's mean; neighbouring cells may overlap."""
    cell = torch.arange(cells, device=like.device)[:, None]
    position = torch.arange(length, device=like.device)
    inside = (position >= cell * length // cells) & (position < -(-(cell + 1) * length // cells))
    return inside.to(like.dtype) / inside.sum(dim=1, keepdim=True)
