"""Arguments that several commands share."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from weckd.errors import UserError

if TYPE_CHECKING:
    from weckd.config import Suite
    from weckd.run_files import RunFiles

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], None],
    told: str,
    description: str | None = None,
) -> argparse.ArgumentParser:
    """Add a sub-command that calls `run` with its options; return its parser."""
    parser = commands.add_parser(name, help=told, description=description)
    parser.set_defaults(run=run)
    return parser


def own_catalogue(parser: argparse.ArgumentParser) -> None:
    """Add the option of a catalogue of the user's own."""
    parser.add_argument("--catalogue", type=Path, metavar="FILE", help="data sets of your own")


def run_folder(parser: argparse.ArgumentParser) -> None:
    """Add the folder of a run."""
    parser.add_argument(
        "--run", type=Path, required=True, dest="folder", help="folder of the run, results/<suite>"
    )


def run_and_dataset(parser: argparse.ArgumentParser) -> None:
    """Add the folder of a run and one of its data sets."""
    run_folder(parser)
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


def suite_of_run(options: argparse.Namespace) -> "tuple[Suite, RunFiles]":
    """Return the suite and the files of the run that is named; the data set and seeds that are named are its own.

    Raises:
        UserError: the run has no suite.json, or the data set, or a seed, is none of its own.
    """
    from weckd.config import load_suite
    from weckd.run_files import RunFiles

    run = RunFiles(options.folder)
    suite = load_suite(run.suite)
    dataset = getattr(options, "dataset", suite.datasets[0])
    if dataset not in suite.facts:
        raise UserError(
            f"--dataset {dataset}: {run.suite} has no such data set; known: {', '.join(suite.datasets)}"
        )
    for seed in getattr(options, "seeds", None) or [getattr(options, "seed", suite.seeds[0])]:
        if seed not in suite.seeds:
            raise UserError(
                f"seed {seed}: {run.suite} has no such seed; known: {', '.join(map(str, suite.seeds))}"
            )
    return suite, run
