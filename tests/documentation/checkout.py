"""A scratch checkout: the repository's files as they are, committed or not, in a folder of their own.

The documents' commands run in it, so that the repository's own results stay as they are. The environment is the one
that the tests run in; the package is the copy's.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from engine import REPOSITORY, environment
from PIL import Image


@dataclass
class Checkout:
    """A folder with the variables that its commands see, and what those that ran ended with."""

    folder: Path
    variables: dict = field(repr=False)
    done: dict = field(default_factory=dict, repr=False)


def make_checkout(folder, **variables):
    """Copy the repository's files into a new folder."""
    for name in tracked_or_new():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, folder / name)
    activate = folder / ".venv/bin/activate"  # not the whole environment: nothing in the copy may reach it
    activate.parent.mkdir(parents=True)
    activate.symlink_to(Path(sys.executable).parent / "activate")
    kept = {name: value for name, value in environment().items() if not name.startswith("KAGGLE_")}
    own = {
        **{"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        **{"HOME": str(folder), "KAGGLE_CONFIG_DIR": str(folder)},
    }
    return Checkout(folder, {**kept, **own, **variables})


def tracked_or_new():
    """Return the files of the working tree that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if (REPOSITORY / name).is_file()]


def make_small(folder, suites):
    """Change settings of suite files: those of a group of settings one by one, all others as a whole."""
    for name, changes in suites.items():
        file = folder / name
        suite = yaml.safe_load(file.read_text(encoding="utf-8"))
        for key, value in changes.items():
            suite[key] = {**suite[key], **value} if isinstance(value, dict) else value
        file.write_text(yaml.safe_dump(suite, sort_keys=False), encoding="utf-8")


def draw_images(folder, sets):
    """Draw noise: no image resembles another, so that each is a group of its own."""
    draws = np.random.default_rng(0)
    for name, classes in sets.items():
        for label, count in classes.items():
            place = folder / name / label
            place.mkdir(parents=True)
            for number in range(count):
                pixels = draws.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")
