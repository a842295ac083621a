"""The sensitivity table of a primary claim: nine tests of one difference in accuracy, which may disagree."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weckd.analysis.inference import paired_tests
from weckd.analysis.inference.data_sets import NewDataSet, estimate_range, leave_one_out, new_data_set
from weckd.analysis.inference.paired_tests import Paired
from weckd.analysis.inference.reader_study import (
    Estimate,
    Study,
    mean_study,
    mean_t,
    p_value,
    t_estimate,
    two_way,
)
from weckd.analysis.metrics.scores import mean_score

SEEDS = "Q1: would other seeds agree on these images?"
IMAGES = "Q2: would other images agree for these models?"
PROCEDURE = "Q3: is the procedure better?"
NEW = "Would a new data set agree?"
ONE = "Does one data set decide?"

MRMC = "two-way random effects (MRMC)"
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
    OLS: PROCEDURE,
    BOOTSTRAP: PROCEDURE,
    PAIRED_T: SEEDS,
    PERMUTATION: IMAGES,
    MCNEMAR: IMAGES,
    MEANS_T: NEW,
    HKSJ: NEW,
    LEAVE_ONE_OUT: ONE,
}
"""The nine tests in the order of the table, and what each of them asks."""

NOT_KNOWN = float("nan")
ONE_DATA_SET = "one data set"


@dataclass(frozen=True)
class Hypothesis:
    """What all rows test: that the gain is `null` (a fraction), two-sided at level `alpha`."""

    alpha: float
    null: float

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


def nine_tests(pairs: Mapping[str, Paired], alpha: float, null: float = 0.0) -> tuple[Row, ...]:
    """Test the unweighted mean over data sets of the gain in accuracy of A over B in nine ways.

    Args:
        pairs: By data set: the independent ones (at least one), all with the same number of seeds.
        alpha: Two-sided level; intervals are at 1 - alpha.
        null: Fraction; the gain that the p is for. Label permutation and McNemar's test can only ask for no
            difference: they have no p where this is not 0.

    Returns:
        One row a test, in the order of `QUESTIONS`. Where all answers are identical, no row has a p.
    """
    hypothesis = Hypothesis(alpha, null)
    if not any(paired.difference.any() for paired in pairs.values()):
        return tuple(_row(name, hypothesis, 0.0, "identical") for name in QUESTIONS)
    level = 1 - alpha
    studies = {key: two_way(mean_score(paired.difference, paired.groups)) for key, paired in pairs.items()}
    mean = mean_study(list(studies.values()))
    mrmc = t_estimate(mean.estimate, mean.se, mean.df, level, null)
    ols = paired_tests.cluster_ols(list(pairs.values()), level, null)
    low, high, p = paired_tests.percentile(paired_tests.crossed_bootstrap(pairs), level, null)
    drawn, why_no_p = f"{paired_tests.DRAWS} draws of seeds and groups, percentile interval", _why_no_p(pairs)
    note = why_no_p if math.isnan(p) else drawn
    return (
        _t_row(MRMC, hypothesis, mrmc, why_no_p),
        _t_row(OLS, hypothesis, ols, why_no_p),
        _row(BOOTSTRAP, hypothesis, mean.estimate, note, p, low, high),
        _t_row(PAIRED_T, hypothesis, mean_t(mean.per_seed, level, null), why_no_p),
        *_no_difference(pairs, mean.estimate, hypothesis),
        *_new_data_set(new_data_set(list(studies.values()), level, null), hypothesis),
        _leave_one_out(studies, mean, hypothesis),
    )


def robust(rows: Sequence[Row]) -> bool:
    """Say whether the three tests of the procedure agree: all significant on the same side, or none significant.

    Where one of them has no p, they do not agree.
    """
    sides = {row.side for row in rows if row.question == PROCEDURE}
    return len(sides) == 1 and None not in sides


def _row(
    name: str,
    hypothesis: Hypothesis,
    value: float,
    note: str,
    p: float = NOT_KNOWN,
    low: float = NOT_KNOWN,
    high: float = NOT_KNOWN,
) -> Row:
    return Row(name, QUESTIONS[name], value, low, high, p, hypothesis.side(value, p), note)


def _t_row(name: str, hypothesis: Hypothesis, found: Estimate, why_no_p: str, more: str = "") -> Row:
    note = why_no_p if math.isnan(found.p) else f"t with {found.df:.3g} df{more}"
    return _row(name, hypothesis, found.value, note, found.p, found.low, found.high)


def _no_difference(pairs: Mapping[str, Paired], value: float, hypothesis: Hypothesis) -> tuple[Row, Row]:
    """Return the rows of the two tests of no difference."""
    if hypothesis.null != 0:
        why_not = f"can only test for no difference, not for {_points(hypothesis.null)} points"
        return _row(PERMUTATION, hypothesis, value, why_not), _row(MCNEMAR, hypothesis, value, why_not)
    swapped = f"{paired_tests.DRAWS} draws; {paired_tests.EXCHANGED}"
    return (
        _row(PERMUTATION, hypothesis, value, swapped, paired_tests.label_permutation(pairs)),
        _row(MCNEMAR, hypothesis, value, paired_tests.significant_seeds(pairs, hypothesis.alpha)),
    )


def _new_data_set(found: NewDataSet, hypothesis: Hypothesis) -> tuple[Row, Row]:
    one = found.n_datasets == 1
    no_spread, no_se = "no variation between data sets", "a data set without a standard error"
    tau = f", Paule-Mandel tau {_points(math.sqrt(found.tau2))} points"
    return (
        _t_row(MEANS_T, hypothesis, found.over_means, ONE_DATA_SET if one else no_spread),
        _t_row(HKSJ, hypothesis, found.random_effects, ONE_DATA_SET if one else no_se, tau),
    )


def _leave_one_out(studies: Mapping[str, Study], mean: Study, hypothesis: Hypothesis) -> Row:
    """Return the largest two-way p of the means without one data set, and what becomes of the verdict.

    A mean on the other side of the null than that over all data sets counts as p = 1.
    """
    left_out, null = leave_one_out(studies), hypothesis.null
    if not left_out:
        return _row(LEAVE_ONE_OUT, hypothesis, mean.estimate, ONE_DATA_SET)
    p_values = {key: p_value(study, null) for key, study in left_out.items()}
    verdict = hypothesis.side(mean.estimate, p_value(mean, null))
    changed = [
        key for key, study in left_out.items() if hypothesis.side(study.estimate, p_values[key]) != verdict
    ]
    verdict_then = f"changes without {', '.join(changed)}" if changed else "stays"
    low, high = estimate_range(left_out)
    note = f"largest p; {_points(low)} to {_points(high)} points; the verdict {verdict_then}"
    p = NOT_KNOWN if any(map(math.isnan, p_values.values())) else max(p_values.values())
    opposite = not math.isnan(p) and (low - null) * (high - null) < 0
    return _row(LEAVE_ONE_OUT, hypothesis, mean.estimate, note, 1.0 if opposite else p)


def _why_no_p(pairs: Mapping[str, Paired]) -> str:
    if any(paired.n_seeds == 1 for paired in pairs.values()):
        return "one seed"
    return "no variation" if all(paired.crossed for paired in pairs.values()) else "one group"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.1f}"
