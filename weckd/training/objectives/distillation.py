"""The distillation loss of the chain, in the reference reading and the others.

    L = w * CE(y, z_s) + alpha * T^2 * KL(sigma(z_t / T) || sigma(z_s / T)) + beta * AT

z_s, z_t: student and teacher logits (B, C); AT: `weckd.training.objectives.attention_transfer`. w is 1 - alpha in the
reference reading ("convex") and 1 in the additive one; the factor T^2 can be left out. None of this is stated by the
paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weckd.methods.losses import Distillation
from weckd.methods.recipe import Fit
from weckd.training.backbone import Backbone
from weckd.training.networks import Networks
from weckd.training.objectives.attention_transfer import attention_transfer
from weckd.training.objectives.base import Objective, Setup
from weckd.training.objectives.temperature import LearnedTemperature, divergence, temperature_at


def distilled(setup: Setup, loss: Distillation) -> Objective:
    """Return the chain's loss, with the teachers of the fit."""
    stages = _compared_stages(setup.fit, setup.networks, attention=loss.beta > 0)
    return Distilled(setup.student, setup.taught_by(), loss, setup.fit.steps, stages, setup.fit.gate)


def _compared_stages(fit: Fit, networks: Networks, *, attention: bool) -> list[list[int]]:
    """Return the stages whose maps are compared, of the student and of each teacher: as many of each, the deepest."""
    members = (fit, *fit.teachers)
    if not attention:
        return [[] for _ in members]
    stages = [networks.attention(member) for member in members]
    count = min(len(found) for found in stages)
    return [found[-count:] for found in stages]


@dataclass
class Distilled:
    """The chain's loss, with one teacher or several."""

    student: Backbone
    teachers: Sequence[Backbone]
    settings: Distillation
    steps: int
    stages: Sequence[Sequence[int]]  # that attention transfer compares: of the student, then of each teacher
    gated: bool  # compare the gates' maps instead of the features
    learned: LearnedTemperature | None = field(init=False)

    def __post_init__(self) -> None:
        """Make the temperature, where it is learned, on the student's device."""
        device = next(self.student.parameters()).device
        learned = self.settings.temperature.schedule == "learned"
        self.learned = LearnedTemperature(self.settings.temperature).to(device) if learned else None

    @property
    def trained(self) -> list[nn.Module]:
        """The student, and the temperature where it is learned."""
        return [self.student, self.learned] if self.learned else [self.student]

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a step."""
        logits, maps = self._seen(self.student, views, self.stages[0])
        with torch.no_grad():
            seen = [
                self._seen(teacher, views, stages)
                for teacher, stages in zip(self.teachers, self.stages[1:], strict=True)
            ]
        return distillation_loss(
            logits,
            [teacher_logits for teacher_logits, _ in seen],
            labels,
            maps,
            [teacher_maps for _, teacher_maps in seen],
            self.settings,
            self._temperature(step),
        )

    def _seen(self, network: Backbone, views: Tensor, stages: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Return a network's logits and the maps that attention transfer compares."""
        if not stages:
            return network(views), []
        if self.gated:
            logits = network(views)
            maps: list[Tensor] = [gate.map for gate in network.gates]  # type: ignore[misc]
            return logits, maps[-len(stages) :]
        return network.with_features(views, stages)

    def _temperature(self, step: int) -> float | Tensor:
        if self.learned is not None:
            return self.learned(step, self.steps)  # type: ignore[no-any-return]
        return temperature_at(step, self.steps, self.settings.temperature)


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
