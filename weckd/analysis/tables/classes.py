"""The tables of single classes: how well the chain and its references find each of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from weckd.analysis.comparisons import REFERENCES, shown_methods
from weckd.analysis.contrasts import Result
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.inference.reader_study import two_way
from weckd.analysis.levels import Floor, floors
from weckd.analysis.metrics.scores import per_class
from weckd.analysis.tables.studies import NOTHING_KNOWN, confidence, study_interval
from weckd.config import Suite
from weckd.errors import counted
from weckd.tables.captions import (
    SCOPE,
    closing,
    derived_mark,
    design_sentence,
    joined,
    phantom_sentence,
    tuning_sentence,
)
from weckd.tables.cells import MISSING, Cell, Level, Name
from weckd.tables.files import Table, TableFile, nothing_to_show

SCORES = ("sensitivity", "precision", "F1")


@dataclass(frozen=True)
class _ClassRow:
    """One class of one data set, and how well one method's last stage finds it."""

    dataset: str
    label: str  # name of the class
    n_images: int | None  # test images of the class; None where the test set is not known
    n_groups: int | None
    method: str
    stage: int
    results: tuple[Result, ...]  # one for each of SCORES


def classes_table(evaluation: Evaluation) -> TableFile:
    """Return sensitivity, precision and F1 of every class; a table a data set."""
    suite = evaluation.suite
    methods = shown_methods(suite)
    if not methods:
        why = f"neither a chain nor {', '.join(REFERENCES)} is in this run; add one of them"
        return nothing_to_show(suite, "classes", "Classes", "class", why)
    rows = {dataset: _rows(evaluation, dataset, methods) for dataset in suite.datasets}
    floor_of = floors(suite, evaluation.predictions)
    frame = pd.DataFrame(
        [line for of_dataset in rows.values() for row in of_dataset for line in _lines(suite, row)]
    )
    tables = [_table(evaluation, name, found, floor_of.get(name)) for name, found in rows.items()]
    return TableFile("classes", frame, tables)


def _rows(evaluation: Evaluation, dataset: str, methods: Sequence[str]) -> list[_ClassRow]:
    """Return a row a class and method, class by class."""
    suite, data = evaluation.suite, evaluation.predictions.datasets[dataset]
    by_class: list[list[_ClassRow]] = [[] for _ in suite.facts[dataset].classes]
    for method in methods:
        stage = evaluation.predictions.stages[method]
        missing = data.missing(method, stage)
        scores = () if missing else per_class(data.predicted(method, stage))
        for label, name in enumerate(suite.facts[dataset].classes):
            of_class = data.y == label
            results = tuple(Result(None, missing) for _ in SCORES)
            if scores:
                found = scores[label]
                results = tuple(Result(two_way(score)) for score in (found.recall, found.precision, found.f1))
            n_images, n_groups = int(of_class.sum()), len(set(data.groups[of_class].tolist()))
            known = data.n_images > 0
            by_class[label].append(
                _ClassRow(
                    dataset,
                    name,
                    n_images if known else None,
                    n_groups if known else None,
                    method,
                    stage,
                    results,
                )
            )
    return [row for rows in by_class for row in rows]


def _table(evaluation: Evaluation, dataset: str, rows: Sequence[_ClassRow], floor: Floor | None) -> Table:
    suite, size = evaluation.suite, evaluation.sizes[dataset]
    columns: dict[str, list[Cell]] = {
        "class": [row.label for row in rows],
        "images (groups)": [
            MISSING if row.n_images is None else f"{row.n_images} ({row.n_groups})" for row in rows
        ],
        "method": [Name(row.method) for row in rows],
    }
    for place, score in enumerate(SCORES):
        columns[score] = [_level_cell(suite, row.results[place]) for row in rows]
    origin = suite.facts[dataset].derived_from
    caption = joined(
        phantom_sentence(suite),
        f"{dataset}, each method's last stage, percent, mean ± h, h the half-width of the {confidence(suite)} two-way "
        "interval. sensitivity: share of the class's images that are found; precision: share of the images called so "
        "that are of the class, 0 where none is; F1: their harmonic mean.",
        f"n = {counted(size[0], 'test image')} in {counted(size[1], 'group')}." if size else "n not known.",
        f"Smallest class: {floor.smallest_class}, {counted(floor.smallest_n, 'test image')}."
        if floor
        else "",
        f"Derived from {', '.join(origin)}." if origin else "",
        design_sentence(suite),
        tuning_sentence(suite),
        "Family: none, nothing is compared here; intervals of classes with few groups are too narrow.",
        SCOPE,
        closing(suite, (name for row in rows for name in row.results[0].missing)),
    )
    title = f"Classes of {dataset}{derived_mark(suite, dataset)}, suite {suite.run}"
    return Table(title, caption, f"classes-{dataset}", pd.DataFrame(columns))


def _level_cell(suite: Suite, result: Result) -> Level:
    return Level(*_mean_and_half_width(suite, result))


def _mean_and_half_width(suite: Suite, result: Result) -> tuple[float, float]:
    """Return percent; NaN where not defined."""
    if result.study is None:
        return NOTHING_KNOWN, NOTHING_KNOWN
    low, high = study_interval(suite, result.study)
    return 100 * result.study.estimate, 100 * (high - low) / 2


def _lines(suite: Suite, row: _ClassRow) -> list[dict[str, object]]:
    """Return the frame's rows of a class and method, one a score."""
    lines = []
    for score, result in zip(SCORES, row.results, strict=True):
        study = result.study
        low, high = study_interval(suite, study)
        lines.append(
            {
                "suite": suite.run,
                "phantom": suite.facts[row.dataset].phantom,
                "dataset": row.dataset,
                "class": row.label,
                "method": row.method,
                "stage": row.stage,
                "metric": score,
                "k": len(suite.seeds),
                "n_images": pd.NA if row.n_images is None else row.n_images,
                "n_groups": pd.NA if row.n_groups is None else row.n_groups,
                "unit": "percent",
                "estimate": 100 * study.estimate if study else NOTHING_KNOWN,
                "ci_low": 100 * low,
                "ci_high": 100 * high,
                "se": 100 * study.se if study else NOTHING_KNOWN,
                "df": study.df if study else NOTHING_KNOWN,
                "missing": "; ".join(result.missing),
                "plan_hash": suite.plan_hash,
            }
        )
    return lines
