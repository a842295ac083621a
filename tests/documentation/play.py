"""A documented command, run as the table says."""

import re
import subprocess

from entries import Run
from how_run import HOW

ENTRIES = {entry.command: entry for entry in HOW if isinstance(entry, Run)}


def play(checkout, command):
    """Run a command once in a checkout, after those that it builds on, and hold what its entry promises."""
    entry = ENTRIES[command]
    for earlier in entry.after:
        play(checkout, earlier)
    if command not in checkout.done:
        checkout.done[command] = bash(checkout, as_run(entry))
    done = checkout.done[command]
    assert done.returncode == entry.status, done.stdout[-5000:]
    for text in entry.prints:
        assert text in re.sub(" +", " ", done.stdout), f"not printed: {text}\n{done.stdout[-5000:]}"
    for pattern in entry.makes:
        assert any(checkout.folder.glob(pattern)), f"not made: {pattern}\n{done.stdout[-5000:]}"


def as_run(entry):
    """Return the text that the shell is given."""
    text = entry.command
    for old, new in entry.instead:
        text = text.replace(old, new)
    return f"{text} {entry.add}".strip()


def bash(checkout, text):
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=checkout.folder,
        env=checkout.variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
