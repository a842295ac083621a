"""The command line: one thin sub-command for each rule of the workflow, and lists of what there is."""

import argparse
import sys
from collections.abc import Sequence

from weckd import __version__
from weckd.cli import agreement, analysis, data, listing, planning, provenance, report, selfcheck, training
from weckd.errors import UserError
from weckd.kernels import settle_kernels

# Sub-commands import what they need when they run: help must stay quick, and only `train` needs torch.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, or 1 after a message about a user's mistake."""
    settle_kernels()
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except UserError as problem:
        print(f"weckd: {problem}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a list closed it, as `| head` does
        sys.stderr.close()
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="weckd",
        description="Reproducibility suite for WeCKD: chains of distilled models, their controls, and "
        "significance-tested gain tables. Each rule of the workflow is one sub-command.",
    )
    parser.add_argument("--version", action="version", version=f"weckd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (listing, planning, data, training, analysis, report, agreement, provenance, selfcheck):
        group.add_commands(commands)
    return parser
