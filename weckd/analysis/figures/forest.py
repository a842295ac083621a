"""Forest plot of a method's gains over each reference of the plan."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from weckd.analysis.comparisons import Comparison
from weckd.analysis.figures.style import ACCENT, GREY, INK, PALE, nothing_figure, wrapped
from weckd.analysis.gains import Gain, interval
from weckd.analysis.inference.new_data_set import new_data_set
from weckd.analysis.metrics import METRICS
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, independent
from weckd.tables.captions import NO_FAMILY, dataset_text, missing_sentence, run_note, title

COLUMNS = 4
NEW = "a new data set"


def forest_figure(suite: Suite, gains: Sequence[Gain]) -> Figure:
    """Return one panel a reference: per data set seeds (dots), mean and interval; macro mean as a diamond."""
    primary = suite.analysis.metrics[0]
    shown = [
        gain
        for gain in gains
        if gain.comparison.kind in ("superiority", "non-inferiority")
        and gain.comparison.decided_on == (MACRO,)
        and gain.metric == primary
    ]
    panels = tuple(dict.fromkeys(gain.comparison for gain in shown))
    if not any(gain.study for gain in shown):
        why = missing_sentence(name for gain in shown for name in gain.missing) if shown else NO_FAMILY
        return nothing_figure(suite, f"Gains in {METRICS[primary].name}", why)
    columns = min(COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    row_height = 0.26 * (len(suite.datasets) + 2) + 0.8
    figure = Figure(figsize=(1.9 + 2.3 * max(columns, 2), rows * row_height + 1.3), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, comparison in zip(axes, panels, strict=False):
        _panel(suite, axis, comparison, [gain for gain in shown if gain.comparison == comparison])
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    for position, axis in enumerate(axes[: len(panels)]):
        if position + columns >= len(panels):
            axis.tick_params(labelbottom=True)
            axis.set_xlabel("percentage points")
    figure.suptitle(title(suite, f"Gains in {METRICS[primary].name}, suite {suite.run}"), weight="bold")
    figure.supxlabel(_notes(suite), fontsize=8)
    return figure


def _panel(suite: Suite, axis: Any, comparison: Comparison, gains: Sequence[Gain]) -> None:
    names = [*suite.datasets, MACRO, NEW]
    if comparison.kind == "non-inferiority":
        margin = suite.analysis.margin_pp
        axis.axvspan(-margin, margin, color=PALE, linewidth=0, zorder=0)
        axis.axvline(-margin, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
    axis.axvline(0, color=INK, linewidth=0.8, zorder=1)
    for gain in gains:
        y = names.index(gain.dataset)
        if gain.study is None:
            axis.text(0.5, y, "missing", transform=axis.get_yaxis_transform(), ha="center", va="center")
            continue
        low, high = interval(suite, gain)
        mean = 100 * gain.study.estimate
        if gain.dataset == MACRO:
            ends = (mean, mean) if math.isnan(low) else (100 * low, 100 * high)
            axis.fill(
                [ends[0], mean, ends[1], mean], [y, y - 0.3, y, y + 0.3], color=ACCENT, linewidth=0, zorder=4
            )
            axis.plot([mean], [y], "D", color=ACCENT, markersize=3, zorder=4)
            continue
        seeds = [100 * value for value in gain.study.per_seed]
        axis.plot(seeds, [y + 0.22] * len(seeds), ".", color=GREY, markersize=4, zorder=2)
        if not math.isnan(low):
            axis.plot([100 * low, 100 * high], [y, y], color=INK, linewidth=1.3, zorder=3)
        axis.plot([mean], [y], "s", color=INK, markersize=3.5, zorder=3)
    _new_data_set(suite, axis, len(names) - 1, gains)
    axis.axhline(len(names) - 2.5, color=PALE, linewidth=0.8)
    axis.set_ylim(len(names) - 0.5, -0.5)
    labels = [dataset_text(suite, key) for key in suite.datasets]
    axis.set_yticks(range(len(names)), [*labels, f"{MACRO} of {len(independent(suite))}", NEW])
    axis.tick_params(axis="x", length=2)
    axis.tick_params(axis="y", length=0)
    axis.set_title(wrapped(f"{comparison.method} {comparison.text}", 40), loc="left")


def _new_data_set(suite: Suite, axis: Any, y: int, gains: Sequence[Gain]) -> None:
    """Draw where the gain on one more data set would lie; nothing where that cannot be said."""
    studies = [gain.study for gain in gains if gain.dataset in independent(suite)]
    whole = [study for study in studies if study is not None]
    if few_seeds(suite) or len(whole) < max(len(studies), 2):
        return
    new = new_data_set(whole, 1 - suite.analysis.alpha)
    axis.plot(
        [100 * new.measured_low, 100 * new.measured_high], [y, y], color=ACCENT, linewidth=1, linestyle="--"
    )
    axis.plot([100 * new.over_means.value], [y], "|", color=ACCENT, markersize=7)


def _notes(suite: Suite) -> str:
    alpha, margin = suite.analysis.alpha, suite.analysis.margin_pp
    if few_seeds(suite):
        marks = (
            "square: mean; dots: seeds; diamond: macro mean; too few seeds for intervals: description only"
        )
    else:
        marks = (
            f"square: mean; dots: seeds; bar: {100 * (1 - alpha):g} % two-way interval; "
            f"diamond: macro mean and its interval; shaded: margin of {margin:g} points\n"
            f"dashed: {100 * (1 - alpha):g} % prediction interval of the gain on a new data set"
        )
    return f"{marks}\n{run_note(suite)}"
