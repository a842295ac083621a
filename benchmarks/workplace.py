"""A data set, prepared, grouped and split as the workflow does it, for benchmarks that train."""

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from weckd.config import Suite, suite_json
from weckd.data.catalogue import find_dataset
from weckd.data.groups import write_groups
from weckd.data.prepare import prepare, read_origin
from weckd.data.splits import write_splits
from weckd.files import write_text
from weckd.locks import StopRequest
from weckd.run_files import RunFiles
from weckd.suite_file import resolve_suite
from weckd.training.job import train_batch

CONFIG = Path(__file__).resolve().parents[1] / "config"
FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Workplace:
    """A suite of one data set, and where its files lie."""

    suite: Suite
    dataset: str
    folder: Path

    @property
    def run(self) -> RunFiles:
        """Files of the run."""
        return RunFiles(self.folder / "results" / "run")

    @property
    def prepared(self) -> Path:
        """Folder of the prepared images."""
        return self.run.prepared(self.suite, self.dataset)

    def again(self, name: str) -> RunFiles:
        """Return the files of another run, `name`/run with a store of its own, that links to images and splits."""
        run = RunFiles(self.folder / name / "run")
        run.folder.mkdir(parents=True, exist_ok=True)
        for link, own in ((run.data, self.run.data), (run.splits(""), self.run.splits(""))):
            if not link.exists():
                link.symlink_to(own.absolute())
        write_text(run.suite, suite_json(self.suite))
        return run

    def train(self, run: RunFiles, seeds: tuple[int, ...] = (1,)) -> None:
        """Train all cells, as a job of the workflow does after its imports."""
        train_batch(self.suite, run, self.dataset, seeds, 60.0, StopRequest())


def make_workplace(
    folder: Path, config: str, dataset: str, data_root: Path | None, **changes: Any
) -> Workplace:
    """Prepare one data set of a suite with settings changed.

    Args:
        folder: where everything is written.
        config: the suite, a file of `config/` without its ending.
        dataset: key of the data set.
        data_root: folder of real images; None where the suite draws phantoms.
        changes: of the suite's settings.
    """
    rest = {"datasets": [dataset], "seeds": [1], "analysis": {"families": [], "claims": []}}
    suite = resolve_suite([CONFIG / f"{config}.yaml"], {**rest, **changes})
    place = Workplace(suite, dataset, folder)
    found = find_dataset(dataset)
    origin = read_origin(found, data_root / dataset, suite.image_size) if data_root else None
    prepare(found, origin, suite.image_size, place.prepared, jobs=2)
    groups = place.run.groups(dataset)
    write_groups(dataset, place.prepared, suite.groups_threshold, groups)
    write_splits(
        dataset,
        suite.facts[dataset].classes,
        suite.split,
        suite.seeds,
        place.prepared,
        groups / "groups.csv",
        place.run.splits(dataset),
    )
    write_text(place.run.suite, suite_json(suite))
    return place


def machine() -> str:
    """Return in words what a benchmark ran on."""
    card = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    cpu = names[0].partition(":")[2].strip() if names else platform.machine()
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "timm", "numpy"))
    return f"{len(names)} cores of {cpu}{card}; Python {platform.python_version()}, {versions}"
