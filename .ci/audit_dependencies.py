"""Look up the known vulnerabilities of every package that lock files pin; exit with 1 where one has any.

    python .ci/audit_dependencies.py requirements.lock requirements-uv.lock

pip-audit does the looking up, in the service that its own variables name (PIP_AUDIT_VULNERABILITY_SERVICE,
PIP_AUDIT_OSV_URL; by default the package index). Two of its faults are corrected here. It leaves out pins whose markers
do not hold on this machine, though others install them: it is given the pins without their markers, and a second
version of a package in a second call. And it says "no known vulnerabilities", with exit status 0, of packages that the
service did not know: here each pin has an answer of its own, or the audit has failed.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

_OPTIONS = ["--no-deps", "--disable-pip", "--format", "json", "--output", "-", "--progress-spinner", "off"]
_SHOWN = 5  # names in a message; a mirror without advisories knows none of hundreds


@dataclass(frozen=True, order=True)
class Pin:
    """One version of a package."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


Answers = dict[Pin, list[dict[str, Any]]]
"""What the service knows of a pin: vulnerabilities with "id", "aliases" and "fix_versions"."""


def main(locks: list[str]) -> None:
    """Print what is known of the locks' pins, and end with status 1 unless it is that nothing is."""
    pins = sorted({pin for lock in locks for pin in pinned(Path(lock))})
    if not pins:
        sys.exit("No lock file, or none that pins anything: nothing was looked up.")
    answers: Answers = {}
    for single in rounds(pins):
        answers |= looked_up(single)
    vulnerable = [pin for pin in pins if answers.get(pin)]
    for pin in vulnerable:
        for known in answers[pin]:
            print(f"{pin}: {told(known)}")
    unknown = [pin for pin in pins if pin not in answers]
    if unknown:
        names = ", ".join(map(str, unknown[:_SHOWN])) + (", ..." if len(unknown) > _SHOWN else "")
        print(f"The service knows nothing of {len(unknown)} of {len(pins)} packages: {names}.", flush=True)
        sys.exit("They were not audited: that says nothing of their vulnerabilities.")
    print(f"{len(pins)} packages were looked up; {len(vulnerable)} of them have known vulnerabilities.")
    sys.exit(bool(vulnerable))


def pinned(lock: Path) -> Iterator[Pin]:
    """Yield the pins of a lock file, whatever their markers say of this machine."""
    for line in lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        text = line.partition("#")[0].partition(" --hash")[0].strip()
        if not text:
            continue
        try:
            requirement = Requirement(text)
            [pin] = requirement.specifier
        except (InvalidRequirement, ValueError):
            sys.exit(f"{lock}: {text!r} pins no version: nothing was looked up.")
        if pin.operator != "==" or requirement.url:
            sys.exit(f"{lock}: {text!r} pins no version: nothing was looked up.")
        yield Pin(canonicalize_name(requirement.name), pin.version)


def rounds(pins: Iterable[Pin]) -> list[list[Pin]]:
    """Return the pins in lists that hold each package once: pip-audit refuses two versions of one."""
    found: list[dict[str, Pin]] = []
    for pin in pins:
        for names in found:
            if pin.name not in names:
                names[pin.name] = pin
                break
        else:
            found.append({pin.name: pin})
    return [list(names.values()) for names in found]


def looked_up(pins: list[Pin]) -> Answers:
    """Return what the service knows of pins; those that it does not know are left out."""
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text("".join(f"{pin.name}=={pin.version}\n" for pin in pins), encoding="utf-8")
        # A cache of its own: an answer of last month is none.
        places = ("--requirement", str(requirements), "--cache-dir", f"{folder}/cache")
        command = [sys.executable, "-m", "pip_audit", *_OPTIONS, *places]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        sys.exit(f"The service of advisories cannot be asked ({reason(done.stderr)}): nothing was audited.")
    return {
        Pin(canonicalize_name(package["name"]), package["version"]): package["vulns"]
        for package in packages
        if "skip_reason" not in package
    }


def reason(errors: str) -> str:
    """Return the line of pip-audit's errors that says most: what the connection met, or else the last one."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()] or ["pip-audit printed nothing"]
    return next((line for line in reversed(lines) if line.startswith("requests.exceptions.")), lines[-1])


def told(known: dict[str, Any]) -> str:
    """Return a vulnerability in one line."""
    names = ", ".join([known["id"], *sorted(known["aliases"])])
    return f"{names}; {'mended in ' + ', '.join(known['fix_versions']) if known['fix_versions'] else 'not mended yet'}"


if __name__ == "__main__":
    main(sys.argv[1:])
