"""Which contrasts a suite's plan tests, and which it only explores."""

from dataclasses import dataclass
from typing import Literal

from weckd.analysis.contrasts import Contrast, gain, slope
from weckd.analysis.predictions import SuitePredictions
from weckd.config import AnalysisPlan, Family, Suite

BASELINE = "single"
"""The paper's reference: every method of a suite is compared with it."""
BAR = "full-converged"
"""The supervised bar: every method of a suite is compared with it."""

SLOPE = "slope per stage"
"""Stands for the reference of a trend along a method's own stages."""

Kind = Literal["superiority", "non-inferiority", "trend"]


@dataclass(frozen=True)
class Comparison:
    """One contrast of a method's last stage, to be tested on every data set, their mean and every metric."""

    family: str | None  # name in the plan; None: exploratory
    kind: Kind
    method: str
    stage: int
    reference: str  # a method, or SLOPE, or the method's own first stage
    contrast: Contrast  # empty where the method lacks the stages
    null: float  # fraction; the value that the p is for

    @property
    def text(self) -> str:
        """What the method's gain is over, for tables and figures."""
        if self.reference == SLOPE:
            return SLOPE
        return f"{'against' if self.kind == 'non-inferiority' else 'over'} {self.reference}"


def present_families(suite: Suite) -> tuple[Family, ...]:
    """Return the plan's families with only the methods that the suite has, and no family without any."""
    families = []
    for family in suite.analysis.families:
        references = tuple(name for name in family.references if name in suite.methods)
        if family.method in suite.methods and (references or family.kind == "trend"):
            families.append(Family(family.name, family.kind, family.method, references))
    return tuple(families)


def comparisons(suite: Suite, predictions: SuitePredictions) -> tuple[Comparison, ...]:
    """Return the comparisons of the plan's families, then the exploratory ones.

    Exploratory is every method of the suite against the supervised bar and against the baseline (the bar
    against the baseline is the mirror of a row that is there), unless the plan holds the pair.
    """
    stages = predictions.stages
    found = [
        comparison
        for family in present_families(suite)
        for comparison in (
            _trend(family, stages[family.method])
            if family.kind == "trend"
            else _pairs(suite.analysis, family, predictions)
        )
    ]
    planned = {(comparison.method, comparison.reference) for comparison in found}
    for reference in (BAR, BASELINE):
        for method in suite.methods if reference in suite.methods else ():
            mirrored = method == BAR and reference == BASELINE
            if method != reference and (method, reference) not in planned and not mirrored:
                contrast = gain(method, stages[method], reference, stages[reference])
                found.append(
                    Comparison(None, "superiority", method, stages[method], reference, contrast, 0.0)
                )
    return tuple(found)


def chain_method(suite: Suite) -> str | None:
    """Return the method that the plan follows: that of its first trend family, else of its first family."""
    families = present_families(suite)
    trends = [family.method for family in families if family.kind == "trend"]
    return next(iter([*trends, *(family.method for family in families)]), None)


def _pairs(plan: AnalysisPlan, family: Family, predictions: SuitePredictions) -> list[Comparison]:
    stages = predictions.stages
    stage = stages[family.method]
    null = -plan.margin_pp / 100 if family.kind == "non-inferiority" else 0.0
    return [
        Comparison(
            family.name,
            family.kind,
            family.method,
            stage,
            reference,
            gain(family.method, stage, reference, stages[reference]),
            null,
        )
        for reference in family.references
    ]


def _trend(family: Family, stages: int) -> list[Comparison]:
    """Return the slope along the stages (points a stage), and the last stage minus the first."""
    method = family.method
    enough = stages > 1
    contrasts = {
        SLOPE: slope(method, stages) if enough else (),
        "own stage 1": gain(method, stages, method, 1) if enough else (),
    }
    return [
        Comparison(family.name, "trend", method, stages, reference, contrast, 0.0)
        for reference, contrast in contrasts.items()
    ]
