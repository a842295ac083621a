"""The identity of a fit: the hash of all that determines its result, under which it is stored."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from weckd.code_digest import code_reached
from weckd.config import BackboneSettings, Suite
from weckd.files import digest, file_digest
from weckd.methods.fits import Fit
from weckd.training.batches import CellData

CORE = (
    "weckd.numpy_kernels",
    "weckd.seeds",
    "weckd.training.batches",
    "weckd.training.captured",
    "weckd.training.fit",
    "weckd.training.layers",
    "weckd.training.networks",
    "weckd.training.optimisation",
    "weckd.training.store",  # hands weights on
)
"""The modules whose code decides the result of every fit. What only some fits use, those name (`Fit.code`)."""

DECIDES_NOTHING = {
    "weckd": "holds the version, and loads results for people",
    "weckd.training": "holds a sentence alone",
    "weckd.training.objectives": "holds a sentence alone",
    "weckd.cli.arguments": "reads the command line",
    "weckd.committed": "which suite a reference is of, and what is told of plans",
    "weckd.frozen_cells": "takes cells whole that were trained before, and trains none",
    "weckd.analysis_plan": "what is tested of the results",
    "weckd.config": "its values are in the identity",
    "weckd.declared": "checks what users write",
    "weckd.yaml_files": "reads what users write",
    "weckd.errors": "messages",
    "weckd.files": "how files are written and hashed; refuses what is not what was written",
    "weckd.run_files": "where files lie",
    "weckd.manifests": "reports fits",
    "weckd.locks": "who waits for whom, and when a fit stops, not how it goes on",
    "weckd.gpus": "who waits for whom; the kind of card is in the identity",
    "weckd.code_digest": "makes the identity",
    "weckd.data*": "what it reads is in the identity: images, split and weights by digest, rows and labels themselves",
    "weckd.methods*": "what it declares is in the identity, and of a declared loss nothing else is used",
    "weckd.tuning": "holds a sentence alone",
    "weckd.tuning.chosen": "what was chosen is in the declarations",
    "weckd.training.attention_file": "joins what fits say",
    "weckd.training.attention_maps": "looks at finished fits",
    "weckd.training.gather": "averages what fits say",
    "weckd.training.identity": "makes the identity",
    "weckd.training.job": "finds, orders, keeps and reports fits; a state goes back as it was",
    "weckd.training.limits": "what is refused, and messages; a pretrained file is in the identity by its digest",
    "weckd.training.probe": "what is refused",
}
"""The other modules, or patterns of them, that a training job imports, each with the reason."""


def cell_ingredients(
    suite: Suite, data: CellData, fingerprint: str, split: Path, device: str
) -> dict[str, Any]:
    """Return what all fits of a cell share.

    The fingerprint is of the prepared images and their index; for `device` see `weckd.training.networks.device_kind`.
    """
    code = code_reached(*CORE)
    rows = {part: found.tolist() for part, found in data.parts.items()}
    return {
        "dataset": data.dataset,
        "fingerprint": fingerprint,
        "image_size": suite.image_size,
        "seed": data.seed,
        "split": file_digest(split),
        "rows": digest({"parts": rows, "labels": data.labels.tolist()}),
        "classes": list(suite.facts[data.dataset].classes),
        "training": {
            key: value
            for key, value in asdict(suite.training).items()
            if key not in ("steps", "converged_factor")  # a fit's declaration holds its own steps
        },
        "augmentation": asdict(suite.augmentation),
        "device": device,
        "versions": {name: version(name) for name in ("torch", "timm", "numpy")},
        "source": digest({name: code[name] for name in CORE}),
    }


def fit_identity(
    fit: Fit,
    cell: dict[str, Any],
    backbone: BackboneSettings,
    weights: Mapping[BackboneSettings, str | None],
) -> str:
    """Return the SHA-256 of a fit's declaration, its parents', their networks' and code, and the cell's ingredients.

    `cell` is as of `cell_ingredients`, `backbone` that of fits that name none; `weights` has the digest of each
    backbone's pretrained file, None for a random start.
    """
    lineage = fit.lineage()
    networks = [member.backbone or backbone for member in lineage]
    return digest(
        {
            "fit": fit.ingredients(),
            "views": fit.loss.views,
            "beside": asdict(fit.loss.beside) if fit.loss.beside else None,
            "cell": cell,
            "networks": [{**asdict(network), "weights": weights[network]} for network in networks],
            "code": [
                [member.code, code_beyond_core(*(name.partition(":")[0] for name in member.code))]
                for member in lineage
            ],
        }
    )


@cache
def code_beyond_core(*entries: str) -> dict[str, str]:
    """Return what `weckd.code_digest.code_reached` finds from entries on, but for `CORE` and what decides nothing."""
    return code_reached(*entries, beyond=(*CORE, *DECIDES_NOTHING))
