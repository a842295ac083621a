"""Which revision of the code is running, and whether it was edited since."""

import os
import subprocess
from pathlib import Path

FROM_IMAGE = "WECKD_REVISION"
"""Set in the container, which has no .git: what `git describe` said when it was built."""


def code_revision(root: Path) -> str:
    """Return the commit of the checkout at `root`, ending in -dirty where files were edited; "unknown" without git."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return os.environ.get(FROM_IMAGE, "unknown")
    found = said.stdout.strip()
    return found if said.returncode == 0 and found else os.environ.get(FROM_IMAGE, "unknown")
