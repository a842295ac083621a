"""Suite files as several commands take them; apart, so that no job that takes none depends on how they are read."""

import argparse
from functools import partial

from weckd.cli.arguments import option, path
from weckd.config import Suite, load_suite
from weckd.errors import UserError

_TOLD = "suite files, later ones win, key by key; or the suite.json of a run"
_FILES = partial(path, action="extend", nargs="*", default=[], metavar="FILE")
_CHANGES = "changes, values in YAML or JSON; nested ones are laid over the file's"
SUITE_FILES = (
    _FILES("suite", help=_TOLD),
    _FILES("--suite", help="the same"),
    option("--config", action="extend", nargs="+", default=[], metavar="KEY=VALUE", help=_CHANGES),
)
"""A suite's files, by place or after `--suite`, and changes of their values."""


def resolved(options: argparse.Namespace) -> Suite:
    """Return the suite that `SUITE_FILES` name.

    Raises:
        UserError: they name none, or it cannot be run as it is.
    """
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
