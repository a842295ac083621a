"""Commands that list what there is, for a person."""

import argparse
from pathlib import Path

from weckd.cli.arguments import CATALOGUE, WIDE, command, fitted_width, option, path
from weckd.cli.suites import SUITE_FILES, resolved


@command(
    "datasets",
    "list the data sets, or tell all about one",
    option("name", nargs="?", help="key of one data set"),
    path("--describe", metavar="FOLDER", help="write the entry of a table or of class folders"),
    CATALOGUE,
    WIDE,
)
def _datasets(options: argparse.Namespace) -> None:
    if options.describe:
        from weckd.data.describe import describe_folder

        print(describe_folder(options.describe), end="")
    else:
        from weckd.listing import dataset_page, dataset_table

        print(
            dataset_page(options.name, options.catalogue)
            if options.name
            else dataset_table(options.catalogue, fitted_width(options))
        )


@command(
    "methods", "list the methods with their fits and steps, in units of S or of a suite", *SUITE_FILES, WIDE
)
def _methods(options: argparse.Namespace) -> None:
    from weckd.listing import method_table

    print(method_table(resolved(options) if options.suite or options.config else None, fitted_width(options)))


@command("readings", "list what the paper leaves open, and each way to read it", WIDE)
def _readings(options: argparse.Namespace) -> None:
    from weckd.listing import reading_table

    print(reading_table(fitted_width(options)))


@command(
    "show",
    "print on one screen what a finished run found, and where its report lies",
    path("folder", help="folder of the run, such as results/demo"),
)
def _show(options: argparse.Namespace) -> None:
    from weckd.runs import run_summary

    print(run_summary(options.folder))


@command(
    "runs",
    "list the runs: what was changed, their state, and the command that goes on with each",
    path("folder", nargs="?", default=Path("results"), help="folder of all runs (results)"),
    WIDE,
)
def _runs(options: argparse.Namespace) -> None:
    from weckd.runs import run_list

    print(run_list(options.folder, fitted_width(options)))
