"""Which contrasts a suite's plan tests, and which it only explores."""

import fnmatch
from dataclasses import dataclass, replace
from typing import Literal

from weckd.analysis.contrasts import Contrast, gain, slope
from weckd.analysis.imported import IMPORTED
from weckd.analysis.predictions import SuitePredictions
from weckd.analysis_plan import Family
from weckd.config import Suite
from weckd.places import by_modality, overall

BASELINE = "single"
"""M1 alone: every method of a suite is compared with it."""
BAR = "full-converged"
"""The supervised bar: every method of a suite is compared with it."""

LABELS_CONTROL = "pooled"
"""The control that is shown beside the chain where there is room for one: is it just more labels?"""
REFERENCES = (BASELINE, LABELS_CONTROL, BAR)

SLOPE = "slope per stage"
"""Stands for the reference of a trend along a method's own stages."""

OWN_STAGE = "own stage"
"""Stands, with its number, for the reference where a method's stage is compared with an earlier one."""

FULL = "full"
"""All labels at the chain's own steps: what the chain lacks beside it is no matter of training time."""

Kind = Literal["superiority", "non-inferiority", "equivalence", "trend", "links"]
_WORDS = {"non-inferiority": "against", "equivalence": "like"}


@dataclass(frozen=True)
class Comparison:
    """One contrast of a method's stage, to be tested on every data set, their means and every metric."""

    family: str | None  # name in the plan; None: exploratory
    kind: Kind
    method: str
    stage: int
    reference: str  # a method, or SLOPE, or the method's own first stage
    contrast: Contrast  # empty where the method lacks the stages
    null: float  # fraction; the threshold of a win: 0, or minus the margin
    decided_on: tuple[
        str, ...
    ]  # the places that decide the family: means, or the data sets that they are told on

    @property
    def text(self) -> str:
        """What the method's gain is over, for tables and figures."""
        if self.reference == SLOPE:
            return SLOPE
        if self.reference.startswith(OWN_STAGE):
            return f"M{self.stage} over M{self.reference.removeprefix(OWN_STAGE).strip()}"
        return f"{_WORDS.get(self.kind, 'over')} {self.reference}"

    @property
    def pair(self) -> tuple[str, int, str]:
        """What is compared, whatever a family asks of it."""
        return self.method, self.stage, self.reference


def present_families(suite: Suite) -> tuple[Family, ...]:
    """Return the plan's families with only the methods that the suite has, and no family without any.

    Patterns are resolved into the suite's methods, in its order.
    """
    families = []
    for family in suite.analysis.families:
        found = dict.fromkeys(  # several patterns may fit one
            name
            for pattern in family.references
            for name in (fnmatch.filter(suite.methods, pattern) if "*" in pattern else (pattern,))
            if name in suite.methods and name != family.method
        )
        if family.method in suite.methods and (found or not family.references):
            families.append(replace(family, references=tuple(found)))
    return tuple(families)


def deciding_places(suite: Suite, family: Family) -> tuple[str, ...]:
    """Return the means, or data sets that they are told on, that decide a family; empty where the suite has none."""
    if family.over == "all":
        return (overall(suite),)
    of = by_modality(suite)
    return (
        tuple(of.values())
        if family.over == "each modality"
        else (of[family.over],)
        if family.over in of
        else ()
    )


def comparisons(suite: Suite, predictions: SuitePredictions) -> tuple[Comparison, ...]:
    """Return the comparisons of the plan's families, then the exploratory ones.

    Exploratory is every method of the suite against the supervised bar and against the baseline (the bar
    against the baseline is the mirror of a row that is there), unless the plan holds the pair; every imported
    method against the chain; and the chain against all labels at equal steps.
    """
    stages = predictions.stages
    found = [
        comparison
        for family in present_families(suite)
        if deciding_places(suite, family)
        for comparison in _of_family(suite, family, predictions)
    ]
    chains = [chain] if (chain := chain_method(suite)) else []
    told = {(comparison.method, comparison.reference) for comparison in found} | {(BAR, BASELINE)}
    told |= {(x, chain) for chain in chains for x in suite.methods if suite.roles[x] != IMPORTED}
    pairs = [(x, reference) for reference in dict.fromkeys((BAR, BASELINE, *chains)) for x in suite.methods]
    for method, reference in (*pairs, *((chain, FULL) for chain in chains)):
        if reference in suite.methods and method != reference and (method, reference) not in told:
            contrast = gain(method, stages[method], reference, stages[reference])
            new = Comparison(None, "superiority", method, stages[method], reference, contrast, 0.0, ())
            found.append(new)
    return tuple(found)


def chain_method(suite: Suite) -> str | None:
    """Return the method that the plan follows: that of its first trend family, else of its first family."""
    families = present_families(suite)
    trends = [family.method for family in families if family.kind == "trend"]
    return next(iter([*trends, *(family.method for family in families)]), None)


def _of_family(suite: Suite, family: Family, predictions: SuitePredictions) -> list[Comparison]:
    stages, method = predictions.stages, family.method
    last = stages[method]
    null = -suite.analysis.margin_pp / 100 if family.kind == "non-inferiority" else 0.0
    # Stage, reference and contrast; a contrast is empty where the method lacks the stages.
    contrasts: list[tuple[int, str, Contrast]]
    if family.kind == "trend":
        contrasts = [
            (last, SLOPE, slope(method, last) if last > 1 else ()),
            (last, f"{OWN_STAGE} 1", gain(method, last, method, 1) if last > 1 else ()),
        ]
    elif family.kind == "links":
        contrasts = [
            (stage, f"{OWN_STAGE} {stage - 1}", gain(method, stage, method, stage - 1))
            for stage in range(2, last + 1)
        ]
    else:
        contrasts = [
            (last, reference, gain(method, last, reference, stages[reference]))
            for reference in family.references
        ]
    decided_on = deciding_places(suite, family)
    return [
        Comparison(family.name, family.kind, method, stage, reference, contrast, null, decided_on)
        for stage, reference, contrast in contrasts
    ]


def shown_methods(suite: Suite) -> tuple[str, ...]:
    """Return the chain, the baseline, the control of labels and the bar, as far as there, and imported methods."""
    imported = (method for method in suite.methods if suite.roles[method] == IMPORTED)
    wanted = dict.fromkeys((chain_method(suite), *REFERENCES, *imported))
    return tuple(name for name in wanted if name is not None and name in suite.methods)
