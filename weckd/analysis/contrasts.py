"""Weighted sums of methods' scores, evaluated on a data set or averaged over data sets."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product

import numpy as np

from weckd.analysis.inference.reader_study import Study, mean_study, two_way
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.scores import Scored, weighted_sum
from weckd.analysis.predictions import DatasetPredictions
from weckd.config import Suite
from weckd.places import means


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


def combined(
    contrast: Contrast, missing: Callable[[Term], Iterable[str]], score: Callable[[Term], Scored]
) -> Result:
    """Return the study of a contrast whose terms are scored; nothing is computed where a part of it is missing."""
    names = tuple(dict.fromkeys(name for term in contrast for name in missing(term)))
    if names:
        return Result(None, names)
    return Result(two_way(weighted_sum([(term.weight, score(term)) for term in contrast])))


def evaluate(data: DatasetPredictions, contrast: Contrast, metric: str) -> Result:
    """Evaluate a contrast on one data set."""
    validated = METRICS[metric].needs_validation
    return combined(
        contrast,
        lambda term: data.missing(term.method, term.stage, validated),
        lambda term: scored(data, term.method, term.stage, metric),
    )


def scored(data: DatasetPredictions, method: str, stage: int, metric: str) -> Scored:
    """Return a method's stage scored by a metric; it is computed once, however many contrasts it takes part in."""
    key = (metric, method, stage)
    if key not in data.scored:
        data.scored[key] = METRICS[metric].score(data.predicted(method, stage))
    return data.scored[key]


Twins = Mapping[tuple[str, int], tuple[str, int]]
"""A method's stage -> the first one that predicts the same on every image."""


def twins(datasets: Mapping[str, DatasetPredictions]) -> Twins:
    """Return which methods' stages are one model, such as `single` and the chain's first, by their predictions.

    One of which anything is missing is nobody's twin.
    """
    digests: dict[tuple[str, int], list[bytes]] = {}
    for data, cell in product(
        datasets.values(), {x: None for y in datasets.values() for x in y.probabilities}
    ):
        images = data.probabilities.get(cell, np.array(np.nan))
        validated = [data.validation[seed, *cell] for seed in data.seeds if (seed, *cell) in data.validation]
        parts = [images.tobytes(), *(part.probabilities.tobytes() for part in validated)]
        known = repr(cell).encode() if np.isnan(images).any() else b"".join(parts)
        digests.setdefault(cell, []).append(sha256(known).digest())
    first: dict[tuple[bytes, ...], tuple[str, int]] = {}
    return {cell: first.setdefault(tuple(found), cell) for cell, found in digests.items()}


def one_test(contrast: Contrast, same: Twins) -> tuple[Term, ...]:
    """Return what contrasts that give the same two-sided test of zero share: twins put together, scale and sign off.

    So the slope over three stages is the last minus the first, and that is the gain over `single` where `single` is
    the first. Empty where nothing is left.
    """
    weights: dict[tuple[str, int], float] = {}
    for term in contrast:
        cell = same.get((term.method, term.stage), (term.method, term.stage))
        weights[cell] = weights.get(cell, 0.0) + term.weight
    left = sorted((cell, weight) for cell, weight in weights.items() if weight)
    return tuple(Term(weight / left[0][1], *cell) for cell, weight in left)


def mean_result(keys: Sequence[str], results: Mapping[str, Result]) -> Result:
    """Return the unweighted mean over data sets, or all that is missing for it."""
    if not keys:
        return Result(None, ("an independent data set",))
    missing = tuple(dict.fromkeys(name for key in keys for name in results[key].missing))
    studies = [study for key in keys if (study := results[key].study) is not None]
    return Result(None, missing) if missing else Result(mean_study(studies))


def evaluate_all(
    suite: Suite, datasets: Mapping[str, DatasetPredictions], contrast: Contrast, metric: str
) -> dict[str, Result]:
    """Evaluate a contrast on every data set of the suite, in its order, then on every mean over data sets."""
    return with_means(suite, {key: evaluate(data, contrast, metric) for key, data in datasets.items()})


def with_means(suite: Suite, results: Mapping[str, Result]) -> dict[str, Result]:
    """Return the results of all data sets, then those of every mean over data sets."""
    return {**results, **{name: mean_result(keys, results) for name, keys in means(suite).items()}}


def sizes(suite: Suite, datasets: Mapping[str, DatasetPredictions]) -> dict[str, tuple[int, int] | None]:
    """Return test images and groups of every data set and, summed, of every mean; None where not known."""
    known = {key: (data.n_images, data.n_groups) if data.n_images else None for key, data in datasets.items()}
    return {**known, **{name: _total([known[key] for key in keys]) for name, keys in means(suite).items()}}


def _total(counts: Sequence[tuple[int, int] | None]) -> tuple[int, int] | None:
    counted = [count for count in counts if count is not None]
    if not counted or len(counted) < len(counts):
        return None
    return sum(images for images, _ in counted), sum(groups for _, groups in counted)
