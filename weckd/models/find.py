"""The fit that is a method's result in a cell: from the store with its weights, or trained again."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from weckd.agreement.freeze import unfreeze
from weckd.config import BackboneSettings, Suite, build
from weckd.data.catalogue import Dataset, find_dataset
from weckd.data.fetch import fetch
from weckd.data.prepare import prepare, read_origin
from weckd.data.prepared import FACTS as PREPARED_FACTS
from weckd.data.recorded import recorded_archives
from weckd.errors import UserError, unreadable
from weckd.files import FOLDER_SUMS, write_sums
from weckd.locks import StopRequest
from weckd.manifests import TrainedCell, read_manifest
from weckd.methods.catalogue import find_method
from weckd.methods.chain import suite_budget
from weckd.methods.tunables import tunables_of
from weckd.run_files import FACTS, RunFiles, batch_name
from weckd.training.store import StoredFit, find_fit
from weckd.tuning.chosen import Chosen, write_chosen

_DATASETS_LOCK = Path("datasets.lock")
_OWN_OPTIONS = {
    "--config data_root=FOLDER of snakemake (--data-root FOLDER of `weckd fetch`)": "--data-root FOLDER",
    "correct it, or leave it out to download what can be": "correct it",
    "data_root: ": "--data-root: ",
    "correct data_root": "correct --data-root",
    "with data_root": "with --data-root",
}
"""How messages on data sets name what a run is given, and how commands on networks name it."""
_RUNS_IMAGES = (
    " (what cannot be read may stay, skip_bad=true leaves it out)",
    ", remove those rows, or leave them out with skip_bad=true",
    ", or leave out what cannot be read with skip_bad=true",
    "; where it is removed, `count` of its class in the catalogue must be one less",
)
"""What they advise where any images will do; a network of a run needs that run's."""
_OF_IMAGES = ("fingerprint", "split", "rows", "classes", "image_size")
"""What of a cell must be the run's own where its network is trained again; device, versions and code may differ."""


@dataclass(frozen=True)
class FoundFit:
    """The last fit of a method in a cell, with its weights."""

    stored: StoredFit
    identity: str
    of_run: str  # the identity that the run's manifest names
    cell: TrainedCell  # of the run
    shared: dict[str, object]  # by the fits of the cell in which this one was trained
    backbone: BackboneSettings

    @property
    def again(self) -> bool:
        """Whether it is another fit than the run's: trained again with another device, version or code."""
        return self.identity != self.of_run


@contextmanager
def laid_out(run: RunFiles, suite: Suite) -> Iterator[RunFiles]:
    """Yield the files of a run; a frozen reference's lie in a temporary folder of results/, which shares its store."""
    if not (run.folder / FACTS).exists():
        yield run
        return
    results = Path("results")
    results.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".reference.", dir=results) as name:
        files = RunFiles(Path(name))
        unfreeze(run.folder, files.folder)
        for dataset in suite.datasets:
            splits = files.splits(dataset)
            write_sums(
                splits / FOLDER_SUMS, sorted(splits.glob("*.csv"))
            )  # the archive's digest was compared
        yield files


def prepared_images(suite: Suite, run: RunFiles, dataset: str, data_root: Path | None) -> Path:
    """Return the folder of a data set's prepared images; they are prepared where they are not there.

    Nothing is downloaded: images come from `data_root`, from the package, or from what was downloaded before.

    Raises:
        UserError: they are not there, or not as the catalogue says.
    """
    folder = run.prepared(suite, dataset)
    if (folder / PREPARED_FACTS).exists():
        return folder
    entry = find_dataset(dataset, Path(suite.catalogue) if suite.catalogue else None)
    own, source = Path(suite.data_root) if suite.data_root else None, run.source(suite, dataset)
    with own_options(dict.fromkeys(_RUNS_IMAGES, "")):
        prepare_here(entry, suite.image_size, folder, source, run.downloads, data_root or own, suite.skip_bad)
    return folder


@contextmanager
def own_options(more: Mapping[str, str]) -> Iterator[None]:
    """Let messages on data sets name --data-root, and what else a command calls otherwise than a run."""
    try:
        yield
    except UserError as problem:
        told = str(problem)
        for of_run, own in {**_OWN_OPTIONS, **more}.items():
            told = told.replace(of_run, own)
        raise UserError(told) from problem


def prepare_here(
    entry: Dataset,
    image_size: int,
    out: Path,
    source: Path,
    downloads: Path,
    data_root: Path | None,
    skip_bad: bool,
) -> None:
    """Prepare a data set from where it lies on this machine, as `source` tells, or is made to; nothing is downloaded.

    Raises:
        UserError: its images are not there, or not as the catalogue says.
    """
    origin = None
    if not entry.phantom:
        if data_root or not source.exists():
            recorded = recorded_archives(_DATASETS_LOCK, entry.key)
            fetch(replace(entry, download=None), image_size, data_root, downloads, recorded, source)
        origin = read_origin(entry, source, image_size)
    jobs = len(os.sched_getaffinity(0))
    prepare(entry, origin, image_size, out, jobs=jobs, skip_bad=skip_bad)


def find_network(
    suite: Suite,
    run: RunFiles,
    dataset: str,
    method: str,
    seed: int,
    data_root: Path | None,
    stop: StopRequest,
) -> FoundFit:
    """Return the fit that is a method's result, from the store of fits; it is trained where its weights are not there.

    Raises:
        UserError: the method is no one network that timm builds; the fit diverged; or it would have to be trained, and
            its images are not there, or others than those of the run.
    """
    manifest = run.manifest_of(suite, dataset, seed)
    cell = read_manifest(manifest).get(seed)
    if cell is None or method not in cell.methods:
        raise UserError(f"{manifest}: no {method} of seed {seed}; finish the run first")
    of_run = _one_fit(cell, method)
    with unreadable(manifest, "does not tell the fit's network", "make it again"):
        own = cell.fits[of_run]["backbone"]
        backbone = build(BackboneSettings, own) if own else suite.backbone
    stored = find_fit(run.store, dataset, of_run, with_weights=True)
    if stored is not None:
        return FoundFit(stored, of_run, of_run, cell, dict(cell.shared), backbone)
    prepared_images(suite, run, dataset, data_root)
    told = f"{method} of {dataset}, seed {seed}: its weights were not kept, so that it is trained again"
    print(f"[export] {told}", file=sys.stderr, flush=True)
    trained = _trained_again(suite, run, cell, method, stop)
    identity = _one_fit(trained, method)
    for key in _OF_IMAGES:
        if trained.shared[key] != cell.shared[key]:
            raise UserError(
                f"{run.prepared(suite, dataset)}: not the images that {manifest} was trained on, their {key} is "
                "another one; remove that folder and name the data set's own images with --data-root"
            )
    stored = find_fit(run.store, dataset, identity, with_weights=True)
    if stored is None or stored.diverged:
        raise UserError(
            f"{method} of {dataset}, seed {seed}: diverged when it was trained again; no network is left"
        )
    return FoundFit(stored, identity, of_run, cell, dict(trained.shared), backbone)


def _one_fit(cell: TrainedCell, method: str) -> str:
    """Return the identity of the one fit that a method's result is."""
    members = cell.methods[method].stages[-1]
    of_cell = f"{method} of {cell.dataset}, seed {cell.seed}"
    if "class_shares" in members[0]:
        raise UserError(
            f"--method {method}: has no network, it predicts the classes' shares; name another method"
        )
    if len(members) > 1:
        told = f"is the mean of {len(members)} networks, and one folder holds one network"
        raise UserError(f"--method {method}: {told}; name a method of one, such as single or weckd")
    identity = str(members[0]["fit"])
    fit = cell.fits[identity]
    if fit["gate"]:
        told = "has attention gates in its network, which timm's networks have not"
        raise UserError(f"--method {method}: {told}; name a method without attention=gate")
    if fit["status"] != "finished":
        raise UserError(f"{of_cell}: diverged, so that no network is left; name another seed")
    return identity


def _trained_again(
    suite: Suite, run: RunFiles, cell: TrainedCell, method: str, stop: StopRequest
) -> TrainedCell:
    """Train a method in one cell as its run did, and return the cell; its fits go to the run's store."""
    from weckd.training.job import train_batch  # noqa: PLC0415 - takes seconds, as it imports torch

    role = suite.roles[method]
    one = replace(suite, methods=(method,), roles={method: role}, seeds=(cell.seed,), keep_weights=(method,))
    with tempfile.TemporaryDirectory(prefix=".export.", dir=run.results) as name:
        beside, split = RunFiles(Path(name)), run.split(cell.dataset, cell.seed)
        there = beside.split(cell.dataset, cell.seed)
        there.parent.mkdir(parents=True)
        for file in (split, split.with_name(FOLDER_SUMS)):
            shutil.copyfile(file, there.with_name(file.name))
        if suite.tuned and (tuning := cell.methods[method].tuning):
            _write_chosen(suite, cell, method, dict(tuning), beside.tuned(cell.dataset, method))
        train_batch(one, beside, cell.dataset, [cell.seed], 60.0, stop)
        return read_manifest(beside.manifest(cell.dataset, batch_name([cell.seed])))[cell.seed]


def _write_chosen(
    suite: Suite, cell: TrainedCell, method: str, tuning: dict[str, object], file: Path
) -> None:
    """Write what tuning chose as training reads it; a manifest tells all of it that training heeds."""
    declared = find_method(method)(suite_budget(suite))
    defaults = {each.name: each.default for each in tunables_of(declared, suite.training.learning_rate)}
    rest = {"defaults": defaults, "best": 0, "accuracy": 0.0, "default_accuracy": 0.0}
    write_chosen(build(Chosen, {**tuning, **rest, "dataset": cell.dataset, "method": method}), file)
