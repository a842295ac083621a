"""The command that writes a run's page."""

import argparse
from pathlib import Path

from weckd.cli.arguments import Commands, run_folder


def add_commands(commands: Commands) -> None:
    """Add it to the parser."""
    parser = commands.add_parser("report", help="write a finished run as one self-contained HTML page")
    run_folder(parser)
    parser.add_argument("--out", type=Path, help="HTML file to write (the run's report.html)")
    parser.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> None:
    from weckd.report import write_report
    from weckd.run_files import RunFiles

    write_report(options.folder, options.out or RunFiles(options.folder).report)
