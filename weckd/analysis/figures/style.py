"""How figures look and how they are saved: legible in grey, the same bytes for the same values."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from weckd.files import whole_file

INK = "#1a1a1a"
GREY = "#8c8c8c"
PALE = "#dcdcdc"
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


def save(figure: Figure, folder: Path, name: str, kinds: Sequence[str] = ("svg", "png")) -> None:
    """Write `name`.svg and `name`.png (150 dots an inch), without date or version in them."""
    with styled():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # lay out once, not again for each file
    for kind in kinds:
        with styled(), whole_file(folder / f"{name}.{kind}") as temporary:
            figure.savefig(temporary, format=kind, dpi=150, metadata=_METADATA[kind])
