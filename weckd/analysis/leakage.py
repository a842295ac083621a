"""How much of an accuracy, and of a gain, is memory of copies that official test parts share with training.

Accuracies and gains on two test parts of a data set, and on official test images with and without a copy.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from weckd.analysis import sheet
from weckd.analysis.contrasts import Contrast, Result, Term, combined, evaluate, gain, own
from weckd.analysis.estimates import Estimate, estimate
from weckd.analysis.figures import style
from weckd.analysis.figures.style import ACCENT, GREY, INK
from weckd.analysis.inference.reader_study import difference
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.scores import Scored, correct, from_influence, share_right
from weckd.analysis.predictions import DatasetPredictions, SuitePredictions, load_predictions
from weckd.analysis.results import Results
from weckd.analysis.sheets.inputs import splits_table
from weckd.committed import with_plans
from weckd.config import Suite
from weckd.data.splits import CUT_MARK
from weckd.errors import UserError, counted
from weckd.places import few_seeds, with_finding
from weckd.run_files import RunFiles
from weckd.tables.captions import Said, confidence, dataset_text
from weckd.tables.cells import Cell, Name
from weckd.tables.render import TableFile, write_table_file

METRIC = "accuracy"
CHAIN = "chain"
GROUPED = "grouped test part"  # that the suite draws by group
OFFICIAL = "official test part"  # the source's own
INFLATION = "official - grouped"
CLEAN = "official, no copy in training"  # its images without a copy among the images for training
COPIED = "official, copy in training"
MEMORY = "with - without a copy"
UNLEARNT = ("check", "floor")
"""Roles whose methods learn nothing of the images that the chain could be compared with."""
MARKS = {
    GROUPED: ("o", "white", INK, -0.12),
    OFFICIAL: ("o", ACCENT, ACCENT, 0.12),
    CLEAN: ("v", "white", GREY, 0.0),
    COPIED: ("^", GREY, GREY, 0.0),
}
"""Marker, fill, edge and offset of each accuracy."""


@dataclass(frozen=True)
class Leak:
    """One method's accuracy, or one gain of the chain, on one data set."""

    dataset: str
    method: str
    reference: str  # what the method gains over; empty for an accuracy
    shown: Mapping[str, Estimate]  # by column


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
    files, beside, made = RunFiles(official_run), RunFiles(grouped_run), RunFiles(out)
    official = with_plans(with_finding(official, beside.across), files)
    run = Results(official, load_predictions(official, files.predictions), files)
    others = load_predictions(replace(grouped, datasets=official.datasets), beside.predictions)
    levels, gains = leaks(official, run.predictions, others)
    for table in (_table(run, levels, gains), splits_table(run)):
        write_table_file(made.tables, table)
    with style.styled():
        figure = leakage_figure(official, levels)
    style.save(figure, made.figures, "leakage")


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
    for names, others in ((official.datasets, grouped.datasets), (official.methods, grouped.methods)):
        for name in names:
            if name not in others:
                raise UserError(f"leak study: {name} is not in {grouped.run}; {remedy}")


def copied_images(data: DatasetPredictions) -> NDArray[np.bool_]:
    """Return which test images, (n,), have a copy among the images for training, in an official test part."""
    cut = np.array([name.endswith(CUT_MARK) for name in data.group_ids], dtype=bool)
    return cut[data.groups]


def leaks(
    suite: Suite, official: SuitePredictions, grouped: SuitePredictions
) -> tuple[tuple[Leak, ...], tuple[Leak, ...]]:
    """Return the accuracy of every method, and the gain of the chain over every method that learns, by data set.

    The suite is that on official test parts (see `weckd.study_suites`); `grouped` is of the run it was made from.
    """
    stages, roles = official.stages, suite.roles
    levels = {(method, ""): own(method, stages[method]) for method in suite.methods}
    gains = {
        (chain, reference): gain(chain, stages[chain], reference, stages[reference])
        for chain in suite.methods
        for reference in suite.methods
        if roles[chain] == CHAIN and reference != chain and roles[reference] not in UNLEARNT
    }
    both = {key: (official.datasets[key], grouped.datasets[key]) for key in suite.datasets}
    return tuple(  # type: ignore[return-value]
        tuple(
            Leak(key, *names, {column: estimate(suite, x) for column, x in _results(*data, contrast).items()})
            for key, data in both.items()
            for names, contrast in contrasts.items()
        )
        for contrasts in (levels, gains)
    )


def _results(
    official: DatasetPredictions, grouped: DatasetPredictions, contrast: Contrast
) -> dict[str, Result]:
    """Return a contrast by column."""
    there, here = evaluate(grouped, contrast, METRIC), evaluate(official, contrast, METRIC)
    both = difference(here.study, there.study) if here.study and there.study else None
    copied = copied_images(official)
    return {
        GROUPED: there,
        OFFICIAL: here,
        INFLATION: Result(both, (*there.missing, *here.missing)),
        CLEAN: _result(official, contrast, partial(_mean_on, official, ~copied), ~copied),
        COPIED: _result(official, contrast, partial(_mean_on, official, copied), copied),
        MEMORY: _result(official, contrast, partial(_memory, official, copied), copied, ~copied),
    }


def _mean_on(data: DatasetPredictions, images: NDArray[np.bool_], right: NDArray[np.float64]) -> Scored:
    """Return the mean over some of the test images, whose groups are whole."""
    return share_right(right[:, images], np.unique(data.groups[images], return_inverse=True)[1])


def _memory(data: DatasetPredictions, copied: NDArray[np.bool_], right: NDArray[np.float64]) -> Scored:
    """Return the mean over images with a copy minus that over images without; they share seeds, and no group."""
    with_copy, without = right[:, copied].mean(axis=1), right[:, ~copied].mean(axis=1)
    means = np.where(copied, with_copy[:, None], without[:, None])
    share = np.where(copied, 1 / copied.sum(), -1 / (~copied).sum())
    return from_influence(with_copy - without, (right - means) * share, data.groups)


def _result(
    data: DatasetPredictions,
    contrast: Contrast,
    score: Callable[[NDArray[np.float64]], Scored],
    *needed: NDArray[np.bool_],
) -> Result:
    """Return a contrast of scores of right answers; each of the sets of images that it needs must hold one."""
    missing = {term: data.missing(term.method, term.stage) for term in contrast}
    if not any(missing.values()) and not all(images.any() for images in needed):
        return Result(None, (f"{data.dataset} test images with a copy, or without one",))

    def scored(term: Term) -> Scored:
        return score(correct(data.probabilities[term.method, term.stage], data.y))

    return combined(contrast, missing.__getitem__, scored)


def _table(run: Results, levels: Sequence[Leak], gains: Sequence[Leak]) -> TableFile:
    """Return a row a data set and method, and in a second table a row a gain of the chain."""
    suite, every, metric = run.suite, [*levels, *gains], METRICS[METRIC].name
    level = f"{metric.capitalize()} of each last stage, percent ± half-width of its interval, differences in points"
    shown = {"leakage": ("Accuracy with and without leaks", level, "method", levels)}
    if gains:
        shown["leakage-gains"] = (
            "Gains of the chain with and without leaks",
            f"Gains of the chain's last stage in {metric}, percentage points",
            "gain of the chain over",
            gains,
        )
    tables = [
        sheet.table(suite, label, title, _cells(suite, what, found), _caption(run, lead, every))
        for label, (title, lead, what, found) in shown.items()
    ]
    rows = [
        {
            **sheet.head(suite, leak.dataset),
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
        for leak in every
        for column, shown in leak.shown.items()
    ]
    return TableFile("leakage", pd.DataFrame(rows), tables)


def _cells(suite: Suite, what: str, found: Sequence[Leak]) -> sheet.Columns:
    return sheet.pivoted(
        found,
        {
            "data set": lambda leak: sheet.place(suite, leak.dataset),
            what: lambda leak: Name(leak.reference or leak.method),
        },
        {column: column for column in found[0].shown},
        {"{}": _cell},
    )


def _cell(leak: Leak, column: str) -> Cell:
    as_gain = leak.reference or column in (INFLATION, MEMORY)
    return (sheet.gain if as_gain else sheet.level)(leak.shown[column])


def _caption(run: Results, lead: str, found: Sequence[Leak]) -> Said:
    return sheet.caption(
        run,
        f"{lead}; exploratory.",
        n="n on each test part below",
        notes=(
            *map(_sizes, run.predictions.datasets.values()),
            "Both test parts have the same methods, settings and seeds; validation and subsets are drawn by group from "
            "what is not test.",
            "Images with a copy may also be easier; compare methods that learn from few labels and from many.",
        ),
        missing=[name for leak in found for shown in leak.shown.values() for name in shown.missing],
    )


def _sizes(data: DatasetPredictions) -> str:
    copied = int(copied_images(data).sum())
    size = f"{counted(data.n_images, 'official test image')} in {counted(data.n_groups, 'group')}"
    return f"{data.dataset}: {size}, {copied} of them with a copy in training."


def leakage_figure(suite: Suite, levels: Sequence[Leak]) -> Figure:
    """Return a panel a data set, a line a method."""
    count = len(suite.datasets)
    figure = style.figure(6.5, 1.6 + count * 0.22 * len(suite.methods))
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for axis, key in zip(axes, suite.datasets, strict=True):
        _panel(axis, [leak for leak in levels if leak.dataset == key])
        axis.set_title(dataset_text(suite, key))
    axes[0].legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(-0.2, 1.08 + 0.02 * count))
    axes[-1].set_xlabel(f"{METRICS[METRIC].name}, percent")
    bars = f"bars: {confidence(suite)} two-way intervals, not adjusted"
    bars = "too few seeds for bars" if few_seeds(suite) else bars
    return style.captioned(figure, suite, "Accuracy with and without leaks", f"{bars}; exploratory")


def _panel(axis: Any, levels: Sequence[Leak]) -> None:
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
    style.name_rows(axis, [leak.method for leak in levels])
