"""Commands that record what a run was made of, and that check whether it still is."""

import argparse
from pathlib import Path

from weckd.cli.arguments import Commands

ROOT = Path(__file__).resolve().parents[2]
"""Folder of the workflow: a checkout, or that of the image."""


def add_commands(commands: Commands) -> None:
    """Add them to the parser."""
    parser = commands.add_parser("provenance", help="describe a finished run as a Workflow Run RO-Crate")
    parser.add_argument("--run", dest="folder", type=Path, required=True, help="folder of the run")
    _places(parser)
    parser.set_defaults(run=_provenance)

    parser = commands.add_parser(
        "verify",
        help="hash again all that a run's crate records, and name what changed",
        description="Compares every file of the run, the prepared images, the stored fits, the lock, the workflow's "
        "files and the code's revision. The exit status is 1 where something changed.",
    )
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of the run, results/<suite>")
    _places(parser)
    parser.add_argument("--store", type=Path, default=Path("results/fits"), help="stored fits (results/fits)")
    parser.set_defaults(run=_verify)


def _places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workflow", type=Path, default=ROOT, help="folder of the Snakefile (that of the suite)"
    )
    parser.add_argument(
        "--data", type=Path, default=Path("results/data"), help="prepared data sets (results/data)"
    )


def _provenance(options: argparse.Namespace) -> None:
    from weckd.provenance.crate import write_crate

    write_crate(options.folder, options.workflow, options.data)


def _verify(options: argparse.Namespace) -> None:
    from weckd.errors import UserError
    from weckd.provenance.verify import changes

    compared, lines = changes(options.folder, options.workflow, options.data, options.store)
    if lines:
        print("\n".join(lines))
        raise UserError(
            f"{options.folder}: {len(lines)} of {compared} recorded things are not what they were"
        )
    print(f"{options.folder}: all {compared} recorded things are what they were")
