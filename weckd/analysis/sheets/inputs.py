"""The tables of what a run was given: its splits, each method's budget, and the settings that tuning chose."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from weckd.analysis.imported import IMPORTED
from weckd.analysis.method_groups import MethodGroup, method_groups
from weckd.analysis.results import Results
from weckd.analysis.split_counts import (
    ALL,
    COPIES,
    LABELS,
    PartCount,
    chain_parts,
    count_splits,
    splits_frame,
    stage_parts,
)
from weckd.config import Suite
from weckd.errors import counted
from weckd.manifests import TrainedCell, trained_cells
from weckd.tables.captions import caption, derived_mark, tuning_images
from weckd.tables.cells import MISSING, NOTHING, Cell, Name
from weckd.tables.render import Table, TableFile, sheet

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
TUNED = ("dataset", "method", "setting", "value", "trials", "plan_hash")
BARE = "design tuning scope"
"""What captions of inputs do not say; of no estimate is a design."""


def splits_table(run: Results) -> TableFile:
    """Return how many images each part of a split holds, true fractions included, see `splits_of`."""
    return splits_of(run.suite, count_splits(run.suite, run.folder / "splits"))


def splits_of(suite: Suite, counts: Sequence[PartCount]) -> TableFile:
    """Return one row a data set; ranges over the seeds where they differ."""
    official = suite.split.protocol == "official"
    parts = ("test", *([COPIES] if official else []), "validation", *stage_parts(suite), "rest", LABELS)
    rows = []
    for dataset in suite.datasets:
        of_part: dict[str, list[PartCount]] = {}
        for count in counts:
            if count.dataset == dataset:
                of_part.setdefault(count.part, []).append(count)
        whole = [count for count in of_part[ALL] if not count.missing]
        row: list[Cell] = [
            Name(dataset, derived_mark(suite, dataset)),
            str(len(suite.facts[dataset].classes)),
            _range([count.n_images for count in whole]),
            _range([count.n_groups for count in whole]),
        ]
        for part in parts:
            found = of_part.get(part, [])
            shares = _range([f"{100 * count.share:.1f}" for count in found])
            row.append(f"{_range([count.n_images for count in found])} ({shares} %)" if found else MISSING)
        row.append(_smallest(of_part.get(LABELS, [])))
        row.append(_smallest([count for part in chain_parts(suite) for count in of_part.get(part, [])]))
        rows.append(row)
    smallest = ("smallest class used", "smallest in one stage")
    says = caption(
        suite,
        "Images in each part (lowest to highest over the seeds).",
        "Shares: test, of all images; validation, of what is not test; the others, of the training part.",
        f"{COPIES}: near-duplicates, or images of the same patient; share of the test images."
        if official
        else "",
        f"labels used: {' + '.join(chain_parts(suite))}; validation labels are labels too.",
        "smallest class: in any seed; 0 in one stage: a model of the chain learns from a subset without that class.",
        f"Suite {suite.run}, k = {counted(len(suite.seeds), 'seed')}, split seed {suite.split.seed}.",
        omit=BARE,
        missing=(count.missing for count in counts if count.missing),
    )
    shown = pd.DataFrame(rows, columns=["data set", "classes", "images", "groups", *parts, *smallest])
    return TableFile("splits", splits_frame(suite, counts), [sheet(suite, "splits", "Splits", shown, says)])


def _smallest(counts: Sequence[PartCount]) -> str:
    """Return the smallest class of all counts, its images, and the part where that is not the labels used."""
    smallest = min(counts, key=lambda count: count.smallest_class_n or 0, default=None)
    if smallest is None:
        return MISSING
    where = "" if smallest.part == LABELS else f" ({smallest.part}, seed {smallest.seed})"
    return f"{smallest.smallest_class}, {smallest.smallest_class_n}{where}"


def _range(values: Sequence[object]) -> str:
    """Return one value where all are the same text, else the lowest and the highest number."""
    texts = sorted({str(value) for value in values}, key=float)
    if not texts:
        return MISSING
    return texts[0] if len(texts) == 1 else f"{texts[0]} to {texts[-1]}"


def budgets_table(run: Results) -> TableFile:
    """Return what each method was given, a row a data set and method; one table a group of methods."""
    frame = budgets_frame(run.suite, run.folder / "manifests")
    return TableFile(
        "budgets", frame, [_budgets(run.suite, frame, *group) for group in method_groups(run.suite).items()]
    )


def budgets_frame(suite: Suite, manifests: Path) -> pd.DataFrame:
    """Return a row a data set and method: fits, steps, images and labels seen, diverged fits, and its tuning.

    Numbers are per seed: `steps` declared, `steps_run` and `images` as means over the seeds, `labels` the mean
    number of different labelled images that the method's fits learn from; `diverged` counts over all seeds.
    `tuning_trials`, `tuning_steps` and `tuning_images` are those of all trials together, once for all seeds, and 0
    where the method was not tuned; no other number counts them.
    A method without a manifest keeps its row, with empty numbers.
    """
    rows, cells = [], trained_cells(suite, manifests)
    for dataset in suite.datasets:
        for method in suite.methods:
            of_method = [cell for cell in cells if cell.dataset == dataset and method in cell.methods]
            numbers = [_numbers(cell, method) for cell in of_method]
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


def _budgets(suite: Suite, frame: pd.DataFrame, group: MethodGroup, methods: Sequence[str]) -> Table:
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
    says = caption(
        suite,
        f"Suite {suite.run}. Per data set and seed: trained networks, optimiser steps "
        f"declared and run, images seen in batches of {suite.training.batch_size}, and different labelled "
        "images learnt from; a range over data sets where they differ. Fits that methods share are counted in each.",
        group.note,
        _tuning_cost(suite, frame[frame["method"].isin(methods)]),
        omit=f"{BARE} derived",
    )
    shown = pd.DataFrame(rows, columns=["method", *spans, "diverged fits"])
    table = sheet(suite, f"budgets{group.suffix}", f"Budgets, {group.title}", shown, says)
    return dataclasses.replace(table, title=f"Budgets, {group.title}")


def _tuning_cost(suite: Suite, rows: pd.DataFrame) -> str:
    """Return what the trials of a group's methods cost, and on which images they were scored."""
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


def tuned_table(run: Results) -> TableFile:
    """Return what tuning chose: a row a data set and tuned method, a column a setting; nothing where none is tuned."""
    suite = run.suite
    frame = pd.DataFrame(_tuned_rows(run), columns=list(TUNED))
    settings = list(dict.fromkeys(frame["setting"]))
    rows: list[list[Cell]] = []
    for (dataset, method), own in frame.groupby(["dataset", "method"], sort=False):
        values = dict(zip(own["setting"], own["value"], strict=True))
        shown = (f"{values[name]:.2g}" if name in values else NOTHING for name in settings)
        rows.append([Name(str(dataset), derived_mark(suite, str(dataset))), Name(str(method)), *shown])
    headers = ["data set", "method", *(name.replace("_", " ") for name in settings)]
    kd, rate = suite.distillation, suite.training.learning_rate
    says = caption(
        suite,
        f"Suite {suite.run}.",
        notes=(
            f"Committed settings, the first trial of each search: learning rate {rate:g}, alpha {kd.alpha:g}, "
            f"beta {kd.beta:g}, temperature from {kd.temperature_max:g} to {kd.temperature_min:g}, or "
            f"{kd.temperature_constant:g} where it is constant. {NOTHING}: the method has no such setting.",
        ),
        omit="design derived scope",
    )
    return TableFile(
        "tuned", frame, [sheet(suite, "tuned", "Settings", pd.DataFrame(rows, columns=headers), says)]
    )


def _tuned_rows(run: Results) -> list[dict[str, object]]:
    """Return a row a data set, method and setting, of the first cell: all seeds of a data set are trained alike."""
    first = {cell.dataset: cell for cell in reversed(trained_cells(run.suite, run.folder / "manifests"))}
    rows: list[dict[str, object]] = []
    for dataset in run.suite.datasets:
        methods = first[dataset].methods if dataset in first else {}
        for method in run.suite.methods:
            tuning = methods[method].tuning if method in methods else {}
            rows += [
                dict(
                    zip(
                        TUNED,
                        (dataset, method, name, value, tuning["trials"], run.suite.plan_hash),
                        strict=True,
                    )
                )
                for name, value in tuning.get("values", {}).items()
            ]
    return rows
