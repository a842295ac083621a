"""What a suite trains and writes, counted from its declarations. Needs no torch."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from weckd.config import BackboneSettings, Suite
from weckd.methods.catalogue import kept_fits, suite_methods
from weckd.methods.fits import Fit
from weckd.tuning.chosen import tunable_methods


@dataclass(frozen=True)
class Passes:
    """Passes of a batch through networks of one kind."""

    training: int  # forward, backward and optimiser step of one batch of views
    teaching: int  # forward alone


@dataclass(frozen=True)
class Work:
    """What is trained for some data sets and seeds."""

    fits: int
    steps: int  # optimiser steps of all networks
    passes: Mapping[BackboneSettings, Passes]
    kept: Mapping[BackboneSettings, int]  # fits whose weights the store keeps


def cell_work(suite: Suite) -> Work:
    """Return what one cell trains, one data set and one seed; equal for all cells of a suite."""
    methods = suite_methods(suite)
    fits = tuple(dict.fromkeys(fit for method in methods for fit in method.fits()))
    kept = kept_fits(suite, methods)
    counts = Counter(fit.backbone or suite.backbone for fit in fits if fit in kept)
    return Work(len(fits), _steps(fits), _passes(suite, fits), counts)


def tuning_work(suite: Suite) -> Work:
    """Return what the search for all methods' settings trains on one data set; it shares no fits and keeps none."""
    tuned = [method for method in suite_methods(suite) if method.name in tunable_methods(suite)]
    fits = tuple(fit for method in tuned for fit in method.fits())
    times = suite.tuning.trials * len(suite.tuning.seeds)
    return _repeated(Work(len(fits), _steps(fits), _passes(suite, fits), {}), times)


def _repeated(work: Work, times: int) -> Work:
    passes = {
        backbone: Passes(times * each.training, times * each.teaching)
        for backbone, each in work.passes.items()
    }
    kept = {backbone: times * count for backbone, count in work.kept.items()}
    return Work(times * work.fits, times * work.steps, passes, kept)


def total_work(suite: Suite) -> Work:
    """Return what all cells train."""
    return _repeated(cell_work(suite), len(suite.datasets) * len(suite.seeds))


def total_tuning(suite: Suite) -> Work:
    """Return what the search for settings trains on all data sets."""
    return _repeated(tuning_work(suite), len(suite.datasets))


def _steps(fits: tuple[Fit, ...]) -> int:
    return sum(fit.steps * fit.networks for fit in fits)


def _passes(suite: Suite, fits: tuple[Fit, ...]) -> dict[BackboneSettings, Passes]:
    """Return the passes of each backbone; teachers are counted as networks of their own kind."""
    training: Counter[BackboneSettings] = Counter()
    teaching: Counter[BackboneSettings] = Counter()
    for fit in fits:
        training[fit.backbone or suite.backbone] += fit.steps * fit.loss.views
        for teacher in fit.teachers:
            teaching[teacher.backbone or suite.backbone] += fit.steps
    return {backbone: Passes(training[backbone], teaching[backbone]) for backbone in training | teaching}
