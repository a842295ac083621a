"""Accuracies and gains on two test parts of a data set, and on official test images with and without a copy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weckd.analysis.contrasts import Contrast, Result, evaluate, gain, own
from weckd.analysis.estimates import Estimate, estimate
from weckd.analysis.inference.reader_study import difference, two_way
from weckd.analysis.metrics.scored import Scored, from_influence, weighted_sum
from weckd.analysis.metrics.scores import correct, mean_score
from weckd.analysis.predictions import DatasetPredictions, SuitePredictions
from weckd.config import Suite
from weckd.data.splits import CUT_MARK

METRIC = "accuracy"
CHAIN = "chain"
GROUPED = "grouped test part"  # that the suite draws by group
OFFICIAL = "official test part"  # the source's own
INFLATION = "official - grouped"
CLEAN = "official, no copy in training"  # its images without a copy among the images for training
COPIED = "official, copy in training"
MEMORY = "with - without a copy"
UNLEARNT = ("check", "floor")
"""Roles whose methods learn nothing of the images that the chain could be compared with."""


@dataclass(frozen=True)
class Leak:
    """One method's accuracy, or one gain of the chain, on one data set."""

    dataset: str
    method: str
    reference: str  # what the method gains over; empty for an accuracy
    shown: Mapping[str, Estimate]  # by column


def copied_images(data: DatasetPredictions) -> NDArray[np.bool_]:
    """Return which test images, (n,), have a copy among the images for training, in an official test part."""
    cut = np.array([name.endswith(CUT_MARK) for name in data.group_ids], dtype=bool)
    return cut[data.groups]


def leaks(
    suite: Suite, official: SuitePredictions, grouped: SuitePredictions
) -> tuple[tuple[Leak, ...], tuple[Leak, ...]]:
    """Return the accuracy of every method, and the gain of the chain over every method that learns, by data set.

    The suite is that on official test parts (see `weckd.study_suites`); `grouped` is of the run it was made from.
    """
    stages = official.stages
    levels = [(method, "", own(method, stages[method])) for method in suite.methods]
    chains = [method for method in suite.methods if suite.roles[method] == CHAIN]
    gains = [
        (chain, reference, gain(chain, stages[chain], reference, stages[reference]))
        for chain in chains
        for reference in suite.methods
        if reference != chain and suite.roles[reference] not in UNLEARNT
    ]
    found = [
        tuple(
            _leak(suite, official.datasets[key], grouped.datasets[key], *item)
            for key in suite.datasets
            for item in items
        )
        for items in (levels, gains)
    ]
    return found[0], found[1]


def _leak(
    suite: Suite,
    official: DatasetPredictions,
    grouped: DatasetPredictions,
    method: str,
    reference: str,
    contrast: Contrast,
) -> Leak:
    there, here = evaluate(grouped, contrast, METRIC), evaluate(official, contrast, METRIC)
    copied = copied_images(official)
    both = difference(here.study, there.study) if here.study and there.study else None
    results = {
        GROUPED: there,
        OFFICIAL: here,
        INFLATION: Result(both, (*there.missing, *here.missing)),
        CLEAN: _on(official, contrast, ~copied),
        COPIED: _on(official, contrast, copied),
        MEMORY: _memory(official, contrast, copied),
    }
    shown = {column: estimate(suite, result) for column, result in results.items()}
    return Leak(official.dataset, method, reference, shown)


def _on(data: DatasetPredictions, contrast: Contrast, images: NDArray[np.bool_]) -> Result:
    """Return a contrast on some of the test images, whose groups are whole."""

    def score(right: NDArray[np.float64]) -> Scored:
        return mean_score(right[:, images], np.unique(data.groups[images], return_inverse=True)[1])

    return _result(data, contrast, score, enough=[images])


def _memory(data: DatasetPredictions, contrast: Contrast, copied: NDArray[np.bool_]) -> Result:
    """Return a contrast on images with a copy minus that on images without; they share seeds, and no group."""

    def score(right: NDArray[np.float64]) -> Scored:
        with_copy, without = right[:, copied].mean(axis=1), right[:, ~copied].mean(axis=1)
        means = np.where(copied, with_copy[:, None], without[:, None])
        share = np.where(copied, 1 / copied.sum(), -1 / (~copied).sum())
        return from_influence(with_copy - without, (right - means) * share, data.groups)

    return _result(data, contrast, score, enough=[copied, ~copied])


def _result(
    data: DatasetPredictions,
    contrast: Contrast,
    score: Callable[[NDArray[np.float64]], Scored],
    enough: Sequence[NDArray[np.bool_]],
) -> Result:
    missing = dict.fromkeys(name for term in contrast for name in data.missing(term.method, term.stage))
    if not missing and not all(images.any() for images in enough):
        missing = {f"{data.dataset} test images with a copy, or without one": None}
    if missing:
        return Result(None, tuple(missing))
    right = [correct(data.probabilities[(term.method, term.stage)], data.y) for term in contrast]
    terms = [(term.weight, score(each)) for term, each in zip(contrast, right, strict=True)]
    return Result(two_way(weighted_sum(terms)))
