"""The chain beside `pooled` at other shares of the labels and at more steps: a table, and two curves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from weckd.analysis import sheet
from weckd.analysis.contrasts import gain, own
from weckd.analysis.estimates import Estimate
from weckd.analysis.figures import style
from weckd.analysis.figures.style import ACCENT, INK
from weckd.analysis.results import Results
from weckd.analysis.sheets.inputs import budgets_frame, span
from weckd.config import Suite
from weckd.methods.chain import parse_point
from weckd.places import few_seeds, overall, sets_and_overall
from weckd.tables.captions import confidence, mean_or_dataset, missing_sentence
from weckd.tables.render import TableFile

CHAIN, POOLED = "weckd", "pooled"
NAME, TITLE = "curves", "The chain and pooled along labels and steps"
NO_POINTS = "no point of the curves is in this run; add some, such as weckd-60 and pooled-60"
LARGE = 11  # points, of the figure's words: it is shown in talks
_ABOVE = 1.03  # of an axis: its uppermost tick's label ends lower


@dataclass(frozen=True)
class CurvePoint:
    """The chain and `pooled` on the same labels at as many steps; each estimate by data set or mean."""

    labels: float  # percent of the training part, all stages together
    factor: int  # times S steps a stage
    methods: tuple[str, str]  # the chain and pooled there
    levels: tuple[Mapping[str, Estimate], Mapping[str, Estimate]]
    gain: Mapping[str, Estimate]  # of the chain over pooled

    @property
    def name(self) -> str:
        """Labels and steps, as "30 %, 3 S"."""
        return f"{self.labels:g} %, {'' if self.factor == 1 else f'{self.factor} '}S"


def curve_points(run: Results) -> tuple[CurvePoint, ...]:
    """Return the run's points, by steps and then by labels; none where only the suite's own point is there."""
    suite, stages, found = run.suite, run.predictions.stages, []
    for name in suite.methods:
        point, other = parse_point(name), POOLED + name.removeprefix(CHAIN)
        if other not in suite.methods or CHAIN not in (name, point.method if point else None):
            continue
        labels, factor = (point.labels, point.factor) if point else (None, 1)
        levels = (run.of(own(name, stages[name])), run.of(own(other, stages[other])))
        over = run.of(gain(name, stages[name], other, stages[other]))
        found.append(CurvePoint(labels or _own_labels(suite), factor, (name, other), levels, over))
    found.sort(key=lambda point: (point.factor, point.labels))
    return tuple(found) if len(found) > 1 else ()


def _own_labels(suite: Suite) -> float:
    return round(100 * suite.split.stage * suite.chain_length, 6)


def curves_table(run: Results) -> TableFile:
    """Return a row a point: labels, steps, both methods on the mean over data sets, the gain there and on each set."""
    suite, points, whole = run.suite, curve_points(run), overall(run.suite)
    if not points:
        return sheet.nothing(suite, NAME, TITLE, "point", NO_POINTS)
    budgets = budgets_frame(suite, run.files.manifests).set_index(["method", "dataset"]).sort_index()
    head: dict[str, Any] = {
        "point": lambda point: point.name,
        "labels": lambda point: span(budgets.loc[point.methods[0], "labels"]),
        "steps": lambda point: span(budgets.loc[point.methods[0], "steps"]),
        CHAIN: lambda point: sheet.level(point.levels[0][whole]),
        POOLED: lambda point: sheet.level(point.levels[1][whole]),
    }
    shown = sheet.pivoted(
        points,
        head,
        {mean_or_dataset(suite, place): place for place in (whole, *suite.datasets)},
        {"gain, {}": lambda point, place: sheet.untested(point.gain[place])},
    )
    says = sheet.caption(
        run,
        f"{run.primary_name.capitalize()} of {CHAIN} and {POOLED} at the same labels and steps, percent ± half-width "
        "of its interval; gains in points. Exploratory.",
        notes=(_sides(run, points),),
        missing=[name for point in points for found in point.gain.values() for name in found.missing],
    )
    narrow = (*head, f"gain, {mean_or_dataset(suite, whole)}")
    return sheet.file(suite, NAME, TITLE, _rows(run, points, budgets), shown, says, narrow=narrow)


def _sides(run: Results, points: Sequence[CurvePoint]) -> str:
    """Return at which points the interval of the gain lies above or below zero, on the mean over data sets."""
    whole = overall(run.suite)
    if few_seeds(run.suite):
        return ""
    sides = {
        "above 0": [point.name for point in points if point.gain[whole].low > 0],
        "below 0": [point.name for point in points if point.gain[whole].high < 0],
    }
    told = " and ".join(
        f"{side} at {len(names)}" + (f" ({'; '.join(names)})" if names else "")
        for side, names in sides.items()
    )
    return f"Of {len(points)} points, the gain's interval on {mean_or_dataset(run.suite, whole)} lies {told}."


def _rows(run: Results, points: Sequence[CurvePoint], budgets: Any) -> list[dict[str, object]]:
    """Return the rows of `curves.csv`: a row a point and data set or mean."""
    rows = []
    for point in points:
        for place in sets_and_overall(run.suite):
            of: dict[str, object] = {"point": point.name, "labels_pct": point.labels, "times_s": point.factor}
            for base, method, on in zip((CHAIN, POOLED), point.methods, point.levels, strict=True):
                known = budgets.loc[(method, place)] if place in run.suite.datasets else {}
                of |= {f"{base}_{key}": known.get(key) for key in ("labels", "steps")}
                of |= {base: on[place].value, f"{base}_low": on[place].low, f"{base}_high": on[place].high}
            rows.append(sheet.row(run, place, of, run.primary, point.gain[place], {}, value="gain"))
    return rows


def curves_figure(run: Results) -> Figure:
    """Return two panels, the mean over data sets against labels and against steps, large enough for a talk."""
    suite, points, whole = run.suite, curve_points(run), overall(run.suite)
    if not any(point.gain[whole].study for point in points):
        why = missing_sentence(name for point in points for name in point.gain[whole].missing)
        return style.nothing(suite, TITLE, why if points else NO_POINTS)
    figure, labels = style.figure(8, 4.2), _own_labels(suite)
    left, right = figure.subplots(1, 2, sharey=True)
    _curve(left, [(point.labels, point) for point in points if point.factor == 1], whole)
    _curve(right, [(point.factor, point) for point in points if point.labels == labels], whole)
    steps = f"steps a stage, times S = {suite.training.steps}"
    left.set_xlabel("labels in all, % of the training part\n(S steps a stage)", fontsize=LARGE)
    right.set_xlabel(f"{steps}\n({labels:g} % of the labels)", fontsize=LARGE)
    left.set_ylabel(f"{run.primary_name}, %", fontsize=LARGE)
    left.legend(frameon=False, fontsize=LARGE, loc="lower right")
    few = few_seeds(suite)
    bars = (
        "too few seeds for intervals" if few else f"bars: {confidence(suite)} two-way intervals, not adjusted"
    )
    return style.captioned(
        figure,
        suite,
        f"{TITLE}, {mean_or_dataset(suite, whole)}",
        f"same labels and steps at each point; numbers: gain of {CHAIN} over {POOLED}, points; {bars}; exploratory",
    )


def _curve(axis: Any, points: Sequence[tuple[float, CurvePoint]], whole: str) -> None:
    aside = 0.01 * (points[-1][0] - points[0][0])  # so that no interval hides another's
    for place, name, marker, colour, line in ((1, POOLED, "s", INK, "--"), (0, CHAIN, "o", ACCENT, "-")):
        known = [(x, point.levels[place][whole]) for x, point in points if point.levels[place][whole].study]
        axis.errorbar(
            [x - aside if place else x + aside for x, _ in known],
            [level.value for _, level in known],
            yerr=[0.0 if math.isnan(level.half_width) else level.half_width for _, level in known],
            color=colour,
            linestyle=line,
            linewidth=2,
            marker=marker,
            markersize=6,
            capsize=3,
            label=name,
        )
    above: Any = {"va": "bottom", "fontsize": LARGE}
    axis.text(0, _ABOVE, "gain", transform=axis.transAxes, ha="right", **above)
    for x, point in points:
        found = point.gain[whole]
        text = f"{found.value:+z.1f}" if found.study else "missing"
        axis.text(x, _ABOVE, text, transform=axis.get_xaxis_transform(), ha="center", **above)
    axis.set_xticks([x for x, _ in points], [f"{x:g}" for x, _ in points])
    axis.margins(x=0.12)
    axis.tick_params(length=3, labelsize=LARGE)
