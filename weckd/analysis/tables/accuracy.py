"""The tables of accuracy: methods in rows, data sets in columns, a table a block of methods."""

from collections.abc import Sequence

import pandas as pd

from weckd.analysis.blocks import Block, method_blocks
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.levels import floors, levels_frame
from weckd.analysis.metrics import METRICS
from weckd.analysis.tables.evaluated_cells import level_cell
from weckd.places import MACRO
from weckd.tables.captions import (
    SCOPE,
    closing,
    derived_sentence,
    design_sentence,
    joined,
    mean_or_dataset,
    phantom_sentence,
    size_sentence,
    tuning_sentence,
)
from weckd.tables.cells import MISSING, Cell, Name, Number
from weckd.tables.files import Table, TableFile

SHOWN = ("accuracy", "balanced_accuracy")
"""Metrics with a table for each block; the others stand side by side in the tables of metrics."""


def accuracy_tables(evaluation: Evaluation) -> TableFile:
    """Return accuracy and balanced accuracy of every method on every data set."""
    suite = evaluation.suite
    shown = [metric for metric in suite.analysis.metrics if metric in SHOWN]
    frame = levels_frame(suite, evaluation.predictions, [x for x in evaluation.levels if x.metric in shown])
    tables = [
        _accuracy(evaluation, metric, block, methods)
        for metric in shown
        for block, methods in method_blocks(suite).items()
    ]
    return TableFile("accuracy", frame, tables)


def _accuracy(evaluation: Evaluation, metric: str, block: Block, methods: Sequence[str]) -> Table:
    """A block's methods in rows, data sets in columns: the last stage's mean and half-width."""
    suite, sizes = evaluation.suite, evaluation.sizes
    floor_of = floors(suite, evaluation.predictions)
    shown = [x for x in evaluation.levels if x.final and x.metric == metric and x.method in methods]
    columns: dict[str, list[Cell]] = {
        "method": [
            "test images (groups)",
            "majority class",
            "chance",
            "smallest class",
            *(Name(method) for method in methods),
        ]
    }
    for dataset in (*suite.datasets, MACRO):
        floor, size = floor_of.get(dataset), sizes[dataset]
        cells: list[Cell] = [f"{size[0]} ({size[1]})" if size else MISSING]
        if floor is None:
            cells += [MISSING] * 3
        else:
            cells += [Number(100 * floor.majority), Number(100 * floor.chance)]
            cells.append(f"{floor.smallest_class}, {floor.smallest_n}")
        cells += [level_cell(suite, item) for item in shown if item.dataset == dataset]
        columns[mean_or_dataset(suite, dataset)] = cells
    confidence = f"{100 * (1 - suite.analysis.alpha):g} %"
    caption = joined(
        phantom_sentence(suite),
        f"{METRICS[metric].name.capitalize()} of each method's last stage in percent, mean ± h;",
        f"h is the half-width of the {confidence} two-way interval. {size_sentence(suite, sizes[MACRO])}",
        block.note,
        design_sentence(suite),
        tuning_sentence(suite),
        "Family: none, nothing is compared here. majority class, smallest class: of the test images.",
        derived_sentence(suite),
        SCOPE,
        closing(suite, (name for item in shown for name in item.result.missing)),
    )
    title = f"{METRICS[metric].name.capitalize()}, {block.title}, suite {suite.run}"
    return Table(title, caption, metric.replace("_", "-") + block.suffix, pd.DataFrame(columns))
