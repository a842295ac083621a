"""The command line: one thin sub-command for each rule of the workflow, and lists of what there is."""

import argparse
import errno
import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from weckd import __version__
from weckd.cli import analysis, data, finished, listing, models, planning, training
from weckd.cli.arguments import add_commands
from weckd.errors import UserError, few_addresses
from weckd.files import REMEDIES
from weckd.numpy_kernels import settle_kernels

_DRAWING = {"MPLBACKEND": "Agg", "MATPLOTLIBRC": os.devnull}
"""Figures go to files alone: neither a notebook's screen nor settings of the user's take part."""
_OF_A_PATH = {
    errno.ENOENT: "name one that is there",
    errno.EISDIR: "name a file, not a folder",
    errno.ENOTDIR: "name a folder, not a file",
    errno.EACCES: "give yourself the right to read it",
    errno.EPERM: "give yourself the right to read it",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "correct the link, which leads to itself",
}
"""What to do about a path of the command line that cannot be used; anything else is a fault of ours."""

_ABOUT = (
    "Reproducibility suite for WeCKD: chains of distilled models, their controls, and significance-tested gain tables. "
    "Each rule of the workflow is one sub-command."
)
_FOR_PEOPLE = (
    *("datasets", "methods", "readings", "show", "runs", "plan", "doctor", "suite", "fetch", "tables"),
    *(
        "import-predictions",
        "verify",
        "freeze",
        "agree",
        "unfreeze",
        "selfcheck",
        "export",
        "predict",
        "evaluate",
    ),
)
"""Commands that documents tell a person to give; rules call some of them too."""

# Sub-commands import what they need when they run: help must stay quick, and only `train` needs torch.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0, or 1 after a message about a user's mistake, or 130 (as of SIGINT) after Ctrl-C, or 141 (as of SIGPIPE) where
    the reader of its output is gone: a job that could not say its last words has not succeeded.
    """
    settle_kernels()
    os.environ.update(_DRAWING)
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except OSError as problem:  # of its own output: a pipe as `| head` breaks it, or a file on a full disk
        if problem.errno not in (errno.EPIPE, errno.ENOSPC) or problem.filename is not None:
            raise
        if full := problem.errno == errno.ENOSPC:
            with suppress(OSError):
                told = f"weckd: output cannot be written ({problem.strerror}); {REMEDIES[errno.ENOSPC]}"
                print(told, file=sys.stderr, flush=True)
        nowhere = os.open(os.devnull, os.O_WRONLY)  # what is still buffered goes there
        for stream in filter(None, (sys.stdout, sys.stderr)):
            os.dup2(nowhere, stream.fileno())
        return 1 if full else 128 + signal.SIGPIPE


def _run(options: argparse.Namespace) -> int:
    try:
        options.run(options)
        print(end="", flush=True)  # also where there is no output: it is closed
    except UserError as problem:
        print(f"weckd: {problem}", file=sys.stderr)
        return 1
    except OSError as problem:
        if problem.errno not in _OF_A_PATH or not _named(problem, options):
            raise
        print(f"weckd: {problem.filename}: {problem.strerror}; {_OF_A_PATH[problem.errno]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("weckd: interrupted; nothing half-made is kept, and the same command goes on", file=sys.stderr)
        return 128 + signal.SIGINT
    except (ImportError, MemoryError) as problem:
        print(f"weckd: {few_addresses(problem)}", file=sys.stderr)
        return 1
    return 0


def _named(problem: OSError, options: argparse.Namespace) -> bool:
    """Return whether a file that cannot be had is one that the command line names, or lies below or above one."""
    if problem.filename is None or isinstance(problem.filename, int):
        return False
    file = Path(os.fsdecode(problem.filename)).absolute()
    values = [v for value in vars(options).values() for v in (value if isinstance(value, list) else [value])]
    named = [value.absolute() for value in values if isinstance(value, Path)]
    return any(file.is_relative_to(path) or path.is_relative_to(file) for path in named)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="weckd", formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"weckd {__version__}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", help="one of those below"
    )
    told: dict[str, str] = {}
    for group in (listing, planning, data, training, analysis, finished, models):
        told |= add_commands(commands, group.__name__)
    width = shutil.get_terminal_size((80, 24)).columns - 2
    parser.description = textwrap.fill(_ABOUT, width)
    jobs = [name for name in told if name not in _FOR_PEOPLE]
    lines = [
        line
        for heading, names in (("for people", _FOR_PEOPLE), ("jobs of the workflow", jobs))
        for line in (
            f"\n{heading}:",
            *(
                textwrap.fill(f"  {name:<20}{told[name]}", width, subsequent_indent=22 * " ")
                for name in names
            ),
        )
    ]
    parser.epilog = "\n".join([*lines, "\n`weckd COMMAND --help` tells the options of one."]).lstrip("\n")
    return parser
