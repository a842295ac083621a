"""The installed packages, against the lock."""

import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path

from weckd.doctor.finding import Finding

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)


def package_findings(lock: Path) -> list[Finding]:
    """Return the Python in use and whether the packages are those of the lock, where it is there."""
    python = Finding("ok", "Python", platform.python_version())
    if not lock.exists():
        return [python, Finding("note", "packages", f"no {lock.name} here to compare them with")]
    installed = {_plain(found.name): found.version for found in distributions()}
    return [python, compare(pinned(lock), installed)]


def pinned(lock: Path) -> dict[str, list[str]]:
    """Return the versions that a lock file names, several where they differ between versions of Python."""
    versions: dict[str, list[str]] = {}
    for found in _PIN.finditer(lock.read_text(encoding="utf-8")):
        versions.setdefault(_plain(found["name"]), []).append(found["version"])
    return versions


def compare(wanted: Mapping[str, Sequence[str]], installed: Mapping[str, str]) -> Finding:
    """Compare installed versions with a lock's; packages that are absent are for other systems or for development."""
    other = [
        f"{name} {installed[name]} (locked: {' or '.join(versions)})"
        for name, versions in wanted.items()
        if name in installed and installed[name] not in versions
    ]
    same = sum(installed.get(name) in versions for name, versions in wanted.items())
    if other:
        shown = ", ".join(other[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
        remedy = "results agree within intervals, not to the byte; `make setup` installs the locked ones"
        return Finding("note", "packages", f"not as locked: {shown}", remedy)
    return Finding("ok", "packages", f"{same} as locked")


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
