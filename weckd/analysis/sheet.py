"""What the sheets share: the two shapes of a table, cells of estimates, and rows of the CSV files."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import pandas as pd

from weckd.analysis.contrasts import evaluate_all, gain
from weckd.analysis.estimates import IDENTICAL, NOT_KNOWN, Estimate, Gain, Level, descriptive, estimate
from weckd.analysis.inference.reader_study import Study, adjust, p_value
from weckd.analysis.metrics import METRICS
from weckd.analysis.results import Compared, Results
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, independent, is_phantom
from weckd.tables import cells
from weckd.tables.captions import caption, mean_or_dataset
from weckd.tables.cells import MISSING, NOTHING, Cell, Joined, Name

Row = TypeVar("Row")
Column = TypeVar("Column")

BOLD_SENTENCE = (
    "Bold: the best of a row and all that are not significantly worse (two-way test, Holm in the row)."
)
COUNT = "wins / ties / losses"
UNTESTED: Mapping[str, object] = {
    **dict.fromkeys(("test", "family", "correction"), ""),
    "family": "not tested",
    **dict.fromkeys(("alpha", "p", "p_adjusted"), NOT_KNOWN),
    "verdict": "",
}
"""What is in the columns of `tested` where nothing is tested."""


def listed(rows: Iterable[Row], columns: Mapping[str, Callable[[Row], Cell]]) -> pd.DataFrame:
    """Return a cell a row and header."""
    rows = list(rows)
    return pd.DataFrame({header: [cell(row) for row in rows] for header, cell in columns.items()})


def pivoted(
    rows: Iterable[Row],
    head: Mapping[str, Callable[[Row], Cell]],
    columns: Mapping[str, Column],
    show: Mapping[str, Callable[[Row, Column], Cell]],
) -> pd.DataFrame:
    """Return the columns of `head`, then for each of `columns` one for each of `show`, whose headers are patterns."""
    rows = list(rows)
    across = {
        pattern.format(name): [cell(row, column) for row in rows]
        for name, column in columns.items()
        for pattern, cell in show.items()
    }
    return pd.DataFrame({header: [cell(row) for row in rows] for header, cell in head.items()} | across)


def run_caption(run: Results, *lead: str, **options: object) -> str:
    """Return the caption of a table of a run's results, see `caption`, with the size of the macro mean."""
    return caption(run.suite, *lead, **{"size": run.sizes[MACRO], **options})  # type: ignore[arg-type]


def gains_caption(
    run: Results, shown: Iterable[Compared], *notes: str, missing: Iterable[str] | None = None
) -> str:
    """Return the caption of a table of gains on the primary metric."""
    names = [name for item in shown for name in item.missing] if missing is None else missing
    level = confidence(run.suite)
    lead = f"Gains in {primary_name(run)}, percentage points, with their {level} intervals, not adjusted;"
    return run_caption(run, lead, notes=notes, missing=names)


def primary_name(run: Results) -> str:
    """Return the name of the primary metric."""
    return METRICS[run.primary].name


def confidence(suite: Suite) -> str:
    """Return the confidence level of the intervals."""
    return f"{100 * (1 - suite.analysis.alpha):g} %"


def margin_sentence(suite: Suite) -> str:
    """Return the null of the comparisons *against* a method."""
    return (
        "A comparison against a method is a test of non-inferiority: its null is a gain of "
        f"-{suite.analysis.margin_pp:g} points."
    )


def place_cell(suite: Suite, place: str) -> Name:
    """Return a data set, marked where it is derived, or a mean with the number of its data sets."""
    return Name(place, mean_or_dataset(suite, place).removeprefix(place))


def size_cell(run: Results, place: str) -> str:
    """Return test images and groups."""
    size = run.sizes[place]
    return f"{size[0]} ({size[1]})" if size else MISSING


def comparison_cell(item: Compared) -> Cell:
    """Return what is compared."""
    return Joined((Name(item.comparison.method), item.comparison.text))


def level_cell(shown: Estimate) -> cells.Level:
    """Return a mean with the half-width of its interval."""
    return cells.Level(shown.value, shown.half_width, shown.scale == 100)


def gain_cell(shown: Estimate, mark: str = "") -> cells.Gain:
    """Return a difference with its interval."""
    return cells.Gain(shown.value, shown.low, shown.high, shown.scale == 100, mark)


def untested_cell(shown: Estimate) -> Cell:
    """Return a difference with its interval, or that the predictions are identical, where no p is beside it."""
    return IDENTICAL if shown.identical else gain_cell(shown)


def number_cell(shown: Estimate, value: float) -> Cell:
    """Return a number in the unit of an estimate."""
    return cells.Number(value, None if shown.scale == 100 else cells.NATS_DIGITS)


def decision_cell(gain: Gain) -> Cell:
    """Return the verdict of a non-inferiority test; else the adjusted p, or why there is none."""
    if gain.comparison.kind == "non-inferiority" or not math.isfinite(gain.p_adjusted):
        return gain.short_verdict
    return cells.P(gain.p_adjusted)


def csv_row(
    run: Results,
    place: str,
    of: Mapping[str, object],
    metric: str,
    shown: Estimate,
    more: Mapping[str, object] = UNTESTED,
    *,
    value: str = "estimate",
    percent: str = "points",
) -> dict[str, object]:
    """Return a row of a long frame: numbers in the unit of the row, NaN where not defined.

    Args:
        run: the run.
        place: data set or mean.
        of: columns that say what the row is of.
        metric: key in `METRICS`.
        shown: the estimate.
        more: columns behind it.
        value: header of the estimate.
        percent: the unit where the metric's is percent: "points" for differences.
    """
    size, unit = run.sizes[place], METRICS[metric].unit
    return {
        **csv_head(run.suite, place),
        **of,
        "metric": metric,
        "k": len(run.suite.seeds),
        "n_images": size[0] if size else pd.NA,
        "n_groups": size[1] if size else pd.NA,
        "unit": percent if unit == "percent" else unit,
        value: shown.value,
        "ci_low": shown.low,
        "ci_high": shown.high,
        "se": shown.se,
        "df": shown.df,
        **more,
        "missing": "; ".join(shown.missing),
        "plan_hash": run.suite.plan_hash,
    }


def csv_head(suite: Suite, place: str) -> dict[str, object]:
    """Return the first columns of every long frame."""
    return {"suite": suite.run, "phantom": is_phantom(suite, place), "dataset": place}


def tested(run: Results, gain: Gain) -> dict[str, object]:
    """Return the columns of a gain's test."""
    names = ("test", "family", "correction", "alpha", "p", "p_adjusted", "verdict")
    return {name: run.suite.analysis.alpha if name == "alpha" else getattr(gain, name) for name in names}


def gain_row(run: Results, gain: Gain, of: Mapping[str, object]) -> dict[str, object]:
    """Return the row of a tested gain, with its test, family, correction, p and verdict."""
    return csv_row(
        run, gain.dataset, {**of, **compared_of(gain)}, gain.metric, gain.estimate, tested(run, gain)
    )


def compared_of(gain: Gain | Compared) -> dict[str, object]:
    """Return the columns that say what is compared."""
    return {name: getattr(gain.comparison, name) for name in ("method", "stage", "reference")}


def independent_studies(suite: Suite, gains: Mapping[str, Gain]) -> dict[str, Study]:
    """Return the independent data sets' studies; empty where one is missing."""
    found = {key: study for key in independent(suite) if (study := gains[key].estimate.study) is not None}
    return found if len(found) == len(independent(suite)) else {}


def why_not_together(suite: Suite, gains: Mapping[str, Gain]) -> str:
    """Return why data sets cannot be taken together; empty where they can."""
    studies = independent_studies(suite, gains)
    if not studies:
        return "missing"
    if all(study.all_zero for study in studies.values()):
        return IDENTICAL
    return descriptive(suite) if few_seeds(suite) else ""


def count_cell(suite: Suite, gains: Mapping[str, Gain]) -> str:
    """Return `wins_ties_losses` over the data sets; nothing where seeds are too few for a test."""
    if few_seeds(suite):
        return NOTHING
    return wins_ties_losses(suite.analysis.alpha, [gains[key] for key in suite.datasets])


def wins_ties_losses(alpha: float, gains: Sequence[Gain]) -> str:
    """Return on how many data sets the gain is significantly beyond its null, neither, significantly below it.

    By the adjusted p, which is below alpha where the interval, adjusted alike, holds no null.
    """
    studies = [(gain, gain.estimate.study) for gain in gains]
    above = [x.estimate > gain.comparison.null for gain, x in studies if x and gain.p_adjusted < alpha]
    missing = sum(study is None for _, study in studies)
    counts = f"{sum(above)} / {len(gains) - len(above) - missing} / {len(above) - sum(above)}"
    return f"{counts}, {missing} missing" if missing else counts


def best_methods(run: Results, levels: Sequence[Level]) -> frozenset[str]:
    """Return the best of some methods on one data set or mean, and those not significantly worse than it.

    Each of the others is compared with the best by the two-way test, p by Holm over them. Nothing is best where a
    level is missing or seeds are too few for a test. Levels are of one metric of which more is better.
    """
    values = {level.method: level.estimate.study.estimate for level in levels if level.estimate.study}
    if few_seeds(run.suite) or not levels or len(values) < len(levels):
        return frozenset()
    best = max(levels, key=lambda level: values[level.method])
    others = [level for level in levels if level.method != best.method]
    p_values = []
    for other in others:
        contrast = gain(best.method, best.stage, other.method, other.stage)
        results = evaluate_all(run.suite, run.predictions.datasets, contrast, best.metric)
        study = results[best.dataset].study
        p_values.append(NOT_KNOWN if study is None or study.all_zero else p_value(study))
    adjusted = zip(others, adjust(p_values, "holm"), strict=True)
    return frozenset(values) - {other.method for other, p in adjusted if p < run.suite.analysis.alpha}


def differences(
    run: Results, method: str, stage: int, reference: str, reference_stage: int
) -> dict[str, Estimate]:
    """Return a method's stage minus a reference's on the primary metric, by data set and mean."""
    contrast = gain(method, stage, reference, reference_stage)
    results = evaluate_all(run.suite, run.predictions.datasets, contrast, run.primary)
    return {
        place: estimate(run.suite, result, METRICS[run.primary].scale) for place, result in results.items()
    }
