"""Copied errors: of the test images that a model gets wrong, which does the model after it get wrong in the same way?

A link is two models in a row, of stages l and l + 1. With k seeds, n test images, e = 1 where the first of them is
wrong, and c = 1 where both call the image the same wrong class, the share of copied errors is a ratio of sums over
seeds and images, in which a seed without errors counts for nothing:

    R = sum c / sum e

For the two-way test it is the mean of scores that are linear in c and e, of which a seed's mean is its pseudo-value in
the jackknife, less the mean of these: with E_s errors of seed s, E of all seeds, and R-s the ratio without seed s,

    x[s,i] = R + (c[s,i] - R e[s,i]) n (k - 1) / (E - E_s),    mean over i of x[s,i] - R = (k - 1) (R - R-s)

So a seed with many of the errors counts as what it is, one draw. Differences between methods, and means over links and
data sets, are contrasts as those of accuracy are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from weckd.analysis.comparisons import chain_method
from weckd.analysis.contrasts import Contrast, Result, Term, combined, with_means
from weckd.analysis.estimates import Estimate, estimate
from weckd.analysis.metrics.scores import Scored, mean_score
from weckd.analysis.predictions import DatasetPredictions
from weckd.analysis.results import Results

ENSEMBLE = "ensemble"
NEVER_MET = "never met"
"""In the place of a method: members of `ensemble`, of which each is trained on the labels of its stage alone."""
REFERENCES = (NEVER_MET, "sequential")
"""Neither has a teacher: models that never met, and models that start from the weights of the one before."""
ALIKE = ("control", "reading")
"""Roles of methods that are told beside the chain where they have as many stages."""
FEW = 5.0  # errors of a model a seed, below which intervals are too narrow
TIE = 1e-6
"""Differences of probabilities that rounding of the stored means (float32) could turn are below this."""


@dataclass(frozen=True)
class Link:
    """What two models in a row of a method have in common, or the mean of all its links."""

    method: str
    name: str
    stage: int  # of its first model; 0: the mean of links
    shares: Mapping[str, Estimate]  # of copied errors, percent, by data set and mean
    beside: Mapping[str, Estimate]  # the chain's share minus it, points; of the chain itself empty


def evaluate_links(run: Results) -> tuple[Link, ...]:
    """Return the links of the chain, then of the references, then of all others that have as many stages.

    Empty where the run has no chain of two models or more.
    """
    suite, stages, chain = run.suite, run.predictions.stages, chain_method(run.suite)
    if chain is None or stages[chain] < 2:
        return ()
    alike = [
        x for x in suite.methods if stages[x] == stages[chain] and suite.roles[x] in ALIKE and x != chain
    ]
    others = [NEVER_MET if name == ENSEMBLE else name for name in alike]
    methods = (chain, *sorted(others, key=lambda name: (name not in REFERENCES, name != NEVER_MET)))
    names: dict[str, tuple[int, ...]] = {f"M{x} to M{x + 1}": (x,) for x in range(1, stages[chain])}
    if len(names) > 1:
        names["mean of links"] = tuple(range(1, stages[chain]))

    def link(method: str, name: str, of: tuple[int, ...]) -> Link:
        its, less = (tuple(Term(sign / len(of), method, stage) for stage in of) for sign in (1, -1))
        chains = tuple(Term(1 / len(of), chain, stage) for stage in of)
        beside = _of(run, (*chains, *less)) if method != chain else {}
        return Link(method, name, of[0] if len(of) == 1 else 0, _of(run, its), beside)

    return tuple(link(method, *named) for method in methods for named in names.items())


def errors(data: DatasetPredictions, method: str, stage: int) -> float:
    """Return how many test images a model gets wrong, mean over seeds; NaN where its predictions are missing."""
    if _lacks(data, method, stage):
        return float("nan")
    return float((called(data, method, stage) != data.y).sum(axis=1).mean())


def called(data: DatasetPredictions, method: str, stage: int) -> NDArray[np.int64]:
    """Return the class that a model finds most probable, (k, n); the lowest class wins a tie.

    Of `ensemble` the mean of the first l members, m_l, is stored; member l is l m_l - (l - 1) m_(l-1).
    """
    if method == NEVER_MET:
        member = stage * data.probabilities[ENSEMBLE, stage].astype(np.float64)
        if stage > 1:
            member -= (stage - 1) * data.probabilities[ENSEMBLE, stage - 1].astype(np.float64)
        likely = member >= member.max(axis=2, keepdims=True) - TIE
    else:
        likely = data.probabilities[method, stage]
    found: NDArray[np.int64] = likely.argmax(axis=2)
    return found


def copied_share(
    first: NDArray[np.int64], second: NDArray[np.int64], y: NDArray[np.int64], groups: NDArray[np.int64]
) -> Scored:
    """Return the share of the first model's errors that the second makes too.

    Args:
        first: the classes that it predicts, (k, n), at least one of them wrong.
        second: those of the second, (k, n).
        y: labels, (n,).
        groups: (n,), 0..G-1.
    """
    wrong = first != y
    same = wrong & (second == first)
    share, (k, n) = same.sum() / wrong.sum(), wrong.shape
    others = wrong.sum() - wrong.sum(axis=1, keepdims=True)  # errors of the other seeds, (k, 1)
    weights = np.where(others > 0, n * (k - 1) / np.maximum(others, 1), wrong.size / wrong.sum())
    scores = (same - share * wrong) * weights
    return mean_score(share + scores - scores.mean(), groups)


def _of(run: Results, contrast: Contrast) -> dict[str, Estimate]:
    """Return a contrast of shares on every data set and mean, in percent; a term names a link by its first stage."""

    def missing(data: DatasetPredictions, term: Term) -> tuple[str, ...]:
        gone = (*_lacks(data, term.method, term.stage), *_lacks(data, term.method, term.stage + 1))
        none = not gone and not errors(data, term.method, term.stage)
        return (f"{data.dataset} {term.method} M{term.stage}: no errors",) if none else gone

    def share(data: DatasetPredictions, term: Term) -> Scored:
        first, second = (called(data, term.method, stage) for stage in (term.stage, term.stage + 1))
        return copied_share(first, second, data.y, data.groups)

    found: dict[str, Result] = {}
    for key, data in run.predictions.datasets.items():
        found[key] = combined(contrast, partial(missing, data), partial(share, data))
    return {place: estimate(run.suite, x) for place, x in with_means(run.suite, found).items()}


def _lacks(data: DatasetPredictions, method: str, stage: int) -> tuple[str, ...]:
    """Return what is missing of a model, by name; a member of the ensemble is told by the mean before it too."""
    if method != NEVER_MET:
        return data.missing(method, stage)
    means = range(max(1, stage - 1), stage + 1)
    return tuple(name for number in means for name in data.missing(ENSEMBLE, number))
