"""A phantom data set, prepared, grouped and split as the workflow does it, and a suite that trains little on it."""

import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

from weckd.config import Suite
from weckd.data.catalogue import find_dataset
from weckd.data.groups import write_groups
from weckd.data.prepare import prepare
from weckd.data.splits import write_splits
from weckd.methods.catalogue import METHODS
from weckd.run_files import RunFiles
from weckd.suite_file import resolve_suite

PHANTOMS = [Path(__file__).resolve().parents[2] / "config" / "phantoms.yaml"]
KEY = "phantom_ear_ohio"  # three classes, so that no method is refused
SEED, TUNING_SEEDS = 1, (1001, 1002)
SETTINGS = {
    "datasets": [KEY],
    "seeds": [SEED],
    "methods": list(METHODS),
    "training": {"steps": 4, "converged_factor": 3, "batch_size": 8},
    "tuning": {"trials": 2, "seeds": list(TUNING_SEEDS)},
    "tuned": True,
    "analysis": {"families": [], "claims": []},
}


@dataclass(frozen=True)
class Workplace:
    """The suite and its files."""

    suite: Suite
    run: RunFiles

    @property
    def prepared(self):
        return self.run.prepared(self.suite, KEY)

    def another(self, root, *shared):
        """Return the files of a run below `root` that links to the images and splits of this one, and to more."""
        run = RunFiles(root / "results" / "toy")
        for name in ("../data", "splits", "tuned/splits", *shared):
            link = Path(os.path.normpath(run.folder / name))
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(os.path.normpath(self.run.folder / name))
        return run


def gather(run, seed):
    """Take a seed's predictions out of what its own training job packed, as the rule of that name does."""
    with tarfile.open(run.gathered(KEY, f"seeds{seed}-{seed}")) as archive:
        names = [f"seed{seed}.parquet", f"seed{seed}.sums.json"]
        archive.extractall(run.prediction(KEY, seed).parent, map(archive.getmember, names), filter="data")


def make_workplace(root, **changes):
    """Return the suite, changed, with its data set prepared and split below `root`."""
    suite = resolve_suite(PHANTOMS, {**SETTINGS, **changes})
    run = RunFiles(root / "results" / "toy")
    place = Workplace(suite, run)
    prepare(find_dataset(KEY, None), None, suite.image_size, place.prepared, jobs=1, skip_bad=False)
    write_groups(KEY, place.prepared, suite.groups_threshold, run.groups(KEY))
    for tuning in (False, True):
        write_splits(
            KEY,
            suite.facts[KEY].classes,
            suite.split,
            (SEED, *TUNING_SEEDS),
            place.prepared,
            run.groups(KEY) / "groups.csv",
            run.splits(KEY, tuning),
        )
    return place
