"""What one check found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_MARKS = {"ok": "ok  ", "note": "note", "bad": "BAD "}


@dataclass(frozen=True)
class Finding:
    """A check's outcome: fine, worth knowing, or in the way of a run."""

    level: Literal["ok", "note", "bad"]
    what: str  # that was looked at
    found: str
    remedy: str = ""


def findings_text(findings: Sequence[Finding]) -> str:
    """Return a line a finding, with its remedy below it."""
    width = max(len(finding.what) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.level]}  {finding.what:<{width}}  {finding.found}")
        if finding.remedy:
            lines.append(f"{'':<{width + 8}}-> {finding.remedy}")
    return "\n".join(lines)
