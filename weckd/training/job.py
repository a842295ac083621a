"""A training job: one data set, a batch of seeds; every fit that the store lacks, what they say, then one manifest."""

import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load, save

from weckd.config import Suite
from weckd.data.splits import written_split
from weckd.errors import counted, duration
from weckd.files import digest, remove_left, whole_file
from weckd.frozen_cells import frozen_cell, parts_of_run
from weckd.locks import StopRequest, held_lock
from weckd.manifests import TrainedCell, TrainedMethod, write_manifest
from weckd.methods.catalogue import kept_fits, suite_methods
from weckd.methods.fits import Fit, Member, Method
from weckd.methods.tunables import with_values
from weckd.run_files import RunFiles, batch_name
from weckd.training.attention_file import Arrays, joined
from weckd.training.attention_maps import cell_attention
from weckd.training.batches import CellData, cell_data, load_prepared
from weckd.training.fit import Watch, rows_of, train_fit
from weckd.training.gather import cell_predictions, write_gathered
from weckd.training.identity import cell_ingredients, fit_identity
from weckd.training.limits import deterministic, refuse_job
from weckd.training.networks import (
    THREADS,
    State,
    arrays,
    device_kind,
    suite_networks,
    surroundings,
    tensors,
    weights_digest,
)
from weckd.training.optimisation import Cell, RunningFit
from weckd.training.store import EVALUATED, StoredFit, find_fit, store_fit
from weckd.tuning.chosen import Chosen, read_chosen, tunable_methods

INTERVAL = 5.0  # seconds between lines of progress
TOLD = ("status", "steps_run", "images", "labels", "without_partner")
"""What of a fit's record the manifest holds, as far as it is there."""
_SECONDS = "seconds"


def open_cells(
    suite: Suite,
    run: RunFiles,
    dataset: str,
    fits: Sequence[Fit],
    seeds: Sequence[int],
    evaluated: Sequence[str],
    tuning: bool = False,
) -> Iterator[tuple[Cell, dict[str, Any], dict[Fit, str]]]:
    """Yield for each seed what its fits share, what their identities share, and each fit's.

    The splits are those that settings are chosen on where `tuning` says so.

    Raises:
        UserError: the images, a split or the weights are not what was written, or the fits cannot be trained here.
    """
    files = {seed: run.split(dataset, seed, tuning) for seed in seeds}
    splits = {seed: written_split(file) for seed, file in files.items()}
    networks = suite_networks(suite, dataset)
    refuse_job(suite, run, dataset, fits, networks.device)
    images = load_prepared(dataset, run.prepared(suite, dataset), networks.device)
    weights = {each: weights_digest(each, run.weights) for each in map(networks.settings, fits)}
    kind, settings = device_kind(networks.device), (suite.training, suite.augmentation)
    for seed, split in splits.items():
        data = cell_data(images, seed, split, networks.classes)
        shared = cell_ingredients(suite, data, images.fingerprint, files[seed], kind)
        identities = {fit: fit_identity(fit, shared, suite.backbone, weights) for fit in fits}
        yield Cell(data, networks, *settings, run.weights, evaluated), shared, identities


def train_batch(
    suite: Suite,
    run: RunFiles,
    dataset: str,
    seeds: Sequence[int],
    checkpoint_seconds: float,
    stop: StopRequest,
) -> None:
    """Train what the store lacks of the suite's fits for one data set and some seeds; write what they say.

    What they say is an archive, see `weckd.training.gather`, and a manifest, which has for each seed the fits that make
    each method's stages. Read are prepared images, splits, fetched weights and, where the suite is tuned, what tuning
    chose. How seeds are batched, and how many seconds lie between two checkpoints of a fit under way, changes no
    result. A frozen cell is taken as it is, whatever the store has.

    Raises:
        UserError: the images, a split or the weights are not what was written, or do not fit the suite; a frozen cell
            is damaged, or not what would be trained here.
    """
    names = tunable_methods(suite) if suite.tuned else ()
    chosen = {name: read_chosen(run.tuned(dataset, name), dataset, name) for name in names}
    methods = [
        with_values(method, chosen[method.name].changed) if method.name in chosen else method
        for method in suite_methods(suite)
    ]
    fits = tuple(dict.fromkeys(fit for method in methods for fit in method.fits()))
    kept = kept_fits(suite, methods)
    steps = sum(fit.steps for fit in fits)
    progress = Progress(dataset, len(seeds) * steps)
    parts = parts_of_run(suite, run)
    chain = next((each for each in methods if each.role == "chain" and run.every_attention(suite)), None)
    cells: list[TrainedCell] = []
    predictions: dict[int, pd.DataFrame] = {}
    attention: list[Arrays] = []
    for cell, shared, identities in open_cells(suite, run, dataset, fits, seeds, EVALUATED):
        data, seed = cell.data, cell.data.seed
        progress.cell, progress.fit = f"seed {seed} ({len(cells) + 1} of {len(seeds)})", ""
        declared = {identities[fit]: fit.ingredients() for fit in fits}
        composed = {
            each.name: _composition(each, identities, data, chosen.get(each.name)) for each in methods
        }
        if frozen := frozen_cell(parts, dataset, seed):
            frozen.refuse_other_training(shared, declared, composed)
            progress.skip(steps)
            otherwise = frozen.otherwise(shared)
            progress.tell(f"taken from {frozen.record}{otherwise and f', trained with another {otherwise}'}")
            cells.append(frozen.trained)
            predictions[seed] = pd.read_parquet(frozen.file(".parquet"))
            if chain:
                with np.load(frozen.file(".npz"), allow_pickle=False) as maps:
                    attention.append(dict(maps))
            continue
        own = {"run": suite.run, "plan": suite.plan_hash}
        shelf = Shelf(run.store, identities, shared, own, kept, checkpoint_seconds, stop, progress)
        # Two jobs can need the same fit only where their cells are equal: those of another split do not wait.
        with held_lock(run.store / dataset / f".seed{seed}-{digest(shared)[:12]}.lock"):
            stored = _train_cell(replace(cell, on_step=progress.step), shelf)
        trained = TrainedCell(
            dataset,
            seed,
            THREADS,
            shared,
            images_of_part={part: len(rows) for part, rows in data.parts.items()},
            fits={
                identities[fit]: {
                    **declared[identities[fit]],
                    "networks": fit.networks,
                    **{key: found.record[key] for key in TOLD if key in found.record},
                }
                for fit, found in stored.items()
            },
            methods=composed,
            plans=_plans(suite, stored.values()),
        )
        cells.append(trained)
        split = written_split(run.split(dataset, seed))
        named = {identities[fit]: found for fit, found in stored.items()}
        predictions[seed] = cell_predictions(trained, split, named)
        if chain:
            attention.append(cell_attention(chain, stored, cell, split))
    batch = batch_name(seeds)
    maps = joined(attention, run.splits(dataset)) if attention else {}
    write_gathered(run.gathered(dataset, batch), predictions, maps)
    write_manifest(run.manifest(dataset, batch), cells)


@dataclass
class Progress:
    """Counts the optimiser steps of a job's fits and tells how far it is, and in which cell and fit.

    A line every few seconds is as readable in a log file as on a terminal.
    """

    label: str
    total_steps: int
    seconds: Callable[[], float] = time.monotonic
    done_steps: int = 0
    skipped_steps: int = 0  # that were made before this job began
    cell: str = ""
    fit: str = ""
    began: float = field(init=False)
    last: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self.began = self.last = self.seconds()

    def step(self) -> None:
        """Count one optimiser step; print a line where the last is `INTERVAL` seconds old."""
        self.done_steps += 1
        now = self.seconds()
        if now - self.last >= INTERVAL:
            self.last = now
            there = self.done_steps + self.skipped_steps
            left = (now - self.began) / self.done_steps * (self.total_steps - there)
            before = f" ({self.skipped_steps} from before)" if self.skipped_steps else ""
            self.tell(f"{there}/{self.total_steps} steps{before}, about {duration(left)} left")

    def skip(self, steps: int) -> None:
        """Count steps as made before, which no time is needed for."""
        self.skipped_steps += steps

    def tell(self, text: str) -> None:
        """Print one line."""
        place = ", ".join(filter(None, (self.cell, self.fit)))
        print(f"[{self.label}] {place + ': ' if place else ''}{text}", file=sys.stderr, flush=True)


@dataclass
class Checkpoints(Watch):
    """Keeps one fit's state at an interval, and when the process is asked to stop.

    A checkpoint is a file that is whole or not there, named by its fit, its steps and its own digest.
    """

    folder: Path
    identity: str  # of the fit
    interval: float  # seconds between two checkpoints
    stop: StopRequest
    progress: Progress
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _kept: float = field(init=False)  # when the last checkpoint was written

    def __post_init__(self) -> None:
        """Start the clock."""
        self._began = self._kept = self.clock()

    @contextmanager
    def over(self, fit: RunningFit) -> Iterator[None]:
        """Go on from the last checkpoint; whoever asks to stop then waits for the end of a step."""
        self.resume(fit)
        with self.stop.deferred():
            yield

    def resume(self, fit: RunningFit) -> None:
        """Bring a fit to its last checkpoint, where it has one; a damaged one is set aside and the one before used."""
        for file in sorted(self.folder.glob(f"{self._stem}-*"), reverse=True):
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest()[:16] != file.stem.rpartition("-")[2]:
                aside = file.replace(file.with_name(f"damaged-{file.name}"))
                self.progress.tell(f"checkpoint {file} is damaged: set aside as {aside.name}")
                continue
            state = load(content)
            self.seconds_before = float(state.pop(_SECONDS))
            fit.load(state)
            self.resumed_at = fit.done
            self.progress.skip(fit.done)
            self.progress.tell(f"goes on at step {fit.done} of {len(fit.rates)}, from {file}")
            return

    def after_step(self, fit: RunningFit) -> None:
        """Write a checkpoint when the interval has passed; leave when the process was asked to."""
        asked = self.stop.received is not None
        if asked or self.clock() - self._kept >= self.interval:
            self._keep(fit)
            self._kept = self.clock()
        if asked:
            self.progress.tell(
                f"asked to stop: kept step {fit.done} of {len(fit.rates)}; the same command goes on from there"
            )
            self.stop.leave()

    def discard(self) -> None:
        """Remove the fit's checkpoints, and what a killed process left of one."""
        for file in self.folder.glob(f"{self._stem}-*"):
            file.unlink()
        remove_left(self.folder, f"{self._stem}-*")

    @property
    def _stem(self) -> str:
        return self.identity[:20]

    def _keep(self, fit: RunningFit) -> None:
        state = {key: value.detach().cpu().contiguous() for key, value in fit.state().items()}
        seconds = self.seconds_before + self.clock() - self._began
        content = save({**state, _SECONDS: torch.tensor(seconds, dtype=torch.float64)})
        # Eight digits sort; the digest at the end tells a damaged file.
        name = f"{self._stem}-{fit.done:08d}-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
        earlier = list(self.folder.glob(f"{self._stem}-*"))
        with whole_file(self.folder / name) as temporary:
            temporary.write_bytes(content)
        for file in earlier:
            if file.name != name:
                file.unlink()


@dataclass(frozen=True)
class Shelf:
    """Where one cell's fits are looked up, kept under way and stored."""

    store: Path
    identities: Mapping[Fit, str]  # of its fits, parents before children
    ingredients: dict[str, Any]  # of the cell
    own: Mapping[str, str]  # the run that trains, and its plan: told in the records of fits, in no identity
    with_weights: frozenset[Fit]  # fits whose weights are kept
    checkpoint_seconds: float
    stop: StopRequest
    progress: Progress


def _train_cell(cell: Cell, shelf: Shelf) -> dict[Fit, StoredFit]:
    """Return every fit of the shelf from the store, training those it lacks."""
    stored: dict[Fit, StoredFit] = {}
    dataset, progress = cell.data.dataset, shelf.progress
    folder = shelf.store / dataset / "checkpoints"

    def state_of(parent: Fit) -> State | None:
        found = stored[parent]
        return None if found.diverged else tensors(found.weights())

    for number, (fit, identity) in enumerate(shelf.identities.items(), start=1):
        with_weights = fit in shelf.with_weights
        found = find_fit(shelf.store, dataset, identity, with_weights)
        checkpoints = Checkpoints(folder, identity, shelf.checkpoint_seconds, shelf.stop, progress)
        if found is None:
            progress.fit = f"fit {number} of {len(shelf.identities)}"
            with deterministic(cell.networks.settings(fit), cell.networks.image_size):
                result = train_fit(fit, cell, state_of, checkpoints)
            of_cell = {"fit": fit.ingredients(), "cell": shelf.ingredients}
            found = store_fit(
                shelf.store,
                dataset,
                identity,
                {**result.record, **surroundings(), **of_cell, **shelf.own},
                result.logits,
                result.history,
                arrays(result.state) if with_weights and result.state else None,
            )
            progress.tell(f"{found.record['status']} ({'+'.join(fit.parts)}, {_ran(found.record)})")
        else:
            progress.skip(fit.steps)
        checkpoints.discard()  # also where a job was killed after it had stored the fit, before it came to this
        stored[fit] = found
    return stored


def _plans(suite: Suite, fits: Iterable[StoredFit]) -> tuple[str, ...]:
    """Return the plans that a run had when a cell's fits were trained for it, "" of fits that do not tell.

    Where all were trained for other runs, which share the store, that is the plan of today.
    """
    records = (fit.record for fit in fits)
    own = (record.get("plan", "") for record in records if record.get("run", suite.run) == suite.run)
    return tuple(dict.fromkeys(own)) or (suite.plan_hash,)


def _ran(record: Mapping[str, Any]) -> str:
    """Return in words how far a fit came, and how long it took."""
    steps = f"{counted(record['steps_run'], 'step')}, {sum(record['seconds'].values()):.1f} s"
    if "failed_step" not in record:
        return steps
    return (
        f"{steps}; loss not finite at step {record['failed_step']}, learning rate {record['failed_rate']:.3g}"
    )


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
