"""The command that writes a run's page."""

import argparse
from pathlib import Path

from weckd.cli.arguments import Commands


def add_commands(commands: Commands) -> None:
    """Add it to the parser."""
    parser = commands.add_parser("report", help="write a finished run as one self-contained HTML page")
    parser.add_argument(
        "--run", type=Path, required=True, dest="folder", help="folder of the run, results/<suite>"
    )
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    parser.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    from weckd.report import write_report

    write_report(options.folder, options.out)
