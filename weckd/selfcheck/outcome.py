"""One self-check and how it came out; all of them as lines of a terminal, as a table."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from weckd.config import Suite
from weckd.tables.captions import has_phantom, joined, warning
from weckd.tables.render import Table, TableFile, write_table_file
from weckd.tables.terms import terms_of

PASSED = "passed"
FAILED = "FAILED"
NOT_RUN = "not run"
_WIDTH = 66  # of the longest name of a check


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


def heading() -> str:
    """Return the line above the checks."""
    return _line("check", "value", "allowed", "outcome")


def text(outcome: Outcome, before: Outcome | None) -> str:
    """Return a check as a line of the table, below what it shows where the check before shows something else."""
    note = f" ({outcome.note})" if outcome.note else ""
    line = _line(outcome.check, *_cells(outcome), outcome.outcome + note)
    return line if before and before.shows == outcome.shows else f"{outcome.shows}:\n{line}"


def failed(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the names of the checks that failed."""
    return [outcome.check for outcome in outcomes if outcome.outcome == FAILED]


def write_report(outcomes: Sequence[Outcome], suite: Suite | None, folder: Path) -> None:
    """Write selfcheck.csv (all digits), .md, .tex and .json; `suite` is that of the run, None where there is none.

    The frame has a row a check; phantom and plan_hash are empty where no run was read.
    """
    told = joined(
        "Simulated experiments whose truth is known, or checks of a run's predictions, in fractions. A check "
        "that was not run is no failure, and says why.",
        "" if suite is None else f"Predictions of {suite.run}. Plan {suite.plan_hash}.",
    )
    rows = [
        [outcome.check, outcome.shows, *_cells(outcome), outcome.outcome, outcome.note, outcome.source]
        for outcome in outcomes
    ]
    columns = ["check", "what it shows", "value", "allowed", "outcome", "note", "source"]
    shown = pd.DataFrame(rows, columns=columns)
    table = Table(
        "Self-checks",
        told,
        "selfcheck",
        shown,
        "" if suite is None else warning(suite),
        terms=terms_of("selfcheck", columns),
        narrow=("check", "value", "allowed", "outcome"),
    )
    of_run = {} if suite is None else {suite.run: (has_phantom(suite), suite.plan_hash)}
    lines = []
    for outcome in outcomes:
        phantom, plan_hash = of_run.get(outcome.source, ("", ""))
        lines.append(
            {"source": outcome.source, "phantom": phantom, **asdict(outcome), "plan_hash": plan_hash}
        )
    write_table_file(folder, TableFile("selfcheck", pd.DataFrame(lines), [table]))


def _cells(outcome: Outcome) -> tuple[str, str]:
    if math.isnan(outcome.value):
        return "-", "-"
    return f"{outcome.value:.3f}", f"{outcome.low:.3f} to {outcome.high:.3f}"


def _line(check: str, value: str, allowed: str, outcome: str) -> str:
    return f"  {check:<{_WIDTH}} {value:>6}  {allowed:>15}  {outcome}"
