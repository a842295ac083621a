"""How a sub-command is declared, and what several take from the command line."""

import argparse
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from weckd.config import Suite, load_suite
from weckd.errors import UserError
from weckd.run_files import FACTS, RunFiles, no_run

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_Run: TypeAlias = Callable[[argparse.Namespace], None]
_Option: TypeAlias = Callable[[argparse._ActionsContainer], object]
_DECLARED: dict[str, list[tuple[str, str, Callable[[Commands], None]]]] = {}
"""Each sub-command, what it does and what adds it to the parser, by the module that declares it."""


def option(*names: str, **settings: Any) -> _Option:
    """Return what adds an option, or an argument, as `argparse` takes it."""
    return lambda place: place.add_argument(*names, **settings)


def command(
    name: str, told: str, *options: _Option | list[_Option], description: str | None = None
) -> Callable[[_Run], _Run]:
    """Declare the sub-command that a function runs; of options in a list a call may have one."""

    def declare(run: _Run) -> _Run:
        def add(commands: Commands) -> None:
            parser = commands.add_parser(name, description=description)
            for each in options:
                place = parser.add_mutually_exclusive_group() if isinstance(each, list) else parser
                for add_option in each if isinstance(each, list) else [each]:
                    add_option(place)
            parser.set_defaults(run=run)

        _DECLARED.setdefault(run.__module__, []).append((name, told, add))
        return run

    return declare


def add_commands(commands: Commands, module: str) -> dict[str, str]:
    """Add the sub-commands that a module declares to the parser, and return what each does."""
    for _, _, add in _DECLARED[module]:
        add(commands)
    return {name: told for name, told, _ in _DECLARED[module]}


path = partial(option, type=Path)
DATASET = option("--dataset", required=True)
CATALOGUE = path("--catalogue", metavar="FILE", help="data sets of your own")
WIDE = option("--wide", action="store_true", help="all of the list, however wide the terminal is")
RUN = path("--run", required=True, dest="folder", help="folder of the run, results/<suite>")


def fitted_width(options: argparse.Namespace) -> int | None:
    """Return the columns of the terminal that a list fits, 80 where there is none; None: all that it needs."""
    return None if options.wide else shutil.get_terminal_size((80, 24)).columns


def positive(text: str) -> int:
    """Return the whole number that a command line gives."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1")
    return int(text)


def _above_zero(text: str, most: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0, and at most {most}")
    return value


correlation, points = partial(_above_zero, most=1), partial(_above_zero, most=100)
"""Take from a command line a correlation, above which two images are alike, and percentage points."""


def files_of_run(folder: Path, frozen: bool = False) -> RunFiles:
    """Return the files of the run in a folder; of a frozen reference too where `frozen` says so.

    Raises:
        UserError: the folder holds no run, or a frozen reference.
    """
    run = RunFiles(folder)
    if (folder / FACTS).exists() and not frozen:
        raise UserError(
            f"{folder}: a frozen reference, whose predictions are packed; lay it out as a run first: "
            f"weckd unfreeze {folder} --out FOLDER"
        )
    if not run.suite.exists():
        raise no_run(folder, folder.parent)
    return run


def suite_of_run(options: argparse.Namespace, frozen: bool = False) -> tuple[Suite, RunFiles]:
    """Return the suite and the files of the run that is named; the data set and seeds that are named are its own.

    Raises:
        UserError: the folder holds no run, or the data set, or a seed, is none of its own; it is a frozen reference.
    """
    run = files_of_run(options.folder, frozen)
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
