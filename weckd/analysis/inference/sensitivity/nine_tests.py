"""The sensitivity table of a primary claim: nine tests of the same difference in accuracy."""

import math
from collections.abc import Mapping, Sequence

from weckd.analysis.inference.estimate import Estimate, mean_t, t_estimate
from weckd.analysis.inference.leave_one_out import estimate_range, leave_one_out
from weckd.analysis.inference.new_data_set import NewDataSet, new_data_set
from weckd.analysis.inference.reader_study import Study, mean_study, p_value, two_way
from weckd.analysis.inference.sensitivity import crossed_bootstrap as bootstrap
from weckd.analysis.inference.sensitivity import label_permutation as permutation
from weckd.analysis.inference.sensitivity.cluster_ols import cluster_ols
from weckd.analysis.inference.sensitivity.mcnemar import significant_seeds
from weckd.analysis.inference.sensitivity.paired import Paired
from weckd.analysis.inference.sensitivity.row import (
    IMAGES,
    NEW,
    NOT_KNOWN,
    ONE,
    PROCEDURE,
    SEEDS,
    Hypothesis,
    Row,
    interval_row,
    p_row,
)
from weckd.analysis.metrics.means import mean_score

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
    if not any(paired.difference.any() for paired in pairs.values()):
        return tuple(
            Row(name, question, 0.0, NOT_KNOWN, NOT_KNOWN, NOT_KNOWN, None, "identical")
            for name, question in QUESTIONS.items()
        )
    hypothesis = Hypothesis(alpha, null)
    studies = {key: two_way(mean_score(paired.difference, paired.groups)) for key, paired in pairs.items()}
    mean = mean_study(list(studies.values()))
    level = hypothesis.level
    return (
        _t_row(MRMC, t_estimate(mean.estimate, mean.se, mean.df, level, null), pairs, hypothesis),
        _t_row(OLS, cluster_ols(list(pairs.values()), level, null), pairs, hypothesis),
        _crossed_bootstrap(pairs, mean.estimate, hypothesis),
        _t_row(PAIRED_T, mean_t(mean.per_seed, level, null), pairs, hypothesis),
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


def _t_row(name: str, estimate: Estimate, pairs: Mapping[str, Paired], hypothesis: Hypothesis) -> Row:
    note = _why_no_p(pairs) if math.isnan(estimate.p) else _t_note(estimate)
    return interval_row(name, QUESTIONS[name], estimate, hypothesis, note)


def _crossed_bootstrap(pairs: Mapping[str, Paired], value: float, hypothesis: Hypothesis) -> Row:
    draws = bootstrap.crossed_bootstrap(pairs)
    low, high, p = bootstrap.percentile(draws, hypothesis.level, hypothesis.null)
    drawn = f"{len(draws)} draws of seeds and groups, percentile interval"
    note = _why_no_p(pairs) if math.isnan(p) else drawn
    return Row(BOOTSTRAP, QUESTIONS[BOOTSTRAP], value, low, high, p, hypothesis.side(value, p), note)


def _no_difference(pairs: Mapping[str, Paired], value: float, hypothesis: Hypothesis) -> tuple[Row, Row]:
    """Return the rows of the two tests of no difference."""
    p = NOT_KNOWN
    notes = [f"can only test for no difference, not for {_points(hypothesis.null)} points"] * 2
    if hypothesis.null == 0:
        p = permutation.label_permutation(pairs)
        notes = [
            f"{permutation.DRAWS} draws; {permutation.EXCHANGED}",
            significant_seeds(pairs, hypothesis.alpha),
        ]
    return (
        p_row(PERMUTATION, QUESTIONS[PERMUTATION], value, p, hypothesis, notes[0]),
        p_row(MCNEMAR, QUESTIONS[MCNEMAR], value, NOT_KNOWN, hypothesis, notes[1]),
    )


def _new_data_set(found: NewDataSet, hypothesis: Hypothesis) -> tuple[Row, Row]:
    means, effects = found.over_means, found.random_effects
    notes = [
        _t_note(means),
        f"{_t_note(effects)}, Paule-Mandel tau {_points(math.sqrt(found.tau2))} points",
    ]
    if math.isnan(means.p):
        notes[0] = "one data set" if found.n_datasets == 1 else "no variation between data sets"
    if math.isnan(effects.p):
        notes[1] = "one data set" if found.n_datasets == 1 else "a data set without a standard error"
    return (
        interval_row(MEANS_T, QUESTIONS[MEANS_T], means, hypothesis, notes[0]),
        interval_row(HKSJ, QUESTIONS[HKSJ], effects, hypothesis, notes[1]),
    )


def _leave_one_out(studies: Mapping[str, Study], mean: Study, hypothesis: Hypothesis) -> Row:
    """Return the largest two-way p of the means without one data set, and what becomes of the verdict.

    A mean on the other side of the null than that over all data sets counts as p = 1.
    """
    left_out = leave_one_out(studies)
    if not left_out:
        return p_row(LEAVE_ONE_OUT, ONE, mean.estimate, NOT_KNOWN, hypothesis, "one data set")
    null = hypothesis.null
    p_values = {key: p_value(study, null) for key, study in left_out.items()}
    sides = {key: hypothesis.side(study.estimate, p_values[key]) for key, study in left_out.items()}
    verdict = hypothesis.side(mean.estimate, p_value(mean, null))
    changed = [key for key, side in sides.items() if side != verdict]
    verdict_then = f"changes without {', '.join(changed)}" if changed else "stays"
    low, high = estimate_range(left_out)
    note = f"largest p; {_points(low)} to {_points(high)} points; the verdict {verdict_then}"
    p = NOT_KNOWN if any(map(math.isnan, p_values.values())) else max(p_values.values())
    opposite = not math.isnan(p) and (low - null) * (high - null) < 0
    return p_row(LEAVE_ONE_OUT, ONE, mean.estimate, 1.0 if opposite else p, hypothesis, note)


def _why_no_p(pairs: Mapping[str, Paired]) -> str:
    if any(paired.n_seeds == 1 for paired in pairs.values()):
        return "one seed"
    if not all(paired.crossed for paired in pairs.values()):
        return "one group"
    return "no variation"


def _t_note(estimate: Estimate) -> str:
    return f"t with {estimate.df:.3g} df"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.1f}"
