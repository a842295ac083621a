"""Checks of the suite's own statistics that anyone can run: `weckd selfcheck`."""

import sys
from collections.abc import Iterator

from weckd.analysis.predictions import SuitePredictions
from weckd.config import Suite
from weckd.selfcheck import of_run
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

    Suite and predictions are those of a finished run, None where there is none. With fewer than 2,000 repetitions
    (simulated experiments a check) the allowed ranges are wider.
    """
    _tell(f"simulating {repetitions:,} experiments a check")
    yield from simulation_checks(repetitions)
    if suite is None or predictions is None:
        yield not_run(of_run.SAME_METHOD, of_run.SAME_METHOD_SHOWS, "", HOW_TO_RUN)
        yield not_run(of_run.LABELS, of_run.LABELS_SHOW, "", HOW_TO_RUN)
        return
    _tell(f"setting the methods of {suite.run} against themselves")
    yield from of_run.same_method_checks(suite, predictions)
    yield of_run.label_check(suite, predictions)


def _tell(text: str) -> None:
    print(f"[selfcheck] {text}", file=sys.stderr, flush=True)
