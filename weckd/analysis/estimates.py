"""Levels of methods and gains over references: their estimates, p values corrected by family, verdicts."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal, TypeAlias

from weckd.analysis.comparisons import Comparison, comparisons
from weckd.analysis.contrasts import Result, evaluate_all, one_test, own, twins
from weckd.analysis.inference.ceiling import NEAR_THE_CEILING
from weckd.analysis.inference.reader_study import (
    Study,
    adjust,
    minimum_detectable,
    p_value,
    planned_half_width,
)
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import SuitePredictions
from weckd.analysis_plan import MARGIN_METRICS
from weckd.config import Suite
from weckd.places import few_seeds, means, places, places_tested, sets_of
from weckd.tables.captions import TEST

NOT_KNOWN = float("nan")
IDENTICAL = "identical"
SECONDARY = "secondary"
"""Family of the plan's comparisons on metrics and means that decide nothing."""
SINGLE_DATA_SET = "single data set"
"""In the place of a family: a data set on which no mean is told has an interval and no p that is adjusted."""
INTERVAL = "interval only"
QUICK_LOOK = "not tested (quick look)"
VERDICTS = {
    "superiority": ("gain", "loss", "undecided"),
    "non-inferiority": ("non-inferior", "inferior", "inconclusive"),
    "equivalence": ("equivalent", "different", "open"),
}
EXPLORATORY = "exploratory"
"""Family of comparisons that the plan does not hold."""
CORRECTIONS = {"holm": "Holm", "fdr_bh": "Benjamini-Hochberg", "fixed": "fixed sequence"}


@dataclass(frozen=True)
class Estimate:
    """A value with its two-way interval, which is not adjusted for other tests.

    In the unit of its metric: percent (a difference: points) or nats. NaN where something is missing; the interval, and
    what says something of the variance, also where the suite has too few seeds for inference.
    """

    study: Study | None  # the same as fractions; None where something is missing
    missing: tuple[str, ...]
    scale: float
    value: float
    half_width: float
    low: float
    high: float
    se: float  # with few seeds too
    df: float
    seed_share: float  # of the variance, 0..1
    detectable: float  # the gain found with 80 % power

    @property
    def cases_below_zero(self) -> bool:
        """Whether the estimate of the variance that is due to cases is below zero, and counts as 0."""
        return self.study is not None and self.study.cases_below_zero and not math.isnan(self.seed_share)

    @property
    def identical(self) -> bool:
        """Whether a difference is zero for every seed and group."""
        return self.study is not None and self.study.all_zero


def estimate(suite: Suite, result: Result, scale: float = 100.0) -> Estimate:
    """Return a result as it is shown; `scale` is that of its metric."""
    study, plan = result.study, suite.analysis
    if study is None:
        return Estimate(None, result.missing, scale, *[NOT_KNOWN] * 8)
    half, inferential = planned_half_width(study, plan), not few_seeds(suite)
    return Estimate(
        study=study,
        missing=result.missing,
        scale=scale,
        value=scale * study.estimate,
        half_width=scale * half,
        low=scale * (study.estimate - half),
        high=scale * (study.estimate + half),
        se=scale * study.se,
        df=study.df,
        seed_share=study.seed_share if inferential else NOT_KNOWN,
        detectable=scale * minimum_detectable(study, plan.alpha) if inferential else NOT_KNOWN,
    )


@dataclass(frozen=True)
class Level:
    """One method's stage on one data set, or a mean over data sets, and one metric."""

    dataset: str
    method: str
    stage: int
    final: bool  # the method's last stage, which is its result
    metric: str
    estimate: Estimate


@dataclass(frozen=True)
class Tested:
    """What came of one question about a gain; empty where it is not asked."""

    family: str = ""  # of the plan: the first that asks it, else secondary or exploratory
    correction: str = ""
    tests: int = 0  # of the family, each counted once
    p: float = NOT_KNOWN  # NaN where not defined
    p_adjusted: float = NOT_KNOWN
    verdict: str = ""


@dataclass(frozen=True)
class Gain:
    """A comparison on one data set, or a mean over data sets, and one metric, with its verdicts.

    Whichever family asks for it, a gain is one test: its p, family and verdict are of the family that the plan names
    first. Non-inferiority and equivalence have theirs.
    """

    comparison: Comparison
    dataset: str
    metric: str
    estimate: Estimate
    test: str
    decides: bool  # whether the row is one of those that decide the comparison's family
    superiority: Tested
    non_inferiority: Tested = Tested()
    equivalence: Tested = Tested()
    other_margins: Mapping[float, Tested] = field(
        default_factory=dict
    )  # non-inferiority, by percentage points

    @property
    def asked(self) -> Tested:
        """What came of the question that the comparison's family asks, or of superiority where no margin is stated."""
        of_kind = {"non-inferiority": self.non_inferiority, "equivalence": self.equivalence}
        found = of_kind.get(self.comparison.kind, self.superiority)
        return found if found.verdict else self.superiority

    @property
    def short_verdict(self) -> str:
        """The verdict on what the family asks, without the list of what is missing, which a caption has."""
        return self.asked.verdict.partition(":")[0]

    @property
    def family(self) -> str:
        """The family of its test of superiority."""
        return self.superiority.family

    @property
    def correction(self) -> str:
        """How p is corrected."""
        return self.superiority.correction

    @property
    def p(self) -> float:
        """The p of this gain alone; NaN where not defined."""
        return self.superiority.p

    @property
    def p_adjusted(self) -> float:
        """The p corrected for the other tests of its family."""
        return self.superiority.p_adjusted

    @property
    def verdict(self) -> str:
        """*Gain*, *loss* or *undecided*, or why it is none of them."""
        return self.superiority.verdict


def evaluate_levels(suite: Suite, predictions: SuitePredictions) -> tuple[Level, ...]:
    """Return every method on every data set, their means, and every metric.

    On the primary metric and its first sensitivity every stage, on the others the last stage alone.
    """
    found = []
    for position, metric in enumerate(suite.analysis.metrics):
        for method in suite.methods:
            last = predictions.stages[method]
            for stage in range(1 if position < 2 else last, last + 1):
                results = evaluate_all(suite, predictions.datasets, own(method, stage), metric)
                for place, result in results.items():
                    shown = estimate(suite, result, METRICS[metric].scale)
                    found.append(Level(place, method, stage, stage == last, metric, shown))
    return tuple(found)


def evaluate_gains(suite: Suite, predictions: SuitePredictions) -> tuple[Gain, ...]:
    """Test every comparison on every metric and mean over data sets, and correct within families.

    A family of the plan is decided by its rows on the primary metric and on the means that it names (Holm, or in fixed
    sequence along the links of a chain). A test that several families hold belongs to the first; two comparisons are
    one test where algebra makes them so (see `one_test`). The plan's comparisons on other metrics and means are
    secondary, methods outside the plan exploratory, both by Benjamini-Hochberg over the tests, each once. Of data sets
    those on which a mean is told (see `weckd.places`) are tested as it would be; the others have intervals and no
    verdict.
    """
    return _tested(suite, predictions, comparisons(suite, predictions), suite.analysis.metrics)


def planned_gains(suite: Suite, predictions: SuitePredictions) -> tuple[Gain, ...]:
    """Return those rows of `evaluate_gains` that decide a family, and those of its data sets.

    What is adjusted over other metrics too is left out.
    """
    planned = [x for x in comparisons(suite, predictions) if x.family is not None]
    found = _tested(suite, predictions, planned, suite.analysis.metrics[:1])
    return tuple(
        replace(gain, superiority=Tested(SECONDARY)) if gain.family == SECONDARY else gain
        for gain in found
        if gain.decides or gain.dataset in suite.datasets
    )


def missing_of(items: Iterable[Level | Gain]) -> list[str]:
    """Return the names of what is missing for some levels or gains."""
    return [name for item in items for name in item.estimate.missing]


@dataclass(frozen=True)
class Question:
    """What is asked of a gain: is it above 0, above minus a margin, or within a margin (two one-sided tests)."""

    kind: Literal["superiority", "non-inferiority", "equivalence"]
    margin_pp: float = 0.0

    def null(self, study: Study) -> float:
        """Return the value that p is for, a fraction; of equivalence the end of the margin that is nearer."""
        margin = self.margin_pp / 100
        return math.copysign(margin, study.estimate) if self.kind == "equivalence" else 0.0 - margin

    def verdict(self, study: Study, p_adjusted: float, alpha: float, lower_is_better: bool = False) -> str:
        """Return one of the kind's three verdicts: yes, no, neither.

        Equivalence is shown when both one-sided tests reject, so when that of the nearer end does, which is its p; a
        gain beyond that end by the same test is *different*. p is two-sided: the interval lies within, or outside.
        """
        yes, no, neither = VERDICTS[self.kind]
        if math.isnan(p_adjusted):
            return f"{neither} ({no_variance(study)})"
        if p_adjusted >= alpha:
            return neither
        above = study.estimate > self.null(study)
        return (
            yes if above != (lower_is_better or (self.kind == "equivalence" and study.estimate >= 0)) else no
        )


_Place: TypeAlias = tuple[Comparison, str, str]
"""A comparison, a metric, and a data set or mean."""
_Test: TypeAlias = tuple[Question, Hashable]
"""A question, and what makes two of its tests one: contrast, metric, data sets, and whether the plan holds it."""


def _tested(
    suite: Suite, predictions: SuitePredictions, compared: Sequence[Comparison], metrics: Sequence[str]
) -> tuple[Gain, ...]:
    shown: dict[_Place, Estimate] = {}
    found: dict[Hashable, Mapping[str, Estimate]] = {}  # by what is compared, which several families may hold
    asked: dict[Hashable, set[Question]] = {}
    for item, metric in product(compared, metrics):
        key = item.pair, metric
        if key not in found:
            lacking = Result(None, (f"{item.method} stages after the first",))
            results = dict.fromkeys(places(suite), lacking)
            if item.contrast:
                results = evaluate_all(suite, predictions.datasets, item.contrast, metric)
            found[key] = {x: estimate(suite, result, METRICS[metric].scale) for x, result in results.items()}
        shown |= {(item, metric, place): estimated for place, estimated in found[key].items()}
        asked.setdefault(key, set()).update(_questions(suite, item, metric))
    # A data set that a mean leaves out says nothing of it, nor does what is missing there.
    same = {
        place: twins({key: predictions.datasets[key] for key in sets_of(suite, place)})
        for place in places_tested(suite)
    }

    def one(question: Question, at: _Place) -> _Test:
        item, metric, place = at
        left = one_test(item.contrast, same[place]) if question.kind == "superiority" else item.contrast
        return question, (left or item.pair, metric, place, item.family is None)

    pools = _pools(suite, shown, one)
    answers: dict[_Test, Tested] = {}
    for (_, family, method), tests in pools.items():
        adjusted = adjust(list(tests.values()), method)
        correction = f"{CORRECTIONS[method]} over {len(tests)}"
        for (test, p), corrected in zip(tests.items(), adjusted, strict=True):
            answers[test] = Tested(family, correction, len(tests), p, corrected)

    def answer(question: Question, at: _Place) -> Tested:
        (item, metric, place), estimated = at, shown[at]
        if question not in asked[item.pair, metric]:
            return Tested()
        found = answers[one(question, at)] if place in same else Tested(SINGLE_DATA_SET)
        if (why := no_verdict(suite, estimated)) or estimated.study is None:
            return replace(found, verdict=why)
        if place not in same:
            return replace(
                found, p=p_value(estimated.study, question.null(estimated.study)), verdict=INTERVAL
            )
        lower = METRICS[metric].lower_is_better
        verdict = question.verdict(estimated.study, found.p_adjusted, suite.analysis.alpha, lower)
        return replace(found, verdict=verdict)

    plan = suite.analysis
    return tuple(
        Gain(
            comparison=at[0],
            dataset=at[2],
            metric=at[1],
            estimate=estimated,
            test=_test(suite, at[2], estimated.study),
            decides=at[1] == plan.metrics[0] and at[2] in at[0].decided_on,
            superiority=answer(Question("superiority"), at),
            non_inferiority=answer(Question("non-inferiority", plan.margin_pp), at),
            equivalence=answer(Question("equivalence", plan.margin_pp), at),
            other_margins={pp: answer(Question("non-inferiority", pp), at) for pp in plan.other_margins_pp},
        )
        for at, estimated in shown.items()
    )


def _questions(suite: Suite, comparison: Comparison, metric: str) -> tuple[Question, ...]:
    """Return what is asked of a comparison on a metric: what its family asks, and superiority.

    Superiority after a margin needs no alpha of its own: *inferior* is a *loss*, and *different* a *gain* or a *loss*.
    """
    plan, kind = suite.analysis, comparison.kind
    if metric not in MARGIN_METRICS or kind not in ("non-inferiority", "equivalence"):
        return (Question("superiority"),)
    more = plan.other_margins_pp if kind == "non-inferiority" else ()
    return (*(Question(kind, margin) for margin in (plan.margin_pp, *more)), Question("superiority"))


def _pools(
    suite: Suite, shown: Mapping[_Place, Estimate], one: Callable[[Question, _Place], _Test]
) -> dict[tuple[Question, str, str], dict[_Test, float]]:
    """Return the p of each test, once, by question, family and correction: of the first family that decides it."""
    rows, where = [], places_tested(suite)
    for at, estimated in shown.items():
        comparison, metric, place = at
        decides = metric == suite.analysis.metrics[0] and place in comparison.decided_on
        for question in _questions(suite, comparison, metric) if place in where else ():
            if comparison.family is not None and decides:
                row = (0, comparison.family, "fixed" if comparison.kind == "links" else "holm")
            else:
                row = (2, EXPLORATORY, "fdr_bh") if comparison.family is None else (1, SECONDARY, "fdr_bh")
            study, why = estimated.study, no_verdict(suite, estimated)
            p = p_value(study, question.null(study)) if study and not why else NOT_KNOWN
            rows.append((*row, question, one(question, at), p))
    pools: dict[tuple[Question, str, str], dict[_Test, float]] = {}
    told: set[_Test] = set()
    for _, family, method, question, test, p in sorted(rows, key=lambda row: row[0]):
        if test not in told:
            told.add(test)
            pools.setdefault((question, family, method), {})[test] = p
    return pools


def _test(suite: Suite, place: str, study: Study | None) -> str:
    keys = means(suite).get(place)
    over = "" if keys is None else f", mean of {len(keys)} independent data sets"
    return TEST + over + (f", {NEAR_THE_CEILING}" if study and study.ceiling_part else "")


def no_verdict(suite: Suite, shown: Estimate) -> str:
    """Return why a difference has neither p nor verdict, or nothing."""
    if shown.study is None:
        return f"missing: {'; '.join(shown.missing)}"
    return IDENTICAL if shown.identical else why_untested(suite)


def why_untested(suite: Suite) -> str:
    """Return why a run tests nothing, or nothing where it does."""
    return descriptive(suite) if few_seeds(suite) else QUICK_LOOK if suite.quick_look else ""


def descriptive(suite: Suite) -> str:
    """Return the verdict where seeds are too few for one."""
    return f"descriptive only (k < {suite.analysis.minimum_seeds})"


def no_variance(study: Study) -> str:
    """Return why a study has no standard error to test with."""
    return "no variation" if study.se == 0 else "one group"
