"""The table of gains by modality."""

import pandas as pd

from weckd.analysis.evaluation import Evaluation
from weckd.analysis.tables.compared import (
    compared_on_means,
    comparison_cell,
    margin_sentence,
    means_caption,
)
from weckd.analysis.tables.evaluated_cells import decision_cell, gain_cell
from weckd.analysis.tables.studies import (
    gain_row,
)
from weckd.places import MACRO, means
from weckd.tables.captions import NO_FAMILY, mean_or_dataset
from weckd.tables.cells import Cell
from weckd.tables.files import Table, TableFile, nothing_to_show

TITLE = "By modality"


def modality_table(evaluation: Evaluation) -> TableFile:
    """Return each comparison of the plan on the mean over each modality's independent data sets."""
    suite, compared = evaluation.suite, compared_on_means(evaluation)
    if not compared:
        return nothing_to_show(suite, "modality", TITLE, "comparison", NO_FAMILY)
    title = f"{TITLE}, suite {suite.run}"
    names = [name for name in means(suite) if name != MACRO]
    rows = [
        gain_row(evaluation, planned.gains[name], {"n_datasets": len(means(suite)[name])})
        for planned in compared
        for name in names
    ]
    columns: dict[str, list[Cell]] = {"comparison": [comparison_cell(planned) for planned in compared]}
    for name in names:
        header = mean_or_dataset(suite, name)
        columns[header] = [gain_cell(suite, planned.gains[name]) for planned in compared]
        columns[f"p, {header}"] = [decision_cell(planned.gains[name]) for planned in compared]
    held = "; ".join(f"{name.removeprefix(f'{MACRO} ')}: {', '.join(means(suite)[name])}" for name in names)
    decided = dict.fromkeys(
        f"{planned.gains[name].family} ({planned.gains[name].correction})"
        for planned in compared
        for name in names
    )
    caption = means_caption(
        evaluation,
        (
            f"Data sets: {held}. p: adjusted, in families of their own and secondary ones: {'; '.join(decided)}.",
            margin_sentence(suite),
        ),
        (name for planned in compared for place in names for name in planned.gains[place].missing),
    )
    return TableFile(
        "modality", pd.DataFrame(rows), [Table(title, caption, "modality", pd.DataFrame(columns))]
    )
