"""How figures look and how they are saved: legible in grey, the same bytes for the same values."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from weckd.analysis.estimates import Estimate
from weckd.config import Suite
from weckd.files import whole_file
from weckd.tables.captions import has_phantom, mean_or_dataset, run_note, title

INK = "#1a1a1a"
GREY = "#8c8c8c"
PALE = "#dcdcdc"
MARGIN = 0.05  # inches between the words of an enlarged figure and its edges
ACCENT = "#00538a"  # dark enough to print as dark grey

SETTINGS: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 8,
    "axes.titlesize": 8,
    "figure.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "weckd",  # fixed ids, else every file differs
    "svg.fonttype": "path",  # looks the same where the font is not installed
    "path.simplify": False,
}

_METADATA: Any = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}


@contextmanager
def styled() -> Iterator[None]:
    """Draw with `SETTINGS` on matplotlib's own defaults, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def figure(width: float, height: float) -> Figure:
    """Return a figure of a size in inches, whose parts make room for each other."""
    return Figure(figsize=(width, height), layout="constrained")


def captioned(drawn: Figure, suite: Suite, what: str, *notes: str, end: str = "\n", more: str = "") -> Figure:
    """Return the figure below what it shows, with the phantom sentence where there are phantoms, and above its notes.

    The last note is what every figure of the suite says; it begins after `end`. The title ends with `more`.
    """
    drawn.suptitle(title(f"{what}, suite {suite.run}{more}", has_phantom(suite)), weight="bold")
    drawn.supxlabel("\n".join(notes) + end + run_note(suite), fontsize=8)
    return drawn


def grid(drawn: Figure, count: int, columns: int, *, sharex: bool = False) -> list[Any]:
    """Return the axes of so many panels on one y scale, a few in a row; those that are left over are hidden."""
    axes = drawn.subplots(-(-count // columns), columns, sharex=sharex, sharey=True, squeeze=False).ravel()
    for axis in axes[count:]:
        axis.set_visible(False)
    return list(axes[:count])


def matrix(suite: Suite, rows: int, names: Sequence[str], height: float) -> tuple[Figure, Any]:
    """Return a figure of panels on the same scales, and its axes (rows, names), a column a data set or mean."""
    drawn = figure(1.0 + max(1.25 * len(names), 6.4), height)
    axes = drawn.subplots(rows, len(names), sharex=True, sharey=True, squeeze=False)
    for name, axis in zip(names, axes[0], strict=True):
        axis.set_title(short_name(suite, name))
    return drawn, axes


def name_rows(axis: Any, names: Sequence[str], **font: Any) -> None:
    """Name rows at 0, 1, .. from above, each of height 1, without ticks."""
    axis.set_yticks(range(len(names)), names, **font)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)


def draw_row(
    axis: Any,
    y: int,
    each: Iterable[Estimate],
    whole: Estimate,
    text: str,
    colour: str = ACCENT,
    fill: str = ACCENT,
) -> None:
    """Draw data sets as dots, their mean as a diamond with its interval, and at the right of the panel its numbers."""
    dots = [one.value for one in each if one.study]
    axis.plot(dots, [y] * len(dots), "o", color=GREY, markersize=3.5, zorder=2)
    axis.plot([whole.low, whole.high], [y, y], color=colour, linewidth=1.8, zorder=3)
    axis.plot([whole.value], [y], "D", color=colour, markerfacecolor=fill, markersize=4.5, zorder=4)
    axis.text(1.02, y, text, transform=axis.get_yaxis_transform(), ha="left", va="center")


def draw_stages(axis: Any, stages: Sequence[int], seeds: Iterable[Any], means: Any) -> None:
    """Draw a quantity along stages: a thin line a seed, a thick one for the mean; a mean that is NaN is missing."""
    for seed in seeds:
        axis.plot(stages, seed, color=GREY, linewidth=0.7, zorder=2)
    axis.plot(stages, means, "o-", color=ACCENT, linewidth=1.6, markersize=3, zorder=3)
    for stage, mean in zip(stages, means, strict=True):
        if math.isnan(mean):
            where = axis.get_xaxis_transform()
            axis.text(stage, 0.95, "missing", transform=where, ha="center", va="top", rotation=90)
    axis.set_xlim(stages[0] - 0.3, stages[-1] + 0.3)
    axis.tick_params(length=2)


def nothing(suite: Suite, what: str, why: str) -> Figure:
    """Return a figure of two lines: what it would show, and why a run has nothing to show.

    The reason is the figure's label too, which `save` writes into the SVG as its description.
    """
    drawn = figure(7, 1.2)
    drawn.set_label(why)
    return captioned(drawn, suite, what, f"nothing to draw: {why}")


def wrapped(text: str, width: int) -> str:
    """Return text in lines of at most `width` characters; shorter text, and lines that it has, stay as they are."""
    return "\n".join(textwrap.fill(line, width) for line in text.split("\n"))


def short_name(suite: Suite, name: str) -> str:
    """Return a data set's key with its mark, or a mean, in lines that fit above a narrow panel."""
    return wrapped(mean_or_dataset(suite, name).replace("phantom_", "phantom_\n"), 24)


def save(drawn: Figure, folder: Path, name: str, kinds: Sequence[str] = ("svg", "png")) -> None:
    """Write `name`.svg and `name`.png (150 dots an inch), without date or version in them.

    A figure that is too small for its words is enlarged; no other changes.
    """
    with styled():
        _lay_out(drawn)
        _enlarge(drawn)
        drawn.set_layout_engine("none")  # once, not again for each file
    for kind in kinds:
        metadata = _METADATA[kind] | ({"Description": drawn.get_label()} if drawn.get_label() else {})
        with styled(), whole_file(folder / f"{name}.{kind}") as temporary:
            drawn.savefig(temporary, format=kind, dpi=150, metadata=metadata)


def _enlarge(drawn: Figure) -> None:
    """Make a figure as large as what is drawn, where words reach beyond its edges, and lay it out again."""
    size, box = drawn.get_size_inches(), drawn.get_tightbbox()
    beyond = np.maximum(0, np.maximum(-np.array(box.min), box.max - size))
    if beyond.any():
        # Titles and notes are centred: what is beyond one edge needs room at both.
        drawn.set_size_inches(*(size + 2 * np.where(beyond, beyond + MARGIN, 0)))
        _lay_out(drawn)


def _lay_out(drawn: Figure) -> None:
    """Make room for the words of a figure's parts, as drawing it does before anything else."""
    engine = drawn.get_layout_engine()
    if drawn.axes and engine is not None:
        engine.execute(drawn)
