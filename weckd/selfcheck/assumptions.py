"""The primary test where assumptions fail: seeds that go together on several data sets, and near the ceiling.

With the rules that hold there (`mean_study`, `inference.ceiling`) and, to be found out, without them. More cells of
these simulations, with more repetitions: benchmarks/levels.md.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri, owens_t

from weckd.analysis.inference.reader_study import Study, half_width, two_way, unpaired_mean_study
from weckd.analysis.metrics.scores import Scored
from weckd.selfcheck.outcome import Outcome, judged
from weckd.selfcheck.simulation import (
    ALPHA,
    REJECTION,
    SEEDS,
    SOURCE,
    WEAK_LABELS,
    Setting,
    Test,
    allowed,
    caught,
    null_check,
    rejection_rate,
    studies,
    where,
)

TOGETHER = replace(WEAK_LABELS, name="seeds together", seed_by_method=0.1, together=0.6)
"""A gain varies by 4 points between seeds, and its seeds' effects have a correlation of .6 between data sets."""
MARGIN = 0.02
ACCURACIES = (0.95, 0.97, 0.99, 0.995)  # of the steady method, the reference
UNSTEADY, STEADY = 0.06, 0.003  # SD of accuracy over seeds
LEVEL = (0.0, 0.075)  # allowed there; far below is no fault, as nothing can be known
NON_INFERIOR = (0.0, 0.0375)  # allowed of a false non-inferior, nominal ALPHA / 2
BEYOND = "near the ceiling, one method unsteady: "
GAINS = BEYOND + "a gain or loss is found where there is none in at most 5 % of experiments"
FALSELY = BEYOND + "a loss of the whole margin is called non-inferior in at most 2.5 % of experiments"


def assumption_checks(repetitions: int) -> Iterator[Outcome]:
    """Yield the checks as they finish, each of so many simulated experiments."""
    yield null_check(TOGETHER, 5, repetitions, 3)
    yield null_check(TOGETHER, 10, repetitions, 6)
    unpaired = rejection_rate(studies(TOGETHER, 10, 0.0, repetitions, 6, mean=unpaired_mean_study))
    name = f"no gain, {where(TOGETHER, 10, 6)}: unpaired"
    shows = "a mean that takes a seed's effects as independent between data sets is found out"
    yield caught(name, shows, unpaired, REJECTION, repetitions)
    cells = [(accuracy, k) for accuracy in ACCURACIES for k in SEEDS]
    for accuracy, k in cells:
        rate = rejection_rate(studies(near_ceiling(accuracy), k, 0.0, repetitions))
        limits = allowed(LEVEL, ALPHA, repetitions)
        yield judged(_name(accuracy, k), GAINS, rate, limits, SOURCE, f"{repetitions:,} repetitions")
    for accuracy, k in cells:
        rate = non_inferior_rate(accuracy, k, repetitions)
        limits = allowed(NON_INFERIOR, ALPHA / 2, repetitions)
        yield judged(_name(accuracy, k), FALSELY, rate, limits, SOURCE, f"{repetitions:,} repetitions")
    rate = non_inferior_rate(0.99, SEEDS[0], repetitions, plain)
    name = f"{_name(0.99, SEEDS[0])}: plain t"
    yield caught(name, "a test that trusts seeds that agree is found out", rate, LEVEL, repetitions)


def near_ceiling(accuracy: float, gain: float = 0.0) -> Setting:
    """Return the world of an unsteady method and a steady reference of such an accuracy, and a true gain."""
    setting = replace(WEAK_LABELS, accuracy=accuracy + gain, seed=0.0)
    rest = setting.total(0.0) ** 2
    return replace(
        setting,
        name=f"near the ceiling {accuracy:g}",
        seed_by_method=luck_variance(accuracy + gain, UNSTEADY, rest),
        of_reference=luck_variance(accuracy, STEADY, rest),
    )


def luck_variance(accuracy: float, sd: float, rest: float) -> float:
    """Return the variance of a seed's luck with which accuracy has such a mean and SD over seeds.

    The accuracy of a seed is that over all images, and `rest` the sum of the other variances. Two answers of one seed
    have the correlation r = variance / (variance + rest), and are both right with probability
    Phi(h) - 2 T(h, sqrt((1 - r) / (1 + r))), h = Phi^-1(accuracy), T of Owen (1956): sd^2 + accuracy^2.
    """
    h = float(ndtri(accuracy))

    def excess(r: float) -> float:
        both = accuracy - 2 * float(owens_t(h, np.sqrt((1 - r) / (1 + r))))
        return both - accuracy**2 - sd**2

    r = float(brentq(excess, 0.0, 1.0 - 1e-9, xtol=1e-12))
    return rest * r / (1 - r)


def non_inferior_rate(accuracy: float, k: int, repetitions: int, test: Test = two_way) -> float:
    """Return in which share of experiments a true loss of the margin lies wholly below the interval."""
    found = studies(near_ceiling(accuracy, -MARGIN), k, -MARGIN, repetitions, test=test)
    return float(np.mean([study.estimate - half_width(study, 1 - ALPHA) > -MARGIN for study in found]))


def plain(scored: Scored) -> Study:
    """Return the primary test without what it assumes near the ceiling."""
    return two_way(replace(scored, levels=()))


def _name(accuracy: float, k: int) -> str:
    return f"accuracy {accuracy:g}, seeds' SD {100 * UNSTEADY:g} and {100 * STEADY:g} points, {k} seeds"
