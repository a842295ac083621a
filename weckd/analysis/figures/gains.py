"""Gains as pictures: over each reference of the plan, along a chain's stages, and the sources of their variance."""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from matplotlib.figure import Figure

from weckd.analysis.comparisons import Comparison, Kind, chain_method
from weckd.analysis.contrasts import gain
from weckd.analysis.estimates import IDENTICAL, NOT_KNOWN, Estimate, Gain
from weckd.analysis.figures import style
from weckd.analysis.figures.style import ACCENT, GREY, INK, PALE
from weckd.analysis.inference.data_sets import new_data_set
from weckd.analysis.method_groups import declared_methods
from weckd.analysis.results import Results
from weckd.config import Suite
from weckd.errors import counted
from weckd.places import MACRO, few_seeds, independent, overall, sets_and_overall
from weckd.tables import cells
from weckd.tables.captions import (
    NO_FAMILY,
    NO_STAGES,
    confidence,
    mean_or_dataset,
    missing_sentence,
    place_text,
)

COLUMNS = 3  # of the forest plot
ALONG = 20  # letters that fit along a panel of a row
NEW = "a new data set"
OWN_START = "M1"


def summary_figure(run: Results) -> Figure:
    """Return the plan's gains, a row a reference below its family: the mean over data sets with its interval."""
    return _at_a_glance(run, "Gains in {} of {}", ("superiority", "non-inferiority"))


def equivalence_figure(run: Results) -> Figure:
    """Return a row for each method that the plan asks to be like the chain, beside the margin of equivalence."""
    return _at_a_glance(run, "What may be as good as {1}: its gains in {0}", ("equivalence",), margin=True)


def _at_a_glance(run: Results, what: str, kinds: Sequence[Kind], *, margin: bool = False) -> Figure:
    """Return a row a comparison: mean over data sets, interval, both as numbers too, and a dot a data set."""
    suite = run.suite
    shown, compared = _over_all(run, kinds)
    chain = compared[0].method if compared else chain_method(suite) or "a chain"
    title = what.format(run.primary_name, chain)
    if not any(gain.estimate.study for gain in shown):
        return style.nothing(suite, title, _why_nothing(shown))
    asked = {method.name: method.question for method in declared_methods(suite)}
    figure = style.figure(6.5, 0.36 * len(compared) + 1.8)
    axis = figure.subplots()
    if margin:
        axis.axvspan(-suite.analysis.margin_pp, suite.analysis.margin_pp, color=PALE, linewidth=0, zorder=0)
    axis.axvline(0, color=INK, linewidth=0.8, zorder=1)
    for y, comparison in enumerate(compared):
        if y and comparison.family != compared[y - 1].family:
            axis.axhline(y - 0.5, color=PALE, linewidth=0.8)
        of = {gain.dataset: gain for gain in shown if gain.comparison == comparison}
        whole = of.pop(overall(suite))
        value = whole.estimate
        told = cells.Gain(value.value, value.low, value.high).text(cells.Wording())
        if value.identical:
            told = IDENTICAL
        elif value.study and not few_seeds(suite):
            told = f"{told} {whole.short_verdict}"
        style.draw_row(axis, y, (gain.estimate for gain in of.values()), value, told)
    names = (f"{x.text}\n{asked.get(x.reference, '')}".strip() for x in compared)
    style.name_rows(axis, [style.wrapped(name, 40) for name in names])
    axis.set_xlabel("percentage points")
    bar = "" if few_seeds(suite) else f" and its {confidence(suite)} interval"
    each = f"; dots: {', '.join(suite.datasets)}" if len(suite.datasets) > 1 else ""
    notes = [f"diamond: {mean_or_dataset(suite, overall(suite))}{bar}{each}"]
    if not few_seeds(suite):
        notes.append("words: the plan's verdict, after Holm's correction over the rows between two lines")
    if margin:
        notes.append(f"shaded: margin of {suite.analysis.margin_pp:g} points")
    if chain in asked:
        notes.append(f"{chain}: {asked[chain]}")
    return style.captioned(figure, suite, title, *(style.wrapped(note, 90) for note in notes))


def _over_all(run: Results, kinds: Sequence[Kind]) -> tuple[list[Gain], list[Comparison]]:
    """Return the gains that the plan asks of the mean over all data sets, and what is compared, each once."""
    shown = [
        gain
        for gain in run.drawn
        if gain.comparison.kind in kinds and gain.comparison.decided_on == (overall(run.suite),)
    ]
    return shown, [x.comparison for x in _once(shown, lambda x: (x.comparison.kind, x.comparison.pair))]


def forest_figure(run: Results) -> Figure:
    """Return one panel a reference: per data set seeds (dots), mean and interval; macro mean as a diamond."""
    suite, what = run.suite, f"Gains in {run.primary_name}"
    shown, panels = _over_all(run, ("superiority", "non-inferiority"))
    if not any(gain.estimate.study for gain in shown):
        return style.nothing(suite, what, _why_nothing(shown))
    columns = min(COLUMNS, len(panels))
    height = math.ceil(len(panels) / columns) * (0.26 * (len(suite.datasets) + 2) + 0.8) + 1.3
    figure = style.figure(1.4 + 2.1 * max(columns, 2.5), height)
    axes = style.grid(figure, len(panels), columns, sharex=True)
    for axis, comparison in zip(axes, panels, strict=True):
        _forest(suite, axis, comparison, [gain for gain in shown if gain.comparison == comparison])
    for axis in axes[-columns:]:
        axis.tick_params(labelbottom=True)
        axis.set_xlabel("percentage points")
    few, several = few_seeds(suite), len(independent(suite)) > 1
    diamond = f"; diamond: macro mean{'' if few else ' and its interval'}" if several else ""
    if few:
        marks = f"{diamond}; too few seeds for intervals: description only"
    else:
        bar = f"; bar: {confidence(suite)} two-way interval"
        marks = f"{bar}{diamond}; shaded: margin of {suite.analysis.margin_pp:g} points"
        new = f"\ndashed: {confidence(suite)} prediction interval of the gain on a new data set"
        marks += new if several else ""
    return style.captioned(figure, suite, what, f"square: mean; dots: seeds{marks}")


def _once(gains: Iterable[Gain], key: Callable[[Gain], Hashable]) -> list[Gain]:
    """Return the first gain of each key: of families that ask the same, that of the one that the plan names first."""
    first: dict[Hashable, Gain] = {}
    for one in gains:
        first.setdefault(key(one), one)
    return list(first.values())


def _why_nothing(shown: Sequence[Gain]) -> str:
    return missing_sentence(name for gain in shown for name in gain.estimate.missing) if shown else NO_FAMILY


def _forest(suite: Suite, axis: Any, comparison: Comparison, gains: Sequence[Gain]) -> None:
    names = list(sets_and_overall(suite))
    if comparison.kind == "non-inferiority":
        margin = suite.analysis.margin_pp
        axis.axvspan(-margin, margin, color=PALE, linewidth=0, zorder=0)
        axis.axvline(-margin, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
    axis.axvline(0, color=INK, linewidth=0.8, zorder=1)
    for one in gains:
        y, mean, low, high = names.index(one.dataset), one.estimate.value, one.estimate.low, one.estimate.high
        if one.estimate.study is None:
            axis.text(0.5, y, "missing", transform=axis.get_yaxis_transform(), ha="center", va="center")
        elif one.dataset == MACRO:
            left, right = (mean, mean) if math.isnan(low) else (low, high)
            diamond = [left, mean, right, mean], [y, y - 0.3, y, y + 0.3]
            axis.fill(*diamond, color=ACCENT, linewidth=0, zorder=4)
            axis.plot([mean], [y], "D", color=ACCENT, markersize=3, zorder=4)
        else:
            seeds = [100 * value for value in one.estimate.study.per_seed]
            axis.plot(seeds, [y + 0.22] * len(seeds), ".", color=GREY, markersize=4, zorder=2)
            if not math.isnan(low):
                axis.plot([low, high], [y, y], color=INK, linewidth=1.3, zorder=3)
            axis.plot([mean], [y], "s", color=INK, markersize=3.5, zorder=3)
    labels = [mean_or_dataset(suite, place) for place in names]
    if len(independent(suite)) > 1:
        _new_data_set(suite, axis, len(names), gains)
        axis.axhline(len(names) - 1.5, color=PALE, linewidth=0.8)
        labels.append(NEW)
    style.name_rows(axis, labels)
    axis.tick_params(axis="x", length=2)
    axis.set_title(style.wrapped(f"{comparison.method} {comparison.text}", 34), loc="left")


def _new_data_set(suite: Suite, axis: Any, y: int, gains: Sequence[Gain]) -> None:
    """Draw where the gain on one more data set would lie; nothing where that cannot be said."""
    studies = [gain.estimate.study for gain in gains if gain.dataset in independent(suite)]
    whole = [study for study in studies if study is not None]
    if few_seeds(suite) or len(whole) < max(len(studies), 2):
        return
    new = new_data_set(whole, 1 - suite.analysis.alpha)
    ends = [100 * new.measured_low, 100 * new.measured_high]
    axis.plot(ends, [y, y], color=ACCENT, linewidth=1, linestyle="--")
    axis.plot([100 * new.over_means.value], [y], "|", color=ACCENT, markersize=7)


def chain_figure(run: Results) -> Figure:
    """Return a row a reference and a column a data set.

    References are the chain's own first stage, and the methods with as many stages as the chain.
    """
    suite, what, chain = run.suite, "Gain along the stages", chain_method(run.suite)
    last = run.predictions.stages[chain] if chain else 1
    if chain is None or last < 2:
        return style.nothing(suite, what, NO_STAGES)
    alike = [name for name in suite.methods if name != chain and run.predictions.stages[name] == last]
    of_reference = {OWN_START: [run.of(gain(chain, stage, chain, 1)) for stage in range(1, last + 1)]}
    for name in alike:
        of_reference[name] = [run.of(gain(chain, stage, name, stage)) for stage in range(1, last + 1)]
    names = sets_and_overall(suite)
    shown = [one for along in of_reference.values() for at_stage in along for one in at_stage.values()]
    if not any(one.study for one in shown):
        return style.nothing(suite, what, missing_sentence(name for one in shown for name in one.missing))
    figure, axes = style.matrix(suite, len(of_reference), names, 1.25 * len(of_reference) + 1.3)
    for (reference, along), row in zip(of_reference.items(), axes, strict=True):
        for name, axis in zip(names, row, strict=True):
            _along(suite, axis, [at_stage[name] for at_stage in along])
        row[0].set_ylabel(style.wrapped(f"over {reference}", ALONG))
    few = "too few seeds for a band: description only"
    return style.captioned(
        figure,
        suite,
        f"Gain of {chain} along its stages, {run.primary_name}, percentage points",
        "stage (the reference is read at the same stage)\nthin lines: seeds; thick line: mean; "
        f"{few if few_seeds(suite) else f'band: {confidence(suite)} two-way interval'}",
    )


def _along(suite: Suite, axis: Any, shown: Sequence[Estimate]) -> None:
    stages = list(range(1, len(shown) + 1))
    seeds: Iterable[Sequence[float]] = zip(
        *(
            [100 * x for x in one.study.per_seed] if one.study else [NOT_KNOWN] * len(suite.seeds)
            for one in shown
        ),
        strict=True,
    )
    if not few_seeds(suite):
        low, high = [one.low for one in shown], [one.high for one in shown]
        axis.fill_between(stages, low, high, color=PALE, linewidth=0, zorder=1)
    axis.axhline(0, color=INK, linewidth=0.8, zorder=1)
    style.draw_stages(axis, stages, seeds, [one.value for one in shown])
    axis.set_xticks(stages)


def variance_figure(run: Results) -> Figure:
    """Return a bar a comparison on each mean that decides its family: the shares due to seeds and to images.

    Would more seeds or more images make the interval smaller?
    """
    suite = run.suite
    decided = [
        gain
        for gain in run.drawn
        if gain.dataset in gain.comparison.decided_on and gain.comparison.kind != "equivalence"
    ]
    shown = _once(decided, lambda x: (x.comparison.kind, x.comparison.pair, x.dataset))
    if few_seeds(suite) or not any(gain.estimate.study for gain in shown):
        why = _why_nothing(shown)
        if shown and few_seeds(suite):
            seeds = counted(len(suite.seeds), "seed")
            why = f"{seeds}; the plan needs at least {suite.analysis.minimum_seeds}"
        return style.nothing(suite, "Where the uncertainty comes from", why)
    figure = style.figure(7.5, 0.24 * len(shown) + 1.5)
    axis = figure.subplots()
    for y, one in enumerate(shown):
        _bar(axis, y, one)
    names = [f"{gain.comparison.text} ({place_text(suite, gain.dataset)})" for gain in shown]
    axis.set_yticks(range(len(shown)), names)
    axis.set_ylim(len(shown) - 0.4, -0.6)
    axis.set_xlim(0, 100)
    axis.tick_params(length=2)
    axis.set_xlabel("share of the variance of the gain, percent")
    handles, parts = axis.get_legend_handles_labels()
    once = dict(zip(parts, handles, strict=True))
    axis.legend(once.values(), once.keys(), loc="upper left", bbox_to_anchor=(1.1, 1), frameon=False)
    return style.captioned(
        figure,
        suite,
        "Where the uncertainty of the plan's gains comes from",
        "dark: seeds (more seeds would help); light: images (more test images would help); right: standard error, "
        "percentage points",
    )


def _bar(axis: Any, y: int, gain: Gain) -> None:
    study = gain.estimate.study
    if study is None or not study.se > 0:
        axis.text(50, y, "missing" if study is None else "no variation", ha="center", va="center")
        return
    seeds = 100 * study.seed_share
    parts = (("seeds", 0.0, seeds, GREY, None), ("images", seeds, 100 - seeds, PALE, "//"))
    for name, left, width, colour, hatch in parts:
        look: Any = {"color": colour, "edgecolor": INK, "linewidth": 0.5, "height": 0.7, "hatch": hatch}
        axis.barh(y, width, left=left, label=name, **look)
    axis.text(101, y, f"{100 * study.se:.1f}", va="center", ha="left", fontsize=7)
