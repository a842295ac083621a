"""Reproducibility suite for WeCKD (arXiv 2510.14668). Importing it imports no torch, and no pandas before `load`."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weckd.frames import Run

__version__ = "0.1.0"


def load(run: str | Path) -> "Run":
    """Return the results of a run as pandas frames: `predictions`, `gains`, `claims`, `accuracy`, `splits`.

    `run` is its folder: of a finished run, a drawn reference or a frozen one. docs/results.md shows what is in it.

    Raises:
        UserError: there is no run; of a frame, what keeps it from being read.
    """
    loaded: Run = import_module("weckd.frames").Run(Path(run))
    return loaded
