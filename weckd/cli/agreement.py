"""Commands that freeze a run as a reference, and compare another run with it."""

import argparse
from pathlib import Path

from weckd.cli.arguments import Commands

LOCK = Path("requirements.lock")


def add_commands(commands: Commands) -> None:
    """Add them to the parser."""
    parser = commands.add_parser("freeze", help="make a reference of a finished run, to compare others with")
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of the run, results/<suite>")
    parser.add_argument("--out", type=Path, help="folder of the reference (results/reference/<suite>)")
    _lock(parser)
    parser.set_defaults(run=_freeze)

    parser = commands.add_parser(
        "agree",
        help="compare a run with a reference, cell by cell",
        description="Equal bytes where both were made with the same lock, device kind and versions; else intervals "
        "that the reference declares. Writes RUN/agreement/agreement.{csv,md,tex}. The exit status is 0 where every "
        "cell agrees, else 1.",
    )
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder of the run, results/<suite>")
    parser.add_argument("reference", type=Path, metavar="REFERENCE", help="results/reference/<suite>")
    _lock(parser)
    parser.set_defaults(run=_agree)

    parser = commands.add_parser("unfreeze", help="lay out a reference's records as a run has them")
    parser.add_argument("reference", type=Path, metavar="REFERENCE")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.set_defaults(run=_unfreeze)


def _lock(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lock",
        type=Path,
        default=LOCK if LOCK.exists() else None,
        metavar="FILE",
        help="lock file of the environment that the run was made in (requirements.lock, where it is)",
    )


def _freeze(options: argparse.Namespace) -> None:
    from weckd.agreement.freeze import freeze_run

    out = options.out or options.folder.parent / "reference" / options.folder.name
    freeze_run(options.folder, out, options.lock)
    print(f"{out}: {sum(f.stat().st_size for f in out.rglob('*') if f.is_file()) / 1e6:.1f} MB")


def _agree(options: argparse.Namespace) -> None:
    from weckd.agreement.agree import agreement_table, compare, summary
    from weckd.agreement.reference import read_reference
    from weckd.config import load_suite
    from weckd.errors import UserError
    from weckd.tables.render import write_table_file

    agreement = compare(options.folder, options.reference, options.lock)
    suite, out = load_suite(options.folder / "suite.json"), options.folder / "agreement"
    write_table_file(out, agreement_table(suite, agreement, read_reference(options.reference)))
    if not agreement.reproduced:
        raise UserError(summary(agreement, out))
    print(summary(agreement, out))


def _unfreeze(options: argparse.Namespace) -> None:
    from weckd.agreement.freeze import unfreeze

    unfreeze(options.reference, options.out)
