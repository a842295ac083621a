"""The small suite with more of everything: all metrics, validation images, a panel, and a control with three stages.

Gaps as in `small_suite`; `sequential` predicts at its first stage exactly what `weckd` does at its own, and `single`
has no validation predictions on toy_two with seed 4. The golden tables are rewritten by
`PYTHONPATH=tests/analysis python tests/analysis/tables/wide_suite.py`.
"""

import dataclasses
import functools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from small_suite import CLASSES, ROLES, SEEDS, SKILL, toy_frame, toy_suite, with_plan, write_cell

from weckd.analysis.metrics import METRICS
from weckd.analysis.results import Results, load_run
from weckd.analysis.sheets.chain import along_table
from weckd.analysis.sheets.gains import across_table, leave_one_out_table, modality_table
from weckd.analysis.sheets.methods import classes_table, metrics_table
from weckd.analysis.sheets.panel import panel_table
from weckd.analysis.sheets.robustness import sensitivity_table, variance_table
from weckd.tables.render import TableFile, markdown

GOLDEN = Path(__file__).parent / "golden"
MAKERS = (
    along_table,
    panel_table,
    metrics_table,
    classes_table,
    variance_table,
    across_table,
    modality_table,
    leave_one_out_table,
    sensitivity_table,
)
WIDE_SKILL = {
    **SKILL,
    "sequential": (0.5, 0.6, 0.7),
    "panel-resnet50-30": (0.8,),
    "panel-resnet50-100": (0.7,),
}


def wide_suite(**changes):
    """Return the wide suite, with fields changed."""
    methods = {"methods": tuple(WIDE_SKILL), "roles": {**ROLES, "sequential": "control"}}
    return with_plan(toy_suite(**(methods | changes)), metrics=tuple(METRICS))


@functools.cache
def wide_frame(dataset, seed):
    """Return one whole cell with test and validation predictions."""
    frame = toy_frame(dataset, seed, WIDE_SKILL)
    columns = [name for name in frame.columns if name.startswith("p_")]
    first = {name: (frame["method"] == name) & (frame["stage"] == 1) for name in ("weckd", "sequential")}
    frame.loc[first["sequential"], columns] = frame.loc[first["weckd"], columns].to_numpy()
    validation = frame.assign(split="validation", image_id="v" + frame["image_id"])
    if (dataset, seed) == ("toy_two", 4):
        validation = validation[validation["method"] != "single"]
    if (dataset, seed) == ("toy_two", 2):
        frame.loc[frame["method"] == "pooled", columns] = np.nan
    return pd.concat([frame, validation], ignore_index=True)


def write_wide_predictions(folder, change=lambda frame: frame):
    """Write the predictions of the wide suite with their gaps; `change` makes another frame of each."""
    for dataset in CLASSES:
        for seed in SEEDS:
            if (dataset, seed) != ("toy_copy", 3):
                write_cell(folder, change(wide_frame(dataset, seed)))


def right(dataset, method, stage, seeds=SEEDS):
    """Return the right and wrong answers on the test images, (k, n), read from the frames."""
    rows = []
    for seed in seeds:
        frame = wide_frame(dataset, seed)
        frame = frame[(frame["split"] == "test") & (frame["method"] == method) & (frame["stage"] == stage)]
        frame = frame.sort_values("image_id")
        rows.append(frame.filter(regex=r"^p_\d").to_numpy().argmax(axis=1) == frame["y"].to_numpy())
    return np.array(rows, dtype=float)


def groups_of(dataset):
    """Return the group of each test image, 0..G-1."""
    frame = wide_frame(dataset, 1)
    frame = frame[(frame["split"] == "test") & (frame["method"] == "single")].sort_values("image_id")
    return np.unique(frame["group_id"], return_inverse=True)[1]


def parts_by_hand(difference, groups):
    """Return the seed part A and the case part c of a mean of (k, n), pair of seeds by pair of seeds."""
    k, n = difference.shape
    n_groups = groups.max() + 1
    means = difference.mean(axis=1)
    z = np.array(
        [
            [n_groups / n * (row - mean)[groups == g].sum() for g in range(n_groups)]
            for row, mean in zip(difference, means, strict=True)
        ]
    )
    pairs = [np.cov(z[s], z[t])[0, 1] / n_groups for s in range(k) for t in range(k) if s != t]
    return means.var(ddof=1) / k, max(0.0, float(np.mean(pairs)))


def cells_of(table):
    """Return a table's printed cells: rows by header."""
    lines = [line for line in markdown(table).splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(split[0], row, strict=True)) for row in split[2:]]


def text_of(file: TableFile) -> str:
    """Return what is written as Markdown."""
    return "\n".join(markdown(table) for table in file.tables)


def changed_run(folder: Path, change, **changes) -> Results:
    """Return the evaluation of the wide run with its frames changed, as a suite with fields changed."""
    write_wide_predictions(folder / "predictions", change)
    return load_run(dataclasses.replace(wide_suite(), **changes), folder)


def only(folder: Path, *methods: str) -> Results:
    """Return the evaluation of the wide run with these methods alone, on accuracy alone."""
    write_wide_predictions(folder / "predictions", lambda frame: frame[frame["method"].isin(methods)])
    suite = with_plan(dataclasses.replace(wide_suite(), methods=methods), metrics=("accuracy",))
    return load_run(suite, folder)


def row(frame, **where):
    """Return the one row that has these values."""
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def _rewrite_golden() -> None:
    with tempfile.TemporaryDirectory() as name:
        write_wide_predictions(Path(name) / "predictions")
        evaluation = load_run(wide_suite(), Path(name))
    GOLDEN.mkdir(exist_ok=True)
    for make in MAKERS:
        file = make(evaluation)
        (GOLDEN / f"{file.name}.md").write_text(text_of(file), encoding="utf-8")


if __name__ == "__main__":
    _rewrite_golden()
