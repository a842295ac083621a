"""Sixty toy images that a small network learns in a few steps, and its settings."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from weckd.config import AugmentationSettings, BackboneSettings, TrainingSettings
from weckd.methods.fits import Fit, Loss
from weckd.training.batches import CellData
from weckd.training.fit import labelled_batches, rows_of
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
