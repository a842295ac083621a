"""Commands that list what there is, for a person."""

import argparse
from pathlib import Path

from weckd.cli.arguments import Commands, command, own_catalogue
from weckd.cli.suites import resolved, suite_files


def add_commands(commands: Commands) -> None:
    """Add them to the parser."""
    parser = command(commands, "datasets", _datasets, "list the data sets, or tell all about one")
    parser.add_argument("name", nargs="?", help="key of one data set")
    parser.add_argument("--describe", type=Path, metavar="FOLDER", help="write the entry of class folders")
    own_catalogue(parser)

    parser = command(
        commands,
        "methods",
        _methods,
        "list the methods with their fits and steps, in units of S or of a suite",
    )
    suite_files(parser)

    parser = command(
        commands, "readings", _readings, "list what the paper leaves open, and each way to read it"
    )

    parser = command(
        commands, "show", _show, "print the main table of a finished run and where the rest lies"
    )
    parser.add_argument("folder", type=Path, help="folder of the run, such as results/demo")

    parser = command(
        commands,
        "runs",
        _runs,
        "list the runs: what was changed, their state, and the command that goes on with each",
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("results"), help="folder of all runs (results)"
    )


def _datasets(options: argparse.Namespace) -> None:
    from weckd.data.describe import describe_folder
    from weckd.listing import dataset_page, dataset_table

    if options.describe:
        print(describe_folder(options.describe), end="")
    else:
        print(
            dataset_page(options.name, options.catalogue)
            if options.name
            else dataset_table(options.catalogue)
        )


def _methods(options: argparse.Namespace) -> None:
    from weckd.listing import method_table

    print(method_table(resolved(options) if options.suite or options.config else None))


def _readings(_: argparse.Namespace) -> None:
    from weckd.listing import reading_table

    print(reading_table())


def _show(options: argparse.Namespace) -> None:
    from weckd.runs import run_summary

    print(run_summary(options.folder))


def _runs(options: argparse.Namespace) -> None:
    from weckd.runs import run_list

    print(run_list(options.folder))
