"""One fit: from a declaration, a cell's images and its parents' weights to weights and logits."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from timm.optim import param_groups_weight_decay  # type: ignore[attr-defined] # exported without __all__
from torch import Tensor, nn

from weckd.config import AugmentationSettings, TrainingSettings
from weckd.methods.losses import distillation_loss
from weckd.methods.recipe import Fit
from weckd.methods.temperature import temperature_at
from weckd.seeds import generator
from weckd.training.augmentation import augment, draw_augmentations
from weckd.training.backbone import Normalisation, State, logits_and_features
from weckd.training.batches import batch_order
from weckd.training.images import normalised, unit_images
from weckd.training.store import EVALUATED

EVALUATION_BATCH = 256
CHECK_EVERY = 25
"""Steps between looks at the loss: a look makes a GPU wait."""


@dataclass(frozen=True)
class CellData:
    """The images of one data set as one seed splits them."""

    dataset: str
    seed: int
    images: Tensor  # uint8 (N, H, W, 3), on the device; rows of the split file are rows here
    labels: NDArray[np.int64]  # (N,)
    groups: NDArray[np.str_]  # (N,)
    parts: Mapping[str, NDArray[np.int64]]  # part -> rows
    classes: int


@dataclass(frozen=True)
class Networks:
    """Student and teacher, built once a job; every fit loads its states into them."""

    student: nn.Module
    teacher: nn.Module
    normalisation: Normalisation
    attention: list[int]  # feature stages that attention transfer compares


@dataclass(frozen=True)
class Batches:
    """All that the steps of a fit consume, drawn before the first: tensors on the device, step first."""

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
    teacher: State | None,
    training: TrainingSettings,
    augmentation: AugmentationSettings,
    on_step: Callable[[], None],
) -> FitResult:
    """Train one network for `fit.steps` steps and evaluate it once, after the last.

    Args:
        fit: what to train.
        data: the cell's images and parts.
        networks: student and teacher modules to load the states into.
        start: the student's first state.
        teacher: the teacher's state, where the fit has a teacher.
        training: optimiser settings.
        augmentation: augmentation settings.
        on_step: called after each step, for progress.

    Raises:
        RuntimeError: an image of a test or validation group would be trained on.
    """
    began = time.monotonic()
    rows = np.sort(np.concatenate([data.parts[part] for part in fit.parts]))
    _refuse_leaks(rows, data)
    batches = _draw_batches(fit, data, rows, training, augmentation)
    student = _loaded(networks.student, start).train()
    teacher_network = _loaded(networks.teacher, teacher).eval() if teacher is not None else None
    losses = _optimise(fit, batches, data.images, networks, student, teacher_network, training, on_step)
    diverged = not all(math.isfinite(loss) for loss in losses)
    logits = {split: _evaluate(student, data, networks, data.parts[split]) for split in EVALUATED}
    if diverged:
        logits = {split: np.full_like(values, np.nan) for split, values in logits.items()}
    record = {
        "status": "diverged" if diverged else "finished",
        "steps_run": len(losses),
        "images": len(losses) * training.batch_size,
        "labels": len(rows),
        "loss_first": _plain(losses[0]),
        "loss_last": _plain(losses[-1]),
        "seconds": round(time.monotonic() - began, 3),
    }
    return FitResult({k: v.detach().cpu().clone() for k, v in student.state_dict().items()}, logits, record)


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
    fit: Fit,
    batches: Batches,
    images: Tensor,
    networks: Networks,
    student: nn.Module,
    teacher: nn.Module | None,
    training: TrainingSettings,
    on_step: Callable[[], None],
) -> list[float]:
    """Run the steps; return the losses, ending early after one that is not finite."""
    groups = param_groups_weight_decay(student, training.weight_decay)
    optimiser = torch.optim.AdamW(groups, lr=training.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        training.learning_rate,
        total_steps=fit.steps,
        pct_start=training.warmup,
        cycle_momentum=False,
    )
    stages = networks.attention if fit.distillation and fit.distillation.beta > 0 else []
    losses = torch.zeros(fit.steps, device=images.device)
    for step in range(fit.steps):
        views = unit_images(images[batches.rows[step]])
        views = normalised(
            augment(views, batches.matrices[step], batches.colours[step]), networks.normalisation
        )
        logits, features = logits_and_features(student, views, stages)
        if teacher is None or fit.distillation is None:
            loss = F.cross_entropy(logits, batches.labels[step])
        else:
            with torch.no_grad():
                teacher_logits, teacher_features = logits_and_features(teacher, views, stages)
            loss = distillation_loss(
                logits,
                teacher_logits,
                batches.labels[step],
                features,
                teacher_features,
                fit.distillation,
                temperature_at(step, fit.steps, fit.distillation.temperature),
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
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


def _loaded(network: nn.Module, state: State) -> nn.Module:
    network.load_state_dict(state)
    return network


def _evaluate(
    network: nn.Module, data: CellData, networks: Networks, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return logits float32 (rows, C) of the unaugmented images."""
    network.eval()
    found = []
    with torch.inference_mode():
        for first in range(0, len(rows), EVALUATION_BATCH):
            batch = torch.from_numpy(rows[first : first + EVALUATION_BATCH]).to(data.images.device)
            images = normalised(unit_images(data.images[batch]), networks.normalisation)
            found.append(network(images).float().cpu().numpy())
    return np.concatenate(found)


def _plain(value: float) -> float | str:
    """Return a loss as JSON can hold it."""
    return value if math.isfinite(value) else str(value)
