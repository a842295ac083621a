"""Suite files as several commands take them; apart, so that no job that takes none stands on how they are read."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from weckd.errors import UserError

if TYPE_CHECKING:
    from weckd.config import Suite


def suite_files(parser: argparse.ArgumentParser) -> None:
    """Add a suite's files, by place or after `--suite`, and changes of their values."""
    told = "suite files, later ones win, key by key; or the suite.json of a run"
    for name in ("suite", "--suite"):
        parser.add_argument(
            name, action="extend", nargs="*", default=[], type=Path, metavar="FILE", help=told
        )
        told = "the same"
    parser.add_argument(
        "--config",
        action="extend",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="changes, values in YAML or JSON; nested ones are laid over the file's",
    )


def resolved(options: argparse.Namespace) -> "Suite":
    """Return the suite that the arguments of `suite_files` name.

    Raises:
        UserError: they name none, or it cannot be run as it is.
    """
    from weckd.config import load_suite
    from weckd.suite_file import parse_changes, resolve_suite

    made = [
        file
        for file in options.suite
        if file.suffix == ".json" and file.is_file() and b'"plan_hash"' in file.read_bytes()
    ]
    if not options.suite or (made and (len(options.suite) > 1 or options.config)):
        raise UserError(
            "suite: name suite files, as config/demo.yaml; or the suite.json of a run, without changes"
        )
    return load_suite(made[0]) if made else resolve_suite(options.suite, parse_changes(options.config))
