"""Pictures of the audit: clusters by threshold, and a sheet of example pairs of each data set, for the eye to judge."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weckd.analysis.figures.style import GREY, INK
from weckd.audit.findings import listed_pairs
from weckd.audit.sets import AuditedSet
from weckd.tables.captions import title

_LINES = ("-", "--", ":", "-.")
_MARKERS = "os^vD<>"
_PAIRS, _COLUMNS = 12, 3
_NAME = 24  # letters of an image id that fit
_CELL, _TITLE = 1.75, 0.55  # inches: of a pair's height, of the title


def threshold_figure(sets: Sequence[AuditedSet], threshold: float) -> Figure:
    """Return clusters as a share of the images against the threshold, a line a data set."""
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axis = figure.subplots()
    for number, audited in enumerate(sets):
        axis.plot(
            audited.clusters["threshold"],
            100 * audited.clusters["clusters"] / len(audited.index),
            linestyle=_LINES[number % len(_LINES)],
            marker=_MARKERS[number % len(_MARKERS)],
            color=INK,
            markersize=3,
            linewidth=0.9,
            label=audited.key,
        )
    axis.axvline(threshold, color=GREY, linewidth=0.8)
    axis.text(threshold, 2, f" chosen: {threshold:g}", fontsize=7)
    axis.set_ylim(0, 102)
    axis.set_xlabel("correlation above which two images are near-duplicates")
    axis.set_ylabel("clusters, % of the images")
    axis.legend(frameon=False, fontsize=7)
    phantom, what = any(audited.phantom for audited in sets), "Clusters of near-duplicates by threshold"
    figure.suptitle(title(what, phantom), weight="bold")
    return figure


def pair_sheet(audited: AuditedSet) -> Figure:
    """Return up to twelve pairs of copies, and as many suspected variants.

    Label conflicts come first, then leaks, then the least alike, then identical ones.
    """
    found = pd.concat([audited.pairs, audited.suspected], ignore_index=True)
    pairs = listed_pairs(audited, found)
    interest = np.select(
        [pairs["label_conflict"], pairs["crosses_official_test"], pairs["kind"] != "exact"], [0, 1, 2], 3
    )
    # No cluster twice while there are others.
    shown = pairs.assign(interest=interest, group=audited.index["group_id"].to_numpy()[found["first"]])
    chosen, told = [], []
    for name, suspected in (("copies", False), ("suspected variants", True)):
        some = shown[(shown["kind"] == "suspected") == suspected]
        some = some.sort_values(["interest", "correlation"], kind="stable")
        again = some["group"].duplicated()
        first = [*some.index[~again], *some.index[again]][:_PAIRS]
        chosen += first
        told += [f"{len(first)} of {len(some)} {name}"] if len(some) or not suspected else []
    rows = max(1, -(-len(chosen) // _COLUMNS))
    height = _CELL * rows + _TITLE
    figure = Figure(figsize=(2 * _CELL * _COLUMNS * 0.9, height))
    what = f"{audited.key}: example pairs, {', '.join(told)}"
    figure.suptitle(title(what, audited.phantom), weight="bold", y=1 - 0.1 / height)
    if not chosen:
        figure.text(0.5, 0.3, "no pairs found", ha="center")
        return figure
    images = np.load(audited.images, mmap_mode="r", allow_pickle=False)
    for place, number in enumerate(chosen):
        row, column = divmod(place, _COLUMNS)
        bottom = (_CELL * (rows - 1 - row) + 0.25) / height
        pair = pairs.loc[number]
        for left, of, side in ((0.05, "first", "a"), (0.50, "second", "b")):
            cell = figure.add_axes(
                ((column + left) / _COLUMNS, bottom, 0.42 / _COLUMNS, (_CELL - 0.55) / height)
            )
            cell.set_axis_off()
            cell.imshow(images[found[of].iloc[number]], interpolation="nearest")
            name = pair[f"image_{side}"]
            short = name if len(name) <= _NAME else f"..{name[2 - _NAME :]}"
            cell.set_title(f"{short}\n{pair[f'class_{side}']}", fontsize=6, pad=2)
            if side == "a":
                _tell(cell, pair)
    return figure


def _tell(cell: Axes, pair: Any) -> None:
    told = f"{pair['kind']}, r = {pair['correlation']:.3f}"
    told += ", labels differ" if pair["label_conflict"] else ""
    told += ", test and training" if pair["crosses_official_test"] else ""
    cell.text(0.0, -0.06, told, transform=cell.transAxes, fontsize=6.5, va="top")
