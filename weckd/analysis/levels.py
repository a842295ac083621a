"""How good every method's stages are on every metric: means over seeds with their two-way intervals."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from weckd.analysis.contrasts import Result, evaluate_all, own, sizes
from weckd.analysis.inference.reader_study import half_width
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import DatasetPredictions, SuitePredictions
from weckd.config import Suite
from weckd.places import few_seeds, is_phantom, means


@dataclass(frozen=True)
class Level:
    """One method's stage on one data set, or a mean over data sets, and one metric."""

    dataset: str
    method: str
    stage: int
    final: bool  # the method's last stage, which is its result
    metric: str
    result: Result


@dataclass(frozen=True)
class Floor:
    """What a test set gives away: fractions."""

    majority: float  # share of the most frequent test class
    chance: float  # 1 / C
    smallest_class: str
    smallest_n: int  # test images of the smallest class


def evaluate_levels(suite: Suite, predictions: SuitePredictions) -> tuple[Level, ...]:
    """Return every method on every data set, their means, and every metric.

    On the primary metric and its first sensitivity every stage, on the others the last stage alone.
    """
    return tuple(
        Level(dataset, method, stage, stage == predictions.stages[method], metric, result)
        for place, metric in enumerate(suite.analysis.metrics)
        for method in suite.methods
        for stage in _stages(predictions.stages[method], place)
        for dataset, result in evaluate_all(suite, predictions.datasets, own(method, stage), metric).items()
    )


def _stages(last: int, place: int) -> range:
    """Return the stages that are evaluated on the plan's metric of this place."""
    return range(1 if place < 2 else last, last + 1)


def floors(suite: Suite, predictions: SuitePredictions) -> dict[str, Floor]:
    """Return the floor of every data set whose test set is known, and of the means over data sets."""
    known = {
        key: _floor(data, suite.facts[key].classes)
        for key, data in predictions.datasets.items()
        if data.n_images
    }
    return {**known, **_mean_floors(suite, known)}


def _mean_floors(suite: Suite, known: Mapping[str, Floor]) -> dict[str, Floor]:
    found = {}
    for name, keys in means(suite).items():
        counted = [known[key] for key in keys if key in known]
        if counted and len(counted) == len(keys):
            smallest = min(counted, key=lambda floor: floor.smallest_n)
            found[name] = Floor(
                majority=float(np.mean([floor.majority for floor in counted])),
                chance=float(np.mean([floor.chance for floor in counted])),
                smallest_class=smallest.smallest_class,
                smallest_n=smallest.smallest_n,
            )
    return found


def levels_frame(suite: Suite, predictions: SuitePredictions, levels: Iterable[Level]) -> pd.DataFrame:
    """Return the long frame of a CSV: numbers in the unit of their row, NaN where not defined."""
    known_floors, known_sizes = floors(suite, predictions), sizes(suite, predictions.datasets)
    return pd.DataFrame(
        [_row(suite, level, known_floors.get(level.dataset), known_sizes[level.dataset]) for level in levels]
    )


def interval_half_width(suite: Suite, level: Level) -> float:
    """Return the half-width of the two-way interval as a fraction; NaN where there is none."""
    study = level.result.study
    if study is None or few_seeds(suite):
        return float("nan")
    return half_width(study, 1 - suite.analysis.alpha)


def _floor(data: DatasetPredictions, classes: tuple[str, ...]) -> Floor:
    counts = np.bincount(data.y, minlength=data.n_classes)
    return Floor(
        majority=float(counts.max() / counts.sum()),
        chance=1 / data.n_classes,
        smallest_class=classes[int(counts.argmin())],
        smallest_n=int(counts.min()),
    )


def _row(suite: Suite, level: Level, floor: Floor | None, size: tuple[int, int] | None) -> dict[str, object]:
    study = level.result.study
    nothing, metric = float("nan"), METRICS[level.metric]
    mean = nothing if study is None else metric.scale * study.estimate
    half = metric.scale * interval_half_width(suite, level)
    return {
        "suite": suite.run,
        "phantom": is_phantom(suite, level.dataset),
        "dataset": level.dataset,
        "method": level.method,
        "stage": level.stage,
        "final": level.final,
        "metric": level.metric,
        "k": len(suite.seeds),
        "n_images": size[0] if size else pd.NA,
        "n_groups": size[1] if size else pd.NA,
        "unit": metric.unit,
        "mean": mean,
        "half_width": half,
        "ci_low": mean - half,
        "ci_high": mean + half,
        "se": nothing if study is None else metric.scale * study.se,
        "df": nothing if study is None else study.df,
        "seed_share": nothing if study is None else study.seed_share,
        "majority_pct": 100 * floor.majority if floor else nothing,
        "chance_pct": 100 * floor.chance if floor else nothing,
        "smallest_class": floor.smallest_class if floor else "",
        "smallest_class_n": floor.smallest_n if floor else pd.NA,
        "missing": "; ".join(level.result.missing),
        "plan_hash": suite.plan_hash,
    }
