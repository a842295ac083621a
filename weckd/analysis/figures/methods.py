"""Methods side by side: reliability diagrams, the critical-difference diagram, and accuracy against labels."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from weckd.analysis.comparisons import BAR, BASELINE, REFERENCES, chain_method, shown_methods
from weckd.analysis.contrasts import Contrast, evaluate, evaluate_all, own
from weckd.analysis.estimates import estimate
from weckd.analysis.figures.style import (
    ACCENT,
    GREY,
    INK,
    PALE,
    captioned,
    grid,
    matrix,
    nothing_figure,
    wrapped,
)
from weckd.analysis.inference.data_sets import rank_methods
from weckd.analysis.method_groups import PANEL
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.confidence import BINS, reliability_curve, scaled, temperatures
from weckd.analysis.predictions import DatasetPredictions, SuitePredictions
from weckd.analysis.sheets.inputs import budgets_frame
from weckd.analysis.split_counts import chain_parts, count_splits
from weckd.config import Suite
from weckd.errors import counted
from weckd.places import MACRO, few_seeds, independent, means
from weckd.tables.captions import mean_or_dataset, missing_sentence, run_note
from weckd.tables.cells import P, Wording

FEWEST = 3  # data sets, and methods, for ranks
SUPERVISED = (BASELINE, "pooled", "full", BAR)
NOTHING = float("nan")


def reliability_figure(suite: Suite, predictions: SuitePredictions) -> Figure:
    """Return a row a method (the chain, single, pooled, all labels) and a column a data set, all seeds pooled.

    Is confidence as high as accuracy, before and after temperature scaling?
    """
    methods = shown_methods(suite)
    if not methods:
        why = f"neither a chain nor {', '.join(REFERENCES)} is in this run; add one of them"
        return nothing_figure(suite, "Reliability", why)
    stages = predictions.stages
    missing = [data.missing(name, stages[name]) for data in predictions.datasets.values() for name in methods]
    if all(missing):
        why = missing_sentence(name for names in missing for name in names)
        return nothing_figure(suite, "Reliability", why)
    figure, axes = matrix(suite, len(methods), suite.datasets, 1.4 * len(methods) + 1.4)
    for method, row in zip(methods, axes, strict=True):
        for key, axis in zip(suite.datasets, row, strict=True):
            _reliability(axis, predictions.datasets[key], method, stages[method])
        row[0].set_ylabel(f"{wrapped(method, 24)}\naccuracy")
    return captioned(
        figure,
        suite,
        f"Reliability, last stages, suite {suite.run}",
        f"confidence (highest probability), {BINS} bins of equal mass, seeds pooled; open: as predicted; filled: after "
        "temperature scaling on validation images;\nECE: mean over seeds, percent, before and after; on the diagonal "
        f"confidence equals accuracy\n{run_note(suite)}",
    )


def _reliability(axis: Any, data: DatasetPredictions, method: str, stage: int) -> None:
    axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, zorder=1)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    axis.tick_params(length=2)
    for scale in (axis.xaxis, axis.yaxis):
        scale.set_major_formatter(PercentFormatter(xmax=1, symbol=""))
        scale.set_ticks([0, 0.5, 1])
    if data.missing(method, stage):
        axis.text(0.5, 0.5, "missing", ha="center", va="center")
        return
    predicted, contrast = data.predicted(method, stage), own(method, stage)
    before = reliability_curve(predicted.probabilities, predicted.y)
    open_circles: Any = {"color": GREY, "markerfacecolor": "white", "markersize": 3, "zorder": 2}
    axis.plot(before.confidence, before.accuracy, "o-", **open_circles)
    text = _percent(data, contrast, "ece")
    if predicted.validation:
        probabilities = scaled(predicted.probabilities, temperatures(predicted.validation))
        after = reliability_curve(probabilities, predicted.y)
        axis.plot(after.confidence, after.accuracy, "o-", color=ACCENT, markersize=2.5, zorder=3)
        text += f" → {_percent(data, contrast, 'ece_scaled')}"
    axis.text(0.96, 0.04, f"ECE {text}", ha="right", va="bottom", fontsize=7, backgroundcolor=PALE)


def _percent(data: DatasetPredictions, contrast: Contrast, metric: str) -> str:
    study = evaluate(data, contrast, metric).study
    return f"{100 * study.estimate:.1f}" if study else "missing"


def ranks_figure(suite: Suite, predictions: SuitePredictions) -> Figure:
    """Return the critical-difference diagram of the last stages' seed means on the independent data sets (Demsar 2006).

    A picture, which decides nothing.
    """
    ranks = rank_methods(seed_means(suite, predictions))
    methods, sets = len(ranks.mean_ranks), counted(ranks.n_datasets, "independent data set")
    if min(methods, ranks.n_datasets) < FEWEST:
        few = f"{counted(methods, 'whole method')} on {sets}; ranks need at least {FEWEST} of both"
        return nothing_figure(suite, "Mean ranks", few)
    # Imported here: it loads other drawing libraries. It has no types.
    from scikit_posthocs import critical_difference_diagram  # type: ignore[import-untyped] # noqa: PLC0415

    figure = Figure(figsize=(7.5, 0.13 * methods + 2.2), layout="constrained")
    axis = figure.subplots()
    # By number, not by name: the order of its bars follows the labels' hash, which for text differs between runs.
    numbers = range(methods)
    critical_difference_diagram(
        pd.Series(ranks.mean_ranks.to_numpy(), index=numbers),
        pd.DataFrame(ranks.nemenyi_p.to_numpy(), index=numbers, columns=numbers),
        ax=axis,
        label_fmt_left="{label}",
        label_fmt_right="{label}",
        label_props={"fontsize": 8},
        elbow_props={"linewidth": 0.8},
        crossbar_props={"color": INK, "linewidth": 2},
        marker_props={"s": 8},
        color_palette=[INK] * methods,
        text_h_margin=0.02,
    )
    for text in axis.texts:
        number = int(text.get_text())
        name, rank = ranks.mean_ranks.index[number], f"({ranks.mean_ranks.iloc[number]:.1f})"
        text.set_text(f"{name} {rank}" if text.get_horizontalalignment() == "right" else f"{rank} {name}")
    left_out = f"; missing a data set, not ranked: {', '.join(ranks.left_out)}" if ranks.left_out else ""
    return captioned(
        figure,
        suite,
        f"Mean ranks (1 is best), suite {suite.run}: description only",
        f"{METRICS[suite.analysis.metrics[0]].name}, seed means on J = {sets}; "
        f"Friedman p {P(ranks.friedman_p).text(Wording())}{left_out}\n"
        "bars join methods that Nemenyi's test does not part (5 %); few data sets: such ranks find\n"
        f"only large differences, and no claim rests on them; {run_note(suite)}",
    )


def seed_means(suite: Suite, predictions: SuitePredictions) -> pd.DataFrame:
    """Return the primary metric's mean over seeds: independent data sets by methods, NaN where missing."""
    metric = suite.analysis.metrics[0]
    sign = -1.0 if METRICS[metric].lower_is_better else 1.0
    rows: dict[str, list[float]] = {}
    for key in independent(suite):
        results = (
            evaluate(predictions.datasets[key], own(method, predictions.stages[method]), metric)
            for method in suite.methods
        )
        rows[key] = [sign * result.study.estimate if result.study else NOTHING for result in results]
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(suite.methods))


@dataclass(frozen=True)
class Point:
    """One method's stage: labels that it learns from, and its level in percent."""

    labels: float  # NaN where the manifests or splits do not say
    mean: float  # NaN where it is missing
    half_width: float  # NaN where there is none


@dataclass(frozen=True)
class Curve:
    """Points that are joined, on one data set or mean."""

    name: str
    points: tuple[Point, ...]

    @property
    def known(self) -> list[Point]:
        """Those whose labels and level are known."""
        return [point for point in self.points if not math.isnan(point.labels + point.mean)]


def labels_figure(suite: Suite, predictions: SuitePredictions, run: Path) -> Figure:
    """Return accuracy against the number of labels that a method learns from: a panel a data set, one for their mean.

    Each has the chain's stages, supervised methods, and the panel's. splits/ and manifests/ of the run's folder say how
    many labels there were.
    """
    curves = label_curves(suite, predictions, run)
    if not any(curve.known for of_name in curves.values() for curve in of_name):
        why = f"neither a chain nor {', '.join(SUPERVISED)} has predictions and a known number of labels in this run"
        return nothing_figure(suite, "Label efficiency", why)
    columns = min(4, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(1.2 + 2.0 * columns, 1.9 * rows + 1.4), layout="constrained")
    axes = grid(figure, len(curves), columns)
    for (name, of_name), axis in zip(curves.items(), axes, strict=True):
        _label_curves(axis, of_name)
        axis.set_title(mean_or_dataset(suite, name))
    axes[0].legend(frameon=False, fontsize=7, loc="lower right")
    bars = f"bars: {100 * (1 - suite.analysis.alpha):g} % two-way intervals"
    return captioned(
        figure,
        suite,
        f"Label efficiency, {METRICS[suite.analysis.metrics[0]].name} in percent, suite {suite.run}",
        "labels that the method learns from, mean over seeds (log scale); all labels twice: at the chain's steps, and "
        "trained to the end; validation labels not counted\n"
        f"{'too few seeds for intervals' if few_seeds(suite) else bars}; {run_note(suite)}",
    )


def label_curves(suite: Suite, predictions: SuitePredictions, run: Path) -> dict[str, tuple[Curve, ...]]:
    """Return by data set and mean the curve of the chain, of the supervised methods, and of each panel backbone."""
    labels, metric = _label_counts(suite, predictions.stages, run), suite.analysis.metrics[0]

    def points(method: str, stage: int) -> dict[str, Point]:
        found, on = {}, labels.get((method, stage), {})
        for name, result in evaluate_all(suite, predictions.datasets, own(method, stage), metric).items():
            shown = estimate(suite, result, METRICS[metric].scale)
            found[name] = Point(on.get(name, NOTHING), shown.value, shown.half_width)
        return found

    members = _members(suite, predictions)
    curves = {label: [points(*member) for member in of_label] for label, of_label in members.items()}
    return {
        name: tuple(Curve(label, tuple(point[name] for point in found)) for label, found in curves.items())
        for name in (*suite.datasets, MACRO)
    }


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


def _label_counts(
    suite: Suite, stages: Mapping[str, int], run: Path
) -> dict[tuple[str, int], dict[str, float]]:
    """Return by method and stage the labels on each data set, and their mean over the independent ones.

    The chain's models learn from the subsets of all stages up to theirs.
    """
    found: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    for row in budgets_frame(suite, run / "manifests").to_dict("records"):
        found[(row["method"], stages[row["method"]])][row["dataset"]] = row["labels"]
    chain, parts, k = chain_method(suite) or "", chain_parts(suite), len(suite.seeds)
    splits = count_splits(suite, run / "splits") if chain else ()
    counts = [(c.dataset, c.part, c.n_images / k) for c in splits if c.n_images is not None]
    for stage, key in product(range(1, stages.get(chain, 0) + 1), suite.datasets):
        images = [n for dataset, part, n in counts if dataset == key and part in parts[:stage]]
        found[(chain, stage)][key] = sum(images) if images else NOTHING
    for labels_on in found.values():
        independent_ones = [labels_on[key] for key in means(suite)[MACRO]]
        labels_on[MACRO] = float(np.mean(independent_ones)) if independent_ones else NOTHING
    return found


def _label_curves(axis: Any, curves: Sequence[Curve]) -> None:
    axis.set_xscale("log")
    for place, curve in enumerate(curves):
        if len(curve.known) < len(curve.points):
            at, text = (0.03, 0.97 - 0.09 * place), f"{curve.name}: missing"
            axis.text(*at, text, transform=axis.transAxes, va="top", fontsize=7)
        axis.errorbar(
            [point.labels for point in curve.known],
            [point.mean for point in curve.known],
            yerr=[0.0 if np.isnan(point.half_width) else point.half_width for point in curve.known],
            linestyle="--" if place else "-",
            linewidth=1.2,
            markersize=3,
            elinewidth=0.8,
            label=curve.name,
            color=(ACCENT, INK, GREY)[min(place, 2)],
            marker="s" if place else "o",
        )
    counts = sorted(
        {point.labels for curve in curves for point in curve.points if not math.isnan(point.labels)}
    )
    axis.set_xticks(counts, [f"{count:.0f}" for count in counts])
    axis.set_xticks([], minor=True)
    axis.tick_params(length=2)
