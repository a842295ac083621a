"""The tables of methods: their accuracy, the secondary metrics, and how well each class is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from weckd.analysis import sheet
from weckd.analysis.comparisons import REFERENCES, chain_method, shown_methods
from weckd.analysis.contrasts import Result
from weckd.analysis.estimates import NOT_KNOWN, Estimate, Level, estimate, missing_of
from weckd.analysis.inference.reader_study import two_way
from weckd.analysis.method_groups import MethodGroup, method_groups
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.confidence import LEAST_WITHOUT_ERRORS, all_right
from weckd.analysis.metrics.scores import CLASS_SCORES
from weckd.analysis.predictions import DatasetPredictions
from weckd.analysis.results import Results
from weckd.errors import counted, named
from weckd.places import independent, overall, sets_and_overall
from weckd.tables.captions import NO_FAMILY, count_sentence, derived_mark, mean_or_dataset
from weckd.tables.cells import MISSING, Name, Number
from weckd.tables.render import Table, TableFile

SHOWN = ("accuracy", "balanced_accuracy")
"""Metrics with a table for each group of methods; the others are side by side in the tables of metrics."""
DIRECTIONS = {False: "higher", True: "lower"}
"""Which values are better, by `Metric.lower_is_better`."""


def accuracy_tables(run: Results) -> TableFile:
    """Return accuracy and balanced accuracy of every method on every data set."""
    shown = [metric for metric in run.suite.analysis.metrics if metric in SHOWN]
    groups = method_groups(run.suite).items()
    tables = [_accuracy(run, metric, *group) for metric in shown for group in groups]
    return TableFile("accuracy", levels_frame(run, [x for x in run.levels if x.metric in shown]), tables)


def levels_frame(run: Results, levels: Sequence[Level]) -> pd.DataFrame:
    """Return the long frame of levels: numbers in the unit of their row, NaN where not defined."""
    rows = []
    for level in levels:
        floor, shown = run.floors.get(level.dataset), level.estimate
        of = {"method": level.method, "stage": level.stage, "final": level.final}
        more = {
            "seed_share": shown.study.seed_share if shown.study else NOT_KNOWN,
            "majority_pct": 100 * floor.majority if floor else NOT_KNOWN,
            "chance_pct": 100 * floor.chance if floor else NOT_KNOWN,
            "smallest_class": floor.smallest_class if floor else "",
            "smallest_class_n": floor.smallest_n if floor else pd.NA,
        }
        unit: dict[str, str] = {"value": "mean", "percent": "percent"}
        rows.append(sheet.row(run, level.dataset, of, level.metric, shown, more, **unit))
    frame = pd.DataFrame(rows)
    half_widths = [level.estimate.half_width for level in levels]
    frame.insert(list(frame.columns).index("ci_low"), "half_width", half_widths)
    return frame


def _accuracy(run: Results, metric: str, group: MethodGroup, methods: Sequence[str]) -> Table:
    """A group's methods in rows, data sets in columns: the last stage's mean and half-width."""
    suite, name = run.suite, METRICS[metric].name
    head = ("test images (groups)", "majority class", "chance", "smallest class")
    columns: sheet.Columns = {"method": [*head, *map(Name, methods)]}
    for place in sets_and_overall(suite):
        floor = run.floors.get(place)
        columns[mean_or_dataset(suite, place)] = [
            sheet.size(run.sizes[place]),
            Number(100 * floor.majority) if floor else MISSING,
            Number(100 * floor.chance) if floor else MISSING,
            f"{floor.smallest_class}, {floor.smallest_n}" if floor else MISSING,
            *(sheet.level(run.finals[place, method, metric].estimate) for method in methods),
        ]
    says = sheet.caption(
        run,
        f"{name.capitalize()} of each method's last stage, percent ± half-width of its interval; in no family.",
        notes=(group.note,),
        missing=missing_of(x for x in run.levels if x.final and x.metric == metric and x.method in methods),
    )
    label, title = metric.replace("_", "-") + group.suffix, f"{name.capitalize()}, {group.title}"
    decisive = dict.fromkeys((*independent(suite), mean_or_dataset(suite, overall(suite))))
    narrow = () if len(columns) < 8 else ("method", *decisive)
    return sheet.table(suite, label, title, columns, says, narrow=narrow)


def metrics_table(run: Results) -> TableFile:
    """Return the metrics after the primary: a table a group of methods, then the chain's gains."""
    suite, secondary = run.suite, run.suite.analysis.metrics[1:]
    if not secondary:
        why = "the plan has no metric besides the primary; its metrics may name more"
        return sheet.nothing(suite, "metrics", "Secondary metrics", "method", why)
    tables = [_metrics(run, secondary, *group) for group in method_groups(suite).items()]
    frame = levels_frame(run, [level for level in run.levels if level.metric in secondary])
    both = [_gains_in_both(run)] if set(SHOWN) <= set(suite.analysis.metrics) else []
    return TableFile("metrics", frame, [*tables, _metric_gains(run, secondary), *both])


def _metrics(run: Results, shown: Sequence[str], group: MethodGroup, methods: Sequence[str]) -> Table:
    """A group's methods in rows, metrics in columns: the last stage's macro mean and half-width."""
    levels = {
        (method, metric): run.finals[overall(run.suite), method, metric]
        for metric in shown
        for method in methods
    }
    says = sheet.caption(
        run,
        f"Metrics of each method's last stage on {mean_or_dataset(run.suite, overall(run.suite))}, percent ± "
        "half-width of its interval; in no family.",
        notes=(group.note, _not_percent(shown), _lower(shown), _unscaled(run, shown, methods)),
        missing=missing_of(levels.values()),
    )
    cells = sheet.pivoted(
        methods,
        {"method": Name},
        {METRICS[metric].name: metric for metric in shown},
        {"{}": lambda method, metric: sheet.level(levels[method, metric].estimate)},
    )
    label, narrow = (
        f"metrics{group.suffix}",
        ("method", "balanced accuracy", "macro-*", "MCC", "Brier", "ECE"),
    )
    return sheet.table(run.suite, label, f"Secondary metrics, {group.title}", cells, says, narrow=narrow)


def _unscaled(run: Results, shown: Sequence[str], methods: Sequence[str]) -> str:
    """Return in which cells no temperature could be chosen; empty where there is none, or no metric needs one."""
    found = [
        f"{key} {method} {named('seed', seeds)}"
        for key, data in run.predictions.datasets.items()
        for method in methods
        if (seeds := _all_right_seeds(data, method, run.predictions.stages[method]))
    ]
    if not found or not any(METRICS[metric].needs_validation for metric in shown):
        return ""
    return (
        f"Every validation image is right, so that no temperature can be chosen and it is {LEAST_WITHOUT_ERRORS:g}: "
        f"{'; '.join(found)}."
    )


def _all_right_seeds(data: DatasetPredictions, method: str, stage: int) -> list[int]:
    """Return the seeds with which a method's stage is right on every validation image."""
    cells = ((seed, data.validation.get((seed, method, stage))) for seed in data.seeds)
    return [seed for seed, validation in cells if validation and all_right(validation)]


def _metric_gains(run: Results, shown: Sequence[str]) -> Table:
    """Metrics in rows, the chain's gains over the references in columns: the macro mean."""
    suite, chain = run.suite, chain_method(run.suite)
    # The plan's comparison on all data sets, else an exploratory one.
    first = {
        gain.comparison.reference: gain.comparison
        for gain in reversed(run.gains)
        if gain.comparison.method == chain and gain.comparison.decided_on in ((overall(suite),), ())
    }
    compared = [first[reference] for reference in REFERENCES if reference in first]
    found = {(gain.metric, gain.comparison): gain for gain in run.gains if gain.dataset == overall(suite)}
    cells = sheet.pivoted(
        shown if compared else (),
        {
            "metric": lambda metric: METRICS[metric].name,
            "better": lambda metric: DIRECTIONS[METRICS[metric].lower_is_better],
        },
        {comparison.text: comparison for comparison in compared},
        sheet.with_p(
            suite,
            lambda *cell: sheet.gain(found[cell].estimate),
            lambda *cell: sheet.p_adjusted(found[cell]),
        ),
    )
    says = sheet.caption(
        run,
        f"Gains of {chain} on {mean_or_dataset(suite, overall(suite))}, percentage points."
        if compared
        else "",
        test="Benjamini-Hochberg over all secondary tests",
        notes=(_not_percent(shown) if compared else "",),
        missing=missing_of(found[metric, comparison] for metric in shown for comparison in compared),
    )
    none = ("metric", f"no gain of a chain in this run; add weckd and one of {', '.join(REFERENCES)}")
    narrow = ("metric", "better", *(item.text for item in compared))
    return sheet.table(suite, "metrics-gains", "Gains on secondary metrics", cells, says, none, narrow)


def _gains_in_both(run: Results) -> Table:
    """The plan's comparisons in rows, accuracy and balanced accuracy in columns: the macro mean."""
    suite, place = run.suite, overall(run.suite)
    compared = [item for item in run.compared("superiority", "non-inferiority") if item.comparison.family]
    found = {(gain.comparison, gain.metric): gain for gain in run.gains if gain.dataset == place}
    cells = sheet.pivoted(
        compared,
        {"comparison": sheet.comparison},
        {METRICS[metric].name: metric for metric in SHOWN},
        sheet.with_p(
            suite,
            lambda item, metric: sheet.gain(found[item.comparison, metric].estimate),
            lambda item, metric: sheet.p_adjusted(found[item.comparison, metric]),
        ),
    )
    says = sheet.caption(
        run,
        f"Gains on {mean_or_dataset(suite, place)}, percentage points." if compared else "",
        test=f"p adjusted, of {run.primary_name} in its family",
        missing=missing_of(found[item.comparison, metric] for item in compared for metric in SHOWN),
    )
    title = "Gains in accuracy and balanced accuracy"
    return sheet.table(suite, "metrics-both", title, cells, says, ("comparison", NO_FAMILY))


def _not_percent(shown: Sequence[str]) -> str:
    names = [METRICS[metric].name for metric in shown if METRICS[metric].unit == "nats"]
    return f"In nats: {' and '.join(names)}." if names else ""


def _lower(shown: Sequence[str]) -> str:
    lower = [METRICS[metric].name for metric in shown if METRICS[metric].lower_is_better]
    return f"Lower is better for {', '.join(lower)}; higher for the others." if lower else ""


@dataclass(frozen=True)
class _ClassRow:
    """One class of one data set, and how well one method's last stage finds it."""

    label: str  # name of the class
    size: tuple[int, int] | None  # test images and groups of the class; None where the test set is not known
    method: str
    scores: Mapping[str, Estimate]  # by CLASS_SCORES


def classes_table(run: Results) -> TableFile:
    """Return sensitivity, precision and F1 of every class; a table a data set."""
    suite, methods, stages = run.suite, shown_methods(run.suite), run.predictions.stages
    if not methods:
        why = f"neither a chain nor {', '.join(REFERENCES)} is in this run; add one of them"
        return sheet.nothing(suite, "classes", "Classes", "class", why)
    found = {dataset: _class_rows(run, dataset, methods) for dataset in suite.datasets}
    rows = []
    for dataset, of_classes in found.items():
        for one in of_classes:
            of = {"class": one.label, "method": one.method, "stage": stages[one.method]}
            size = dict(zip(("n_images", "n_groups"), one.size or (pd.NA, pd.NA), strict=True))
            for score, shown in one.scores.items():
                row = sheet.row(run, dataset, of, run.primary, shown, {})
                rows.append(row | size | {"unit": "percent", "metric": score})
    return TableFile("classes", pd.DataFrame(rows), [_classes(run, *of_set) for of_set in found.items()])


def _class_rows(run: Results, dataset: str, methods: Sequence[str]) -> list[_ClassRow]:
    """Return a row a class and method, class by class."""
    suite, data, stages = run.suite, run.predictions.datasets[dataset], run.predictions.stages
    missing = {method: data.missing(method, stages[method]) for method in methods}
    rows = []
    for label, name in enumerate(suite.facts[dataset].classes):
        of_class = data.y == label
        size = (int(of_class.sum()), len(np.unique(data.groups[of_class]))) if data.n_images else None
        for method in methods:
            scores = {}
            for score, function in CLASS_SCORES.items():
                result = Result(None, missing[method])
                if not result.missing:
                    result = Result(two_way(function(data.predicted(method, stages[method]), label)))
                scores[score] = estimate(suite, result)
            rows.append(_ClassRow(name, size, method, scores))
    return rows


def _classes(run: Results, dataset: str, rows: Sequence[_ClassRow]) -> Table:
    suite, floor = run.suite, run.floors.get(dataset)
    shown = sheet.pivoted(
        rows,
        {
            "class": lambda row: row.label,
            "images (groups)": lambda row: sheet.size(row.size),
            "method": lambda row: Name(row.method),
        },
        {score: score for score in CLASS_SCORES},
        {"{}": lambda row, score: sheet.level(row.scores[score])},
    )
    says = sheet.caption(
        run,
        f"Each method's last stage on {dataset}, percent ± half-width of its interval, which is too narrow for "
        "classes with few groups.",
        n=count_sentence(run.sizes[dataset]),
        notes=(
            f"Smallest class: {floor.smallest_class}, {counted(floor.smallest_n, 'test image')}."
            if floor
            else "",
        ),
        missing=[name for row in rows for name in row.scores["F1"].missing],
    )
    title = f"Classes of {dataset}{derived_mark(suite, dataset)}"
    return sheet.table(suite, f"classes-{dataset}", title, shown, says)
