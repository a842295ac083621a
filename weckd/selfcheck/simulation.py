"""The primary test on simulated predictions whose true gain is known.

Probit model. Method m with seed s has image i right where

    mean_m + difficulty_i + interaction_mi + seed_s + seed_by_method_ms + noise_msi > 0,

all effects normal and independent, but that images of a group share a part of theirs. Difficulty and seed effects are
common to both methods, as the suite pairs them; interaction is what makes one method better on these images and not on
others (variance due to cases); seed_by_method is what makes it better with these seeds (variance due to seeds).

A sum of normal effects is normal, so a method's true accuracy over all seeds and images is Phi(mean_m / total), total^2
being the sum of the variances. `mean_m` is set from the accuracy that is wanted: the true gain is exact, not estimated.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from weckd.analysis.inference.reader_study import Study, half_width, mean_study, p_value, two_way
from weckd.analysis.metrics.scores import Scored, share_right, weighted_sum
from weckd.errors import counted
from weckd.seeds import generator
from weckd.selfcheck.outcome import Outcome, judged

ALPHA = 0.05
SOURCE = "simulation"
GAIN = 0.03  # true gain of the simulations with an effect
DATASETS = 5  # independent data sets of the macro mean
SEEDS = (5, 10)  # the fewest for inference, and what is recommended
REPETITIONS = 2000
REJECTION = (0.03, 0.075)  # allowed where there is no gain, for so many repetitions
COVERAGE = (0.925, 0.97)  # allowed for the 95 % interval, for so many repetitions
_BLOCK = 100  # repetitions drawn at once

Test = Callable[[Scored], Study]
Mean = Callable[[list[Study]], Study]


@dataclass(frozen=True)
class Setting:
    """The world that predictions are drawn from: 200 test images in 120 groups, two methods.

    Variances are in units of the noise's, which is 1: what is left when method, seed and image are known.
    """

    name: str
    accuracy: float  # true accuracy of the better method; of both where there is no gain
    difficulty: float  # variance of an image's difficulty, the same for both methods and all seeds
    interaction: float  # variance of how an image suits a method, the same for all seeds
    seed: float  # variance of a seed's luck, the same for both methods
    seed_by_method: float  # variance of a seed's luck with one method
    of_reference: float | None = None  # the same of the reference, where it is another
    together: float = 0.0  # share of a seed's luck with one method that it has on all data sets alike
    group_share: float = 0.5  # share of images' effects, noise too, that images of a group have in common
    group_sizes: tuple[int, ...] = (1,) * 80 + (2,) * 20 + (3,) * 12 + (4,) * 6 + (10,) * 2

    @property
    def groups(self) -> NDArray[np.int64]:
        """The group of each image, (n,), 0..G-1."""
        return np.repeat(np.arange(len(self.group_sizes)), self.group_sizes)

    @property
    def of_methods(self) -> tuple[float, float]:
        """Variance of a seed's luck with the method, and with the reference."""
        return self.seed_by_method, self.seed_by_method if self.of_reference is None else self.of_reference

    def total(self, seed_by_method: float) -> float:
        """Standard deviation of all effects together, for such a variance of a seed's luck with one method."""
        return math.sqrt(self.difficulty + self.interaction + self.seed + seed_by_method + 1)


# Few labels: at 5 seeds, seeds make .72 of the variance of a gain, whose standard error is 1.6 points.
WEAK_LABELS = Setting("weak labels", 0.90, 2.0, 0.15, 0.10, 0.01)
# Many labels: seeds agree (.25) and the methods differ by images, so that a test over seeds alone is wrong.
ALL_LABELS = Setting("all labels", 0.90, 4.0, 1.30, 0.02, 0.005)


def simulation_checks(repetitions: int) -> Iterator[Outcome]:
    """Yield the checks of the primary test as they finish, each of so many simulated experiments."""
    yield from (null_check(setting, k, repetitions) for setting in (WEAK_LABELS, ALL_LABELS) for k in SEEDS)
    yield null_check(WEAK_LABELS, SEEDS[0], repetitions, DATASETS)
    yield from (coverage_check(WEAK_LABELS, k, repetitions) for k in SEEDS)
    yield coverage_check(WEAK_LABELS, SEEDS[0], repetitions, DATASETS)
    yield caught_check(ALL_LABELS, SEEDS[0], repetitions)


def null_check(setting: Setting, k: int, repetitions: int, n_datasets: int = 1) -> Outcome:
    """Check that the primary test rejects at its level where there is no gain."""
    rate = rejection_rate(studies(setting, k, 0.0, repetitions, n_datasets))
    name = f"no gain, {where(setting, k, n_datasets)}"
    shows = "the primary test finds a gain where there is none in 5 % of experiments"
    limits = allowed(REJECTION, ALPHA, repetitions)
    return judged(name, shows, rate, limits, SOURCE, f"{repetitions:,} repetitions")


def coverage_check(setting: Setting, k: int, repetitions: int, n_datasets: int = 1) -> Outcome:
    """Check that the 95 % interval holds the true gain as often as it says; the note has the power."""
    found = list(studies(setting, k, GAIN, repetitions, n_datasets))
    covered = float(np.mean([abs(study.estimate - GAIN) <= half_width(study, 1 - ALPHA) for study in found]))
    name = f"gain of {100 * GAIN:g} points, {where(setting, k, n_datasets)}"
    shows = "the 95 % interval holds the true gain in 95 % of experiments"
    note = f"{repetitions:,} repetitions; power {rejection_rate(found):.2f}"
    return judged(name, shows, covered, allowed(COVERAGE, 1 - ALPHA, repetitions), SOURCE, note)


def caught_check(setting: Setting, k: int, repetitions: int) -> Outcome:
    """Check that a wrong test would fail: the paired t over seeds, which takes the test images as given."""
    rate = rejection_rate(studies(setting, k, 0.0, repetitions, test=seeds_only))
    name = f"no gain, {where(setting, k, 1)}: t test over seeds"
    shows = "a test that forgets the variance due to images is found out by these simulations"
    return caught(name, shows, rate, REJECTION, repetitions)


def caught(name: str, shows: str, rate: float, limits: tuple[float, float], repetitions: int) -> Outcome:
    """Return the check that a wrong test is found out: its rate is above what is allowed for a right one."""
    above = math.nextafter(allowed(limits, ALPHA, repetitions)[1], 1.0)
    return judged(name, shows, rate, (above, 1.0), SOURCE, f"{repetitions:,} repetitions")


def allowed(limits: tuple[float, float], nominal: float, repetitions: int) -> tuple[float, float]:
    """Return the allowed range of a rate: that for 2,000 repetitions, wider for fewer as their sampling error is."""
    wider = math.sqrt(max(1.0, REPETITIONS / repetitions))
    low, high = (nominal + wider * (limit - nominal) for limit in limits)
    return max(0.0, low), min(1.0, high)


def studies(
    setting: Setting,
    k: int,
    gain: float,
    repetitions: int,
    n_datasets: int = 1,
    test: Test = two_way,
    mean: Mean = mean_study,
) -> Iterator[Study]:
    """Yield the primary test's result of each simulated experiment; that of the macro mean with several data sets.

    An experiment has k paired seeds on each of `n_datasets` independent data sets, and a true gain in accuracy (a
    fraction). More repetitions leave the first ones as they are. `test` makes an estimate of paired scores, `mean` that
    of several data sets.
    """
    groups = setting.groups
    drawn = [answers(setting, k, gain, repetitions, dataset) for dataset in range(n_datasets)]
    for experiment in zip(*drawn, strict=True):
        found = [test(gain_of(method, reference, groups)) for method, reference in experiment]
        yield found[0] if n_datasets == 1 else mean(found)


def gain_of(method: NDArray[np.float64], reference: NDArray[np.float64], groups: NDArray[np.int64]) -> Scored:
    """Return the scores of a gain in accuracy, as the suite has them."""
    return weighted_sum([(1.0, share_right(method, groups)), (-1.0, share_right(reference, groups))])


def differences(
    setting: Setting, k: int, gain: float, repetitions: int, dataset: int = 0
) -> Iterator[NDArray[np.float64]]:
    """Yield, for each experiment, correctness of the method minus that of the reference: (k, n), -1, 0 or 1."""
    for method, reference in answers(setting, k, gain, repetitions, dataset):
        yield method - reference


def answers(
    setting: Setting, k: int, gain: float, repetitions: int, dataset: int = 0
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield, for each experiment, where the method and where the reference is right: (k, n) each, 1 or 0."""
    axes = ("selfcheck", setting.name, k, f"gain {gain:g}")
    draw, of_all = generator(*axes, dataset), generator(*axes, "all data sets")
    for first in range(0, repetitions, _BLOCK):
        shared = _image_effects(draw, setting, 1, setting.difficulty)
        shared = shared + _normal(draw, setting.seed, (_BLOCK, k, 1))
        right = [
            float(setting.total(luck) * ndtri(accuracy))
            + shared
            + _image_effects(draw, setting, 1, setting.interaction)
            + _normal(draw, (1 - setting.together) * luck, (_BLOCK, k, 1))
            + _normal(of_all, setting.together * luck, (_BLOCK, k, 1))
            + _image_effects(draw, setting, k, 1.0)
            > 0
            for luck, accuracy in zip(
                setting.of_methods, (setting.accuracy, setting.accuracy - gain), strict=True
            )
        ]
        method, reference = (one[: repetitions - first].astype(np.float64) for one in right)
        yield from zip(method, reference, strict=True)


def seeds_only(scored: Scored) -> Study:
    """Return the paired t test over seeds: the primary test without its case part."""
    study = two_way(scored)
    return replace(study, case_part=0.0, df=float(len(scored.values) - 1))


def rejection_rate(found: Iterable[Study]) -> float:
    """Return the share of studies whose p is below 5 %."""
    return float(np.mean([p_value(study) < ALPHA for study in found]))


def _image_effects(
    draw: np.random.Generator, setting: Setting, k: int, variance: float
) -> NDArray[np.float32]:
    """Return effects (_BLOCK, k, n) of images, of which images of a group share a part."""
    sizes, shared = setting.group_sizes, setting.group_share * variance
    of_groups = _normal(draw, shared, (_BLOCK, k, len(sizes)))
    of_images = _normal(draw, (1 - setting.group_share) * variance, (_BLOCK, k, sum(sizes)))
    return np.repeat(of_groups, sizes, axis=2) + of_images


def _normal(draw: np.random.Generator, variance: float, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return normal draws; in float32, which halves the time and decides no image."""
    return math.sqrt(variance) * draw.standard_normal(shape, dtype=np.float32)


def where(setting: Setting, k: int, n_datasets: int) -> str:
    """Return a setting, its seeds and data sets in words."""
    mean = f", mean of {n_datasets} data sets" if n_datasets > 1 else ""
    return f"{setting.name}, {counted(k, 'seed')}{mean}"
