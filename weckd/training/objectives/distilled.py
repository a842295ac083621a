"""Cross-entropy and the terms that teachers add, on the same views."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module

import torch
from torch import Tensor, nn

from weckd.methods.losses.decoupled import decoupled_loss
from weckd.methods.losses.distillation import distillation_loss
from weckd.methods.recipe import Decoupled, Distillation, LogitLoss
from weckd.methods.temperature import LearnedTemperature, temperature_at
from weckd.training.backbone import Backbone
from weckd.training.gate import gate_maps


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
        """Return the loss of `weckd.methods.losses.distillation`."""
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
            return network(views), gate_maps(network)[-len(stages) :]
        return network.with_features(views, stages)

    def _temperature(self, step: int) -> float | Tensor:
        if self.learned is not None:
            return self.learned(step, self.steps)  # type: ignore[no-any-return]
        return temperature_at(step, self.steps, self.settings.temperature)


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
        """Return the loss of `weckd.methods.losses.decoupled`."""
        logits, teacher_logits = _both_logits(self.student, self.teacher, views)
        # As in the authors' code: the weight rises with the number of the epoch, beginning at one of `warmup`.
        ramp = min((step + 1) / max(self.settings.warmup * self.steps, 1.0), 1.0)
        return decoupled_loss(logits, teacher_logits, labels, self.settings, ramp)


@dataclass
class LogitDistilled:
    """A loss of the student's and one teacher's logits, computed by the function that its settings name."""

    student: nn.Module
    teacher: nn.Module
    settings: LogitLoss

    @property
    def trained(self) -> list[nn.Module]:
        """The student."""
        return [self.student]

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of the function that the settings name."""
        logits, teacher_logits = _both_logits(self.student, self.teacher, views)
        module, _, name = self.settings.function.partition(":")
        loss: Tensor = getattr(import_module(module), name)(logits, teacher_logits, labels, self.settings)
        return loss


def _both_logits(student: nn.Module, teacher: nn.Module, views: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits of both on the same views; the teacher's without gradients."""
    with torch.no_grad():
        teacher_logits = teacher(views)
    return student(views), teacher_logits
