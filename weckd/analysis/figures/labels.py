"""Label efficiency: accuracy against the number of labels that a method learns from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from weckd.analysis.blocks import PANEL
from weckd.analysis.comparisons import BAR, BASELINE, chain_method
from weckd.analysis.contrasts import evaluate_all, own
from weckd.analysis.figures.style import ACCENT, GREY, INK, nothing_figure
from weckd.analysis.inference.reader_study import half_width
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import SuitePredictions
from weckd.analysis.tables.budgets import budgets_frame
from weckd.analysis.tables.split_counts import chain_parts, count_splits
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, means
from weckd.tables.captions import mean_or_dataset, run_note, title

COLUMNS = 4
SUPERVISED = (BASELINE, "pooled", "full", BAR)


@dataclass(frozen=True)
class Point:
    """One method's stage: labels that it stands on, and its level in percent."""

    labels: float  # NaN where the manifests or splits do not say
    mean: float  # NaN where it is missing
    half_width: float  # NaN where there is none


@dataclass(frozen=True)
class Curve:
    """Points that are joined, on one data set or mean."""

    name: str
    points: tuple[Point, ...]


def labels_figure(suite: Suite, predictions: SuitePredictions, run: Path) -> Figure:
    """Return a panel a data set, and one for their mean: the chain's stages, supervised methods, the panel's.

    Args:
        suite: the run.
        predictions: of the run.
        run: folder with splits/ and manifests/, which say how many labels there were.
    """
    names = (*suite.datasets, MACRO)
    curves = label_curves(suite, predictions, run)
    if not any(_known(curve) for of_name in curves.values() for curve in of_name):
        why = f"neither a chain nor {', '.join(SUPERVISED)} has predictions and a known number of labels in this run"
        return nothing_figure(suite, "Label efficiency", why)
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(1.2 + 2.0 * columns, 1.9 * rows + 1.4), layout="constrained")
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for name, axis in zip(names, axes, strict=False):
        _panel(axis, curves[name])
        axis.set_title(mean_or_dataset(suite, name))
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    axes[0].legend(frameon=False, fontsize=7, loc="lower right")
    metric = METRICS[suite.analysis.metrics[0]].name
    figure.suptitle(title(suite, f"Label efficiency, {metric} in percent, suite {suite.run}"), weight="bold")
    bars = (
        "too few seeds for intervals"
        if few_seeds(suite)
        else f"bars: {100 * (1 - suite.analysis.alpha):g} % two-way intervals"
    )
    figure.supxlabel(
        "labels that the method learns from, mean over seeds (log scale); all labels twice: at the chain's steps, and "
        f"trained to the end; validation labels not counted\n{bars}; {run_note(suite)}",
        fontsize=8,
    )
    return figure


def label_curves(suite: Suite, predictions: SuitePredictions, run: Path) -> dict[str, tuple[Curve, ...]]:
    """Return by data set and mean the curve of the chain, of the supervised methods, and of each panel backbone."""
    methods = _labels_of_methods(suite, run)
    found: dict[str, list[Curve]] = {name: [] for name in (*suite.datasets, MACRO)}
    for label, members in _members(suite, predictions).items():
        levels = [_levels(suite, predictions, method, stage) for method, stage in members]
        labels = [
            _stage_labels(suite, run, stage) if method == chain_method(suite) else methods.get(method, {})
            for method, stage in members
        ]
        for name, curves in found.items():
            points = [
                Point(of.get(name, float("nan")), *level[name])
                for of, level in zip(labels, levels, strict=True)
            ]
            curves.append(Curve(label, tuple(points)))
    return {name: tuple(curves) for name, curves in found.items()}


def _members(suite: Suite, predictions: SuitePredictions) -> dict[str, list[tuple[str, int]]]:
    """Return the methods and stages of each curve."""
    chain, stages = chain_method(suite), predictions.stages
    curves: dict[str, list[tuple[str, int]]] = {}
    if chain is not None:
        curves[f"{chain}, stage by stage"] = [(chain, stage) for stage in range(1, stages[chain] + 1)]
    supervised = [(name, stages[name]) for name in SUPERVISED if name in suite.methods]
    if supervised:
        curves["no chain"] = supervised
    for name in suite.methods:
        if suite.roles[name] == PANEL:
            curves.setdefault(name.rpartition("-")[0], []).append((name, stages[name]))
    return curves


def _levels(
    suite: Suite, predictions: SuitePredictions, method: str, stage: int
) -> dict[str, tuple[float, float]]:
    metric = suite.analysis.metrics[0]
    scale, levels = METRICS[metric].scale, {}
    for name, result in evaluate_all(suite, predictions.datasets, own(method, stage), metric).items():
        study = result.study
        half = (
            float("nan") if study is None or few_seeds(suite) else half_width(study, 1 - suite.analysis.alpha)
        )
        levels[name] = (scale * study.estimate if study else float("nan"), scale * half)
    return levels


def _labels_of_methods(suite: Suite, run: Path) -> dict[str, dict[str, float]]:
    """Return by method the labels on each data set, and their mean over the independent ones."""
    frame = budgets_frame(suite, run / "manifests")
    return {
        str(method): _with_mean(suite, dict(zip(rows["dataset"], rows["labels"], strict=True)))
        for method, rows in frame.groupby("method")
    }


def _stage_labels(suite: Suite, run: Path, stage: int) -> dict[str, float]:
    """Return the labels of the first subsets, up to a stage's: the chain's models stand on all before them."""
    parts = chain_parts(suite)[:stage]
    counts: dict[str, list[float]] = {key: [] for key in suite.datasets}
    for count in count_splits(suite, run / "splits"):
        if count.part in parts and count.n_images is not None:
            counts[count.dataset].append(count.n_images / len(suite.seeds))
    return _with_mean(suite, {key: sum(found) if found else float("nan") for key, found in counts.items()})


def _with_mean(suite: Suite, labels: Mapping[str, float]) -> dict[str, float]:
    counted = [labels[key] for key in means(suite)[MACRO]]
    return {**labels, MACRO: float(np.mean(counted)) if counted else float("nan")}


def _known(curve: Curve) -> list[Point]:
    return [point for point in curve.points if not math.isnan(point.labels + point.mean)]


def _panel(axis: Any, curves: Sequence[Curve]) -> None:
    axis.set_xscale("log")
    for place, curve in enumerate(curves):
        known = _known(curve)
        if len(known) < len(curve.points):
            where = axis.transAxes
            axis.text(
                0.03, 0.97 - 0.09 * place, f"{curve.name}: missing", transform=where, va="top", fontsize=7
            )
        colour, marker = (ACCENT, "o") if place == 0 else (INK if place == 1 else GREY, "s")
        axis.errorbar(
            [point.labels for point in known],
            [point.mean for point in known],
            yerr=[0.0 if np.isnan(point.half_width) else point.half_width for point in known],
            linestyle="-" if place == 0 else "--",
            linewidth=1.2,
            markersize=3,
            elinewidth=0.8,
            label=curve.name,
            color=colour,
            marker=marker,
        )
    counts = sorted(
        {point.labels for curve in curves for point in curve.points if not math.isnan(point.labels)}
    )
    axis.set_xticks(counts, [f"{count:.0f}" for count in counts])
    axis.set_xticks([], minor=True)
    axis.tick_params(length=2)
