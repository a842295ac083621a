"""Whose variance it is: would more seeds or more images make the interval smaller?"""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from weckd.analysis.figures.style import GREY, INK, PALE, nothing_figure
from weckd.analysis.gains import Gain
from weckd.config import Suite
from weckd.errors import counted
from weckd.places import few_seeds
from weckd.tables.captions import NO_FAMILY, mean_or_dataset, missing_sentence, run_note, title


def variance_figure(suite: Suite, gains: Sequence[Gain]) -> Figure:
    """Return a bar a comparison on each mean that decides its family: the shares due to seeds and to images."""
    shown = [gain for gain in gains if gain.dataset in gain.comparison.decided_on]
    if few_seeds(suite) or not any(gain.study for gain in shown):
        why = missing_sentence(name for gain in shown for name in gain.missing) if shown else NO_FAMILY
        if shown and few_seeds(suite):
            why = (
                f"{counted(len(suite.seeds), 'seed')}; the plan needs at least {suite.analysis.minimum_seeds}"
            )
        return nothing_figure(suite, "Where the uncertainty comes from", why)
    figure = Figure(figsize=(7.5, 0.24 * len(shown) + 1.5), layout="constrained")
    axis = figure.subplots()
    for y, gain in enumerate(shown):
        _bar(axis, y, gain)
    names = [f"{gain.comparison.text} ({mean_or_dataset(suite, gain.dataset)})" for gain in shown]
    axis.set_yticks(range(len(shown)), names)
    axis.set_ylim(len(shown) - 0.4, -0.6)
    axis.set_xlim(0, 100)
    axis.tick_params(length=2)
    axis.set_xlabel("share of the variance of the gain, percent")
    axis.legend(loc="upper left", bbox_to_anchor=(1.1, 1), frameon=False)
    what = f"Where the uncertainty of the plan's gains comes from, suite {suite.run}"
    figure.suptitle(title(suite, what), weight="bold")
    figure.supxlabel(
        "dark: seeds (more seeds would help); light: images (more test images would help); right: standard error, "
        f"percentage points\n{run_note(suite)}",
        fontsize=8,
    )
    return figure


def _bar(axis: Any, y: int, gain: Gain) -> None:
    study = gain.study
    if study is None or not study.se > 0:
        reason = "missing" if study is None else "no variation"
        axis.text(50, y, reason, ha="center", va="center")
        return
    seeds = 100 * study.seed_share
    first = y == 0
    axis.barh(
        y, seeds, color=GREY, edgecolor=INK, linewidth=0.5, height=0.7, label="seeds" if first else None
    )
    axis.barh(
        y,
        100 - seeds,
        left=seeds,
        color=PALE,
        edgecolor=INK,
        linewidth=0.5,
        height=0.7,
        hatch="//",
        label="images" if first else None,
    )
    axis.text(101, y, f"{100 * study.se:.1f}", va="center", ha="left", fontsize=7)
