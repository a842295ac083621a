"""Sixty toy images that a small network learns in a few steps, and its settings."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from weckd.config import AugmentationSettings, BackboneSettings, TrainingSettings
from weckd.methods.fits import Fit, Initial, Loss
from weckd.methods.losses import (
    Decoupled,
    Distillation,
    FixMatch,
    MeanTeacher,
    Mutual,
    PseudoLabels,
    Temperature,
)
from weckd.training.batches import CellData
from weckd.training.fit import NOBODY, labelled_batches, rows_of, run_fit
from weckd.training.gate import with_gates
from weckd.training.networks import Networks, initial_state, prepare_device
from weckd.training.optimisation import Cell, Given, Setup
from weckd.training.store import EVALUATED

BACKBONE = BackboneSettings("test_resnet", "random")
TRAINING = TrainingSettings(
    steps=6,
    converged_factor=2,
    batch_size=8,
    learning_rate=4e-3,
    weight_decay=0.05,
    warmup=0.3,
    batchnorm_momentum=0.1,
)
AUGMENTATION = AugmentationSettings(
    flip=True, rotation=5, shift=0.05, zoom=0.05, brightness=0.1, contrast=0.1
)
STEPS = 8
M1 = Fit(("D1",), STEPS)
LOSS = Distillation(0.5, 1.0, Temperature("linear", 4.0, 1.0))
M2 = Fit(("D2",), STEPS, M1, (M1,), LOSS)
GATED = replace(M1, gate=True)
REST = ("rest",)
FITS = {
    "supervised": M1,
    "taught": M2,
    "gates": Fit(("D2",), STEPS, GATED, (GATED,), LOSS, gate=True),
    "learned temperature": replace(M2, loss=replace(LOSS, temperature=Temperature("learned", 1.0, 21.0))),
    "decoupled": replace(M2, loss=Decoupled(1.0, 8.0, 4.0, 0.5)),
    "mutual": Fit(("D1", "D2"), STEPS, loss=Mutual(Initial(2), 1.0)),
    "pseudo-labels": Fit(("D1",), STEPS, teachers=(M1,), loss=PseudoLabels(False, True, 2), unlabelled=REST),
    "mean teacher": Fit(("D1",), STEPS, loss=MeanTeacher(2, 100.0, 0.25, 0.99, 0.5), unlabelled=REST),
    "fixmatch": Fit(("D1",), STEPS, loss=FixMatch(2, 1.0, 0.4), unlabelled=REST),
}
"""One of each objective."""
MEASURED = ("loss_first", "loss_last", "seconds", "peak_bytes")
"""What of a fit's record is not known beforehand."""


def toy_state(member=1):
    """Return an initial state of the network; a random one needs no file of weights."""
    return initial_state(BACKBONE, "toy", 3, 1, member, Path())


def toy_networks(device):
    prepare_device()
    return Networks(BACKBONE, 3, 32, TRAINING.batchnorm_momentum, device)


def toy_data(first, second, device):
    """Return three classes told apart by their brightest colour; 20 images each, each its own group.

    D1 holds `first` images, D2 `second`, 42 less those the rest.
    """
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(3), 20)
    images = rng.integers(0, 120, (60, 32, 32, 3), dtype=np.uint8)
    images[np.arange(60), :, :, labels] += 120
    return CellData(
        dataset="toy",
        seed=1,
        images=torch.from_numpy(images).to(device),
        labels=labels,
        groups=np.array([f"g{i}" for i in range(60)]),
        parts={
            "D1": np.arange(0, first),
            "D2": np.arange(first, first + second),
            "rest": np.arange(first + second, 42),
            "validation": np.arange(42, 48),
            "test": np.arange(48, 60),
        },
        classes=3,
    )


def cell_of(data, networks, on_step=lambda: None, evaluated=EVALUATED, training=TRAINING):
    """Return what a fit on the images is trained with."""
    return Cell(data, networks, training, AUGMENTATION, Path(), evaluated, on_step)


def toy_setup(fit, data, networks, student, teachers=(), peer=None):
    """Return what a fit's objective is made of, and the views and labels of the fit's labelled batches."""
    cell = cell_of(data, networks)
    views, labels = labelled_batches(fit, cell)
    unlabelled = rows_of(fit.unlabelled, data)
    return Setup(fit, cell, Given({}, teachers, peer), student, views, unlabelled), views, labels


def setup_of(student, loss=None, steps=6, teachers=(), peer=None, stages=(), gate=False):
    """Return what an objective is made of, with any modules for its networks; `stages` have maps to compare."""
    taught_by = [Fit(("D1",), 6)] * len(teachers)
    networks = SimpleNamespace(
        teachers=lambda *_: list(teachers), student=lambda *_, role: peer, attention=lambda _: list(stages)
    )
    return SimpleNamespace(
        fit=SimpleNamespace(loss=loss or Loss(), steps=steps, taught_by=taught_by, gate=gate),
        cell=SimpleNamespace(networks=networks),
        given=SimpleNamespace(teachers=(), peer={}),
        student=student,
    )


def first_state(fit, member=1):
    """Return what a fit starts from."""
    return with_gates(toy_state(member), 2) if fit.gate else toy_state(member)


def run(fit, data, networks, checkpoints=NOBODY, on_step=lambda: None, training=TRAINING):
    """Train a fit of `FITS` and predict."""
    teachers = [first_state(fit, 2)] * len(fit.teachers)
    given = Given(first_state(fit), teachers, toy_state(2))
    return run_fit(fit, cell_of(data, networks, on_step, training=training), given, checkpoints)


def same_bytes(first, second):
    """Tell whether two results are equal to the byte."""
    return (
        first.history.tobytes() == second.history.tobytes()
        and all(first.logits[part].tobytes() == second.logits[part].tobytes() for part in EVALUATED)
        and first.state.keys() == second.state.keys()
        and all(torch.equal(first.state[key], second.state[key]) for key in first.state)
    )
