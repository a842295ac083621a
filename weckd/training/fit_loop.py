"""One fit: from a declaration, a cell's images and its parents' weights to weights and logits."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.optim import param_groups_weight_decay  # type: ignore[attr-defined] # exported without __all__
from torch import Tensor

from weckd.config import AugmentationSettings, TrainingSettings
from weckd.methods.recipe import Fit, SemiSupervised
from weckd.seeds import generator
from weckd.training.augmentation import augment, draw_augmentations
from weckd.training.backbone import Backbone
from weckd.training.batches import batch_order
from weckd.training.cell import CellData
from weckd.training.evaluation import image_logits
from weckd.training.initial import State
from weckd.training.networks import Networks
from weckd.training.objectives import Averaging, Objective, make_objective
from weckd.training.unlabelled import Unlabelled, draw_unlabelled
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

    Raises:
        RuntimeError: an image of a test or validation group would be trained on.
    """
    began = time.monotonic()
    rows = _rows_of(fit.parts, data)
    unlabelled_rows = _rows_of(fit.unlabelled, data)
    _refuse_leaks(np.concatenate([rows, unlabelled_rows]), data)
    batches = _draw_batches(fit, data, rows, training, augmentation)
    unlabelled = _draw_unlabelled(fit, data, unlabelled_rows, batches.rows, augmentation)
    student = networks.student(fit, start)
    objective = make_objective(fit, networks, student, teachers, peer, unlabelled)
    losses = _optimise(fit, batches, data.images, objective, training, on_step)
    diverged = not all(math.isfinite(loss) for loss in losses)
    result = objective.average if isinstance(objective, Averaging) else student
    logits = {part: _evaluate(result, data, data.parts[part]) for part in evaluated}
    if diverged:
        logits = {part: np.full_like(values, np.nan) for part, values in logits.items()}
    record = {
        "status": "diverged" if diverged else "finished",
        "steps_run": len(losses),
        "images": len(losses) * training.batch_size * fit.views,
        "labels": len(rows),
        "loss_first": _plain(losses[0]),
        "loss_last": _plain(losses[-1]),
        "seconds": round(time.monotonic() - began, 3),
    }
    if fit.unlabelled:
        record["unlabelled"] = len(unlabelled_rows)
    state = {key: value.detach().cpu().clone() for key, value in result.network.state_dict().items()}
    return FitResult(state, logits, record)


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


def _draw_unlabelled(
    fit: Fit,
    data: CellData,
    rows: NDArray[np.int64],
    labelled_rows: Tensor,
    augmentation: AugmentationSettings,
) -> Unlabelled | None:
    """Draw the fit's unlabelled batches, keyed like the labelled ones, from streams of their own."""
    if not isinstance(fit.loss, SemiSupervised):
        return None
    return draw_unlabelled(
        data.images,
        rows,
        fit.loss.ratio * labelled_rows.shape[1],
        labelled_rows,
        (data.dataset, data.seed, "+".join(fit.unlabelled), fit.steps),
        (data.dataset, data.seed, "+".join(fit.parts), fit.steps),
        augmentation,
    )


def _optimise(
    fit: Fit,
    batches: Batches,
    images: Tensor,
    objective: Objective,
    training: TrainingSettings,
    on_step: Callable[[], None],
) -> list[float]:
    """Run the steps; return the losses, ending early after one that is not finite."""
    groups = [
        group
        for module in objective.trained
        for group in param_groups_weight_decay(module, training.weight_decay)
    ]
    rate = fit.learning_rate or training.learning_rate
    optimiser = torch.optim.AdamW(groups, lr=rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        rate,
        total_steps=fit.steps,
        pct_start=training.warmup,
        cycle_momentum=False,
    )
    averaging = objective if isinstance(objective, Averaging) else None
    draws = (batches.matrices, batches.colours)
    views = Views(images, batches.rows, augment, draws)
    losses = torch.zeros(fit.steps, device=images.device)
    for step in range(fit.steps):
        loss = objective.loss(step, views.at(step), batches.labels[step])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if averaging is not None:
            averaging.after_step(step)
        losses[step] = loss.detach()
        on_step()
        looked = (step + 1) % CHECK_EVERY == 0 or step + 1 == fit.steps
        if looked and not bool(torch.isfinite(losses[: step + 1]).all()):
            return losses[: step + 1].tolist()
    return losses.tolist()


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
