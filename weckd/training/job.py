"""A training job: one data set, a batch of seeds; every fit that the store lacks, then one manifest.

A fit is stored under its identity, the hash of all that determines it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from weckd.code_digest import code_reached
from weckd.config import BackboneSettings, Suite
from weckd.data.splits import written_split
from weckd.errors import counted
from weckd.files import digest, file_digest
from weckd.locks import StopRequest, held_lock
from weckd.manifests import TrainedCell, TrainedMethod, write_manifest
from weckd.methods.catalogue import kept_fits, suite_methods
from weckd.methods.fits import Fit, Member, Method
from weckd.methods.tunables import with_values
from weckd.run_files import RunFiles, batch_name
from weckd.training.batches import CellData, Prepared, cell_data, load_prepared
from weckd.training.device import THREADS, device_kind, prepare_device, surroundings
from weckd.training.fit import Cell, FitResult, rows_of, train_fit
from weckd.training.limits import device_memory, refuse_job
from weckd.training.networks import Networks, State, suite_networks, weights_digest
from weckd.training.optimisation import Checkpoints, Progress
from weckd.training.store import EVALUATED, StoredFit, find_fit, store_fit
from weckd.tuning.chosen import Chosen, read_chosen, tunable_methods

CORE = (
    "weckd.numpy_kernels",
    "weckd.seeds",
    "weckd.training.batches",
    "weckd.training.device",
    "weckd.training.fit",
    "weckd.training.networks",
    "weckd.training.optimisation",
    "weckd.training.store",  # hands weights on
)
"""The modules whose code decides the result of every fit. What only some fits use, those name (`Fit.code`)."""

DECIDES_NOTHING = {
    "weckd": "holds the version alone",
    "weckd.training": "holds a sentence alone",
    "weckd.training.objectives": "holds a sentence alone",
    "weckd.cli.arguments": "reads the command line",
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
    "weckd.training.gather": "averages what fits say",
    "weckd.training.job": "makes the identity; finds, orders and reports fits",
    "weckd.training.limits": "what is refused, and messages; a pretrained file is in the identity by its digest",
    "weckd.training.probe": "what is refused",
}
"""The other modules, or patterns of them, that a training job imports, each with the reason."""


@dataclass(frozen=True)
class Job:
    """What fits on one data set are trained with: its images in memory, its splits, and networks."""

    suite: Suite
    run: RunFiles
    dataset: str
    fits: Sequence[Fit]
    splits: Mapping[int, tuple[Path, pd.DataFrame]]  # of each seed, with the file
    networks: Networks
    images: Prepared
    weights: Mapping[
        BackboneSettings, str | None
    ]  # SHA-256 of each network's pretrained file, see `weights_digest`

    def cell(self, seed: int, evaluated: Sequence[str], on_step: Callable[[], None]) -> Cell:
        """Return what the fits of a seed share; for `evaluated` and `on_step` see there."""
        suite, networks = self.suite, self.networks
        data = cell_data(self.images, seed, self.splits[seed][1], networks.classes)
        settings = suite.training, suite.augmentation
        return Cell(data, networks, *settings, self.run.weights, evaluated, on_step)

    def identities(self, data: CellData) -> tuple[dict[str, Any], dict[Fit, str]]:
        """Return what the identities of a cell's fits share, and each fit's."""
        suite = self.suite
        kind = device_kind(self.networks.device)
        shared = cell_ingredients(suite, data, self.images.fingerprint, self.splits[data.seed][0], kind)
        return shared, {fit: fit_identity(fit, shared, suite.backbone, self.weights) for fit in self.fits}


def open_job(
    suite: Suite, run: RunFiles, dataset: str, fits: Sequence[Fit], seeds: Sequence[int], tuning: bool = False
) -> Job:
    """Return what fits are trained with; the splits are those that settings are chosen on where `tuning` says so.

    Raises:
        UserError: the images, a split or the weights are not what was written, or the fits cannot be trained here.
    """
    files = {seed: run.split(dataset, seed, tuning) for seed in seeds}
    splits = {seed: (file, written_split(file)) for seed, file in files.items()}
    networks = suite_networks(suite, dataset, prepare_device())
    prepared = run.prepared(suite, dataset)
    refuse_job(suite, dataset, fits, prepared, run.results, device_memory(networks.device))
    images = load_prepared(dataset, prepared, networks.device)
    weights = {each: weights_digest(each, run.weights) for each in map(networks.settings, fits)}
    return Job(suite, run, dataset, fits, splits, networks, images, weights)


def train_batch(
    suite: Suite,
    run: RunFiles,
    dataset: str,
    seeds: Sequence[int],
    checkpoint_seconds: float,
    stop: StopRequest,
) -> None:
    """Train what the store lacks of the suite's fits for one data set and some seeds; write the manifest.

    Args:
        suite: the run's settings.
        run: its files: prepared images, splits, fetched weights and, where the suite is tuned, what tuning chose are
            read; fits and the manifest (for each seed the fits that make each method's stages) are written.
        dataset: key of the data set.
        seeds: the seeds of this batch; how seeds are batched changes no result.
        checkpoint_seconds: between two checkpoints of a fit under way; changes no result.
        stop: requests to stop, which are listened to.

    Raises:
        UserError: the images, a split or the weights are not what was written, or do not fit the suite.
    """
    names = tunable_methods(suite) if suite.tuned else ()
    chosen = {name: read_chosen(run.tuned(dataset, name), dataset, name) for name in names}
    methods = [
        with_values(method, chosen[method.name].changed) if method.name in chosen else method
        for method in suite_methods(suite)
    ]
    fits = tuple(dict.fromkeys(fit for method in methods for fit in method.fits()))
    job = open_job(suite, run, dataset, fits, seeds)
    kept = kept_fits(suite, methods)
    progress = Progress(dataset, len(seeds) * sum(fit.steps for fit in fits))
    cells: list[TrainedCell] = []
    for number, seed in enumerate(seeds, start=1):
        cell = job.cell(seed, EVALUATED, progress.step)
        shared, identities = job.identities(cell.data)
        # Two jobs can need the same fit only where their cells are equal: those of another split do not wait.
        with held_lock(run.store / dataset / f".seed{seed}-{digest(shared)[:12]}.lock"):
            shelf = Shelf(run.store, dataset, identities, shared, kept, checkpoint_seconds, stop, progress)
            progress.cell = f"seed {seed} ({number} of {len(seeds)})"
            stored = _train_cell(cell, fits, shelf)
        trained = TrainedCell(
            dataset,
            seed,
            THREADS,
            shared,
            images_of_part={part: len(rows) for part, rows in cell.data.parts.items()},
            fits={identities[fit]: _summary(fit, stored[fit]) for fit in fits},
            methods={
                method.name: _composition(method, identities, cell.data, chosen.get(method.name))
                for method in methods
            },
        )
        cells.append(trained)
    write_manifest(run.manifest(dataset, batch_name(seeds)), cells)


@dataclass(frozen=True)
class Shelf:
    """Where one cell's fits are looked up, kept under way and stored."""

    store: Path
    dataset: str
    identities: Mapping[Fit, str]
    ingredients: dict[str, Any]  # of the cell
    with_weights: frozenset[Fit]  # fits whose weights are kept
    checkpoint_seconds: float
    stop: StopRequest
    progress: Progress

    def find(self, fit: Fit) -> StoredFit | None:
        """Return a finished fit, with weights where they are needed."""
        return find_fit(self.store, self.dataset, self.identities[fit], fit in self.with_weights)

    def checkpoints(self, fit: Fit) -> Checkpoints:
        """Return where the state of a fit under way is kept."""
        folder = self.store / self.dataset / "checkpoints"
        return Checkpoints(folder, self.identities[fit], self.checkpoint_seconds, self.stop, self.progress)

    def put(self, fit: Fit, result: FitResult) -> StoredFit:
        """Store a finished fit."""
        weights = {key: value.numpy() for key, value in result.state.items()}
        return store_fit(
            self.store,
            self.dataset,
            self.identities[fit],
            {**result.record, **surroundings(), "fit": fit.ingredients(), "cell": self.ingredients},
            result.logits,
            result.history,
            weights if not result.diverged and fit in self.with_weights else None,
        )


def _train_cell(cell: Cell, fits: Sequence[Fit], shelf: Shelf) -> dict[Fit, StoredFit]:
    """Return every fit of the cell from the store, training those it lacks; parents come before children."""
    stored: dict[Fit, StoredFit] = {}
    progress = shelf.progress

    def state_of(parent: Fit) -> State | None:
        found = stored[parent]
        if found.diverged:
            return None
        return {key: torch.from_numpy(value) for key, value in found.weights().items()}

    for number, fit in enumerate(fits, start=1):
        found = shelf.find(fit)
        if found is None:
            progress.fit = f"fit {number} of {len(fits)}"
            checkpoints = shelf.checkpoints(fit)
            found = shelf.put(fit, train_fit(fit, cell, state_of, checkpoints))
            checkpoints.discard()
            progress.tell(f"{found.record['status']} ({'+'.join(fit.parts)}, {_ran(found.record)})")
        else:
            progress.skip(fit.steps)
        stored[fit] = found
    return stored


def _ran(record: Mapping[str, Any]) -> str:
    """Return in words how far a fit came, and how long it took."""
    steps = f"{counted(record['steps_run'], 'step')}, {sum(record['seconds'].values()):.1f} s"
    if "failed_step" not in record:
        return steps
    return (
        f"{steps}; loss not finite at step {record['failed_step']}, learning rate {record['failed_rate']:.3g}"
    )


def _summary(fit: Fit, stored: StoredFit) -> dict[str, Any]:
    """Return what a manifest says of a fit: nothing that differs between two runs."""
    record = stored.record
    ran = {key: record[key] for key in ("status", "steps_run", "images", "labels")}
    return {**fit.ingredients(), "networks": fit.networks, **ran}


def _composition(
    method: Method, identities: Mapping[Fit, str], data: CellData, chosen: Chosen | None
) -> TrainedMethod:
    def member(each: Member) -> dict[str, Any]:
        if isinstance(each, Fit):
            return {"fit": identities[each]}
        counts = np.bincount(data.labels[rows_of(each.parts, data)], minlength=data.classes)
        return {"class_shares": (counts / counts.sum()).tolist()}

    tuning = asdict(chosen) if chosen else {}
    return TrainedMethod(
        # Overlapping subsets share images.
        labels=len(np.unique(rows_of({part for fit in method.fits() for part in fit.parts}, data))),
        fits=[identities[fit] for fit in method.fits()],
        stages=[[member(each) for each in members] for members in method.stages],
        tuning={key: tuning[key] for key in ("trials", "seeds", "values", "steps", "images") if chosen},
    )


def cell_ingredients(
    suite: Suite, data: CellData, fingerprint: str, split: Path, device: str
) -> dict[str, Any]:
    """Return what all fits of a cell share.

    Args:
        suite: settings of training and augmentation.
        data: the cell's images, as the split file has them.
        fingerprint: digest of the prepared images and their index.
        split: the cell's split file.
        device: device kind, see `weckd.training.device.device_kind`.
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

    Args:
        fit: the declaration.
        cell: see `cell_ingredients`.
        backbone: of fits that name none.
        weights: digest of each backbone's pretrained file, None for a random start.
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
            "code": [[member.code, code_beyond_core(*_modules(member))] for member in lineage],
        }
    )


@cache
def code_beyond_core(*entries: str) -> dict[str, str]:
    """Return what `weckd.code_digest.code_reached` finds from entries on, but for `CORE` and what decides nothing."""
    return code_reached(*entries, beyond=(*CORE, *DECIDES_NOTHING))


def _modules(fit: Fit) -> list[str]:
    return [function.partition(":")[0] for function in fit.code]
