"""Files of predictions, one a cell: read, and checked by themselves."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from weckd.config import Suite
from weckd.errors import UserError
from weckd.sums import refuse_changed, sums_of

NAMES = ("dataset", "method", "split", "image_id", "group_id")
KEYS = ("dataset", "seed", "method", "stage", "split", "image_id", "group_id", "y")
SUM_TOLERANCE = 1e-3  # float32 probabilities of up to a few dozen classes
REMEDY = "delete the file and run the suite again"


def read_predictions(file: Path, suite: Suite, key: str, seed: int) -> pd.DataFrame:
    """Return the rows of one file, checked, sorted by method, stage and image.

    Raises:
        UserError: it cannot be read, is not what `gather` wrote, has other columns, is of another data set or seed,
            names an unknown method, or holds a row twice or something that is no distribution.
    """
    refuse_changed(file, sums_of(file))
    try:
        # Names as numbers: comparing and sorting text would take most of the analysis' time.
        frame = pq.read_table(file, read_dictionary=list(NAMES)).to_pandas()
    except (OSError, ValueError) as problem:
        raise UserError(f"{file}: not a readable parquet file ({problem}); {REMEDY}") from problem
    columns = [*KEYS, *(f"p_{position}" for position in range(len(suite.facts[key].classes)))]
    if list(frame.columns) != columns:
        raise UserError(
            f"{file}: columns must be {', '.join(columns)}; found {', '.join(frame.columns)}; {REMEDY}"
        )
    for column, expected in (("dataset", key), ("seed", seed)):
        wrong = frame.loc[frame[column] != expected, column]
        if len(wrong):
            raise UserError(
                f"{file}: column {column} must be {expected} as in the path; found {wrong.iloc[0]}; {REMEDY}"
            )
    unknown = sorted(set(frame["method"]) - set(suite.methods))
    if unknown:
        raise UserError(
            f"{file}: method {unknown[0]} is not in the suite; its methods: {', '.join(suite.methods)}; "
            f"{REMEDY}"
        )
    rows = ["method", "stage", "split", "image_id"]
    duplicated = frame.loc[frame.duplicated(rows), rows]
    if len(duplicated):
        method, stage, split, image = duplicated.iloc[0]
        raise UserError(
            f"{file}: method {method}, stage {stage}, seed {seed}: {split} image {image} stands twice; "
            f"{REMEDY}"
        )
    _check_probabilities(file, frame, columns[len(KEYS) :])
    return sorted_predictions(frame)


def sorted_predictions(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows sorted by method, stage and image, with names as categories in their own order."""
    frame = frame.assign(**{name: _category(frame[name]) for name in NAMES})
    return frame.sort_values(["method", "stage", "image_id"], kind="stable", ignore_index=True)


def _category(names: "pd.Series[str]") -> "pd.Series[Any]":
    categories = names.astype("category")
    return categories.cat.reorder_categories(sorted(categories.cat.categories))


def _check_probabilities(file: Path, frame: pd.DataFrame, columns: list[str]) -> None:
    values = frame[columns].to_numpy(dtype=np.float64)
    wrong = (values < 0).any(axis=1) | (np.abs(values.sum(axis=1) - 1) > SUM_TOLERANCE)  # False where NaN
    if wrong.any():
        row = frame.iloc[int(np.flatnonzero(wrong)[0])]
        raise UserError(
            f"{file}: method {row['method']}, stage {row['stage']}, seed {row['seed']}: probabilities of "
            f"image {row['image_id']} are not a distribution; {REMEDY}"
        )
