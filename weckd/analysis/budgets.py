"""What each method was given: fits, optimiser steps, images and labels, summed from the run's manifests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from weckd.analysis.captions import closing, joined, phantom_sentence
from weckd.analysis.table_files import MISSING, Table, write_table_files
from weckd.config import Suite


def write_budgets(suite: Suite, manifests: Path, out: Path) -> None:
    """Write `budgets` as .csv, .md and .tex into the folder `out`, a row a data set and method.

    Args:
        suite: the run.
        manifests: folder with `<dataset>/<batch>.json`, see `weckd.training.job`.
        out: folder for the table.
    """
    frame = budgets_frame(suite, manifests)
    write_table_files(out, "budgets", frame, [_table(suite, frame)])


def budgets_frame(suite: Suite, manifests: Path) -> pd.DataFrame:
    """Return a row a data set and method: fits, steps, images and labels seen, diverged fits.

    Numbers are per seed: `steps` declared, `steps_run` and `images` as means over the seeds, `labels` the mean
    number of different labelled images that the method's fits learn from; `diverged` counts over all seeds.
    A method without a manifest keeps its row, with empty numbers.
    """
    rows = []
    for dataset in suite.datasets:
        cells = list(_cells(suite, manifests / dataset))
        for method in suite.methods:
            numbers = [_numbers(cell, method) for cell in cells if method in cell["methods"]]
            rows.append({"dataset": dataset, "method": method, "cells": len(numbers), **_mean(numbers)})
    return pd.DataFrame(rows)


def _cells(suite: Suite, folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        yield from (cell for seed, cell in content["seeds"].items() if int(seed) in suite.seeds)


def _numbers(cell: dict[str, Any], method: str) -> dict[str, float]:
    fits = [cell["fits"][identity] for identity in cell["methods"][method]["fits"]]
    return {
        "fits": len(fits),
        "steps": sum(fit["steps"] for fit in fits),
        "steps_run": sum(fit["steps_run"] for fit in fits),
        "images": sum(fit["images"] for fit in fits),
        "labels": cell["methods"][method]["labels"],
        "diverged": sum(fit["status"] != "finished" for fit in fits),
    }


def _mean(numbers: list[dict[str, float]]) -> dict[str, float]:
    keys = ("fits", "steps", "steps_run", "images", "labels", "diverged")
    if not numbers:
        return dict.fromkeys(keys, float("nan"))
    means = {key: float(np.mean([n[key] for n in numbers])) for key in keys}
    return means | {"diverged": float(sum(n["diverged"] for n in numbers))}


def _table(suite: Suite, frame: pd.DataFrame) -> Table:
    """Return a row a method; what differs between data sets is given as a range."""
    rows = []
    for method in suite.methods:
        own = frame[frame["method"] == method]
        rows.append(
            [method, *(_span(own[key]) for key in ("fits", "steps", "steps_run", "images", "labels"))]
        )
        rows[-1].append(MISSING if own["diverged"].isna().any() else f"{own['diverged'].sum():.0f}")
    headers = ["method", "fits", "steps", "steps run", "images seen", "labels", "diverged fits"]
    caption = joined(
        phantom_sentence(suite),
        f"Suite {suite.run}. Per data set and seed: trained networks, optimiser steps "
        f"declared and run, images seen in batches of {suite.training.batch_size}, and different labelled "
        "images learnt from; a range over data sets where they differ. Fits that methods share are counted in "
        f"each. Validation labels are used by no method. {closing(suite)}",
    )
    return Table("Budgets", caption, "budgets", pd.DataFrame(rows, columns=headers))


def _span(values: "pd.Series[float]") -> str:
    if values.isna().any():
        return MISSING
    low, high = f"{values.min():.0f}", f"{values.max():.0f}"
    return low if low == high else f"{low} to {high}"
