"""The leak study as a picture: each method's accuracy on both test parts."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from weckd.analysis.figures.style import ACCENT, GREY, INK
from weckd.analysis.inference.reader_study import half_width
from weckd.analysis.leakage.study import METRIC, Leak
from weckd.analysis.leakage.table import COLUMNS, studies
from weckd.analysis.metrics import METRICS
from weckd.config import Suite
from weckd.places import few_seeds
from weckd.tables.captions import dataset_text, run_note, title

MARKS = {
    COLUMNS[0]: ("o", "white", INK),
    COLUMNS[1]: ("o", ACCENT, ACCENT),
    COLUMNS[3]: ("v", "white", GREY),
    COLUMNS[4]: ("^", GREY, GREY),
}
"""Marker, fill and edge of each accuracy."""


def leakage_figure(suite: Suite, levels: Sequence[Leak]) -> Figure:
    """Return a panel a data set, a line a method."""
    count = len(suite.datasets)
    figure = Figure(figsize=(6.5, 1.6 + count * 0.22 * len(suite.methods)), layout="constrained")
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for axis, key in zip(axes, suite.datasets, strict=True):
        _panel(suite, axis, [leak for leak in levels if leak.dataset == key])
        axis.set_title(dataset_text(suite, key))
    axes[0].legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(-0.2, 1.08 + 0.02 * count))
    axes[-1].set_xlabel(f"{METRICS[METRIC].name}, percent")
    figure.suptitle(title(suite, f"Accuracy with and without leaks, suite {suite.run}"), weight="bold")
    bars = "too few seeds for bars" if few_seeds(suite) else "bars: two-way intervals, not adjusted"
    figure.supxlabel(f"{bars}; exploratory\n{run_note(suite)}", fontsize=8)
    return figure


def _panel(suite: Suite, axis: Any, levels: Sequence[Leak]) -> None:
    for column, (marker, fill, edge) in MARKS.items():
        axis.plot([], [], marker, markerfacecolor=fill, markeredgecolor=edge, markersize=4, label=column)
    for y, leak in enumerate(levels):
        found = studies(leak)
        grouped, official = found[COLUMNS[0]], found[COLUMNS[1]]
        if grouped and official:
            axis.plot([100 * grouped.estimate, 100 * official.estimate], [y, y], color=ACCENT, linewidth=0.9)
        for offset, (column, (marker, fill, edge)) in zip((-0.12, 0.12, 0, 0), MARKS.items(), strict=True):
            study = found[column]
            if study is None:
                axis.text(0.01, y, "missing", transform=axis.get_yaxis_transform(), va="center", fontsize=6)
                continue
            half = math.nan if few_seeds(suite) or not offset else half_width(study, 1 - suite.analysis.alpha)
            if not math.isnan(half):
                ends = [100 * (study.estimate - half), 100 * (study.estimate + half)]
                axis.plot(ends, [y + offset] * 2, color=edge, linewidth=0.7, alpha=0.6)
            at = [100 * study.estimate], [y + offset]
            axis.plot(*at, marker, markerfacecolor=fill, markeredgecolor=edge, markersize=4, zorder=3)
    axis.set_yticks(range(len(levels)), [leak.method for leak in levels])
    axis.set_ylim(len(levels) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
