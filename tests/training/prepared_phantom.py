"""A phantom data set, prepared, grouped and split as the workflow does it, and a suite that trains little on it."""

from dataclasses import dataclass
from pathlib import Path

from weckd.config import Suite
from weckd.data.catalogue import find_dataset
from weckd.data.groups import write_groups
from weckd.data.prepare import prepare
from weckd.data.splits import write_splits
from weckd.methods.catalogue import METHODS
from weckd.suite_file import resolve_suite

DEMO = [Path(__file__).resolve().parents[2] / "config" / "demo.yaml"]
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
    """The suite and the folders of its files."""

    suite: Suite
    prepared: Path
    splits: Path
    root: Path


def make_workplace(root, **changes):
    """Return the suite, changed, with its data set prepared below `root`."""
    suite = resolve_suite(DEMO, {**SETTINGS, **changes})
    prepared, groups, splits = root / "prepared", root / "groups", root / "splits"
    prepare(find_dataset(KEY, None), None, suite.image_size, prepared, jobs=1, skip_bad=False)
    write_groups(KEY, prepared, suite.groups_threshold, groups)
    write_splits(
        KEY,
        suite.facts[KEY].classes,
        suite.split,
        (SEED, *TUNING_SEEDS),
        prepared,
        groups / "groups.csv",
        splits,
    )
    return Workplace(suite, prepared, splits, root)
