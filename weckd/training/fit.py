"""One fit: its start, teachers and peer are found, its batches drawn, its steps made, and its images predicted once."""

import math
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weckd.methods.fits import Fit, Initial
from weckd.seeds import generator, stream_seed
from weckd.training.batches import EVALUATION_BATCH, CellData, Views, augmented, batch_order, outputs
from weckd.training.captured import captured_step, is_capturable
from weckd.training.limits import SMALLER_IMAGES, memory_for, smaller_batch
from weckd.training.networks import State
from weckd.training.optimisation import Cell, Given, RunningFit, Setup, make_objective

CHECK_EVERY = 25
"""Steps between looks at the loss: a look makes a GPU wait."""


@dataclass(frozen=True)
class FitResult:
    """What a fit leaves behind; logits are float32 (rows of the split, C), NaN where it diverged."""

    state: State | None  # None where it, or one that it depends on, ended in a loss that is not finite
    logits: dict[str, NDArray[np.float32]]
    history: NDArray[np.float32]  # (steps run, 2): loss and learning rate
    record: dict[str, Any]


class Watch:
    """Is told how a fit goes on; this one keeps nothing of it (see `weckd.training.job.Checkpoints`)."""

    resumed_at: int | None = None  # steps of the checkpoint that the fit went on from
    seconds_before: float = 0.0  # of its steps, in the processes before this one

    def over(self, fit: RunningFit) -> AbstractContextManager[None]:
        """Bring a fit to where it goes on, and watch over its steps."""
        return nullcontext()

    def after_step(self, fit: RunningFit) -> None:
        """Take note of a step."""


NOBODY = Watch()


def train_fit(
    fit: Fit, cell: Cell, state_of: Callable[[Fit], State | None], watch: Watch = NOBODY
) -> FitResult:
    """Train a fit whose parents are trained; where one of them diverged it is not trained and has no predictions.

    `state_of` gives the state that a parent ended with, None where it diverged.
    """
    states = {parent: state for parent in fit.parents() if (state := state_of(parent)) is not None}
    if not states.keys() >= {*fit.parents()}:
        record = {
            "status": "diverged",
            "steps_run": 0,
            "images": 0,
            "labels": len(rows_of(fit.parts, cell.data)),
        }
        record |= {"loss_first": None, "loss_last": None, "seconds": {}}
        return FitResult(None, _no_logits(cell), np.empty((0, 2), dtype=np.float32), record)

    def begun(each: Fit | Initial) -> State:
        return states[each] if isinstance(each, Fit) else cell.initial(fit, each)

    peer = begun(fit.loss.beside) if fit.loss.beside else None
    given = Given(begun(fit.start), [begun(teacher) for teacher in fit.teachers], peer)
    return run_fit(fit, cell, given, watch)


def run_fit(fit: Fit, cell: Cell, given: Given, watch: Watch = NOBODY) -> FitResult:
    """Train one network for `fit.steps` steps and evaluate it once, after the last.

    Raises:
        UserError: memory runs out.
        RuntimeError: an image of a test or validation group would be trained on.
    """
    data, training = cell.data, cell.training
    phases = Phases(data.images.device)
    of_cell = f"{data.dataset}, seed {data.seed}"
    with memory_for(f"{of_cell}: steps on {training.batch_size} images", smaller_batch(training.batch_size)):
        with phases.timed("set up"):
            rows, unlabelled_rows = (rows_of(parts, data) for parts in (fit.parts, fit.unlabelled))
            _refuse_leaks(np.concatenate([rows, unlabelled_rows]), data)
            views, labels = labelled_batches(fit, cell)
            student = cell.networks.student(fit, given.student)
            objective = make_objective(Setup(fit, cell, given, student, views, unlabelled_rows))
            running = RunningFit(objective, fit.steps, fit.learning_rate or training.learning_rate, training)
            # For networks that draw while they train, as in dropout; whatever ran before must not matter.
            torch.manual_seed(stream_seed("steps", data.dataset, data.seed, *fit.parts, fit.steps))
        captured = training.cuda_graph and is_capturable(objective)
        with phases.timed("steps"):
            _make_steps(running, views, labels, captured, watch, cell.on_step)
            failed = running.failed_step()
    phases.add("steps", watch.seconds_before)
    state, logits = None, _no_logits(cell)
    predicting = memory_for(f"{of_cell}: predictions of {EVALUATION_BATCH} images", SMALLER_IMAGES)
    with phases.timed("evaluation"), predicting:
        if failed is None:
            network = objective.result.eval()
            state = {key: value.detach().cpu().clone() for key, value in network.network.state_dict().items()}
            for part in cell.evaluated:
                logits[part] = outputs(network, data.images, data.parts[part]).cpu().numpy()
    losses = running.losses[: running.done].tolist()
    record = {
        "status": "finished" if failed is None else "diverged",
        "steps_run": running.done,
        "images": running.done * training.batch_size * fit.loss.views,
        "labels": len(rows),
        "loss_first": _plain(losses[0]),
        "loss_last": _plain(losses[-1]),
        **({} if failed is None else {"failed_step": failed + 1, "failed_rate": running.rates[failed]}),
        **objective.counts,
        **({"cuda_graph": True} if captured else {}),
        **({"unlabelled": len(unlabelled_rows)} if fit.unlabelled else {}),
        **({"resumed_at": watch.resumed_at} if watch.resumed_at else {}),
        "seconds": phases.seconds(),
        "peak_bytes": phases.peak_memory(),
    }
    history = np.column_stack([losses, running.rates[: running.done]]).astype(np.float32)
    return FitResult(state, logits, history, record)


def _no_logits(cell: Cell) -> dict[str, NDArray[np.float32]]:
    """Return what a fit that diverged says of each image."""
    sizes = {part: (len(cell.data.parts[part]), cell.data.classes) for part in cell.evaluated}
    return {part: np.full(size, np.nan, dtype=np.float32) for part, size in sizes.items()}


def rows_of(parts: Iterable[str], data: CellData) -> NDArray[np.int64]:
    """Return the rows (n,) of all images of some parts, sorted."""
    none = np.empty(0, dtype=np.int64)
    return np.sort(np.concatenate([none, *(data.parts[part] for part in parts)]))


def _refuse_leaks(rows: NDArray[np.int64], data: CellData) -> None:
    shared = np.intersect1d(data.groups[rows], data.groups[rows_of(("test", "validation"), data)])
    if len(shared):
        raise RuntimeError(
            f"{data.dataset}, seed {data.seed}: group {shared[0]} is in a training subset and in validation "
            "or test; the split file is not one that `weckd split` wrote"
        )


def labelled_batches(fit: Fit, cell: Cell) -> tuple[Views, Tensor]:
    """Draw the views and labels int64 (steps, B) of a fit's labelled batches, on the device.

    Order and augmentation are keyed by (data set, seed, subset, steps) and never by method.
    """
    data, size = cell.data, cell.training.batch_size
    rows = rows_of(fit.parts, data)
    labels = data.labels[rows]
    if fit.permute_labels:
        labels = generator("permuted-labels", data.dataset, data.seed).permutation(labels)
    axes = (data.dataset, data.seed, "+".join(fit.parts), fit.steps)
    order = batch_order(len(rows), size, fit.steps, generator("batches", *axes))
    shown, given = (torch.from_numpy(values[order]).to(data.images.device) for values in (rows, labels))
    return augmented(data.images, shown, cell.augmentation, generator("augmentation", *axes)), given


def _make_steps(
    running: RunningFit,
    views: Views,
    labels: Tensor,
    captured: bool,
    watch: Watch,
    on_step: Callable[[], None],
) -> None:
    """Run the steps that are left, ending early after a loss that is not finite."""

    def eager_step() -> None:
        running.step(views.at(running.done), labels[running.done])

    with watch.over(running):
        step = captured_step(running, views, labels) if captured else eager_step
        while running.done < len(running.rates):
            step()
            on_step()
            if running.done % CHECK_EVERY == 0 and running.failed_step() is not None:
                return
            watch.after_step(running)


def _plain(value: float) -> float | str:
    """Return a loss as JSON can hold it."""
    return value if math.isfinite(value) else str(value)


@dataclass
class Phases:
    """Seconds of named phases, one after another; a GPU's work is waited for where a phase ends."""

    device: torch.device
    _seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin to watch the memory of a GPU."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the seconds of a block to a phase."""
        began = time.monotonic()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.add(phase, time.monotonic() - began)

    def add(self, phase: str, seconds: float) -> None:
        """Add seconds to a phase."""
        self._seconds[phase] = self._seconds.get(phase, 0.0) + seconds

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each phase, to a millisecond."""
        return {phase: round(seconds, 3) for phase, seconds in self._seconds.items()}

    def peak_memory(self) -> dict[str, int]:
        """Return bytes: the largest memory of this process so far, and of this fit on a GPU."""
        host = {"host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        if self.device.type != "cuda":
            return host
        return {**host, "device": torch.cuda.max_memory_allocated(self.device)}
