"""Weighted sums of methods' correctness, evaluated on a data set or averaged over data sets."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from weckd.analysis.metrics import correct
from weckd.analysis.predictions import DatasetPredictions
from weckd.analysis.reader_study import Study, mean_study, two_way
from weckd.config import Suite

MACRO = "macro"
"""Stands for the data set in rows of the mean over the independent data sets."""


@dataclass(frozen=True)
class Term:
    """One method's stage and its weight in a contrast."""

    weight: float
    method: str
    stage: int


Contrast = tuple[Term, ...]


@dataclass(frozen=True)
class Result:
    """A contrast's study, or the names of what is missing for it."""

    study: Study | None
    missing: tuple[str, ...] = ()


def gain(method: str, stage: int, reference: str, reference_stage: int) -> Contrast:
    """Return the contrast of a method's stage over a reference's."""
    return (Term(1.0, method, stage), Term(-1.0, reference, reference_stage))


def own(method: str, stage: int) -> Contrast:
    """Return the contrast that is a method's own mean."""
    return (Term(1.0, method, stage),)


def slope(method: str, stages: int) -> Contrast:
    """Return the least-squares slope per stage along stages 1..`stages` (at least 2)."""
    x = np.arange(stages) - (stages - 1) / 2
    return tuple(
        Term(float(value / (x**2).sum()), method, stage) for stage, value in enumerate(x, start=1) if value
    )


def evaluate(data: DatasetPredictions, contrast: Contrast, metric: str) -> Result:
    """Evaluate a contrast on one data set; nothing is computed from what is left when a part is missing."""
    missing = {name: None for term in contrast for name in data.missing(term.method, term.stage)}
    if missing:
        return Result(None, tuple(missing))
    scores = sum(
        term.weight * correct(data.probabilities[(term.method, term.stage)], data.y) for term in contrast
    )
    return Result(two_way(np.asarray(scores), data.y, data.groups, metric))


def independent(suite: Suite) -> tuple[str, ...]:
    """Return the data sets that count in a mean over data sets: those not derived from others."""
    return tuple(key for key in suite.datasets if not suite.facts[key].derived_from)


def macro(suite: Suite, results: Mapping[str, Result]) -> Result:
    """Return the unweighted mean over the independent data sets, or all that is missing for it."""
    keys = independent(suite)
    if not keys:
        return Result(None, ("an independent data set",))
    missing = {name: None for key in keys for name in results[key].missing}
    if missing:
        return Result(None, tuple(missing))
    return Result(mean_study([study for key in keys if (study := results[key].study) is not None]))


def evaluate_all(
    suite: Suite, datasets: Mapping[str, DatasetPredictions], contrast: Contrast, metric: str
) -> dict[str, Result]:
    """Evaluate a contrast on every data set of the suite, in its order, and on their mean (last)."""
    results = {key: evaluate(data, contrast, metric) for key, data in datasets.items()}
    return {**results, MACRO: macro(suite, results)}


def sizes(suite: Suite, datasets: Mapping[str, DatasetPredictions]) -> dict[str, tuple[int, int] | None]:
    """Return test images and groups of every data set and, summed, of their mean; None where not known."""
    known = {key: (data.n_images, data.n_groups) if data.n_images else None for key, data in datasets.items()}
    counted = [size for key in independent(suite) if (size := known[key]) is not None]
    whole = bool(counted) and len(counted) == len(independent(suite))
    total = (sum(images for images, _ in counted), sum(groups for _, groups in counted))
    return {**known, MACRO: total if whole else None}
