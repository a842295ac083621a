"""Arguments that several commands share."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from weckd.errors import UserError

if TYPE_CHECKING:
    from weckd.config import DatasetFacts, Suite

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def own_catalogue(parser: argparse.ArgumentParser) -> None:
    """Add the option of a catalogue of the user's own."""
    parser.add_argument("--catalogue", type=Path, metavar="FILE", help="data sets of your own")


def suite_and_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the run's suite file and one of its data sets."""
    parser.add_argument("--suite", type=Path, required=True, help="suite.json of the run")
    parser.add_argument("--dataset", required=True)


def positive(text: str) -> int:
    """Return the whole number that a command line gives."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1")
    return int(text)


def correlation(text: str) -> float:
    """Return the correlation, above which two images are alike, that a command line gives."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0, and at most 1")
    return value


def dataset_facts(suite: "Suite", dataset: str, file: Path) -> "DatasetFacts":
    """Return what a suite says of one of its data sets.

    Raises:
        UserError: it is none of them.
    """
    if dataset not in suite.facts:
        raise UserError(
            f"--dataset {dataset}: {file} has no such data set; known: {', '.join(suite.datasets)}"
        )
    return suite.facts[dataset]
