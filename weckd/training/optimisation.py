"""What a fit minimises, of what that is made, and the optimiser's steps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from timm.optim import param_groups_weight_decay  # type: ignore[attr-defined] # exported without __all__
from torch import Tensor, nn

from weckd.config import AugmentationSettings, BackboneSettings, TrainingSettings
from weckd.methods.fits import Fit, Initial
from weckd.training.batches import CellData, Step, Views, of_step
from weckd.training.gate import with_gates
from weckd.training.networks import Backbone, Networks, State, initial_state


@dataclass(frozen=True)
class Cell:
    """What all fits of a cell share."""

    data: CellData
    networks: Networks  # modules to load states into
    training: TrainingSettings
    augmentation: AugmentationSettings
    weights: Path  # folder of fetched weights
    evaluated: Sequence[str]  # parts of the split to predict, each once, after the last step of a fit
    on_step: Callable[[], None] = lambda: None  # called after each step, for progress
    _drawn: dict[tuple[BackboneSettings, int, bool], State] = field(default_factory=dict)

    def initial(self, fit: Fit, start: Initial) -> State:
        """Return the state that a fit, or the peer beside it, begins with; drawn when it is first needed."""
        settings = self.networks.settings(fit)
        key = (settings, start.member, fit.gate)
        if key not in self._drawn:
            data = self.data
            state = initial_state(settings, data.dataset, data.classes, data.seed, start.member, self.weights)
            self._drawn[key] = with_gates(state, len(self.networks.attention(fit))) if fit.gate else state
        return self._drawn[key]


@dataclass(frozen=True)
class Given:
    """The states of the networks that a fit begins with."""

    student: State
    teachers: Sequence[State] = ()  # in the order of the fit's teachers
    peer: State | None = None  # of the network that is trained beside the student, where the loss names one


@dataclass(frozen=True)
class Setup:
    """What a fit's objective can be made of."""

    fit: Fit
    cell: Cell
    given: Given
    student: Backbone  # the network to be trained
    labelled: Views  # of the labelled batches
    unlabelled_rows: NDArray[np.int64]  # (M,), rows of the images that the fit sees without their labels


class Objective:
    """What a fit minimises: here the cross-entropy of the labels.

    A subclass computes another loss. It holds all networks that the loss needs, and whatever it carries from step to
    step. What changes from step to step it reads from tables, by `of_step`.
    """

    capturable: ClassVar[bool] = True
    """Whether a step can be captured as a CUDA graph (see `weckd.training.captured`). Each class says it for itself: a
    class that does not say it is not captured, whatever it derives from."""
    settings: Any  # the declared loss, of whose declaration only the fields are used
    counts: Mapping[str, int] = MappingProxyType({})  # that the fit's record adds to what every record holds

    def __init__(self, setup: Setup) -> None:
        """Take the student, in training mode, and the networks of the fit's teachers."""
        fit, networks = setup.fit, setup.cell.networks
        self.student, self.settings, self.steps = setup.student, fit.loss, fit.steps
        self.teachers = networks.teachers(fit.taught_by, setup.given.teachers)

    @property
    def trained(self) -> list[nn.Module]:
        """Modules whose parameters the optimiser moves; the student is the first."""
        return [self.student]

    @property
    def result(self) -> Backbone:
        """The network that the fit ends with."""
        return self.student

    def table(self, value: Callable[[int], float]) -> Tensor:
        """Return the values of all steps (0 ..), float32 (steps,) on the device: what a product would round them to."""
        values = [value(step) for step in range(self.steps)]
        return torch.tensor(values, dtype=torch.float32, device=next(self.student.parameters()).device)

    def loss(self, step: Step, views: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar loss of a step (0 ..) on views (B, 3, H, W) with labels (B,)."""
        return F.cross_entropy(self.student(views), labels)

    def after_step(self, step: Step) -> None:
        """Bring up to date, after the optimiser's step (0 ..), what the loss carries."""


def make_objective(setup: Setup) -> Objective:
    """Return the objective that a fit declares."""
    objective: Objective = named(setup.fit.loss.objective)(setup)
    return objective


def named(function: str) -> Callable[..., Any]:
    """Return the function, or the class, that a declaration names as "module:function"."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


class RunningFit:
    """Optimiser steps of an objective under a one-cycle schedule: AdamW, without weight decay on biases and scales."""

    def __init__(self, objective: Objective, steps: int, rate: float, training: TrainingSettings) -> None:
        """Begin before the first step; `rate` is the peak of the schedule."""
        self.objective, decay = objective, training.weight_decay
        groups = [group for each in objective.trained for group in param_groups_weight_decay(each, decay)]
        parameters = [parameter for group in groups for parameter in group["params"]]
        device = parameters[0].device
        self.rates = learning_rates(steps, rate, training.warmup)  # of each step
        # A fused step takes the rate in double precision on a CPU, and in single precision on a GPU.
        kind = torch.float64 if device.type == "cpu" else torch.float32
        self._rates = torch.tensor(self.rates, dtype=kind, device=device)
        self._rate = torch.zeros((), dtype=kind, device=device)  # of the step being made
        self.optimiser = torch.optim.AdamW(groups, lr=self._rate, fused=True)
        # As the first step would begin them, in the parameter's own layout: what a captured step writes stays in place.
        for parameter in parameters:
            moments = {key: torch.zeros_like(parameter) for key in ("exp_avg", "exp_avg_sq")}
            self.optimiser.state[parameter] = {"step": torch.zeros((), device=device), **moments}
        self.losses = torch.zeros(steps, device=device)  # float32 (steps,); zeros from `done` on
        self.done = 0  # steps

    def step(self, views: Tensor, labels: Tensor) -> None:
        """Make the next optimiser step on views (B, 3, H, W) with labels (B,)."""
        self.make(self.done, views, labels)
        self.done += 1

    def make(self, step: Step, views: Tensor, labels: Tensor) -> None:
        """Make a step (0 ..), of which nothing is in Python that changes from one to the next."""
        self._rate.copy_(of_step(self._rates, step))
        loss = self.objective.loss(step, views, labels)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.objective.after_step(step)
        self.losses[step] = loss.detach()

    def failed_step(self) -> int | None:
        """Return the first step (0 ..) whose loss is not finite; on a GPU, this waits for it."""
        failed = (~torch.isfinite(self.losses[: self.done])).nonzero()
        return int(failed[0]) if len(failed) else None

    def state(self) -> State:
        """Return all that the next step depends on, as it is in memory: copy it before the next step."""
        found = {"losses": self.losses[: self.done], "random.cpu": torch.get_rng_state()}
        if self.losses.is_cuda:
            found["random.cuda"] = torch.cuda.get_rng_state(self.losses.device)
        for number, module in enumerate(self._modules()):
            found |= {f"module.{number}.{key}": value for key, value in module.state_dict().items()}
        for index, values in self.optimiser.state_dict()["state"].items():
            found |= {f"optimiser.{index}.{key}": value for key, value in values.items()}
        return found

    def load(self, state: State) -> None:
        """Go on where `state` was taken, in any layout of memory; all tensors stay where they are.

        Raises:
            KeyError, RuntimeError: it is the state of another fit.
        """
        losses = state["losses"]
        for number, module in enumerate(self._modules()):
            module.load_state_dict(_under(state, f"module.{number}."))
        for index, values in self.optimiser.state_dict()["state"].items():
            for key, value in values.items():
                value.copy_(state[f"optimiser.{index}.{key}"])
        self.losses.zero_()[: len(losses)] = losses.to(self.losses.device)
        self.done = len(losses)
        torch.set_rng_state(state["random.cpu"])
        if self.losses.is_cuda:
            torch.cuda.set_rng_state(state["random.cuda"], self.losses.device)

    def _modules(self) -> list[nn.Module]:
        """Return whatever changes from step to step."""
        return list(dict.fromkeys([*self.objective.trained, self.objective.result]))


def _under(state: State, prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def learning_rates(steps: int, peak: float, warmup: float) -> list[float]:
    """Return the learning rate of each step, those of torch's one-cycle schedule (Smith and Topin 2018).

    `warmup` is the share of the steps before the peak.
    """
    if warmup * steps == 1:  # the first step is the peak, for which torch divides by zero
        warmup *= 1 - 1e-9
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=peak)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, peak, total_steps=steps, pct_start=warmup, cycle_momentum=False
    )
    rates = []
    for _ in range(steps):
        rates += schedule.get_last_lr()
        optimiser.step()
        schedule.step()
    return [float(rate) for rate in rates]
