"""Gains as pictures: over each reference of the plan, along a chain's stages, and the sources of their variance."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from weckd.analysis.comparisons import OWN_STAGE, Comparison, chain_method
from weckd.analysis.contrasts import Result, evaluate_all, gain
from weckd.analysis.estimates import NOT_KNOWN, Gain, estimate
from weckd.analysis.figures.style import (
    ACCENT,
    GREY,
    INK,
    PALE,
    captioned,
    draw_stages,
    grid,
    matrix,
    nothing_figure,
    wrapped,
)
from weckd.analysis.inference.data_sets import new_data_set
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import SuitePredictions
from weckd.config import Suite
from weckd.errors import counted
from weckd.places import MACRO, few_seeds, independent
from weckd.tables.captions import (
    NO_FAMILY,
    NO_STAGES,
    dataset_text,
    mean_or_dataset,
    missing_sentence,
    run_note,
)

COLUMNS = 4  # of the forest plot
NEW = "a new data set"
OWN_START = f"{OWN_STAGE} 1"


def forest_figure(suite: Suite, gains: Sequence[Gain]) -> Figure:
    """Return one panel a reference: per data set seeds (dots), mean and interval; macro mean as a diamond."""
    primary = suite.analysis.metrics[0]
    what = f"Gains in {METRICS[primary].name}"
    shown = [
        gain
        for gain in gains
        if gain.comparison.kind in ("superiority", "non-inferiority")
        and gain.comparison.decided_on == (MACRO,)
        and gain.metric == primary
    ]
    if not any(gain.estimate.study for gain in shown):
        return nothing_figure(suite, what, _why_nothing(shown))
    panels = tuple(dict.fromkeys(gain.comparison for gain in shown))
    columns = min(COLUMNS, len(panels))
    height = math.ceil(len(panels) / columns) * (0.26 * (len(suite.datasets) + 2) + 0.8) + 1.3
    figure = Figure(figsize=(1.9 + 2.3 * max(columns, 2), height), layout="constrained")
    axes = grid(figure, len(panels), columns, sharex=True)
    for axis, comparison in zip(axes, panels, strict=True):
        _forest(suite, axis, comparison, [gain for gain in shown if gain.comparison == comparison])
    for axis in axes[-columns:]:
        axis.tick_params(labelbottom=True)
        axis.set_xlabel("percentage points")
    level = f"{100 * (1 - suite.analysis.alpha):g} %"
    if few_seeds(suite):
        means = "diamond: macro mean; too few seeds for intervals: description only"
    else:
        means = (
            f"bar: {level} two-way interval; diamond: macro mean and its interval; shaded: margin of "
            f"{suite.analysis.margin_pp:g} points\ndashed: {level} prediction interval of the gain on a new data set"
        )
    notes = f"square: mean; dots: seeds; {means}\n{run_note(suite)}"
    return captioned(figure, suite, f"{what}, suite {suite.run}", notes)


def _why_nothing(shown: Sequence[Gain]) -> str:
    return missing_sentence(name for gain in shown for name in gain.estimate.missing) if shown else NO_FAMILY


def _forest(suite: Suite, axis: Any, comparison: Comparison, gains: Sequence[Gain]) -> None:
    names = [*suite.datasets, MACRO, NEW]
    if comparison.kind == "non-inferiority":
        margin = suite.analysis.margin_pp
        axis.axvspan(-margin, margin, color=PALE, linewidth=0, zorder=0)
        axis.axvline(-margin, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
    axis.axvline(0, color=INK, linewidth=0.8, zorder=1)
    for one in gains:
        y = names.index(one.dataset)
        if one.estimate.study is None:
            axis.text(0.5, y, "missing", transform=axis.get_yaxis_transform(), ha="center", va="center")
            continue
        mean, low, high = one.estimate.value, one.estimate.low, one.estimate.high
        if one.dataset == MACRO:
            left, right = (mean, mean) if math.isnan(low) else (low, high)
            diamond = [left, mean, right, mean], [y, y - 0.3, y, y + 0.3]
            axis.fill(*diamond, color=ACCENT, linewidth=0, zorder=4)
            axis.plot([mean], [y], "D", color=ACCENT, markersize=3, zorder=4)
            continue
        seeds = [100 * value for value in one.estimate.study.per_seed]
        axis.plot(seeds, [y + 0.22] * len(seeds), ".", color=GREY, markersize=4, zorder=2)
        if not math.isnan(low):
            axis.plot([low, high], [y, y], color=INK, linewidth=1.3, zorder=3)
        axis.plot([mean], [y], "s", color=INK, markersize=3.5, zorder=3)
    _new_data_set(suite, axis, len(names) - 1, gains)
    axis.axhline(len(names) - 2.5, color=PALE, linewidth=0.8)
    axis.set_ylim(len(names) - 0.5, -0.5)
    labels = [*(dataset_text(suite, key) for key in suite.datasets), mean_or_dataset(suite, MACRO), NEW]
    axis.set_yticks(range(len(names)), labels)
    axis.tick_params(axis="x", length=2)
    axis.tick_params(axis="y", length=0)
    axis.set_title(wrapped(f"{comparison.method} {comparison.text}", 40), loc="left")


def _new_data_set(suite: Suite, axis: Any, y: int, gains: Sequence[Gain]) -> None:
    """Draw where the gain on one more data set would lie; nothing where that cannot be said."""
    studies = [gain.estimate.study for gain in gains if gain.dataset in independent(suite)]
    whole = [study for study in studies if study is not None]
    if few_seeds(suite) or len(whole) < max(len(studies), 2):
        return
    new = new_data_set(whole, 1 - suite.analysis.alpha)
    ends = [100 * new.measured_low, 100 * new.measured_high]
    axis.plot(ends, [y, y], color=ACCENT, linewidth=1, linestyle="--")
    axis.plot([100 * new.over_means.value], [y], "|", color=ACCENT, markersize=7)


def chain_figure(suite: Suite, predictions: SuitePredictions) -> Figure:
    """Return a row a reference and a column a data set.

    References are the chain's own first stage, and the methods with as many stages as the chain.
    """
    what, chain = "Gain along the stages", chain_method(suite)
    stages = predictions.stages[chain] if chain else 1
    if chain is None or stages < 2:
        return nothing_figure(suite, what, NO_STAGES)
    alike = [name for name in suite.methods if name != chain and predictions.stages[name] == stages]
    metric, names = suite.analysis.metrics[0], (*suite.datasets, MACRO)
    gains: dict[str, list[dict[str, Result]]] = {}
    for reference in (OWN_START, *alike):
        contrasts = [
            gain(chain, stage, *((chain, 1) if reference == OWN_START else (reference, stage)))
            for stage in range(1, stages + 1)
        ]
        gains[reference] = [evaluate_all(suite, predictions.datasets, one, metric) for one in contrasts]
    results = [result for along in gains.values() for by_name in along for result in by_name.values()]
    if not any(result.study for result in results):
        why = missing_sentence(name for result in results for name in result.missing)
        return nothing_figure(suite, what, why)
    figure, axes = matrix(suite, len(gains), names, 1.25 * len(gains) + 1.3)
    for (reference, along), row in zip(gains.items(), axes, strict=True):
        for name, axis in zip(names, row, strict=True):
            _along(suite, axis, [by_name[name] for by_name in along])
        row[0].set_ylabel(wrapped(f"over {reference}", 26))
    level = f"{100 * (1 - suite.analysis.alpha):g} %"
    few = "too few seeds for a band: description only"
    return captioned(
        figure,
        suite,
        f"Gain of {chain} along its stages, {METRICS[metric].name}, percentage points, suite {suite.run}",
        "stage (the reference is read at the same stage)\nthin lines: seeds; thick line: mean; "
        f"{few if few_seeds(suite) else f'band: {level} two-way interval'}\n{run_note(suite)}",
    )


def _along(suite: Suite, axis: Any, along: Sequence[Result]) -> None:
    shown = [estimate(suite, result) for result in along]
    stages = list(range(1, len(shown) + 1))
    seeds = [
        [100 * one.study.per_seed[k] if one.study else NOT_KNOWN for one in shown]
        for k in range(len(suite.seeds))
    ]
    if not few_seeds(suite):
        low, high = [one.low for one in shown], [one.high for one in shown]
        axis.fill_between(stages, low, high, color=PALE, linewidth=0, zorder=1)
    axis.axhline(0, color=INK, linewidth=0.8, zorder=1)
    draw_stages(axis, stages, seeds, [one.value for one in shown])
    axis.set_xticks(stages)


def variance_figure(suite: Suite, gains: Sequence[Gain]) -> Figure:
    """Return a bar a comparison on each mean that decides its family: the shares due to seeds and to images.

    Would more seeds or more images make the interval smaller?
    """
    shown = [gain for gain in gains if gain.dataset in gain.comparison.decided_on]
    if few_seeds(suite) or not any(gain.estimate.study for gain in shown):
        why = _why_nothing(shown)
        if shown and few_seeds(suite):
            seeds = counted(len(suite.seeds), "seed")
            why = f"{seeds}; the plan needs at least {suite.analysis.minimum_seeds}"
        return nothing_figure(suite, "Where the uncertainty comes from", why)
    figure = Figure(figsize=(7.5, 0.24 * len(shown) + 1.5), layout="constrained")
    axis = figure.subplots()
    for y, one in enumerate(shown):
        _bar(axis, y, one)
    names = [f"{gain.comparison.text} ({mean_or_dataset(suite, gain.dataset)})" for gain in shown]
    axis.set_yticks(range(len(shown)), names)
    axis.set_ylim(len(shown) - 0.4, -0.6)
    axis.set_xlim(0, 100)
    axis.tick_params(length=2)
    axis.set_xlabel("share of the variance of the gain, percent")
    axis.legend(loc="upper left", bbox_to_anchor=(1.1, 1), frameon=False)
    return captioned(
        figure,
        suite,
        f"Where the uncertainty of the plan's gains comes from, suite {suite.run}",
        "dark: seeds (more seeds would help); light: images (more test images would help); right: standard error, "
        f"percentage points\n{run_note(suite)}",
    )


def _bar(axis: Any, y: int, gain: Gain) -> None:
    study = gain.estimate.study
    if study is None or not study.se > 0:
        axis.text(50, y, "missing" if study is None else "no variation", ha="center", va="center")
        return
    seeds = 100 * study.seed_share
    parts = (("seeds", 0.0, seeds, GREY, None), ("images", seeds, 100 - seeds, PALE, "//"))
    for name, left, width, colour, hatch in parts:
        axis.barh(
            y,
            width,
            left=left,
            color=colour,
            edgecolor=INK,
            linewidth=0.5,
            height=0.7,
            hatch=hatch,
            label=name if y == 0 else None,
        )
    axis.text(101, y, f"{100 * study.se:.1f}", va="center", ha="left", fontsize=7)
