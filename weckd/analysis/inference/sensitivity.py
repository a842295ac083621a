"""The sensitivity table of a primary claim: ten tests of one difference in accuracy, which may disagree."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from weckd.analysis.inference import paired_tests
from weckd.analysis.inference.data_sets import estimate_range, leave_one_out, new_data_set
from weckd.analysis.inference.paired_tests import Paired
from weckd.analysis.inference.reader_study import (
    Estimate,
    Study,
    mean_study,
    mean_t,
    p_value,
    t_estimate,
    two_way,
    unpaired_mean_study,
)
from weckd.analysis.metrics.scores import share_right, weighted_sum

SEEDS = "Q1: would other seeds agree on these images?"
IMAGES = "Q2: would other images agree for these models?"
PROCEDURE = "Q3: is the procedure better?"
NEW = "Would a new data set agree?"
ONE = "Does one data set decide?"

MRMC = "two-way random effects (MRMC)"
UNPAIRED = "MRMC, seeds independent between data sets"
OLS = "two-way cluster-robust OLS"
BOOTSTRAP = "crossed bootstrap"
PAIRED_T = "paired t over seeds (this test set)"
PERMUTATION = "label permutation"
MCNEMAR = "McNemar mid-p, seed by seed"
MEANS_T = "t over data-set means"
HKSJ = "random effects, modified HKSJ"
LEAVE_ONE_OUT = "leave one data set out"

QUESTIONS = {
    MRMC: PROCEDURE,
    UNPAIRED: PROCEDURE,
    OLS: PROCEDURE,
    BOOTSTRAP: PROCEDURE,
    PAIRED_T: SEEDS,
    PERMUTATION: IMAGES,
    MCNEMAR: IMAGES,
    MEANS_T: NEW,
    HKSJ: NEW,
    LEAVE_ONE_OUT: ONE,
}
"""The ten tests in the order of the table, and what each of them asks."""

NOT_KNOWN = float("nan")
NOTHING = (NOT_KNOWN, NOT_KNOWN)  # the interval of a test that has none
ONE_DATA_SET = "one data set"

_Numbers: TypeAlias = tuple[float, float, float, float, str]
"""Estimate, both ends of its interval, p, and note."""


def side(estimate: float, p: float, alpha: float, null: float) -> int | None:
    """Return 1 or -1: significantly above or below the null; 0: not significant; None: p is NaN."""
    if math.isnan(p):
        return None
    if p >= alpha:
        return 0
    return 1 if estimate > null else -1


@dataclass(frozen=True)
class Row:
    """What one test says of a claim. Fractions, not percentage points; NaN where the test has no such number."""

    name: str
    question: str
    estimate: float
    low: float  # two-sided interval at 1 - alpha
    high: float
    p: float
    side: int | None  # see `side`
    note: str


def sensitivity_tests(pairs: Mapping[str, Paired], alpha: float, null: float = 0.0) -> tuple[Row, ...]:
    """Test the unweighted mean over data sets of the gain in accuracy of A over B in ten ways.

    Args:
        pairs: By data set: the independent ones (at least one), all with the same number of seeds.
        alpha: Two-sided level; intervals are at 1 - alpha.
        null: Fraction; the gain that the p is for. Label permutation and McNemar's test can only ask for no
            difference: they have no p where this is not 0.

    Returns:
        One row a test, in the order of `QUESTIONS`. Where all answers are identical, no row has a p.
    """
    found = dict.fromkeys(QUESTIONS, (0.0, *NOTHING, NOT_KNOWN, "identical"))
    if any(paired.difference.any() for paired in pairs.values()):
        found = _numbers(pairs, alpha, null)
    return tuple(
        Row(name, QUESTIONS[name], value, low, high, p, side(value, p, alpha, null), note)
        for name, (value, low, high, p, note) in found.items()
    )


def robust(rows: Sequence[Row]) -> bool:
    """Say whether the four tests of the procedure agree: all significant on the same side, or none significant.

    Where one of them has no p, they do not agree.
    """
    sides = {row.side for row in rows if row.question == PROCEDURE}
    return len(sides) == 1 and None not in sides


def _numbers(pairs: Mapping[str, Paired], alpha: float, null: float) -> dict[str, _Numbers]:
    level = 1 - alpha
    studies = {key: _study(paired) for key, paired in pairs.items()}
    mean, new = mean_study(list(studies.values())), new_data_set(list(studies.values()), level, null)
    mrmc, unpaired = (
        t_estimate(study.estimate, study.se, study.df, level, null)
        for study in (mean, unpaired_mean_study(list(studies.values())))
    )
    low, high, p = paired_tests.percentile(paired_tests.crossed_bootstrap(pairs), level, null)
    drawn, why_no_p = f"{paired_tests.DRAWS} draws of seeds and groups, percentile interval", _why_no_p(pairs)
    swapped = by_seed = f"can only test for no difference, not for {_points(null)} points"
    p_swapped = NOT_KNOWN
    if null == 0:
        p_swapped = paired_tests.label_permutation(pairs)
        swapped = f"{paired_tests.DRAWS} draws; {paired_tests.EXCHANGED}"
        by_seed = paired_tests.significant_seeds(pairs, alpha)
    one = ONE_DATA_SET if len(studies) == 1 else ""
    tau = f", Paule-Mandel tau {_points(math.sqrt(new.tau2))} points"
    return {
        MRMC: _by_t(mrmc, why_no_p),
        UNPAIRED: _by_t(unpaired, why_no_p),
        OLS: _by_t(paired_tests.cluster_ols(list(pairs.values()), level, null), why_no_p),
        BOOTSTRAP: (mean.estimate, low, high, p, why_no_p if math.isnan(p) else drawn),
        PAIRED_T: _by_t(mean_t(mean.per_seed, level, null), why_no_p),
        PERMUTATION: (mean.estimate, *NOTHING, p_swapped, swapped),
        MCNEMAR: (mean.estimate, *NOTHING, NOT_KNOWN, by_seed),
        MEANS_T: _by_t(new.over_means, one or "no variation between data sets"),
        HKSJ: _by_t(new.random_effects, one or "a data set without a standard error", tau),
        LEAVE_ONE_OUT: (mean.estimate, *NOTHING, *_leave_one_out(studies, mean, alpha, null)),
    }


def _study(paired: Paired) -> Study:
    one, other = (share_right(answers, paired.groups) for answers in (paired.a, paired.b))
    return two_way(weighted_sum([(1.0, one), (-1.0, other)]))


def _by_t(found: Estimate, why_no_p: str, more: str = "") -> _Numbers:
    note = why_no_p if math.isnan(found.p) else f"t with {found.df:.3g} df{more}"
    return found.value, found.low, found.high, found.p, note


def _leave_one_out(studies: Mapping[str, Study], mean: Study, alpha: float, null: float) -> tuple[float, str]:
    """Return the largest two-way p of the means without one data set, and what becomes of the verdict.

    A mean on the other side of the null than that over all data sets counts as p = 1.
    """
    left_out = leave_one_out(studies)
    if not left_out:
        return NOT_KNOWN, ONE_DATA_SET
    p_values = {key: p_value(study, null) for key, study in left_out.items()}
    verdict = side(mean.estimate, p_value(mean, null), alpha, null)
    verdicts = {key: side(study.estimate, p_values[key], alpha, null) for key, study in left_out.items()}
    changed = [key for key, its_own in verdicts.items() if its_own != verdict]
    verdict_then = f"changes without {', '.join(changed)}" if changed else "stays"
    low, high = estimate_range(left_out)
    note = f"largest p; {_points(low)} to {_points(high)} points; the verdict {verdict_then}"
    p = NOT_KNOWN if any(map(math.isnan, p_values.values())) else max(p_values.values())
    opposite = not math.isnan(p) and (low - null) * (high - null) < 0
    return (1.0 if opposite else p), note


def _why_no_p(pairs: Mapping[str, Paired]) -> str:
    if any(paired.n_seeds == 1 for paired in pairs.values()):
        return "one seed"
    return "no variation" if all(paired.crossed for paired in pairs.values()) else "one group"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.1f}"
