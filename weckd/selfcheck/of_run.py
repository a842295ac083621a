"""Checks on a finished run: methods against themselves, and `permuted`, trained on shuffled labels, against chance.

A/A: each method against itself under other seeds, where there is no gain to find.

The seeds of a run are parted at random into two halves a and b, and the suite's primary test is asked whether seeds a
are better than seeds b; this is done for many partitions. What it can find, on real predictions:

- a standard error that is too small for the spread between seeds (a test over images alone rejects far too often), or
  too large (sums over uneven groups, taken for means, never reject);
- in the mean over data sets, which are parted alike, seeds that are taken as independent between them though each has
  its luck on all of them at once.

What it cannot find is a wrong case part, whose true value is 0 between halves of one method: the simulations do.

The allowed ranges. The partitions of a run share its seeds and so depend on each other. But given the seeds, whatever
they scored, random halves are independent draws that favour neither side, and Student's t then rejects near its level,
less where few seeds lie far out (Efron 1969, "Student's t-test under symmetry conditions"). So the rate depends little
on the run's luck, where a single fixed partition would hang on it. In 60 simulated data sets with 40 seeds the rate
of one method was .02 to .07 (mean .043), near the ceiling (accuracy .99) .01 to .06; with 10 seeds .00 to .08: such
runs need several methods. The mean over data sets, whose seeds are paired, varies as one data set does: .00 to .09 with
10 seeds, .02 to .09 with 40. A low rate says nothing there that the rows of the data sets do not, so MEAN_REJECTION has
an upper end alone.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from weckd.analysis.contrasts import scored
from weckd.analysis.inference.reader_study import Study, mean_study, p_value, two_way
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.scores import Scored, weighted_sum
from weckd.analysis.predictions import SuitePredictions
from weckd.analysis.sheets.checks import PERMUTED
from weckd.analysis.sheets.checks import label_check as permuted_check
from weckd.config import Suite
from weckd.errors import counted
from weckd.places import MACRO, independent
from weckd.seeds import generator
from weckd.selfcheck.assumptions import assumption_checks
from weckd.selfcheck.outcome import FAILED, PASSED, Outcome, judged, not_run
from weckd.selfcheck.simulation import ALPHA, simulation_checks

PARTITIONS = 500
FEWEST_SEEDS = 10  # two halves of five, the fewest for inference
REJECTION = (0.01, 0.10)  # allowed on a data set
MEAN_REJECTION = (0.0, 0.10)  # allowed for the mean over data sets
SAME_METHOD = "same method, other seeds"
SAME_METHOD_SHOWS = (
    "a method against itself: the primary test finds a gain in 5 % of random halves of the seeds"
)
LABELS = f"{PERMUTED} at chance"
LABELS_SHOW = (
    "no label leaks into training: balanced accuracy minus 1/C lies within its 99 % interval's half-width"
)

HOW_TO_RUN = (
    "no --run; make one with enough seeds: snakemake --cores all --configfile config/selfcheck.yaml, "
    "then weckd selfcheck --run results/selfcheck"
)

Halves = tuple[NDArray[np.int64], NDArray[np.int64]]


def same_method_checks(suite: Suite, predictions: SuitePredictions) -> Iterator[Outcome]:
    """Yield a check for each data set, and one for the mean over the independent ones where there are several.

    A check counts the partitions of every method but the floors, at its last stage, on the primary metric.
    """
    k = len(suite.seeds)
    if k < FEWEST_SEEDS:
        why = f"{counted(k, 'seed')}, {FEWEST_SEEDS} are needed; config/selfcheck.yaml has enough"
        yield not_run(SAME_METHOD, SAME_METHOD_SHOWS, suite.run, why)
        return
    methods = [method for method in suite.methods if suite.roles[method] != "floor"]
    validation, keys = METRICS[suite.analysis.metrics[0]].needs_validation, independent(suite)
    missing = {
        key: [
            name
            for method in methods
            for name in data.missing(method, predictions.stages[method], validation)
        ]
        for key, data in predictions.datasets.items()
    }
    p_values = _p_values(suite, predictions, methods, [key for key in suite.datasets if not missing[key]])
    checked = {key: (key, REJECTION) for key in suite.datasets}
    if len(keys) > 1:
        missing[MACRO] = [name for key in keys for name in missing[key]]
        checked[MACRO] = (f"mean of {len(keys)} data sets", MEAN_REJECTION)
    note = f"{counted(len(methods), 'method')}, {PARTITIONS} partitions of {k} seeds in halves of {k // 2}"
    for place, (where, allowed) in checked.items():
        name = f"{SAME_METHOD}, {where}"
        known = [p for p in p_values[place] if not np.isnan(p)]  # halves with identical predictions have no p
        if missing[place] or not known:
            gone = f"missing: {'; '.join(dict.fromkeys(missing[place]))}"
            why = gone if missing[place] else "no seed differs from another"
            yield not_run(name, SAME_METHOD_SHOWS, suite.run, why)
            continue
        rate = float(np.mean([p < ALPHA for p in known]))
        yield judged(name, SAME_METHOD_SHOWS, rate, allowed, suite.run, note)


def partitions(k: int, count: int) -> list[Halves]:
    """Return random disjoint halves of seeds 0..k-1, floor(k / 2) each; a larger count adds to the same ones."""
    draw, half = generator("selfcheck", "same method", k), k // 2
    orders = [draw.permutation(k) for _ in range(count)]
    return [(order[:half], order[half : 2 * half]) for order in orders]


def against_itself(one: Scored, halves: Halves) -> Study:
    """Return the primary test of some seeds of a method against others of the same method, paired in order."""
    # Without levels: near the ceiling the test takes what it cannot see for possible, and would find nothing.
    a, b = (replace(one, values=one.values[half], cases=one.cases[half], levels=()) for half in halves)
    return two_way(weighted_sum([(1.0, a), (-1.0, b)]))


def _p_values(
    suite: Suite, predictions: SuitePredictions, methods: Sequence[str], whole: Sequence[str]
) -> Mapping[str, list[float]]:
    """Return p of every partition and method by data set, and of the mean where its data sets are all whole."""
    parted = partitions(len(suite.seeds), PARTITIONS)
    metric, keys = suite.analysis.metrics[0], independent(suite)
    found: dict[str, list[float]] = {key: [] for key in (*suite.datasets, MACRO)}
    for method in methods:
        studies: dict[str, list[Study]] = {}
        for key in whole:
            one = scored(predictions.datasets[key], method, predictions.stages[method], metric)
            studies[key] = [against_itself(one, halves) for halves in parted]
            found[key] += [p_value(study) for study in studies[key]]
        if set(keys) <= set(whole):
            sets = zip(*(studies[key] for key in keys), strict=True)
            found[MACRO] += [p_value(mean_study(each)) for each in sets]
    return found


def label_check(suite: Suite, predictions: SuitePredictions) -> Outcome:
    """Return the label check of the run's table of checks; the range is the half-width of its interval."""
    check = permuted_check(suite, predictions)
    if check.passed not in ("yes", "no"):
        why = check.passed if PERMUTED in suite.methods else f"the suite has no method {PERMUTED}"
        return not_run(LABELS, LABELS_SHOW, suite.run, why)
    outcome = PASSED if check.passed == "yes" else FAILED
    note = f"{counted(len(independent(suite)), 'data set')}, {counted(len(suite.seeds), 'seed')}"
    half = check.half_width
    return Outcome(LABELS, LABELS_SHOW, check.value, -half, half, outcome, suite.run, note)


def self_checks(
    suite: Suite | None, predictions: SuitePredictions | None, repetitions: int
) -> Iterator[Outcome]:
    """Yield each check as it finishes, with a line to standard error before each long part.

    Suite and predictions are those of a finished run, None where there is none. With fewer than 2,000 repetitions
    (simulated experiments a check) the allowed ranges are wider.
    """
    _tell(f"simulating {repetitions:,} experiments a check")
    yield from simulation_checks(repetitions)
    yield from assumption_checks(repetitions)
    if suite is None or predictions is None:
        yield not_run(SAME_METHOD, SAME_METHOD_SHOWS, "", HOW_TO_RUN)
        yield not_run(LABELS, LABELS_SHOW, "", HOW_TO_RUN)
        return
    _tell(f"setting the methods of {suite.run} against themselves")
    yield from same_method_checks(suite, predictions)
    yield label_check(suite, predictions)


def _tell(text: str) -> None:
    print(f"[selfcheck] {text}", file=sys.stderr, flush=True)
