"""A training job: one data set, a batch of seeds; every fit that the store lacks, then one manifest."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from weckd.config import Suite
from weckd.data.index import read_index
from weckd.data.splits import part_rows, read_split
from weckd.errors import UserError
from weckd.files import write_json
from weckd.locks import held_lock
from weckd.methods.catalogue import parent_fits, suite_methods
from weckd.methods.recipe import ClassFrequencies, Fit, Initial, Member, Method, Mutual
from weckd.training.backbone import State, initial_state, initial_weights_digest
from weckd.training.device import THREADS, device_kind, prepare_device
from weckd.training.fit_loop import CellData, FitResult, run_fit
from weckd.training.gate import with_gates
from weckd.training.identity import cell_ingredients, fit_identity
from weckd.training.networks import Networks
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
    index = read_index(prepared)
    facts = json.loads((prepared / "dataset.json").read_text(encoding="utf-8"))
    networks = Networks(
        suite.backbone,
        len(suite.facts[dataset].classes),
        suite.image_size,
        suite.training.batchnorm_momentum,
        device,
    )
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
            "methods": {method.name: _composition(method, identities, split, data) for method in methods},
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

    @cache
    def first(start: Initial, gate: bool) -> State:
        state = initial_state(suite.backbone, data.classes, data.seed, start.member)
        return with_gates(state, len(networks.attention)) if gate else state

    for number, fit in enumerate(fits, start=1):
        found = find_fit(store, data.dataset, identities[fit], with_weights=fit in kept)
        if found is None:
            parents = [stored[parent] for parent in fit.parents()]
            if any(parent.diverged for parent in parents):
                result = _inherited_failure(fit, data)
            else:
                start = (
                    _state(stored[fit.start]) if isinstance(fit.start, Fit) else first(fit.start, fit.gate)
                )
                teachers = [_state(stored[teacher]) for teacher in fit.teachers]
                peer = first(fit.loss.peer, fit.gate) if isinstance(fit.loss, Mutual) else None
                result = run_fit(
                    fit,
                    data,
                    networks,
                    start,
                    teachers,
                    peer,
                    suite.training,
                    suite.augmentation,
                    progress.step,
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


def _cell_data(
    dataset: str, seed: int, images: torch.Tensor, index: pd.DataFrame, split: pd.DataFrame, classes: int
) -> CellData:
    rows = pd.Index(index["image_id"]).get_indexer(pd.Index(split["image_id"]))
    if (rows < 0).any():
        missing = split["image_id"].iloc[int(np.argmax(rows < 0))]
        raise UserError(f"{dataset}, seed {seed}: the split names {missing}, which the prepared data lacks")
    complete = len(rows) == len(images) and bool((rows == np.arange(len(rows))).all())
    return CellData(
        dataset=dataset,
        seed=seed,
        images=images if complete else images[torch.from_numpy(rows).to(images.device)],
        labels=split["y"].to_numpy(dtype=np.int64),
        groups=split["group_id"].to_numpy(dtype=np.str_),
        parts=part_rows(split),
        classes=classes,
    )


def _summary(fit: Fit, stored: StoredFit) -> dict[str, Any]:
    """Return what a manifest says of a fit: nothing that differs between two runs."""
    record = stored.record
    return {**fit.ingredients(), **{key: record[key] for key in ("status", "steps_run", "images", "labels")}}


def _composition(
    method: Method, identities: dict[Fit, str], split: pd.DataFrame, data: CellData
) -> dict[str, Any]:
    learnt = [data.parts[part] for part in {part for fit in method.fits() for part in fit.parts}]
    return {
        "labels": len(np.unique(np.concatenate(learnt))) if learnt else 0,
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
