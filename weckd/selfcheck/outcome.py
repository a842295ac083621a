"""One self-check and how it came out."""

import math
from dataclasses import dataclass

PASSED = "passed"
FAILED = "FAILED"
NOT_RUN = "not run"


@dataclass(frozen=True)
class Outcome:
    """A self-check: a value, the range that is allowed for it (ends included), and what came of it.

    Values are fractions: rates, coverages, or a balanced accuracy minus chance.
    """

    check: str
    shows: str  # what passing means
    value: float  # NaN where the check was not run
    low: float  # NaN where the check was not run
    high: float
    outcome: str  # PASSED, FAILED or NOT_RUN
    source: str  # "simulation", or the run whose predictions were read
    note: str = ""  # sizes; why the check was not run


def judged(
    check: str, shows: str, value: float, allowed: tuple[float, float], source: str, note: str
) -> Outcome:
    """Return a check that was run; it passes where the value lies in the allowed range."""
    low, high = allowed
    outcome = PASSED if low <= value <= high else FAILED
    return Outcome(check, shows, value, low, high, outcome, source, note)


def not_run(check: str, shows: str, source: str, why: str) -> Outcome:
    """Return a check that was not run, and why."""
    return Outcome(check, shows, math.nan, math.nan, math.nan, NOT_RUN, source, why)
