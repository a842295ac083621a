"""One row of the sensitivity table."""

import math
from dataclasses import dataclass

from weckd.analysis.inference.estimate import Estimate

SEEDS = "Q1: would other seeds agree on these images?"
IMAGES = "Q2: would other images agree for these models?"
PROCEDURE = "Q3: is the procedure better?"
NEW = "Would a new data set agree?"
ONE = "Does one data set decide?"

NOT_KNOWN = float("nan")


@dataclass(frozen=True)
class Hypothesis:
    """What all rows test: that the gain is `null` (a fraction), two-sided at level `alpha`."""

    alpha: float
    null: float

    @property
    def level(self) -> float:
        """Confidence level of the intervals."""
        return 1 - self.alpha

    def side(self, estimate: float, p: float) -> int | None:
        """Return 1 or -1: significantly above or below the null; 0: not significant; None: p is NaN."""
        if math.isnan(p):
            return None
        if p >= self.alpha:
            return 0
        return 1 if estimate > self.null else -1


@dataclass(frozen=True)
class Row:
    """What one test says of a claim. Fractions, not percentage points; NaN where the test has no such number."""

    name: str
    question: str
    estimate: float
    low: float  # two-sided interval at 1 - alpha
    high: float
    p: float
    side: int | None  # see Hypothesis.side
    note: str


def interval_row(name: str, question: str, estimate: Estimate, hypothesis: Hypothesis, note: str) -> Row:
    """Return the row of a test with an interval."""
    side = hypothesis.side(estimate.value, estimate.p)
    return Row(name, question, estimate.value, estimate.low, estimate.high, estimate.p, side, note)


def p_row(name: str, question: str, estimate: float, p: float, hypothesis: Hypothesis, note: str) -> Row:
    """Return the row of a test without an interval."""
    return Row(name, question, estimate, NOT_KNOWN, NOT_KNOWN, p, hypothesis.side(estimate, p), note)
