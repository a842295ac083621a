"""Checks of the suite's own statistics that anyone can run: `weckd selfcheck`."""

import sys
from collections.abc import Iterator

from weckd.analysis.predictions import SuitePredictions
from weckd.config import Suite
from weckd.selfcheck.of_run import (
    LABELS,
    LABELS_SHOW,
    SAME_METHOD,
    SAME_METHOD_SHOWS,
    label_check,
    same_method_checks,
)
from weckd.selfcheck.outcome import Outcome, not_run
from weckd.selfcheck.simulation import simulation_checks

HOW_TO_RUN = (
    "no --run; make one with enough seeds: snakemake --cores all --configfile config/selfcheck.yaml, "
    "then weckd selfcheck --run results/selfcheck"
)


def self_checks(
    suite: Suite | None, predictions: SuitePredictions | None, repetitions: int
) -> Iterator[Outcome]:
    """Yield each check as it finishes, with a line to standard error before each long part.

    Args:
        suite: of a finished run, None where there is none.
        predictions: of that run.
        repetitions: simulated experiments a check; with fewer than 2,000 the allowed ranges are wider.
    """
    _tell(f"simulating {repetitions:,} experiments a check")
    yield from simulation_checks(repetitions)
    if suite is None or predictions is None:
        yield not_run(SAME_METHOD, SAME_METHOD_SHOWS, "", HOW_TO_RUN)
        yield not_run(LABELS, LABELS_SHOW, "", HOW_TO_RUN)
        return
    _tell(f"setting the methods of {suite.run} against themselves")
    yield from same_method_checks(suite, predictions)
    yield label_check(suite, predictions)


def _tell(text: str) -> None:
    print(f"[selfcheck] {text}", file=sys.stderr, flush=True)
