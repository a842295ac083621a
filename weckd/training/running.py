"""A fit under way: its networks, optimiser and losses, and what of them its next step depends on."""

from dataclasses import dataclass, field

import torch
from timm.optim import param_groups_weight_decay  # type: ignore[attr-defined] # exported without __all__
from torch import Tensor, nn

from weckd.config import TrainingSettings
from weckd.training.objectives.base import Averaging, Objective

State = dict[str, Tensor]


@dataclass
class RunningFit:
    """Optimiser steps of an objective under a one-cycle schedule."""

    objective: Objective
    rates: list[float]  # learning rate of each step
    optimiser: torch.optim.Optimizer
    losses: Tensor  # float32 (steps,), on the device; zeros from `done` on
    done: int = 0  # steps
    modules: list[nn.Module] = field(init=False)  # whatever changes from step to step

    def __post_init__(self) -> None:
        """Find what a step changes."""
        averaging = self.objective if isinstance(self.objective, Averaging) else None
        self.modules = [*self.objective.trained, *([averaging.average] if averaging else [])]

    def step(self, views: Tensor, labels: Tensor) -> None:
        """Make one optimiser step on views (B, 3, H, W) with labels (B,)."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rates[self.done]
        loss = self.objective.loss(self.done, views, labels)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        if isinstance(self.objective, Averaging):
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
        for number, module in enumerate(self.modules):
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
        for number, module in enumerate(self.modules):
            module.load_state_dict(_under(state, f"module.{number}."))
        self.optimiser.load_state_dict(
            {
                "state": {
                    index: self._moments(index, parameter, state)
                    for index, parameter in enumerate(self._parameters())
                },
                "param_groups": self.optimiser.state_dict()["param_groups"],
            }
        )
        self.losses[: len(losses)] = losses.to(self.losses.device)
        self.done = len(losses)
        torch.set_rng_state(state["random.cpu"])
        if self.losses.is_cuda:
            torch.cuda.set_rng_state(state["random.cuda"], self.losses.device)

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.optimiser.param_groups for parameter in group["params"]]

    def _moments(self, index: int, parameter: Tensor, state: State) -> State:
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
