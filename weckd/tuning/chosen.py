"""What tuning chose for a method on a data set: a file that training reads."""

from dataclasses import asdict, dataclass
from pathlib import Path

from weckd.config import Suite, build
from weckd.errors import UserError, unreadable
from weckd.files import with_sum, without_sum, write_json
from weckd.methods.tunables import UNTUNED_ROLES


@dataclass(frozen=True)
class Chosen:
    """The best trial of one method on one data set, and what the search was given."""

    dataset: str
    method: str
    trials: int
    seeds: tuple[int, ...]  # each trial was trained on the first, the finalists on all
    values: dict[str, float]  # of the best trial
    defaults: dict[str, float]  # of trial 0, the committed settings
    best: int  # number of the best trial
    accuracy: float  # of the best finalist, mean over the seeds, validation images
    default_accuracy: float  # of trial 0
    steps: int  # optimiser steps of all trials
    images: int  # views of labelled and unlabelled images that all trials saw

    @property
    def changed(self) -> dict[str, float]:
        """The values that differ from the defaults, so that what is not changed stays one fit with the untuned."""
        return {name: value for name, value in self.values.items() if value != self.defaults[name]}


def tunable_methods(suite: Suite) -> tuple[str, ...]:
    """Return the methods of a suite that are tuned."""
    return tuple(method for method in suite.methods if suite.roles[method] not in UNTUNED_ROLES)


def write_chosen(chosen: Chosen, file: Path) -> None:
    """Write it as JSON with its own sum."""
    write_json(file, with_sum(asdict(chosen)))


def read_chosen(file: Path, dataset: str, method: str) -> Chosen:
    """Read what was chosen for a method on a data set.

    Raises:
        UserError: the file is not there, not readable, edited, or of another method or data set.
    """
    remedy = "make it with `snakemake tune`"
    with unreadable(file, "not a file of tuned settings", remedy):
        chosen: Chosen = build(Chosen, without_sum(file.read_text(encoding="utf-8")))
    if (chosen.dataset, chosen.method) != (dataset, method):
        raise UserError(
            f"{file}: holds the settings of {chosen.method} on {chosen.dataset}; delete it and {remedy}"
        )
    return chosen
