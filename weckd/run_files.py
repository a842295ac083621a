"""Where the files of a run lie, told once: for the rules of the workflow and for the package."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from weckd.config import Suite
from weckd.errors import UserError, counted
from weckd.files import sums_of

FACTS = "reference.json"
"""The facts of a frozen reference, in its folder; no run has them."""
PART = "cells"
"""The folder, in that of a reference to be, of the cells of an unfinished run, see `weckd.frozen_cells`."""


def batches(suite: Suite) -> dict[str, tuple[int, ...]]:
    """Return the seeds of each training job of a data set by the job's name, see `batch_name`."""
    size = suite.seeds_per_job
    jobs = (suite.seeds[first : first + size] for first in range(0, len(suite.seeds), size))
    return {batch_name(seeds): seeds for seeds in jobs}


def batch_name(seeds: Sequence[int]) -> str:
    """Return the name of a batch of seeds, such as seeds1-5."""
    return f"seeds{seeds[0]}-{seeds[-1]}"


class _Below:
    """A path of a run that lies below another."""

    def __init__(self, above: str, name: str) -> None:
        self._above, self._name = above, name

    def __get__(self, run: "RunFiles", _: type) -> Path:
        above: Path = getattr(run, self._above)
        return above / self._name


@dataclass(frozen=True)
class RunFiles:
    """The files of a run by its folder; what a path is made of may be the wildcard of a rule, such as `{dataset}`."""

    folder: Path  # results/<run>
    data = _Below("results", "data")
    """The folder of prepared data sets."""
    store = _Below("results", "fits")
    """The folder of stored fits."""
    studies = _Below("results", "studies")
    """The folder of finished trials."""
    weights = _Below("downloads", "weights")
    """The folder of fetched weights."""
    suite = _Below("folder", "suite.json")
    """The run's settings, see `weckd.config.load_suite`."""
    drawn_from = _Below("folder", "drawn-from.json")
    """The facts of the frozen reference that a run was laid out from; a trained run has none."""
    manifests = _Below("folder", "manifests")
    """The folder of manifests."""
    predictions = _Below("folder", "predictions")
    """The folder of predictions."""
    imported = _Below("folder", "imported")
    """The folder of predictions that were made elsewhere, see `weckd.analysis.imported`."""
    audit = _Below("folder", "audit")
    """The folder of the audit."""
    across = _Below("audit", "across.csv")
    """What the audit found of images that data sets share, which decides what counts as independent."""
    tables = _Below("folder", "tables")
    """The folder of tables."""
    figures = _Below("folder", "figures")
    """The folder of figures."""
    report = _Below("folder", "report.html")
    """The run as one page."""
    crate = _Below("folder", "ro-crate-metadata.json")
    """The description of the finished run, its last file."""

    @property
    def results(self) -> Path:
        """The folder of all runs, and of what they share."""
        return self.folder.parent

    def prepared(self, suite: Suite, dataset: str) -> Path:
        """Return the folder of a prepared data set; it depends on the size of its images, and on which are left out."""
        return self.data / f"{dataset}-{suite.image_size}px{'-skip-bad' if suite.skip_bad else ''}"

    @property
    def downloads(self) -> Path:
        """The folder of downloads, beside that of all runs."""
        return Path(os.path.normpath(self.results / ".." / "data"))

    def source(self, suite: Suite, dataset: str) -> Path:
        """Return what tells where a real data set's images lie, see `weckd.data.prepare.Origin`."""
        return self.downloads / dataset / f"source-{suite.image_size}px.json"

    def log(self, job: str) -> Path:
        """Return the log of a job, such as train/phantom_ear_ohio/seeds1-5."""
        return self.folder / "logs" / f"{job}.log"

    def groups(self, dataset: str) -> Path:
        """Return the folder of a data set's groups, see `weckd.data.groups`."""
        return self.folder / "groups" / dataset

    def splits(self, dataset: str, tuning: bool = False) -> Path:
        """Return the folder of a data set's split files; or of those that its settings are chosen on."""
        return self.folder / ("tuned/splits" if tuning else "splits") / dataset

    def split(self, dataset: str, seed: int | str, tuning: bool = False) -> Path:
        """Return a cell's split file, see `weckd.data.splits`."""
        return self.splits(dataset, tuning) / f"seed{seed}.csv"

    def tuned(self, dataset: str, method: str) -> Path:
        """Return the file of what tuning chose for a method, see `weckd.tuning.chosen`."""
        return self.folder / "tuned" / dataset / f"{method}.json"

    def manifest(self, dataset: str, batch: str) -> Path:
        """Return what a training job wrote of its fits, see `weckd.manifests`."""
        return self.manifests / dataset / f"{batch}.json"

    def manifest_of(self, suite: Suite, dataset: str, seed: int) -> Path:
        """Return the manifest of a cell, where jobs hold as many seeds as the suite says."""
        found = (name for name, seeds in batches(suite).items() if seed in seeds)
        return self.manifest(dataset, next(found, batch_name([seed])))

    def gathered(self, dataset: str, batch: str) -> Path:
        """Return the archive of what a training job's cells say, see `weckd.training.gather`."""
        return self.folder / "gathered" / dataset / f"{batch}.tar"

    def prediction(self, dataset: str, seed: int | str) -> Path:
        """Return a cell's predictions, see `weckd.training.gather`."""
        return self.predictions / dataset / f"seed{seed}.parquet"

    def attention(self, dataset: str) -> Path:
        """Return what the chain's attention maps say, see `weckd.training.attention_file`."""
        return self.folder / "attention" / f"{dataset}.npz"

    def every_split(self, suite: Suite) -> list[Path]:
        """Return the split file of each cell of a suite."""
        return [self.split(dataset, seed) for dataset in suite.datasets for seed in suite.seeds]

    def every_manifest(self, suite: Suite) -> list[Path]:
        """Return the manifest of each training job of a suite."""
        return [self.manifest(dataset, batch) for dataset in suite.datasets for batch in batches(suite)]

    def every_prediction(self, suite: Suite) -> list[Path]:
        """Return the predictions of each cell of a suite, then their sums."""
        files = [self.prediction(dataset, seed) for dataset in suite.datasets for seed in suite.seeds]
        return [*files, *map(sums_of, files)]

    def every_attention(self, suite: Suite) -> list[Path]:
        """Return each data set's attention maps, then their sums; none without a chain that transfers attention."""
        transfers = "chain" in suite.roles.values() and suite.distillation.beta > 0
        files = [self.attention(dataset) for dataset in suite.datasets if transfers]
        return [*files, *map(sums_of, files)]


def no_run(folder: Path, results: Path) -> UserError:
    """Return the error of a folder without a run: it names the runs that are there, or the suites."""
    if (folder / PART).is_dir():
        return part_of_run(folder)
    places = dict.fromkeys((results, Path("results")))  # a run may be named without its folder
    runs = [str(file.parent) for place in places for file in sorted(place.glob("*/suite.json"))]
    if runs:
        return UserError(f"{folder}: no run; there are {', '.join(runs)} (`weckd runs` tells of each)")
    files = sorted(Path("config").glob("*.yaml"))
    suites = [str(file) for file in files if "\nsuite: " in f"\n{file.read_text('utf-8')}"]
    named = f"; suites are {', '.join(suites)}" if suites else ""
    return UserError(f"{folder}: no run; begin one with snakemake --cores all --configfile SUITE{named}")


def frozen_record(part: Path, dataset: str, seed: int | str) -> Path:
    """Return where a folder of frozen cells says what one of them is."""
    return part / dataset / f"seed{seed}.json.xz"


def part_of_run(folder: Path) -> UserError:
    """Return the error of a folder that has frozen cells of a run, and no reference yet."""
    frozen = sum(1 for _ in (folder / PART).glob(str(frozen_record(Path(), "*", "*"))))
    return UserError(
        f"{folder}: no reference yet, {counted(frozen, 'frozen cell')} of a run; finish that run with snakemake "
        "--cores all --configfile SUITE, which takes them and trains the others, and freeze it"
    )
