"""Which revision of the code is running, and whether it was edited since."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

FROM_IMAGE = "WECKD_REVISION"
"""Set in the container, which has no .git: what `git describe` said when it was built."""

_REVISION = re.compile(r"[\w.+/-]+", re.ASCII)


def code_revision(root: Path) -> str:
    """Return the commit of the checkout at `root`, ending in -dirty where files were edited; "unknown" without git.

    Where git is there and refuses to tell, its reason is printed.
    """
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError:  # no git, or one that cannot be started
        return os.environ.get(FROM_IMAGE, "unknown")
    found = said.stdout.strip()
    if said.returncode == 0 and _REVISION.fullmatch(found):
        return found
    if (root / ".git").exists() and FROM_IMAGE not in os.environ:
        why = next(iter(said.stderr.splitlines()), "it says nothing")
        print(
            f"{root}: git does not tell the revision, it is recorded as unknown ({why}); where the folder is of "
            f"another owner: git config --global --add safe.directory {shlex.quote(str(root))}",
            file=sys.stderr,
        )
    return os.environ.get(FROM_IMAGE, "unknown")
