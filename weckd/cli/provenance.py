"""Commands that record what a run was made of, and that check whether it still is."""

import argparse
from pathlib import Path

from weckd.cli.arguments import Commands, run_folder

ROOT = Path(__file__).resolve().parents[2]
"""Folder of the workflow: a checkout, or that of the image."""


def add_commands(commands: Commands) -> None:
    """Add them to the parser."""
    parser = commands.add_parser("provenance", help="describe a finished run as a Workflow Run RO-Crate")
    run_folder(parser)
    _workflow(parser)
    parser.set_defaults(run=_provenance)

    parser = commands.add_parser(
        "verify",
        help="hash again all that a run's crate records, and name what changed",
        description="Compares every file of the run, the prepared images, the stored fits, the lock, the workflow's "
        "files and the code's revision. The exit status is 1 where something changed.",
    )
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of the run, results/<suite>")
    _workflow(parser)
    parser.set_defaults(run=_verify)


def _workflow(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workflow", type=Path, default=ROOT, help="folder of the Snakefile (that of the suite)"
    )


def _provenance(options: argparse.Namespace) -> None:
    from weckd.provenance.crate import write_crate
    from weckd.run_files import RunFiles

    write_crate(RunFiles(options.folder), options.workflow)


def _verify(options: argparse.Namespace) -> None:
    from weckd.errors import UserError
    from weckd.provenance.verify import changes
    from weckd.run_files import RunFiles

    compared, lines = changes(RunFiles(options.folder), options.workflow)
    if lines:
        print("\n".join(lines))
        raise UserError(
            f"{options.folder}: {len(lines)} of {compared} recorded things are not what they were"
        )
    print(f"{options.folder}: all {compared} recorded things are what they were")
