"""The hash of all that determines a fit, under which it is stored."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from weckd.config import BackboneSettings, Suite
from weckd.files import digest, file_digest
from weckd.methods.recipe import Fit
from weckd.source import source_digest

SOURCES = (
    "seeds.py",
    "methods/attention.py",
    "methods/losses/*.py",
    "methods/temperature.py",
    "training/augmentation.py",
    "training/backbone.py",
    "training/batches.py",
    "training/cell.py",
    "training/device.py",
    "training/evaluation.py",
    "training/fit_loop.py",
    "training/gate.py",
    "training/images.py",
    "training/initial.py",
    "training/networks.py",
    "training/objectives/*.py",
    "training/one_fit.py",
    "training/running.py",
    "training/store.py",
    "training/strong_augmentation.py",
    "training/unlabelled.py",
    "training/views.py",
)
"""The modules whose code decides a fit's result, beyond what its declaration and settings say."""


def cell_ingredients(
    suite: Suite, dataset: str, seed: int, fingerprint: str, split: Path, device: str
) -> dict[str, Any]:
    """Return what all fits of a cell share.

    Args:
        suite: settings of training and augmentation.
        dataset: key of the data set.
        seed: the cell's seed.
        fingerprint: digest of the prepared images and their index.
        split: the cell's split file.
        device: device kind, see `weckd.training.device.device_kind`.
    """
    return {
        "dataset": dataset,
        "fingerprint": fingerprint,
        "seed": seed,
        "split": file_digest(split),
        "classes": list(suite.facts[dataset].classes),
        "training": {
            key: value
            for key, value in asdict(suite.training).items()
            if key not in ("steps", "converged_factor")  # a fit's declaration holds its own steps
        },
        "augmentation": asdict(suite.augmentation),
        "device": device,
        "versions": {name: version(name) for name in ("torch", "timm", "numpy")},
        "source": source_digest(SOURCES),
    }


def fit_identity(
    fit: Fit,
    cell: dict[str, Any],
    backbone: BackboneSettings,
    weights: Mapping[BackboneSettings, str | None],
) -> str:
    """Return the SHA-256 of a fit's declaration, its parents', their networks' and the cell's ingredients.

    Args:
        fit: the declaration.
        cell: see `cell_ingredients`.
        backbone: of fits that name none.
        weights: digest of each backbone's pretrained file, None for a random start.
    """
    networks = [member.backbone or backbone for member in fit.lineage()]
    return digest(
        {
            "fit": fit.ingredients(),
            "cell": cell,
            "networks": [{**asdict(network), "weights": weights[network]} for network in networks],
        }
    )
