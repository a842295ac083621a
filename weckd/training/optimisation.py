"""A fit under way: what it minimises, its optimiser steps, their count, and the checkpoints from which it goes on.

A checkpoint is a file that is whole or not there, named by its fit, its steps and its own digest.
"""

import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load, save
from timm.optim import param_groups_weight_decay  # type: ignore[attr-defined] # exported without __all__
from torch import Tensor, nn

from weckd.config import TrainingSettings
from weckd.files import remove_left, whole_file
from weckd.locks import StopRequest
from weckd.training.networks import Backbone, State

INTERVAL = 5.0  # seconds between lines of progress
_SECONDS = "seconds"


@dataclass
class Objective:
    """What a fit minimises: here the cross-entropy of the labels.

    A subclass computes another loss. It holds all networks that the loss needs, and whatever it carries from step to
    step.
    """

    student: Backbone  # in training mode

    @property
    def trained(self) -> list[nn.Module]:
        """Modules whose parameters the optimiser moves; the student is the first."""
        return [self.student]

    @property
    def result(self) -> Backbone:
        """The network that the fit ends with."""
        return self.student

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar loss of a step (0 ..) on views (B, 3, H, W) with labels (B,)."""
        return F.cross_entropy(self.student(views), labels)

    def after_step(self, step: int) -> None:
        """Bring up to date, after the optimiser's step (0 ..), what the loss carries."""


@dataclass
class RunningFit:
    """Optimiser steps of an objective under a one-cycle schedule."""

    objective: Objective
    rates: list[float]  # learning rate of each step
    optimiser: torch.optim.Optimizer
    losses: Tensor  # float32 (steps,), on the device; zeros from `done` on
    done: int = 0  # steps

    def step(self, views: Tensor, labels: Tensor) -> None:
        """Make one optimiser step on views (B, 3, H, W) with labels (B,)."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rates[self.done]
        loss = self.objective.loss(self.done, views, labels)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.objective.after_step(self.done)
        self.losses[self.done] = loss.detach()
        self.done += 1

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
        """Go on where `state` was taken, in any layout of memory.

        Raises:
            KeyError, RuntimeError: it is the state of another fit.
        """
        losses = state["losses"]
        for number, module in enumerate(self._modules()):
            module.load_state_dict(_under(state, f"module.{number}."))
        groups = self.optimiser.param_groups
        parameters = [parameter for group in groups for parameter in group["params"]]
        moments = {index: _moments(index, each, state) for index, each in enumerate(parameters)}
        self.optimiser.load_state_dict(
            {"state": moments, "param_groups": self.optimiser.state_dict()["param_groups"]}
        )
        self.losses[: len(losses)] = losses.to(self.losses.device)
        self.done = len(losses)
        torch.set_rng_state(state["random.cpu"])
        if self.losses.is_cuda:
            torch.cuda.set_rng_state(state["random.cuda"], self.losses.device)

    def _modules(self) -> list[nn.Module]:
        """Return whatever changes from step to step."""
        return list(dict.fromkeys([*self.objective.trained, self.objective.result]))


def _moments(index: int, parameter: Tensor, state: State) -> State:
    """Return a parameter's optimiser state, in the parameter's own layout: a fused step takes it to be so."""
    return {
        key: torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        if value.shape == parameter.shape
        else value
        for key, value in _under(state, f"optimiser.{index}.").items()
    }


def _under(state: State, prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def running_fit(objective: Objective, steps: int, rate: float, training: TrainingSettings) -> RunningFit:
    """Return a fit before its first step: AdamW, without weight decay on biases and scales.

    Args:
        objective: what it minimises.
        steps: optimiser steps.
        rate: peak of the schedule.
        training: the suite's other settings of the optimiser.
    """
    groups = [
        group
        for module in objective.trained
        for group in param_groups_weight_decay(module, training.weight_decay)
    ]
    optimiser = torch.optim.AdamW(groups, lr=rate, fused=True)
    device = groups[0]["params"][0].device
    rates = learning_rates(steps, rate, training.warmup)
    return RunningFit(objective, rates, optimiser, torch.zeros(steps, device=device))


def learning_rates(steps: int, peak: float, warmup: float) -> list[float]:
    """Return the learning rate of each step, those of torch's one-cycle schedule (Smith and Topin 2018).

    Args:
        steps: optimiser steps.
        peak: highest rate.
        warmup: share of the steps before the peak.
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


@dataclass
class Progress:
    """Counts the optimiser steps that a job has to make and tells how far it is, and in which cell and fit.

    A line every few seconds is as readable in a log file as on a terminal.
    """

    label: str
    total_steps: int
    seconds: Callable[[], float] = time.monotonic
    done_steps: int = 0
    cell: str = ""
    fit: str = ""
    began: float = field(init=False)
    last: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self.began = self.last = self.seconds()

    def step(self) -> None:
        """Count one optimiser step; print a line where the last is `INTERVAL` seconds old."""
        self.done_steps += 1
        now = self.seconds()
        if now - self.last >= INTERVAL:
            self.last = now
            left = (now - self.began) / self.done_steps * (self.total_steps - self.done_steps)
            self.tell(f"{self.done_steps}/{self.total_steps} steps, about {duration(left)} left")

    def skip(self, steps: int) -> None:
        """Take steps that need no training out of the count."""
        self.total_steps -= steps

    def tell(self, text: str) -> None:
        """Print one line."""
        place = ", ".join(filter(None, (self.cell, self.fit)))
        print(f"[{self.label}] {place + ': ' if place else ''}{text}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Return seconds as "40 s", "3 min" or "2.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@dataclass
class Checkpoints:
    """Keeps one fit's state at an interval, and when the process is asked to stop."""

    folder: Path
    identity: str  # of the fit
    interval: float  # seconds between two checkpoints
    stop: StopRequest
    progress: Progress
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _kept: float = field(init=False)  # when the last checkpoint was written
    resumed_at: int | None = field(default=None, init=False)  # steps of the checkpoint that it went on from
    seconds_before: float = field(default=0.0, init=False)  # of its steps, in the processes before this one

    def __post_init__(self) -> None:
        """Start the clock."""
        self._began = self._kept = self.clock()

    def resume(self, fit: RunningFit) -> None:
        """Bring a fit to its last checkpoint, where it has one; a damaged one is set aside and the one before used."""
        for file in sorted(self.folder.glob(f"{self._stem}-*"), reverse=True):
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest()[:16] != file.stem.rpartition("-")[2]:
                aside = file.replace(file.with_name(f"damaged-{file.name}"))
                self.progress.tell(f"checkpoint {file} is damaged: set aside as {aside.name}")
                continue
            state = load(content)
            self.seconds_before = float(state.pop(_SECONDS))
            fit.load(state)
            self.resumed_at = fit.done
            self.progress.skip(fit.done)
            self.progress.tell(f"goes on at step {fit.done} of {len(fit.rates)}, from {file}")
            return

    def after_step(self, fit: RunningFit) -> None:
        """Write a checkpoint when the interval has passed; leave when the process was asked to."""
        asked = self.stop.received is not None
        if asked or self.clock() - self._kept >= self.interval:
            self._keep(fit)
            self._kept = self.clock()
        if asked:
            self.progress.tell(
                f"asked to stop: kept step {fit.done} of {len(fit.rates)}; the same command goes on from there"
            )
            self.stop.leave()

    def discard(self) -> None:
        """Remove the fit's checkpoints, and what a killed process left of one."""
        for file in self.folder.glob(f"{self._stem}-*"):
            file.unlink()
        remove_left(self.folder, f"{self._stem}-*")

    @property
    def _stem(self) -> str:
        return self.identity[:20]

    def _keep(self, fit: RunningFit) -> None:
        state = {key: value.detach().cpu().contiguous() for key, value in fit.state().items()}
        seconds = self.seconds_before + self.clock() - self._began
        content = save({**state, _SECONDS: torch.tensor(seconds, dtype=torch.float64)})
        # Eight digits sort; the digest at the end tells a damaged file.
        name = f"{self._stem}-{fit.done:08d}-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
        earlier = list(self.folder.glob(f"{self._stem}-*"))
        with whole_file(self.folder / name) as temporary:
            temporary.write_bytes(content)
        for file in earlier:
            if file.name != name:
                file.unlink()
