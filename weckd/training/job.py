"""A training job: one data set, a batch of seeds; every fit that the store lacks, then one manifest."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from weckd.config import Suite
from weckd.data.splits import read_split
from weckd.errors import UserError
from weckd.files import write_json
from weckd.locks import held_lock
from weckd.methods.catalogue import parent_fits, suite_methods
from weckd.methods.recipe import ClassFrequencies, Fit, Initial, Member, Method
from weckd.training.backbone import (
    State,
    attention_indices,
    build_backbone,
    initial_state,
    initial_weights_digest,
    normalisation,
    set_batchnorm_momentum,
)
from weckd.training.device import THREADS, device_kind, prepare_device
from weckd.training.fit_loop import CellData, FitResult, Networks, run_fit
from weckd.training.identity import cell_ingredients, fit_identity
from weckd.training.progress import Progress
from weckd.training.store import EVALUATED, StoredFit, find_fit, store_fit


def train_batch(
    suite: Suite,
    dataset: str,
    seeds: Sequence[int],
    prepared: Path,
    splits: Path,
    store: Path,
    manifest: Path,
) -> None:
    """Train what the store lacks of the suite's fits for one data set and some seeds; write the manifest.

    Args:
        suite: the run's settings.
        dataset: key of the data set.
        seeds: the seeds of this batch; how seeds are batched changes no result.
        prepared: folder of the prepared data set.
        splits: folder of its split files, `seed<k>.csv`.
        store: folder of stored fits.
        manifest: JSON file to write: for each seed the fits that make each method's stages.
    """
    device = prepare_device()
    kind = device_kind(device)
    images = torch.from_numpy(np.load(prepared / "images.npy")).to(device)
    index = pd.read_csv(prepared / "index.csv", dtype=str, keep_default_na=False)
    facts = json.loads((prepared / "dataset.json").read_text(encoding="utf-8"))
    networks = _networks(suite, dataset, device)
    weights = initial_weights_digest(suite.backbone)
    methods = suite_methods(suite)
    fits = tuple(dict.fromkeys(fit for method in methods for fit in method.fits()))
    progress = Progress(dataset, len(seeds) * sum(fit.steps for fit in fits))
    cells: dict[str, Any] = {}
    for seed in seeds:
        split_file = splits / f"seed{seed}.csv"
        split = read_split(split_file)
        cell = cell_ingredients(suite, dataset, seed, facts["fingerprint"], split_file, kind, weights)
        identities = {fit: fit_identity(fit, cell) for fit in fits}
        with held_lock(store / dataset / f".seed{seed}.lock"):
            data = _cell_data(dataset, seed, images, index, split, len(suite.facts[dataset].classes))
            stored = _train_cell(suite, fits, identities, data, networks, store, cell, progress)
        cells[str(seed)] = {
            "cell": cell,
            "images_of_part": {part: len(rows) for part, rows in data.parts.items()},
            "fits": {identities[fit]: _summary(fit, stored[fit]) for fit in fits},
            "methods": {method.name: _composition(method, identities, split) for method in methods},
        }
    write_json(manifest, {"dataset": dataset, "threads": THREADS, "seeds": cells})


def _train_cell(
    suite: Suite,
    fits: Sequence[Fit],
    identities: dict[Fit, str],
    data: CellData,
    networks: Networks,
    store: Path,
    cell: dict[str, Any],
    progress: Progress,
) -> dict[Fit, StoredFit]:
    """Return every fit of the cell from the store, training those it lacks; parents come before children."""
    kept = parent_fits(suite)
    stored: dict[Fit, StoredFit] = {}
    initial: dict[Initial, State] = {}
    for number, fit in enumerate(fits, start=1):
        found = find_fit(store, data.dataset, identities[fit], with_weights=fit in kept)
        if found is None:
            parents = [stored[parent] for parent in fit.parents()]
            if any(parent.diverged for parent in parents):
                result = _inherited_failure(fit, data)
            else:
                if isinstance(fit.start, Initial) and fit.start not in initial:
                    initial[fit.start] = initial_state(
                        suite.backbone, data.classes, data.seed, fit.start.member
                    )
                start = initial[fit.start] if isinstance(fit.start, Initial) else _state(stored[fit.start])
                teacher = _state(stored[fit.teacher]) if fit.teacher else None
                result = run_fit(
                    fit, data, networks, start, teacher, suite.training, suite.augmentation, progress.step
                )
            weights = {key: value.numpy() for key, value in result.state.items()} if fit in kept else None
            found = store_fit(
                store,
                data.dataset,
                identities[fit],
                {**result.record, "fit": fit.ingredients(), "cell": cell},
                result.logits,
                None if result.record["status"] == "diverged" else weights,
            )
            progress.tell(
                f"seed {data.seed}: fit {number} of {len(fits)} {found.record['status']} "
                f"({'+'.join(fit.parts)}, {fit.steps} steps, {found.record['seconds']:.1f} s)"
            )
        else:
            progress.skip(fit.steps)
        stored[fit] = found
    return stored


def _networks(suite: Suite, dataset: str, device: torch.device) -> Networks:
    classes = len(suite.facts[dataset].classes)
    student, teacher = (build_backbone(suite.backbone.name, classes).to(device) for _ in range(2))
    teacher.requires_grad_(False)
    set_batchnorm_momentum(student, suite.training.batchnorm_momentum)
    attention = attention_indices(student, suite.image_size) if suite.distillation.beta > 0 else []
    return Networks(student, teacher, normalisation(student), attention)


def _cell_data(
    dataset: str, seed: int, images: torch.Tensor, index: pd.DataFrame, split: pd.DataFrame, classes: int
) -> CellData:
    rows = pd.Index(index["image_id"]).get_indexer(pd.Index(split["image_id"]))
    if (rows < 0).any():
        missing = split["image_id"].iloc[int(np.argmax(rows < 0))]
        raise UserError(f"{dataset}, seed {seed}: the split names {missing}, which the prepared data lacks")
    complete = len(rows) == len(images) and bool((rows == np.arange(len(rows))).all())
    part = split["part"].to_numpy()
    return CellData(
        dataset=dataset,
        seed=seed,
        images=images if complete else images[torch.from_numpy(rows).to(images.device)],
        labels=split["y"].to_numpy(dtype=np.int64),
        groups=split["group_id"].to_numpy(dtype=np.str_),
        parts={str(name): np.flatnonzero(part == name) for name in np.unique(part)},
        classes=classes,
    )


def _summary(fit: Fit, stored: StoredFit) -> dict[str, Any]:
    """Return what a manifest says of a fit: nothing that differs between two runs."""
    record = stored.record
    return {**fit.ingredients(), **{key: record[key] for key in ("status", "steps_run", "images", "labels")}}


def _composition(method: Method, identities: dict[Fit, str], split: pd.DataFrame) -> dict[str, Any]:
    return {
        "fits": [identities[fit] for fit in method.fits()],
        "stages": [[_member(m, identities, split) for m in members] for members in method.stages],
    }


def _member(member: Member, identities: dict[Fit, str], split: pd.DataFrame) -> dict[str, Any]:
    if isinstance(member, ClassFrequencies):
        labels = split.loc[split["part"].isin(member.parts), "y"]
        counts = np.bincount(labels, minlength=int(split["y"].max()) + 1)
        return {"class_shares": (counts / counts.sum()).tolist()}
    return {"fit": identities[member]}


def _state(fit: StoredFit) -> State:
    return {key: torch.from_numpy(value) for key, value in fit.weights().items()}


def _inherited_failure(fit: Fit, data: CellData) -> FitResult:
    """Return the result of a fit whose start or teacher diverged: not trained, no predictions."""
    logits = {
        split: np.full((len(data.parts[split]), data.classes), np.nan, dtype=np.float32)
        for split in EVALUATED
    }
    record = {
        "status": "diverged",
        "steps_run": 0,
        "images": 0,
        "labels": sum(len(data.parts[part]) for part in fit.parts),
        "loss_first": None,
        "loss_last": None,
        "seconds": 0.0,
    }
    return FitResult({}, logits, record)
