"""How figures look and how they are saved: legible in grey, the same bytes for the same values."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from weckd.config import Suite
from weckd.files import whole_file
from weckd.tables.captions import dataset_text, run_note, title

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


def nothing_figure(suite: Suite, what: str, why: str) -> Figure:
    """Return a figure of two lines: what it would show, and why a run has nothing to show.

    The reason is the figure's label too, which `save` writes into the SVG as its description.
    """
    figure = Figure(figsize=(7, 1.2), layout="constrained")
    figure.suptitle(title(suite, f"{what}, suite {suite.run}"), weight="bold")
    figure.supxlabel(f"nothing to draw: {why}\n{run_note(suite)}", fontsize=8)
    figure.set_label(why)
    return figure


def wrapped(text: str, width: int) -> str:
    """Return text in lines of at most `width` characters; shorter text, and lines that it has, stay as they are."""
    return "\n".join(textwrap.fill(line, width) for line in text.split("\n"))


def short_name(suite: Suite, dataset: str) -> str:
    """Return a data set's key with its mark, in lines that fit above a narrow panel."""
    return wrapped(dataset_text(suite, dataset).replace("phantom_", "phantom_\n"), 24)


def save(figure: Figure, folder: Path, name: str, kinds: Sequence[str] = ("svg", "png")) -> None:
    """Write `name`.svg and `name`.png (150 dots an inch), without date or version in them.

    A figure that is too small for its words is enlarged; no other changes.
    """
    with styled():
        figure.draw_without_rendering()
        _enlarge(figure)
        figure.set_layout_engine("none")  # lay out once, not again for each file
    for kind in kinds:
        metadata = _METADATA[kind] | ({"Description": figure.get_label()} if figure.get_label() else {})
        with styled(), whole_file(folder / f"{name}.{kind}") as temporary:
            figure.savefig(temporary, format=kind, dpi=150, metadata=metadata)


def _enlarge(figure: Figure) -> None:
    """Make a figure as large as what is drawn, where words stand beyond its edges, and lay it out again."""
    size, drawn = figure.get_size_inches(), figure.get_tightbbox()
    beyond = [
        max(-low, high - inches, 0.0) for low, high, inches in zip(drawn.min, drawn.max, size, strict=True)
    ]
    if any(beyond):
        # Titles and notes are centred: what stands beyond one edge needs room at both.
        figure.set_size_inches(
            *(
                inches + 2 * (more + MARGIN if more else 0.0)
                for inches, more in zip(size, beyond, strict=True)
            )
        )
        figure.draw_without_rendering()
