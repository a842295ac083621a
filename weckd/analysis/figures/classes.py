"""Classes of one data set, for the methods that are read most: confusion matrices and ROC curves."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from weckd.analysis.comparisons import REFERENCES, shown_methods
from weckd.analysis.contrasts import scored
from weckd.analysis.figures import style
from weckd.analysis.figures.style import ACCENT, GREY, INK
from weckd.analysis.metrics.scores import Predicted, confusion, roc
from weckd.analysis.results import Results
from weckd.errors import counted
from weckd.tables.captions import dataset_text, missing_sentence

NARROWEST, WIDTH = 6.6, 7.4  # inches, of both figures: the sentence of phantoms fits
CELL = 0.4  # inches, of a matrix
SHADES = LinearSegmentedColormap.from_list("shades", ["white", ACCENT])
WHITE_FROM = 77
"""Percent: words are black in lighter cells, and in all have a contrast of 4.5 to 1 (WCAG 2, AA)."""
MOST_POINTS = 201
"""A ROC curve of more false positive rates is drawn at so many."""
LINES = (
    (ACCENT, "-", 1.8),
    ("#d55e00", "--", 1.2),
    ("#009e73", "-.", 1.2),
    (INK, ":", 1.5),
    ("#cc79a7", "-", 1.5),
    (GREY, "-", 1.0),
)
"""Colour, dashes and width of each method's line, safe for colour-blind readers; all further methods have the last."""


def confusion_figure(run: Results, dataset: str) -> Figure:
    """Return a matrix a method (the chain, single, pooled, all labels): true classes in rows, seeds pooled."""
    suite, data = run.suite, run.predictions.datasets[dataset]
    what, stages = (
        f"Confusion of classes on {dataset_text(suite, dataset)}, last stages",
        run.predictions.stages,
    )
    methods, why = _methods(run, dataset)
    if why:
        return style.nothing(suite, what, why)
    names = [_broken(name) for name in suite.facts[dataset].classes]
    ticks, images = np.arange(len(names)) + 0.5, np.bincount(data.y, minlength=len(names))
    side = min(max(CELL * len(names), 1.3), (WIDTH - 1.4) / 2)
    longest = max(len(line) for name in names for line in name.split("\n"))
    rows = -(-len(methods) // max(1, int((WIDTH - 1.4) / side)))
    columns = -(-len(methods) // rows)  # as even as they can be
    figure = style.figure(max(1.4 + columns * side, NARROWEST), rows * (side + 0.3) + 0.07 * longest + 1.2)
    axes = style.grid(figure, len(methods), columns, sharex=True)
    for number, (method, axis) in enumerate(zip(methods, axes, strict=True)):
        axis.set_title(style.wrapped(method, 20))
        axis.set_xticks(ticks, names, rotation=90)
        axis.set_yticks(ticks, [f"{name} ({n})" for name, n in zip(names, images, strict=True)])
        axis.set_xlim(0, len(names))
        axis.set_ylim(len(names), 0)
        axis.set_aspect("equal")
        axis.tick_params(length=0)
        if number >= len(methods) - columns:  # nothing is below it
            axis.tick_params(labelbottom=True)
            axis.set_xlabel("predicted class")
        if not number % columns:
            axis.set_ylabel("true class (test images)")
        if data.missing(method, stages[method]):
            axis.text(0.5, 0.5, "missing", transform=axis.transAxes, ha="center", va="center")
        else:
            _matrix(axis, confusion(data.predicted(method, stages[method])).sum(axis=0))
    return style.captioned(
        figure,
        suite,
        what,
        f"percent of a true class's images that are called so, {counted(len(suite.seeds), 'seed')} pooled; empty: none",
        f"{counted(data.n_images, 'test image')} in {counted(data.n_groups, 'group')}; in no family of the plan: a "
        "description",
    )


def _methods(run: Results, dataset: str) -> tuple[tuple[str, ...], str]:
    """Return the methods that are shown, and why there is nothing to show; empty where there is something."""
    methods, stages = shown_methods(run.suite), run.predictions.stages
    if not methods:
        return (), f"neither a chain nor {', '.join(REFERENCES)} is in this run; add one of them"
    missing = [run.predictions.datasets[dataset].missing(name, stages[name]) for name in methods]
    return methods, missing_sentence(name for names in missing for name in names) if all(missing) else ""


def _broken(name: str) -> str:
    """Return a class's name in lines, broken behind words and underscores."""
    return textwrap.fill(name.replace("_", "_ "), 16).replace("_ ", "_")


def _matrix(axis: Any, counts: NDArray[np.int64]) -> None:
    """Draw counts (C, C) as percent of their rows."""
    percent = 100 * counts / counts.sum(axis=1, keepdims=True)
    axis.pcolormesh(percent, cmap=SHADES, vmin=0, vmax=100, edgecolors="white", linewidth=0.8)
    for (true, chosen), value in np.ndenumerate(percent):
        colour = "white" if value >= WHITE_FROM else "black"
        axis.text(
            chosen + 0.5, true + 0.5, _percent(value), color=colour, ha="center", va="center", fontsize=7.5
        )


def _percent(value: float) -> str:
    """Return whole percent; none and all are told from nearly none and nearly all."""
    if value in (0, 100):
        return "100" if value else ""
    return "<1" if value < 1 else ">99" if value > 99 else f"{value:.0f}"


def roc_figure(run: Results, dataset: str) -> Figure:
    """Return ROC curves of the same methods: the mean over classes, then each class against all others.

    Of two classes the second against the first alone: the other's curve is its mirror image, of the same area.
    """
    suite, data = run.suite, run.predictions.datasets[dataset]
    what, stages = f"ROC curves of {dataset_text(suite, dataset)}, last stages", run.predictions.stages
    methods, why = _methods(run, dataset)
    if why:
        return style.nothing(suite, what, why)
    names = suite.facts[dataset].classes
    panels: dict[str, tuple[int, ...]] = {f"{names[1]} against {names[0]}": (1,)}
    if len(names) > 2:
        panels = {"mean over classes (macro)": tuple(range(len(names)))}
        panels |= {name: (label,) for label, name in enumerate(names)}
    rows = -(-len(panels) // 3)
    columns = -(-len(panels) // rows)
    side = min((WIDTH - 0.6) / columns, 2.8)
    figure = style.figure(max(0.6 + columns * side, NARROWEST), rows * (side + 0.15) + 1.6)
    axes = style.grid(figure, len(panels), columns, sharex=True)
    for number, ((title, labels), axis) in enumerate(zip(panels.items(), axes, strict=True)):
        axis.set_title(style.wrapped(title, 34))
        axis.plot([0, 100], [0, 100], color=GREY, linewidth=0.6, zorder=1)
        for place, method in enumerate(methods):
            look = LINES[min(place, len(LINES) - 1)]
            if data.missing(method, stages[method]):
                axis.plot([], [], color=look[0], linestyle=look[1], label=f"{method}: missing")
                continue
            predicted = data.predicted(method, stages[method])
            # The table's own number where there is one.
            area = (
                float(np.mean(class_areas(predicted, labels[0])))
                if number
                else float(scored(data, method, stages[method], "macro_auroc").values.mean())
            )
            _curve(axis, *roc_curve(predicted, labels), look, f"{method} {100 * area:.1f}")
        axis.set_xlim(-2, 102)
        axis.set_ylim(-2, 102)
        axis.set_aspect("equal")
        axis.tick_params(length=2, labelbottom=number >= len(panels) - columns)
        axis.legend(loc="lower right", frameon=False, fontsize=7, handlelength=2.2, borderaxespad=0.1)
    for axis in axes[-columns:]:
        axis.set_xlabel("false positive rate, %")
    for axis in axes[::columns]:
        axis.set_ylabel("true positive rate, %")
    return style.captioned(
        figure,
        suite,
        what,
        "a class against all others by its probability; line: mean over seeds at each false positive rate; band:",
        "lowest to highest seed there, no interval; number: area under the curve, percent, mean over seeds",
        f"{counted(data.n_images, 'test image')} in {counted(data.n_groups, 'group')}; in no family of the plan: a "
        "description",
    )


def class_areas(predicted: Predicted, label: int) -> list[float]:
    """Return each seed's area under the ROC curve of a class against all others, a fraction."""
    curves = (roc(scores[:, label], predicted.y == label) for scores in predicted.probabilities)
    return [float(np.trapezoid(true, false)) for false, true in curves]


def roc_curve(predicted: Predicted, labels: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return false positive rates, each twice (2m,), and each seed's true positive rates there (k, 2m).

    These are the lower and the upper end of the curve at that rate, in the mean over the classes `labels`, each against
    all others. Rates are all at which a curve turns or, where these are more than `MOST_POINTS`, as many.
    """
    seeds = [[roc(scores[:, x], predicted.y == x) for x in labels] for scores in predicted.probabilities]
    at = np.unique(np.concatenate([false for curves in seeds for false, _ in curves]))
    if len(at) > MOST_POINTS:
        at = np.linspace(0, 1, MOST_POINTS)
    ends = [np.mean([_ends(at, *curve) for curve in curves], axis=0) for curves in seeds]
    return np.repeat(at, 2), np.array(ends)


def _ends(
    at: NDArray[np.float64], false: NDArray[np.float64], true: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return where a curve's upright part begins and ends at each rate; twice the same where it has none."""
    first, last = np.searchsorted(false, at), np.searchsorted(false, at, "right") - 1
    width = false[first] - false[last]  # of the straight line around a rate; 0 at a point
    part = np.divide(at - false[last], width, out=np.zeros(len(at)), where=width > 0)
    upper = true[last] + part * (true[first] - true[last])
    lower = np.where(width > 0, upper, true[first])
    ends: NDArray[np.float64] = np.stack([lower, upper], axis=1).ravel()
    return ends


def _curve(axis: Any, false: Any, true: Any, look: tuple[str, str, float], label: str) -> None:
    """Draw a method's mean over seeds and their band; `false` (2m,) and `true` (k, 2m) are fractions."""
    colour, dashes, width = look
    lowest, mean, highest = (
        _turns(np.column_stack([100 * false, 100 * of_seeds(true, axis=0)]))
        for of_seeds in (np.min, np.mean, np.max)
    )
    band = np.concatenate([lowest, highest[::-1]])
    axis.fill(band[:, 0], band[:, 1], color=colour, alpha=0.13, linewidth=0, zorder=2)
    axis.plot(mean[:, 0], mean[:, 1], color=colour, linestyle=dashes, linewidth=width, label=label)


def _turns(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points (m, 2) of a line but those that lie straight between others: a file holds no more."""
    points = points[np.append(True, np.abs(np.diff(points, axis=0)).max(axis=1) > 0)]
    before, after = np.diff(points, axis=0)[:-1], np.diff(points, axis=0)[1:]
    turning = np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) > 1e-9
    kept: NDArray[np.float64] = points[np.concatenate([[True], turning, [True]])]
    return kept
