"""A run's saved predictions and all that is computed from them once, for every table, figure and claim."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from weckd.analysis.comparisons import Comparison, Kind
from weckd.analysis.contrasts import sizes
from weckd.analysis.estimates import EXPLORATORY, Gain, Level, evaluate_gains, evaluate_levels
from weckd.analysis.imported import IMPORTED, imported_files, with_imported
from weckd.analysis.predictions import DatasetPredictions, SuitePredictions, load_predictions
from weckd.analysis.published import Published
from weckd.config import Suite
from weckd.places import MACRO, means, places, with_finding
from weckd.run_files import RunFiles


@dataclass(frozen=True)
class Compared:
    """A comparison on every data set and mean: of one or more of the plan's families, or of a method made elsewhere."""

    comparison: Comparison
    gains: Mapping[str, Gain]  # by data set or mean: the row that decides a family, where one does

    @property
    def family(self) -> str:
        """The plan's first family that holds the comparison, or that it is exploratory."""
        return self.comparison.family or EXPLORATORY

    @property
    def missing(self) -> list[str]:
        """What is missing anywhere."""
        return [name for gain in self.gains.values() for name in gain.estimate.missing]


@dataclass(frozen=True)
class Floor:
    """What a test set gives away: fractions."""

    majority: float  # share of the most frequent test class
    chance: float  # 1 / C
    smallest_class: str
    smallest_n: int  # test images of the smallest class


@dataclass(frozen=True)
class Results:
    """All that is computed from a run's predictions, for every table, figure and claim."""

    suite: Suite
    predictions: SuitePredictions
    folder: Path  # of the run
    gains: tuple[Gain, ...]
    levels: tuple[Level, ...]
    sizes: dict[str, tuple[int, int] | None]  # data set or mean -> test images and groups
    published: tuple[Published, ...] = field(default=())  # the paper's own numbers

    @property
    def primary(self) -> str:
        """The plan's primary metric."""
        return self.suite.analysis.metrics[0]

    @cached_property
    def planned(self) -> tuple[Gain, ...]:
        """The plan's comparisons on the primary metric."""
        return tuple(gain for gain in self.gains if gain.comparison.family and gain.metric == self.primary)

    @cached_property
    def finals(self) -> dict[tuple[str, str, str], Level]:
        """The level of each method's last stage, by data set or mean, method and metric."""
        return {(x.dataset, x.method, x.metric): x for x in self.levels if x.final}

    @cached_property
    def floors(self) -> dict[str, Floor]:
        """The floor of every data set whose test set is known, and of the means over such."""
        known = {
            key: _floor(data, self.suite.facts[key].classes)
            for key, data in self.predictions.datasets.items()
            if data.n_images
        }
        for name, keys in means(self.suite).items():
            floors = [known[key] for key in keys if key in known]
            if floors and len(floors) == len(keys):
                smallest = min(floors, key=lambda floor: floor.smallest_n)
                majority, chance = (
                    float(np.mean(values))
                    for values in zip(*((x.majority, x.chance) for x in floors), strict=True)
                )
                known[name] = Floor(majority, chance, smallest.smallest_class, smallest.smallest_n)
        return known

    def compared(self, *kinds: Kind) -> tuple[Compared, ...]:
        """Return the plan's comparisons of some kinds on the primary metric, each once, then those made elsewhere.

        Where several families hold a comparison, a mean's row is that of the family it decides; all other rows are
        those of the family that is decided on the mean over all data sets.
        """
        found: dict[tuple[str, str, int, str], dict[Comparison, dict[str, Gain]]] = {}
        for gain in self.planned:
            comparison = gain.comparison
            if comparison.kind in kinds:
                key = (comparison.kind, comparison.method, comparison.stage, comparison.reference)
                found.setdefault(key, {}).setdefault(comparison, {})[gain.dataset] = gain
        planned = []
        for rows in found.values():
            ordered = sorted(rows, key=lambda comparison: comparison.decided_on != (MACRO,))
            gains = {}
            for place in places(self.suite):
                of_place = [rows[comparison][place] for comparison in ordered]
                gains[place] = next((gain for gain in of_place if gain.decides), of_place[0])
            planned.append(Compared(ordered[0], gains))
        return (*planned, *self.made_elsewhere)

    @cached_property
    def made_elsewhere(self) -> tuple[Compared, ...]:
        """The comparisons of imported methods on the primary metric, which are in no family of the plan."""
        found: dict[Comparison, dict[str, Gain]] = {}
        for gain in self.gains:
            if self.suite.roles[gain.comparison.method] == IMPORTED and gain.metric == self.primary:
                found.setdefault(gain.comparison, {})[gain.dataset] = gain
        return tuple(Compared(comparison, gains) for comparison, gains in found.items())


def as_evaluated(suite: Suite, run: Path) -> Suite:
    """Return a run's suite with the methods that were made elsewhere, and what its audit found of shared images.

    Raises:
        UserError: the audit's finding cannot be read.
    """
    return with_finding(with_imported(suite, run), RunFiles(run).across)


def load_run(suite: Suite, run: Path) -> tuple[Suite, SuitePredictions]:
    """Return a run's saved predictions, and its suite as tables need it, see `as_evaluated`.

    Args:
        suite: the run's settings.
        run: folder with predictions/<dataset>/seed<k>.parquet, and audit/ and imported/<method>.parquet where there
            are any.

    Raises:
        UserError: a file is unreadable or inconsistent; what is missing is kept and named instead.
    """
    whole = as_evaluated(suite, run)
    return whole, load_predictions(whole, run / "predictions", imported_files(run))


def evaluate_suite(suite: Suite, run: Path, published: Sequence[Published] = ()) -> Results:
    """Evaluate a run's saved predictions, see `load_run`."""
    return results_of(*load_run(suite, run), run, published)


def results_of(
    suite: Suite, predictions: SuitePredictions, run: Path, published: Sequence[Published] = ()
) -> Results:
    """Evaluate predictions that are loaded; `run` is the folder that they come from."""
    gains, levels = evaluate_gains(suite, predictions), evaluate_levels(suite, predictions)
    known = sizes(suite, predictions.datasets)
    return Results(suite, predictions, run, gains, levels, known, tuple(published))


def _floor(data: DatasetPredictions, classes: tuple[str, ...]) -> Floor:
    counts = np.bincount(data.y, minlength=data.n_classes)
    majority, smallest = float(counts.max() / counts.sum()), int(counts.argmin())
    return Floor(majority, 1 / data.n_classes, classes[smallest], int(counts.min()))
