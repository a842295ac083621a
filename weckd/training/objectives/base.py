"""What a fit minimises: a loss of each step's views, over the networks that it trains; and how it is made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weckd.config import AugmentationSettings
from weckd.methods.recipe import Fit
from weckd.training.backbone import Backbone
from weckd.training.cell import CellData
from weckd.training.initial import State
from weckd.training.networks import Networks


class Objective(Protocol):
    """The loss of a fit. It holds all networks that the loss needs, and whatever it carries from step to step."""

    @property
    def trained(self) -> list[nn.Module]:
        """Modules whose parameters the optimiser moves; the student is the first."""

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar loss of a step (0 ..) on views (B, 3, H, W) with labels (B,)."""


@runtime_checkable
class Averaging(Objective, Protocol):
    """An objective whose result is an average of the student instead of the student."""

    average: Backbone

    def after_step(self, step: int) -> None:
        """Bring the average up to date, after the optimiser's step (0 ..)."""


@dataclass(frozen=True)
class Setup:
    """What a fit's objective can be made of."""

    fit: Fit
    networks: Networks  # modules to load teachers and a peer into
    student: Backbone  # the network to be trained
    teachers: Sequence[State]  # of the fit's teachers
    peer: State | None  # first state of the network that is trained beside, where the loss names one
    data: CellData
    labelled_rows: Tensor  # int64 (steps, B), rows of the labelled batches
    unlabelled_rows: NDArray[np.int64]  # (M,), rows of the images that the fit sees without their labels
    augmentation: AugmentationSettings

    def taught_by(self) -> list[Backbone]:
        """Return the networks of the fit's teachers."""
        return self.networks.teachers(self.fit.teachers, self.teachers)


def make_objective(setup: Setup) -> Objective:
    """Return the objective that a fit declares."""
    objective: Objective = named(setup.fit.objective)(setup, setup.fit.loss)
    return objective


def named(function: str) -> Callable[..., Any]:
    """Return the function that a declaration names as "module:function"."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def both_logits(student: nn.Module, teacher: nn.Module, views: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits of both on the same views; the teacher's without gradients."""
    with torch.no_grad():
        teacher_logits = teacher(views)
    return student(views), teacher_logits
