"""Arguments that several commands share."""

import argparse
from pathlib import Path
from typing import TypeAlias

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
