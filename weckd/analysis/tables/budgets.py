"""What each method was given: fits, optimiser steps, images and labels, summed from the run's manifests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from weckd.analysis.blocks import Block, method_blocks
from weckd.analysis.imported import IMPORTED
from weckd.config import Suite
from weckd.manifests import TrainedCell, trained_cells
from weckd.tables.captions import closing, joined, phantom_sentence, tuning_images
from weckd.tables.cells import MISSING, Cell, Name
from weckd.tables.files import Table, TableFile

PER_METHOD = (
    "fits",
    "steps",
    "steps_run",
    "images",
    "labels",
    "diverged",
    "tuning_trials",
    "tuning_steps",
    "tuning_images",
)


def budgets_table(suite: Suite, manifests: Path) -> TableFile:
    """Return a row a data set and method; one table a block.

    Args:
        suite: the run.
        manifests: folder with `<dataset>/<batch>.json`, see `weckd.manifests`.
    """
    frame = budgets_frame(suite, manifests)
    tables = [_table(suite, frame, block, methods) for block, methods in method_blocks(suite).items()]
    return TableFile("budgets", frame, tables)


def budgets_frame(suite: Suite, manifests: Path) -> pd.DataFrame:
    """Return a row a data set and method: fits, steps, images and labels seen, diverged fits, and its tuning.

    Numbers are per seed: `steps` declared, `steps_run` and `images` as means over the seeds, `labels` the mean
    number of different labelled images that the method's fits learn from; `diverged` counts over all seeds.
    `tuning_trials`, `tuning_steps` and `tuning_images` are those of all trials together, once for all seeds, and 0
    where the method was not tuned; no other number counts them.
    A method without a manifest keeps its row, with empty numbers.
    """
    rows = []
    cells = trained_cells(suite, manifests)
    for dataset in suite.datasets:
        for method in suite.methods:
            numbers = [
                _numbers(cell, method) for cell in cells if cell.dataset == dataset and method in cell.methods
            ]
            rows.append({"dataset": dataset, "method": method, "cells": len(numbers), **_mean(numbers)})
    return pd.DataFrame(rows)


def _numbers(cell: TrainedCell, method: str) -> dict[str, float]:
    entry = cell.methods[method]
    fits = [cell.fits[identity] for identity in entry.fits]
    return {
        "fits": len(fits),
        "steps": sum(fit["steps"] * fit["networks"] for fit in fits),
        "steps_run": sum(fit["steps_run"] * fit["networks"] for fit in fits),
        "images": sum(fit["images"] for fit in fits),
        "labels": entry.labels,
        "diverged": sum(fit["status"] != "finished" for fit in fits),
        **{f"tuning_{key}": entry.tuning.get(key, 0) for key in ("trials", "steps", "images")},
    }


def _mean(numbers: list[dict[str, float]]) -> dict[str, float]:
    if not numbers:
        return dict.fromkeys(PER_METHOD, float("nan"))
    means = {key: float(np.mean([n[key] for n in numbers])) for key in PER_METHOD}
    return means | {"diverged": float(sum(n["diverged"] for n in numbers))}


def _table(suite: Suite, frame: pd.DataFrame, block: Block, methods: Sequence[str]) -> Table:
    """Return a row a method; what differs between data sets is given as a range."""
    spans = {
        "fits": "fits",
        "steps": "steps",
        "steps run": "steps_run",
        "images seen": "images",
        "labels": "labels",
        "tuning trials": "tuning_trials",
    }
    rows: list[list[Cell]] = []
    for method in methods:
        own = frame[frame["method"] == method]
        if suite.roles[method] == IMPORTED:
            rows.append([Name(method), *["not known"] * (len(spans) + 1)])
            continue
        diverged = MISSING if own["diverged"].isna().any() else f"{own['diverged'].sum():.0f}"
        rows.append([Name(method), *(_span(own[key]) for key in spans.values()), diverged])
    caption = joined(
        phantom_sentence(suite),
        f"Suite {suite.run}. Per data set and seed: trained networks, optimiser steps "
        f"declared and run, images seen in batches of {suite.training.batch_size}, and different labelled "
        "images learnt from; a range over data sets where they differ. Fits that methods share are counted in each.",
        block.note,
        _tuning_cost(suite, frame[frame["method"].isin(methods)]),
        closing(suite),
    )
    cells = pd.DataFrame(rows, columns=["method", *spans, "diverged fits"])
    return Table(f"Budgets, {block.title}", caption, f"budgets{block.suffix}", cells)


def _tuning_cost(suite: Suite, rows: pd.DataFrame) -> str:
    """Return what the trials of a block's methods cost, and on which images they were scored."""
    if not suite.tuned:
        return "Validation labels are used by no method."
    tuned = rows[rows["tuning_trials"] > 0]
    if tuned.empty:
        return ""
    return (
        f"tuning trials, in no other column, cost {_span(tuned['tuning_steps'])} steps and "
        f"{_span(tuned['tuning_images'])} images a method and data set, and are scored on {tuning_images(suite)}."
    )


def _span(values: "pd.Series[float]") -> str:
    if values.isna().any():
        return MISSING
    low, high = f"{values.min():.0f}", f"{values.max():.0f}"
    return low if low == high else f"{low} to {high}"
