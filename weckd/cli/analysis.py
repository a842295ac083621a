"""Commands that read predictions: tables and figures."""

import argparse
from pathlib import Path

from weckd.cli.arguments import Commands


def add_commands(commands: Commands) -> None:
    """Add them to the parser."""
    parser = commands.add_parser("tables", help="test the gains and write all tables, from predictions alone")
    _run_and_out(parser)
    parser.add_argument(
        "--layout", type=Path, metavar="FILE", help="labels, order, columns and digits of the tables"
    )
    parser.set_defaults(run=_tables)

    parser = commands.add_parser("figures", help="draw the figures, from predictions alone")
    _run_and_out(parser)
    parser.set_defaults(run=_figures)

    parser = commands.add_parser("specification", help="the table and the curve of all readings")
    parser.add_argument("--suite", type=Path, required=True, help="suite.json of a run of readings")
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for tables/ and figures/")
    parser.set_defaults(run=_specification)


def _run_and_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run", type=Path, required=True, dest="folder", help="folder of the run, results/<suite>"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def _tables(options: argparse.Namespace) -> None:
    from weckd.analysis.tables.layout import AS_IT_IS, read_layout
    from weckd.analysis.tables.write import write_tables
    from weckd.config import load_suite

    layout = read_layout(options.layout) if options.layout else AS_IT_IS
    write_tables(load_suite(options.folder / "suite.json"), options.folder, options.out, layout)


def _figures(options: argparse.Namespace) -> None:
    from weckd.analysis.figures.write import write_figures
    from weckd.config import load_suite

    write_figures(load_suite(options.folder / "suite.json"), options.folder, options.out)


def _specification(options: argparse.Namespace) -> None:
    from weckd.analysis.specification import write_specification
    from weckd.config import load_suite

    write_specification(load_suite(options.suite), options.predictions, options.out)
