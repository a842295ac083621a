"""The leak study in two tables and a picture, written from the predictions of two runs."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from weckd.analysis.figures.style import ACCENT, GREY, INK, captioned, save, styled
from weckd.analysis.leakage.study import (
    CLEAN,
    COPIED,
    GROUPED,
    INFLATION,
    MEMORY,
    METRIC,
    OFFICIAL,
    Leak,
    copied_images,
    leaks,
)
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import SuitePredictions, load_predictions
from weckd.analysis.sheet import gain_cell, level_cell
from weckd.analysis.sheets.inputs import splits_of
from weckd.analysis.split_counts import count_splits
from weckd.config import Suite
from weckd.errors import UserError, counted
from weckd.places import few_seeds, is_phantom, with_finding
from weckd.run_files import RunFiles
from weckd.tables.captions import TEST, caption, dataset_text, derived_mark, run_note
from weckd.tables.cells import Cell, Name
from weckd.tables.render import TableFile, sheet, write_table_file

MARKS = {
    GROUPED: ("o", "white", INK, -0.12),
    OFFICIAL: ("o", ACCENT, ACCENT, 0.12),
    CLEAN: ("v", "white", GREY, 0.0),
    COPIED: ("^", GREY, GREY, 0.0),
}
"""Marker, fill, edge and offset of each accuracy."""


def write_leakage(official: Suite, grouped: Suite, official_run: Path, grouped_run: Path, out: Path) -> None:
    """Write tables/leakage and the table of splits that it names (.csv .md .tex .json), and figures/leakage (.svg
    .png).

    `official` is the suite whose test parts are the sources' own, `grouped` the one that it was made from. Their
    folders hold predictions/<dataset>/seed<k>.parquet and splits/<dataset>/seed<k>.csv, that of `grouped` its audit.

    Raises:
        UserError: the runs are not of one suite, or a file is unreadable or inconsistent; what is missing is printed
            as missing instead.
    """
    _refuse_others(official, grouped)
    official = with_finding(official, RunFiles(grouped_run).across)
    of_official = load_predictions(official, official_run / "predictions")
    beside = load_predictions(replace(grouped, datasets=official.datasets), grouped_run / "predictions")
    levels, gains = leaks(official, of_official, beside)
    write_table_file(out / "tables", leakage_table(official, levels, gains, of_official))
    write_table_file(out / "tables", splits_of(official, count_splits(official, official_run / "splits")))
    with styled():
        figure = leakage_figure(official, levels)
    save(figure, out / "figures", "leakage")


def _refuse_others(official: Suite, grouped: Suite) -> None:
    both, remedy = f"{official.run} and {grouped.run}", "make both with `snakemake leakage`"
    if (official.split.protocol, grouped.split.protocol) != ("official", "grouped"):
        raise UserError(
            f"leak study: {both} must be a run on official test parts and the run on grouped ones that it was made "
            f"from; {remedy}"
        )
    for key in ("seeds", "training", "augmentation", "distillation", "backbone", "image_size"):
        if getattr(official, key) != getattr(grouped, key):
            raise UserError(f"leak study: {both} differ in {key}; {remedy}")
    for own, others in ((official.datasets, grouped.datasets), (official.methods, grouped.methods)):
        for name in own:
            if name not in others:
                raise UserError(f"leak study: {name} is not in {grouped.run}; {remedy}")


def leakage_table(
    suite: Suite, levels: Sequence[Leak], gains: Sequence[Leak], predictions: SuitePredictions
) -> TableFile:
    """Return a row a data set and method, and in a second table a row a gain of the chain."""
    says = _caption(suite, [*levels, *gains], predictions)
    frame = pd.DataFrame([row for leak in [*levels, *gains] for row in _rows(suite, leak)])
    of_levels = _cells(suite, levels, "method")
    tables = [sheet(suite, "leakage", "Accuracy with and without leaks", of_levels, says)]
    if gains:
        of_gains = _cells(suite, gains, "gain of the chain over")
        title = "Gains of the chain with and without leaks"
        tables.append(sheet(suite, "leakage-gains", title, of_gains, says))
    return TableFile("leakage", frame, tables)


def _cells(suite: Suite, found: Sequence[Leak], what: str) -> pd.DataFrame:
    rows: list[list[Cell]] = [
        [
            Name(leak.dataset, derived_mark(suite, leak.dataset)),
            Name(leak.reference or leak.method),
            *(_cell(leak, column) for column in leak.shown),
        ]
        for leak in found
    ]
    return pd.DataFrame(rows, columns=["data set", what, *found[0].shown])


def _cell(leak: Leak, column: str) -> Cell:
    shown = leak.shown[column]
    return gain_cell(shown) if leak.reference or column in (INFLATION, MEMORY) else level_cell(shown)


def _rows(suite: Suite, leak: Leak) -> list[dict[str, object]]:
    return [
        {
            "suite": suite.run,
            "phantom": is_phantom(suite, leak.dataset),
            "dataset": leak.dataset,
            "method": leak.method,
            "reference": leak.reference,
            "metric": METRIC,
            "part": column,
            "estimate_pp": shown.value,
            "low_pp": shown.low,
            "high_pp": shown.high,
            "n_images": shown.study.n_images if shown.study else pd.NA,
            "n_groups": shown.study.n_groups if shown.study else pd.NA,
            "k": len(suite.seeds),
            "plan_hash": suite.plan_hash,
        }
        for column, shown in leak.shown.items()
    ]


def _caption(suite: Suite, found: Sequence[Leak], predictions: SuitePredictions) -> str:
    intervals = f"{100 * (1 - suite.analysis.alpha):g} % intervals, ± half of them, not adjusted"
    few = f"fewer than {suite.analysis.minimum_seeds} seeds, so no intervals"
    return caption(
        suite,
        f"{METRICS[METRIC].name.capitalize()} of each method's last stage in percent, differences in points. grouped: "
        "the test part that the suite draws by group, as in all its other tables; official: the source's own, "
        "copies of training images included. The same methods, settings and seeds; validation and subsets are drawn "
        "by group from what is not test.",
        *(_sizes(predictions, key) for key in suite.datasets),
        "copy: a near-duplicate, or an image of the same patient, among the source's images for training, of which a "
        "method learns from some. official - grouped: other test images, taken as independent. with - without a copy: "
        "images with copies may also be easier; compare methods that learn from few labels and from many.",
        f"k = {counted(len(suite.seeds), 'seed')} (readers), groups of images as cases; {TEST}; "
        f"{few if few_seeds(suite) else intervals}. Exploratory: in no family of the plan, nothing is tested.",
        omit="design tuning derived scope",
        missing=[name for leak in found for shown in leak.shown.values() for name in shown.missing],
    )


def _sizes(predictions: SuitePredictions, key: str) -> str:
    data = predictions.datasets[key]
    copied = int(copied_images(data).sum())
    size = f"{counted(data.n_images, 'official test image')} in {counted(data.n_groups, 'group')}"
    return f"{key}: {size}, {copied} of them with a copy in training."


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
    bars = "too few seeds for bars" if few_seeds(suite) else "bars: two-way intervals, not adjusted"
    what = f"Accuracy with and without leaks, suite {suite.run}"
    return captioned(figure, suite, what, f"{bars}; exploratory\n{run_note(suite)}")


def _panel(suite: Suite, axis: Any, levels: Sequence[Leak]) -> None:
    looks: dict[str, Any] = {
        column: {"marker": marker, "ls": "", "mfc": fill, "mec": edge, "ms": 4}
        for column, (marker, fill, edge, _) in MARKS.items()
    }
    for column, look in looks.items():
        axis.plot([], [], label=column, **look)
    for y, leak in enumerate(levels):
        ends = [leak.shown[column].value for column in (GROUPED, OFFICIAL)]
        if not any(map(math.isnan, ends)):
            axis.plot(ends, [y, y], color=ACCENT, linewidth=0.9)
        for column, (_, _, edge, offset) in MARKS.items():
            shown = leak.shown[column]
            if shown.study is None:
                axis.text(0.01, y, "missing", transform=axis.get_yaxis_transform(), va="center", fontsize=6)
                continue
            if offset and not math.isnan(shown.half_width):
                axis.plot([shown.low, shown.high], [y + offset] * 2, color=edge, linewidth=0.7, alpha=0.6)
            axis.plot([shown.value], [y + offset], zorder=3, **looks[column])
    axis.set_yticks(range(len(levels)), [leak.method for leak in levels])
    axis.set_ylim(len(levels) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
