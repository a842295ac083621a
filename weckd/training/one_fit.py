"""One fit of a cell: its start, teachers and peer are found, then it is trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from weckd.config import BackboneSettings, Suite
from weckd.methods.recipe import Fit, Initial
from weckd.training.cell import CellData
from weckd.training.checkpoints import Checkpoints
from weckd.training.fit_loop import FitResult, run_fit
from weckd.training.gate import with_gates
from weckd.training.initial import State, initial_state
from weckd.training.networks import Networks


@dataclass
class Cell:
    """What all fits of a cell share."""

    suite: Suite
    data: CellData
    networks: Networks  # modules to load states into
    weights: Path  # folder of fetched weights
    _drawn: dict[tuple[BackboneSettings, int, bool], State] = field(default_factory=dict)

    def initial(self, fit: Fit, start: Initial) -> State:
        """Return the state that a fit, or the peer beside it, begins with; drawn when it is first needed."""
        settings = self.networks.settings(fit)
        key = (settings, start.member, fit.gate)
        if key not in self._drawn:
            data = self.data
            state = initial_state(settings, data.classes, data.seed, start.member, self.weights)
            self._drawn[key] = with_gates(state, len(self.networks.attention(fit))) if fit.gate else state
        return self._drawn[key]


def train_one(
    fit: Fit,
    cell: Cell,
    state_of: Callable[[Fit], State],
    diverged: Mapping[Fit, bool],
    evaluated: Sequence[str],
    on_step: Callable[[], None],
    checkpoints: Checkpoints | None = None,
) -> FitResult:
    """Train a fit whose parents are trained; where one of them diverged it is not trained and has no predictions.

    Args:
        fit: what to train.
        cell: its images, networks and settings.
        state_of: gives the state that a parent ended with.
        diverged: whether each parent diverged.
        evaluated: parts of the split to predict, each once, after the last step.
        on_step: called after each step.
        checkpoints: where the fit goes on from, and is kept on the way.
    """
    if any(diverged[parent] for parent in fit.parents()):
        return _inherited_failure(fit, cell.data, evaluated)
    start = state_of(fit.start) if isinstance(fit.start, Fit) else cell.initial(fit, fit.start)
    teachers = [state_of(teacher) for teacher in fit.teachers]
    peer = cell.initial(fit, fit.beside) if fit.beside else None
    return run_fit(
        fit,
        cell.data,
        cell.networks,
        start,
        teachers,
        peer,
        cell.suite.training,
        cell.suite.augmentation,
        evaluated,
        on_step,
        checkpoints,
    )


def _inherited_failure(fit: Fit, data: CellData, evaluated: Sequence[str]) -> FitResult:
    logits = {
        part: np.full((len(data.parts[part]), data.classes), np.nan, dtype=np.float32) for part in evaluated
    }
    record = {
        "status": "diverged",
        "steps_run": 0,
        "images": 0,
        "labels": sum(len(data.parts[part]) for part in fit.parts),
        "loss_first": None,
        "loss_last": None,
        "seconds": {},
    }
    return FitResult({}, logits, np.empty((0, 2), dtype=np.float32), record)
