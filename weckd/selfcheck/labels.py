"""The analysis' own check on `permuted`: trained on shuffled labels, it must know no more than chance."""

from weckd.analysis.checks import PERMUTED, evaluate_checks
from weckd.analysis.predictions import SuitePredictions
from weckd.config import Suite
from weckd.errors import counted
from weckd.places import independent
from weckd.selfcheck.outcome import FAILED, PASSED, Outcome, not_run

LABELS = f"{PERMUTED} at chance"
LABELS_SHOW = (
    "no label leaks into training: balanced accuracy minus 1/C lies within its 99 % interval's half-width"
)


def label_check(suite: Suite, predictions: SuitePredictions) -> Outcome:
    """Return the check that stands in the run's table of checks; the range is the half-width of its interval."""
    check = evaluate_checks(suite, predictions)[0]  # the label check is always the first
    if check.passed not in ("yes", "no"):
        why = check.passed if PERMUTED in suite.methods else f"the suite has no method {PERMUTED}"
        return not_run(LABELS, LABELS_SHOW, suite.run, why)
    outcome = PASSED if check.passed == "yes" else FAILED
    count = len(independent(suite))
    note = f"{counted(count, 'data set')}, {counted(len(suite.seeds), 'seed')}"
    half = check.half_width
    return Outcome(LABELS, LABELS_SHOW, check.value, -half, half, outcome, suite.run, note)
