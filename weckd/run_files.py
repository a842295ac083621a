"""Where the files of a run lie, told once: for the rules of the workflow and for the package."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from weckd.config import Suite


def batches(suite: Suite) -> dict[str, tuple[int, ...]]:
    """Return the seeds of each training job of a data set by the job's name, see `batch_name`."""
    size = suite.seeds_per_job
    jobs = (suite.seeds[first : first + size] for first in range(0, len(suite.seeds), size))
    return {batch_name(seeds): seeds for seeds in jobs}


def batch_name(seeds: Sequence[int]) -> str:
    """Return the name of a batch of seeds, such as seeds1-5."""
    return f"seeds{seeds[0]}-{seeds[-1]}"


@dataclass(frozen=True)
class RunFiles:
    """The files of a run by its folder; what a path is made of may be the wildcard of a rule, such as `{dataset}`."""

    folder: Path  # results/<run>

    @property
    def results(self) -> Path:
        """The folder of all runs, and of what they share."""
        return self.folder.parent

    @property
    def data(self) -> Path:
        """The folder of prepared data sets."""
        return self.results / "data"

    def prepared(self, suite: Suite, dataset: str) -> Path:
        """Return the folder of a prepared data set; it depends on the size of its images, and on which are left out."""
        return self.data / f"{dataset}-{suite.image_size}px{'-skip-bad' if suite.skip_bad else ''}"

    @property
    def store(self) -> Path:
        """The folder of stored fits."""
        return self.results / "fits"

    @property
    def studies(self) -> Path:
        """The folder of finished trials."""
        return self.results / "studies"

    @property
    def downloads(self) -> Path:
        """The folder of downloads, beside that of all runs."""
        return Path(os.path.normpath(self.results / ".." / "data"))

    @property
    def weights(self) -> Path:
        """The folder of fetched weights."""
        return self.downloads / "weights"

    def source(self, suite: Suite, dataset: str) -> Path:
        """Return what tells where a real data set's images lie, see `weckd.data.origin`."""
        return self.downloads / dataset / f"source-{suite.image_size}px.json"

    def log(self, job: str) -> Path:
        """Return the log of a job, such as train/phantom_ear_ohio/seeds1-5."""
        return self.folder / "logs" / f"{job}.log"

    @property
    def suite(self) -> Path:
        """The run's settings, see `weckd.config.load_suite`."""
        return self.folder / "suite.json"

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

    @property
    def manifests(self) -> Path:
        """The folder of manifests."""
        return self.folder / "manifests"

    def manifest(self, dataset: str, batch: str) -> Path:
        """Return what a training job wrote of its fits, see `weckd.manifests`."""
        return self.manifests / dataset / f"{batch}.json"

    def manifest_of(self, suite: Suite, dataset: str, seed: int) -> Path:
        """Return the manifest of a cell, where jobs hold as many seeds as the suite says."""
        found = (name for name, seeds in batches(suite).items() if seed in seeds)
        return self.manifest(dataset, next(found, batch_name([seed])))

    @property
    def predictions(self) -> Path:
        """The folder of predictions."""
        return self.folder / "predictions"

    def prediction(self, dataset: str, seed: int | str) -> Path:
        """Return a cell's predictions, see `weckd.training.gather`."""
        return self.predictions / dataset / f"seed{seed}.parquet"

    @property
    def imported(self) -> Path:
        """The folder of predictions that were made elsewhere, see `weckd.analysis.imported`."""
        return self.folder / "imported"

    def attention(self, dataset: str) -> Path:
        """Return what the chain's attention maps say, see `weckd.training.attention_maps`."""
        return self.folder / "attention" / f"{dataset}.npz"

    @property
    def audit(self) -> Path:
        """The folder of the audit."""
        return self.folder / "audit"

    @property
    def across(self) -> Path:
        """What the audit found of images that data sets share, which decides what counts as independent."""
        return self.audit / "across.csv"

    @property
    def tables(self) -> Path:
        """The folder of tables."""
        return self.folder / "tables"

    @property
    def figures(self) -> Path:
        """The folder of figures."""
        return self.folder / "figures"

    @property
    def report(self) -> Path:
        """The run as one page."""
        return self.folder / "report.html"

    @property
    def crate(self) -> Path:
        """The description of the finished run, its last file."""
        return self.folder / "ro-crate-metadata.json"
