"""Every reading of the chain beside `single` and the pooled control of its length: a table, and a curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from weckd.analysis import sheet
from weckd.analysis.contrasts import gain
from weckd.analysis.estimates import Estimate
from weckd.analysis.figures import style
from weckd.analysis.figures.style import ACCENT, GREY, INK, PALE
from weckd.analysis.inference.reader_study import half_width
from weckd.analysis.predictions import load_predictions
from weckd.analysis.results import LARGEST, Published, Results
from weckd.committed import with_plans
from weckd.config import Suite
from weckd.errors import UserError, counted
from weckd.methods.chain import REFERENCE, Reading, choices, is_reading, parse_reading
from weckd.places import few_seeds, independent, overall, sets_and_overall, with_finding
from weckd.run_files import RunFiles
from weckd.tables.captions import confidence, mean_or_dataset
from weckd.tables.cells import Bold
from weckd.tables.render import TableFile, write_table_file

CHAIN, SINGLE, POOLED = "weckd", "single", "pooled"


@dataclass(frozen=True)
class Specification:
    """One reading on one data set, or on their mean: its gains over both references."""

    method: str
    reading: Reading
    dataset: str
    over_single: Estimate
    over_pooled: Estimate
    pooled: str  # the control with as many labels

    def over(self, name: str) -> Estimate:
        """Return the gain over `single`, or over the pooled control."""
        return self.over_single if name == SINGLE else self.over_pooled


def write_specification(
    suite: Suite,
    predictions: Path,
    out: Path,
    published: Sequence[Published] = (),
    across: Path | None = None,
) -> None:
    """Write tables/readings (.csv .md .tex .json) and figures/specification (.svg .png) of a run of readings.

    `predictions` holds `<dataset>/seed<k>.parquet`; `across` is what the audit of the data sets found of shared images,
    see `weckd.places`.

    Raises:
        UserError: the run has no readings, or a file is unreadable or inconsistent; what is missing is printed as
            missing instead.
    """
    if not any(map(is_reading, suite.methods)):
        raise UserError(f"{out}: a run without readings; make one with `snakemake --cores all readings`")
    suite = with_finding(suite, across) if across else suite
    files = RunFiles(out)
    run = Results(with_plans(suite, files), load_predictions(suite, predictions), files, tuple(published))
    found = specifications(run)
    write_table_file(run.files.tables, _table(run, found))
    with style.styled():
        figure = specification_figure(run, found)
    style.save(figure, run.files.figures, "specification")


def specifications(run: Results) -> tuple[Specification, ...]:
    """Return every reading on every data set and on their mean, by the first metric of the plan."""
    stages, found = run.predictions.stages, []
    for method in run.suite.methods:
        if method != CHAIN and not is_reading(method):
            continue
        reading = REFERENCE if method == CHAIN else parse_reading(method)
        pooled = POOLED if reading.length == REFERENCE.length else f"{POOLED}-{reading.length}"
        one, other = (run.of(gain(method, stages[method], name, stages[name])) for name in (SINGLE, pooled))
        for place in sets_and_overall(run.suite):
            found.append(Specification(method, reading, place, one[place], other[place], pooled))
    return tuple(found)


def _rows(run: Results, found: Sequence[Specification]) -> list[dict[str, object]]:
    """Return the rows of `readings.csv`: a row a reading and data set, gains in percentage points."""
    rows = []
    for item in found:
        row = sheet.head(run.suite, item.dataset) | {"method": item.method}
        row |= {name: getattr(item.reading, name) for name in choices()}
        row |= {"metric": run.primary, "k": len(run.suite.seeds)}
        for name, over in (("over_single", item.over_single), ("over_pooled", item.over_pooled)):
            row |= {f"{name}_pp": over.value, f"{name}_low": over.low, f"{name}_high": over.high}
        rows.append(row | {"pooled": item.pooled, "plan_hash": run.suite.plan_hash})
    return rows


def sorted_readings(suite: Suite, found: Sequence[Specification]) -> list[Specification]:
    """Return the readings on the mean over data sets by their gain over `single`, smallest first, missing ones last."""
    shown = [item for item in found if item.dataset == overall(suite)]
    known = [item for item in shown if item.over_single.study]
    known.sort(key=lambda item: (item.over_single.value, item.method))
    return known + [item for item in shown if not item.over_single.study]


def _claimed(run: Results) -> Published | None:
    """Return the paper's largest gain over a single backbone, where it is listed."""
    return next((x for x in run.published if (x.reference, x.data_set) == (SINGLE, LARGEST)), None)


def specification_figure(run: Results, found: Sequence[Specification]) -> Figure:
    """Return the curve: above, gains of each reading, sorted; below, which choices made it."""
    suite, shown = run.suite, sorted_readings(run.suite, found)
    options = _options(shown)
    figure = style.figure(max(6.5, 1.9 + 0.17 * len(shown)), 2.6 + 0.13 * len(options) + 0.9)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.6, 0.13 * len(options)])
    _curve(above, shown, found, _claimed(run))
    _choices(below, shown, options)
    bars = f"bars: {confidence(suite)} two-way intervals, not adjusted"
    return style.captioned(
        figure,
        suite,
        f"Readings of the chain, {run.primary_name}",
        f"mean of {counted(len(independent(suite)), 'independent data set')}; dash: the data set of the largest; "
        f"{'too few seeds for intervals' if few_seeds(suite) else bars}; shaded: the reference reading (ours); black "
        "marks: changes from it",
    )


def _options(shown: Sequence[Specification]) -> list[tuple[str, object]]:
    """Return the options of each choice that some reading was run with, where there was a choice."""
    run = {
        name: [option for option in values if any(getattr(item.reading, name) == option for item in shown)]
        for name, values in choices().items()
    }
    return [(name, option) for name, options in run.items() if len(options) > 1 for option in options]


def _curve(
    axis: Any,
    shown: Sequence[Specification],
    found: Sequence[Specification],
    claimed: Published | None,
) -> None:
    axis.axhline(0, color=INK, linewidth=0.8)
    if claimed:
        axis.axhline(claimed.value, color=GREY, linewidth=0.8, linestyle=":")
        says = f" +{claimed.value:g}, the paper's largest gain, over single"
        axis.text(0, claimed.value, says, fontsize=7, va="bottom")
    series = ((SINGLE, "o", INK, "white", -0.15), (POOLED, "s", ACCENT, ACCENT, 0.15))
    for name, marker, colour, fill, offset in series:
        for x, item in enumerate(shown):
            over = item.over(name)
            if over.study is None:
                axis.text(x, 0, "missing", rotation=90, fontsize=6, ha="center", va="center")
                continue
            if not math.isnan(over.low):
                axis.plot([x + offset] * 2, [over.low, over.high], color=colour, linewidth=0.9, alpha=0.6)
            axis.plot([x + offset], [over.value], marker, color=colour, markerfacecolor=fill, markersize=3.5)
            of_reading = [each.over(name) for each in found if each.method == item.method]
            largest = max(each.value for each in of_reading if each.study)
            axis.plot([x + offset], [largest], "_", color=colour, markersize=4)
        axis.plot([], [], marker, color=colour, markerfacecolor=fill, label=f"over {name}")
    for x, item in enumerate(shown):
        if item.reading == REFERENCE:
            axis.axvspan(x - 0.5, x + 0.5, color=PALE, linewidth=0, zorder=0)
    axis.set_ylabel("gain, percentage points")
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 0.9), ncols=2)


def _choices(axis: Any, shown: Sequence[Specification], options: Sequence[tuple[str, object]]) -> None:
    names = list(dict.fromkeys(name for name, _ in options))
    for y, (name, option) in enumerate(options):
        if names.index(name) % 2 == 0:
            axis.axhspan(y - 0.5, y + 0.5, color=PALE, alpha=0.35, linewidth=0)
        chosen = [x for x, item in enumerate(shown) if getattr(item.reading, name) == option]
        changed = option != getattr(REFERENCE, name)
        axis.plot(chosen, [y] * len(chosen), "s", color=INK if changed else GREY, markersize=3)
    style.name_rows(axis, [f"{name}: {option}" for name, option in options], fontsize=6.5)
    axis.set_xlim(-0.7, len(shown) - 0.3)
    axis.set_xticks([])


def _table(run: Results, found: Sequence[Specification]) -> TableFile:
    shown, claimed = sorted_readings(run.suite, found), _claimed(run)
    cells = sheet.listed(
        shown,
        {
            "reading (changes from the reference)": lambda item: (
                Bold(item.method) if item.reading == REFERENCE else item.method
            ),
            "over single": lambda item: sheet.gain(item.over_single),
            "over pooled": lambda item: sheet.gain(item.over_pooled),
            "pooled control": lambda item: item.pooled,
        },
    )
    says = sheet.caption(
        run,
        f"Gains in {run.primary_name}, percentage points, smallest first; exploratory: of {len(shown)} readings the "
        "largest is too large by selection.",
        notes=(
            "In bold the reference reading, which is ours and not the paper's.",
            *(_claim_sentences(run.suite, found, claimed) if claimed else ()),
        ),
        missing=[name for item in found for r in (item.over_single, item.over_pooled) for name in r.missing],
    )
    return sheet.file(run.suite, "readings", "Readings of the chain", _rows(run, found), cells, says)


def _claim_sentences(suite: Suite, found: Sequence[Specification], claimed: Published) -> list[str]:
    """Say which readings, if any, reach the gain that the paper claims, on the mean or on a data set: over each."""
    told = [f"The paper claims up to +{claimed.value:g} points over single ({claimed.where})."]
    for over in (SINGLE, POOLED):
        gains = [(item.over(over).value, item) for item in found]
        known = [(value, item) for value, item in gains if not math.isnan(value)]
        reached: dict[str, list[str]] = {}
        for value, item in known:
            if value >= claimed.value:
                reached.setdefault(item.method, []).append(f"{value:+.1f} on {item.dataset}")
        if known:
            largest, item = max(known, key=lambda pair: pair[0])
            names = [f"{method} ({', '.join(where)})" for method, where in reached.items()]
            none = f"none; the largest gain is {largest:+.1f}, of {item.method} on {item.dataset}"
            number = len({item.method for _, item in known})
            by = f"{len(names)} of {counted(number, 'reading')}: {'; '.join(names)}" if names else none
            told.append(f"Over {over} that is reached here by {by}.")
            told += _adjusted_sentence(suite, over, [item for _, item in known], claimed)
    return told if len(told) > 1 else []


def _adjusted_sentence(
    suite: Suite, over: str, known: Sequence[Specification], claimed: Published
) -> list[str]:
    """Say how many readings have an interval, adjusted for their number (Bonferroni), that reaches the claimed gain."""
    if few_seeds(suite):
        return []
    readings = len({item.method for item in known})
    level, told = 1 - suite.analysis.alpha / readings, []
    for where, on_mean in ((mean_or_dataset(suite, overall(suite)), True), ("at least one data set", False)):
        ends = {}
        for item in known:
            gained = item.over(over)
            if gained.study and (item.dataset == overall(suite)) == on_mean:
                high = gained.scale * (gained.study.estimate + half_width(gained.study, level))
                ends[item.method, item.dataset] = high
        if not ends:
            continue
        (method, dataset), highest = max(ends.items(), key=lambda end: end[1])
        reaching = len({name for (name, _), high in ends.items() if high >= claimed.value})
        of = method if on_mean else f"{method} on {dataset}"
        told.append(f"{reaching} on {where} (highest end {highest:+.1f}, of {of})")
    return [
        f"Readings whose interval over {over} reaches it, adjusted for {counted(readings, 'reading')}: "
        f"{'; '.join(told)}."
    ]
