"""A run's saved predictions and all that is computed from them once, for every table, figure and claim."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np

from weckd.analysis.comparisons import Comparison, Kind
from weckd.analysis.contrasts import Contrast, evaluate_all, sizes
from weckd.analysis.estimates import (
    EXPLORATORY,
    Estimate,
    Gain,
    Level,
    estimate,
    evaluate_gains,
    evaluate_levels,
    planned_gains,
)
from weckd.analysis.imported import IMPORTED, imported_files, with_imported
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import DatasetPredictions, SuitePredictions, load_predictions
from weckd.analysis_plan import Metric
from weckd.committed import with_plans
from weckd.config import Suite
from weckd.declared import NOT_EMPTY, Declared, checked, plain
from weckd.places import means, overall, with_finding
from weckd.run_files import RunFiles
from weckd.yaml_files import read_yaml

LARGEST = "largest"
"""Stands for the data set with the largest gain: what "up to" says."""

_Text: TypeAlias = Annotated[str, NOT_EMPTY]


@dataclass(frozen=True)
class Published(Declared):
    """A gain that the paper prints."""

    name: _Text
    method: _Text
    reference: _Text
    metric: Metric
    data_set: _Text  # a key, "macro" or "largest"
    value: float  # percentage points
    where: _Text  # table, page or section
    version: _Text  # of the paper


def read_published(file: Path | None) -> tuple[Published, ...]:
    """Read the paper's own numbers from a file such as config/published.yaml; none where there is no file.

    Raises:
        UserError: the file cannot be read, or an entry lacks a key or has a wrong one.
    """
    if file is None:
        return ()
    values = plain(tuple[Published, ...], read_yaml(file, "name a list of published numbers", []))
    return checked(tuple[Published, ...], values, f"{file}: not a valid list of published numbers")


@dataclass(frozen=True)
class Compared:
    """A comparison on every data set and mean: of one or more of the plan's families, or of a method made elsewhere."""

    comparison: Comparison
    gains: Mapping[str, Gain]  # by data set or mean

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
    """A run's predictions, and all that is computed from them for tables, figures and claims, when it is asked for."""

    suite: Suite
    predictions: SuitePredictions
    files: RunFiles
    published: tuple[Published, ...] = ()  # the paper's own numbers

    @property
    def primary(self) -> str:
        """The plan's primary metric."""
        return self.suite.analysis.metrics[0]

    @property
    def primary_name(self) -> str:
        """The name of the primary metric."""
        return METRICS[self.primary].name

    @property
    def scale(self) -> float:
        """What values of the primary metric are multiplied with to be shown."""
        return METRICS[self.primary].scale

    @cached_property
    def sizes(self) -> dict[str, tuple[int, int] | None]:
        """Test images and groups of every data set and mean; None where not known."""
        return sizes(self.suite, self.predictions.datasets)

    def of(self, contrast: Contrast, metric: str = "") -> dict[str, Estimate]:
        """Return a contrast on every data set and mean, on the primary metric unless another is named."""
        name = metric or self.primary
        results = evaluate_all(self.suite, self.predictions.datasets, contrast, name)
        return {place: estimate(self.suite, x, METRICS[name].scale) for place, x in results.items()}

    @cached_property
    def gains(self) -> tuple[Gain, ...]:
        """Every comparison on every metric, data set and mean, see `evaluate_gains`."""
        return evaluate_gains(self.suite, self.predictions)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """Every method on every metric, data set and mean, see `evaluate_levels`."""
        return evaluate_levels(self.suite, self.predictions)

    @cached_property
    def planned(self) -> tuple[Gain, ...]:
        """The plan's comparisons on the primary metric."""
        return tuple(gain for gain in self.gains if gain.comparison.family and gain.metric == self.primary)

    @cached_property
    def drawn(self) -> tuple[Gain, ...]:
        """Those of `planned` that figures show, see `planned_gains`; no other metric is computed for them."""
        return planned_gains(self.suite, self.predictions)

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
                both = ([floor.majority for floor in floors], [floor.chance for floor in floors])
                majority, chance = (float(np.mean(values)) for values in both)
                known[name] = Floor(majority, chance, smallest.smallest_class, smallest.smallest_n)
        return known

    def compared(self, *kinds: Kind) -> tuple[Compared, ...]:
        """Return the plan's comparisons of some kinds on the primary metric, each once, then those made elsewhere.

        Where several families hold a comparison, that which is decided on the mean over all data sets speaks for it.
        """
        found: dict[tuple[str, str, int, str], dict[Comparison, dict[str, Gain]]] = {}
        for gain in self.planned:
            comparison = gain.comparison
            if comparison.kind in kinds:
                key = (comparison.kind, comparison.method, comparison.stage, comparison.reference)
                found.setdefault(key, {}).setdefault(comparison, {})[gain.dataset] = gain
        planned = []
        for rows in found.values():
            first = min(rows, key=lambda comparison: comparison.decided_on != (overall(self.suite),))
            planned.append(Compared(first, rows[first]))
        return (*planned, *self.made_elsewhere)

    @cached_property
    def made_elsewhere(self) -> tuple[Compared, ...]:
        """The comparisons of imported methods on the primary metric, which are in no family of the plan."""
        found: dict[Comparison, dict[str, Gain]] = {}
        for gain in self.gains:
            if self.suite.roles[gain.comparison.method] == IMPORTED and gain.metric == self.primary:
                found.setdefault(gain.comparison, {})[gain.dataset] = gain
        return tuple(Compared(comparison, gains) for comparison, gains in found.items())


def load_run(suite: Suite, run: Path, published: tuple[Published, ...] = ()) -> Results:
    """Return the results of a run from its saved predictions.

    Its suite has the methods that were made elsewhere, what its audit found of shared images, and the plans that it was
    trained under.

    Args:
        suite: the run's settings.
        run: folder with predictions/<dataset>/seed<k>.parquet, and audit/ and imported/<method>.parquet where there
            are any.
        published: the paper's own numbers.

    Raises:
        UserError: a file is unreadable or inconsistent; what is missing is kept and named instead.
    """
    files = RunFiles(run)
    whole = with_plans(with_finding(with_imported(suite, run), files.across), files)
    return Results(whole, load_predictions(whole, files.predictions, imported_files(run)), files, published)


def _floor(data: DatasetPredictions, classes: tuple[str, ...]) -> Floor:
    counts = np.bincount(data.y, minlength=data.n_classes)
    majority, smallest = float(counts.max() / counts.sum()), int(counts.argmin())
    return Floor(majority, 1 / data.n_classes, classes[smallest], int(counts.min()))
