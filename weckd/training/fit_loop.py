"""One fit: from a declaration, a cell's images and its parents' weights to weights and logits."""

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weckd.config import AugmentationSettings, TrainingSettings
from weckd.methods.recipe import Fit
from weckd.seeds import generator, stream_seed
from weckd.training.augmentation import augment, draw_augmentations
from weckd.training.backbone import Backbone
from weckd.training.batches import batch_order
from weckd.training.cell import CellData
from weckd.training.checkpoints import Checkpoints
from weckd.training.evaluation import EVALUATION_BATCH, image_logits
from weckd.training.initial import State
from weckd.training.memory import SMALLER_IMAGES, memory_for, smaller_batch
from weckd.training.networks import Networks
from weckd.training.objectives.base import Averaging, Setup, make_objective
from weckd.training.phases import Phases
from weckd.training.running import RunningFit, running_fit
from weckd.training.views import Views

CHECK_EVERY = 25
"""Steps between looks at the loss: a look makes a GPU wait."""


@dataclass(frozen=True)
class Batches:
    """The labelled batches of a fit, drawn before the first step: tensors on the device, step first."""

    rows: Tensor  # int64 (steps, B), rows of the cell's images
    labels: Tensor  # int64 (steps, B)
    matrices: Tensor  # float32 (steps, B, 2, 3), see `weckd.training.augmentation`
    colours: Tensor  # float32 (steps, B, 2)


@dataclass(frozen=True)
class FitResult:
    """What a fit leaves behind; logits are float32 (rows of the split, C), NaN where it diverged."""

    state: State
    logits: dict[str, NDArray[np.float32]]
    history: NDArray[np.float32]  # (steps run, 2): loss and learning rate
    record: dict[str, Any]


def run_fit(
    fit: Fit,
    data: CellData,
    networks: Networks,
    start: State,
    teachers: Sequence[State],
    peer: State | None,
    training: TrainingSettings,
    augmentation: AugmentationSettings,
    evaluated: Sequence[str],
    on_step: Callable[[], None],
    checkpoints: Checkpoints | None = None,
) -> FitResult:
    """Train one network for `fit.steps` steps and evaluate it once, after the last.

    Args:
        fit: what to train.
        data: the cell's images and parts.
        networks: modules to load the states into.
        start: the student's first state.
        teachers: the states of the fit's teachers, in their order.
        peer: the first state of the network that is trained beside the student, where the loss names one.
        training: optimiser settings.
        augmentation: augmentation settings.
        evaluated: parts of the split to predict, each once, after the last step.
        on_step: called after each step, for progress.
        checkpoints: where the fit goes on from, and is kept on the way.

    Raises:
        RuntimeError: an image of a test or validation group would be trained on.
    """
    phases = Phases(data.images.device)
    of_cell = f"{data.dataset}, seed {data.seed}"
    with memory_for(f"{of_cell}: steps on {training.batch_size} images", smaller_batch(training.batch_size)):
        with phases.timed("set up"):
            rows = _rows_of(fit.parts, data)
            unlabelled_rows = _rows_of(fit.unlabelled, data)
            _refuse_leaks(np.concatenate([rows, unlabelled_rows]), data)
            batches = _draw_batches(fit, data, rows, training, augmentation)
            student = networks.student(fit, start)
            objective = make_objective(
                Setup(
                    fit, networks, student, teachers, peer, data, batches.rows, unlabelled_rows, augmentation
                )
            )
            running = running_fit(objective, fit.steps, fit.learning_rate or training.learning_rate, training)
            # For networks that draw while they train, as in dropout; whatever ran before must not matter.
            torch.manual_seed(stream_seed("steps", data.dataset, data.seed, *fit.parts, fit.steps))
        with phases.timed("steps"):
            _optimise(running, batches, data.images, checkpoints, on_step)
            failed = running.failed_step()
    if checkpoints is not None:
        phases.add("steps", checkpoints.seconds_before)
    result = objective.average if isinstance(objective, Averaging) else student
    predicting = memory_for(f"{of_cell}: predictions of {EVALUATION_BATCH} images", SMALLER_IMAGES)
    with phases.timed("evaluation"), predicting:
        logits = {part: _evaluate(result, data, data.parts[part]) for part in evaluated}
        state = {key: value.detach().cpu().clone() for key, value in result.network.state_dict().items()}
    if failed is not None:
        logits = {part: np.full_like(values, np.nan) for part, values in logits.items()}
    losses = running.losses[: running.done].tolist()
    record = {
        "status": "finished" if failed is None else "diverged",
        "steps_run": running.done,
        "images": running.done * training.batch_size * fit.views,
        "labels": len(rows),
        "loss_first": _plain(losses[0]),
        "loss_last": _plain(losses[-1]),
        **({} if failed is None else {"failed_step": failed + 1, "failed_rate": running.rates[failed]}),
        **({"unlabelled": len(unlabelled_rows)} if fit.unlabelled else {}),
        **({"resumed_at": checkpoints.resumed_at} if checkpoints and checkpoints.resumed_at else {}),
        "seconds": phases.seconds(),
        "peak_bytes": phases.peak_memory(),
    }
    history = np.column_stack([losses, running.rates[: running.done]]).astype(np.float32)
    return FitResult(state, logits, history, record)


def _rows_of(parts: Sequence[str], data: CellData) -> NDArray[np.int64]:
    none = np.empty(0, dtype=np.int64)
    return np.sort(np.concatenate([none, *(data.parts[part] for part in parts)]))


def _draw_batches(
    fit: Fit,
    data: CellData,
    rows: NDArray[np.int64],
    training: TrainingSettings,
    augmentation: AugmentationSettings,
) -> Batches:
    """Draw order and augmentation, keyed by (data set, seed, subset, steps) and never by method."""
    labels = data.labels[rows]
    if fit.permute_labels:
        labels = generator("permuted-labels", data.dataset, data.seed).permutation(labels)
    axes = (data.dataset, data.seed, "+".join(fit.parts), fit.steps)
    size = training.batch_size
    order = batch_order(len(rows), size, fit.steps, generator("batches", *axes))
    draws = draw_augmentations(fit.steps, size, augmentation, generator("augmentation", *axes))
    device = data.images.device
    return Batches(*(torch.from_numpy(values).to(device) for values in (rows[order], labels[order], *draws)))


def _optimise(
    running: RunningFit,
    batches: Batches,
    images: Tensor,
    checkpoints: Checkpoints | None,
    on_step: Callable[[], None],
) -> None:
    """Run the steps that are left, ending early after a loss that is not finite."""
    views = Views(images, batches.rows, augment, (batches.matrices, batches.colours))
    if checkpoints is not None:
        checkpoints.resume(running)
    with checkpoints.stop.deferred() if checkpoints else nullcontext():
        while running.done < len(running.rates):
            running.step(views.at(running.done), batches.labels[running.done])
            on_step()
            if running.done % CHECK_EVERY == 0 and running.failed_step() is not None:
                return
            if checkpoints is not None:
                checkpoints.after_step(running)


def _refuse_leaks(rows: NDArray[np.int64], data: CellData) -> None:
    held_out = np.concatenate([data.parts["test"], data.parts["validation"]])
    shared = np.intersect1d(data.groups[rows], data.groups[held_out])
    if len(shared):
        raise RuntimeError(
            f"{data.dataset}, seed {data.seed}: group {shared[0]} is in a training subset and in validation "
            "or test; the split file is not one that `weckd split` wrote"
        )


def _evaluate(network: Backbone, data: CellData, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return logits float32 (rows, C) of the unaugmented images."""
    on_device = torch.from_numpy(rows).to(data.images.device)
    return image_logits(network, data.images, on_device).cpu().numpy()


def _plain(value: float) -> float | str:
    """Return a loss as JSON can hold it."""
    return value if math.isfinite(value) else str(value)
