"""Methods side by side: reliability diagrams, the critical-difference diagram, and accuracy against labels."""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from weckd.analysis.comparisons import BAR, BASELINE, REFERENCES, chain_method, shown_methods
from weckd.analysis.contrasts import evaluate, own
from weckd.analysis.figures import style
from weckd.analysis.figures.style import ACCENT, GREY, INK, PALE
from weckd.analysis.inference.data_sets import rank_methods
from weckd.analysis.inference.power import smallest_rank_p
from weckd.analysis.method_groups import PANEL
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.confidence import BINS, reliability_curve, scaled, temperatures
from weckd.analysis.predictions import DatasetPredictions
from weckd.analysis.results import Results
from weckd.analysis.sheets.inputs import budgets_frame
from weckd.analysis.split_counts import chain_parts, count_splits
from weckd.errors import counted
from weckd.places import few_seeds, independent, overall, sets_and_overall
from weckd.tables.captions import confidence, mean_or_dataset, missing_sentence
from weckd.tables.cells import P, Wording

FEWEST = 3  # data sets, and methods, for ranks
SUPERVISED = (BASELINE, "pooled", "full", BAR)
ASIDE = 1.04  # times the labels of the curve before, so that no interval hides another's
NOTHING = float("nan")


def reliability_figure(run: Results) -> Figure:
    """Return a row a method (the chain, single, pooled, all labels) and a column a data set, all seeds pooled.

    Is confidence as high as accuracy, before and after temperature scaling?
    """
    suite, methods, stages = run.suite, shown_methods(run.suite), run.predictions.stages
    datasets = run.predictions.datasets
    if not methods:
        why = f"neither a chain nor {', '.join(REFERENCES)} is in this run; add one of them"
        return style.nothing(suite, "Reliability", why)
    missing = [data.missing(name, stages[name]) for data in datasets.values() for name in methods]
    if all(missing):
        return style.nothing(
            suite, "Reliability", missing_sentence(name for names in missing for name in names)
        )
    figure, axes = style.matrix(suite, len(methods), suite.datasets, 1.4 * len(methods) + 1.4)
    for method, row in zip(methods, axes, strict=True):
        for key, axis in zip(suite.datasets, row, strict=True):
            _reliability(axis, datasets[key], method, stages[method])
        row[0].set_ylabel(f"{style.wrapped(method, 24)}\naccuracy, %")
    return style.captioned(
        figure,
        suite,
        "Reliability, last stages",
        f"confidence (highest probability), percent, {BINS} bins of equal mass, seeds pooled; open: as predicted;",
        "filled: after temperature scaling on validation images; ECE: mean over seeds, percent, before and after;",
        "on the diagonal confidence equals accuracy",
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
    predicted = data.predicted(method, stage)
    before = reliability_curve(predicted.probabilities, predicted.y)
    open_circles: Any = {"color": GREY, "markerfacecolor": "white", "markersize": 3, "zorder": 2}
    axis.plot(before.confidence, before.accuracy, "o-", **open_circles)
    text = _percent(data, method, stage, "ece")
    if predicted.validation:
        probabilities = scaled(predicted.probabilities, temperatures(predicted.validation))
        after = reliability_curve(probabilities, predicted.y)
        axis.plot(after.confidence, after.accuracy, "o-", color=ACCENT, markersize=2.5, zorder=3)
        text += f" → {_percent(data, method, stage, 'ece_scaled')}"
    box = {"facecolor": PALE, "edgecolor": "none", "pad": 1.5}
    axis.text(0.96, 0.04, f"ECE {text}", ha="right", va="bottom", fontsize=7, bbox=box)


def _percent(data: DatasetPredictions, method: str, stage: int, metric: str) -> str:
    study = evaluate(data, own(method, stage), metric).study
    return f"{100 * study.estimate:.1f}" if study else "missing"


def ranks_figure(run: Results) -> Figure:
    """Return the critical-difference diagram of the last stages' seed means on the independent data sets (Demsar 2006).

    A picture, which decides nothing.
    """
    ranks = rank_methods(seed_means(run))
    methods, sets = len(ranks.mean_ranks), counted(ranks.n_datasets, "independent data set")
    if min(methods, ranks.n_datasets) < FEWEST:
        few = f"{counted(methods, 'whole method')} on {sets}; ranks need at least {FEWEST} of both"
        return style.nothing(run.suite, "Mean ranks", few)
    # Imported here: it loads other drawing libraries. It has no types.
    from scikit_posthocs import critical_difference_diagram  # type: ignore[import-untyped] # noqa: PLC0415

    figure = style.figure(7.5, 0.13 * methods + 2.2)
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
    least, nemenyi = (P(p).text(Wording()) for p in smallest_rank_p(ranks.n_datasets, methods))
    friedman = P(ranks.friedman_p).text(Wording())
    friedman += "" if least.startswith("<") else f" (at least {least} here)"
    left_out = f"; missing a data set, not ranked: {', '.join(ranks.left_out)}" if ranks.left_out else ""
    return style.captioned(
        figure,
        run.suite,
        "Mean ranks (1 is best)",
        f"{run.primary_name}, seed means on J = {sets}; Friedman p {friedman}{left_out}",
        f"bars join methods that Nemenyi's test does not part (5 %; p at least {nemenyi} here); few data sets:",
        "such ranks find only large differences, and no claim rests on them",
        end="; ",
        more=": description only",
    )


def seed_means(run: Results) -> pd.DataFrame:
    """Return the primary metric's mean over seeds: independent data sets by methods, NaN where missing."""
    sign = -1.0 if METRICS[run.primary].lower_is_better else 1.0
    rows: dict[str, list[float]] = {}
    for key in independent(run.suite):
        last = ((method, run.predictions.stages[method]) for method in run.suite.methods)
        results = (evaluate(run.predictions.datasets[key], own(*cell), run.primary) for cell in last)
        rows[key] = [sign * result.study.estimate if result.study else NOTHING for result in results]
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(run.suite.methods))


@dataclass(frozen=True)
class Point:
    """One method's stage: labels that it learns from, and its level in percent."""

    labels: float  # NaN where the manifests or splits do not say
    mean: float  # NaN where it is missing
    half_width: float  # NaN where there is none

    @property
    def known(self) -> bool:
        """Whether both its labels and its level are known."""
        return not math.isnan(self.labels + self.mean)


Curves: TypeAlias = dict[str, list[Point]]
"""By name, points that are joined."""


def labels_figure(run: Results) -> Figure:
    """Return accuracy against the number of labels that a method learns from: a panel a data set, one for their mean.

    Each has the chain's stages, supervised methods, and the panel's. splits/ and manifests/ of the run's folder say how
    many labels there were.
    """
    suite, curves = run.suite, label_curves(run)
    if not any(x.known for of_place in curves.values() for points in of_place.values() for x in points):
        why = f"neither a chain nor {', '.join(SUPERVISED)} has predictions and a known number of labels in this run"
        return style.nothing(suite, "Label efficiency", why)
    columns = min(4, len(curves))
    figure = style.figure(1.2 + 2.0 * columns, 1.9 * -(-len(curves) // columns) + 1.4)
    axes = style.grid(figure, len(curves), columns)
    for (name, of_place), axis in zip(curves.items(), axes, strict=True):
        _label_curves(axis, of_place)
        axis.set_title(mean_or_dataset(suite, name))
    axes[0].legend(frameon=False, fontsize=7, loc="lower right")
    bars = f"bars: {confidence(suite)} two-way intervals"
    return style.captioned(
        figure,
        suite,
        f"Label efficiency, {run.primary_name} in percent",
        "labels that the method learns from, mean over seeds (log scale, curves set apart); without validation labels;",
        "all labels twice: at the chain's steps, and trained to the end; "
        + (bars if not few_seeds(suite) else "too few seeds for intervals"),
        end="; ",
    )


def label_curves(run: Results) -> dict[str, Curves]:
    """Return by data set and mean the curve of the chain, of the supervised methods, and of each panel backbone."""
    labels = _label_counts(run)
    curves: dict[str, Curves] = {place: {} for place in sets_and_overall(run.suite)}
    for label, members in _members(run).items():
        for member in members:
            shown, on = run.of(own(*member)), labels.get(member, {})
            for place, of_place in curves.items():
                point = Point(on.get(place, NOTHING), shown[place].value, shown[place].half_width)
                of_place.setdefault(label, []).append(point)
    return curves


def _members(run: Results) -> dict[str, list[tuple[str, int]]]:
    """Return the methods and stages of each curve."""
    suite, chain, stages = run.suite, chain_method(run.suite), run.predictions.stages
    curves = (
        {f"{chain}, stage by stage": [(chain, stage + 1) for stage in range(stages[chain])]} if chain else {}
    )
    supervised = [(name, stages[name]) for name in SUPERVISED if name in suite.methods]
    if supervised:
        curves["no chain"] = supervised
    for name in suite.methods:
        if suite.roles[name] == PANEL:
            curves.setdefault(name.rpartition("-")[0], []).append((name, stages[name]))
    return curves


def _label_counts(run: Results) -> dict[tuple[str, int], dict[Any, float]]:
    """Return by method and stage the labels on each data set, and their mean over the independent ones.

    The chain's models learn from the subsets of all stages up to theirs.
    """
    suite, stages, chain = run.suite, run.predictions.stages, chain_method(run.suite)
    budgets = budgets_frame(suite, run.files.manifests).pivot(
        index="method", columns="dataset", values="labels"
    )
    found: dict[tuple[str, int], dict[Any, float]] = {
        (str(method), stages[str(method)]): on.to_dict() for method, on in budgets.iterrows()
    }
    if chain:
        splits, parts, k = count_splits(suite, run.files), chain_parts(suite), len(suite.seeds)
        for stage in range(1, stages[chain] + 1):
            counts = splits[splits["part"].isin(parts[:stage])].groupby("dataset")["n_images"]
            found[chain, stage] = {key: sum(n / k for n in of_set) for key, of_set in counts}
    for on in found.values():
        of_independent = [on.get(key, NOTHING) for key in independent(suite)]
        on[overall(suite)] = float(np.mean(of_independent)) if of_independent else NOTHING
    return found


def _label_curves(axis: Any, curves: Curves) -> None:
    axis.set_xscale("log")
    for place, (name, points) in enumerate(curves.items()):
        known = [point for point in points if point.known]
        if len(known) < len(points):
            at, text = (0.03, 0.97 - 0.09 * place), f"{name}: missing"
            axis.text(*at, text, transform=axis.transAxes, va="top", fontsize=7)
        axis.errorbar(
            [point.labels * ASIDE**place for point in known],
            [point.mean for point in known],
            yerr=[0.0 if np.isnan(point.half_width) else point.half_width for point in known],
            linestyle="--" if place else "-",
            linewidth=1.2,
            markersize=3,
            elinewidth=0.8,
            label=name,
            color=(ACCENT, INK, GREY)[min(place, 2)],
            marker="s" if place else "o",
        )
    every = {round(x.labels) for points in curves.values() for x in points if not math.isnan(x.labels)}
    axis.set_xticks(sorted(every), [str(count) for count in sorted(every)])
    axis.set_xticks([], minor=True)
    axis.tick_params(length=2)
