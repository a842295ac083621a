"""The tables of what a run was given: its splits, each method's budget, and the settings that tuning chose."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from weckd.analysis import sheet
from weckd.analysis.imported import IMPORTED
from weckd.analysis.method_groups import MethodGroup, declared_methods, method_groups
from weckd.analysis.results import Results
from weckd.analysis.split_counts import ALL, COPIES, LABELS, chain_parts, count_splits, stage_parts
from weckd.config import Suite
from weckd.manifests import TrainedCell, trained_cells
from weckd.tables.captions import said, tuning_images, tuning_sentence
from weckd.tables.cells import MISSING, NOTHING, Cell, Name
from weckd.tables.render import Table, TableFile

DEPLOYED = "deployed steps"
SPANS = {
    "fits": "fits",
    "steps": "steps",
    "steps run": "steps_run",
    DEPLOYED: "deployed_steps",
    "images seen": "images",
    "labels": "labels",
    "tuning trials": "tuning_trials",
}
"""Header of a budget -> its column."""
PER_METHOD = (
    *("fits", "steps", "steps_run", "images", "labels", "diverged", "without_partner"),
    *("tuning_trials", "tuning_steps", "tuning_images"),
)
TUNED = ("dataset", "method", "setting", "value", "trials", "plan_hash")


def splits_table(run: Results) -> TableFile:
    """Return how many images each part of a split holds, true fractions included.

    A row a data set; ranges over the seeds where they differ.
    """
    suite, counts = run.suite, count_splits(run.suite, run.files)
    official, nobody = suite.split.protocol == "official", counts[:0]
    parts = ("test", *([COPIES] if official else []), "validation", *stage_parts(suite), "rest", LABELS)
    rows = []
    for dataset, of_set in counts.groupby("dataset", sort=False):
        key = str(dataset)
        of_part = dict(iter(of_set[of_set["missing"] == ""].groupby("part")))
        found = [of_part.get(part, nobody) for part in parts]
        whole, used = of_part.get(ALL, nobody), of_part.get(LABELS, nobody)
        rows.append(
            [
                sheet.place(suite, key),
                str(len(suite.facts[key].classes)),
                _range(whole["n_images"]),
                _range(whole["n_groups"]),
                *(f"{_range(x['n_images'])} ({_shares(x)} %)" if len(x) else MISSING for x in found),
                _smallest(used),
                _smallest(pd.concat([of_part.get(part, nobody) for part in chain_parts(suite)])),
            ]
        )
    says = said(
        suite,
        "Images in each part of the splits, lowest to highest over the seeds.",
        notes=(
            f"Split seed {suite.split.seed}.",
            f"labels used: {' + '.join(chain_parts(suite))}; validation labels are labels too.",
        ),
        missing=filter(None, counts["missing"]),
    )
    smallest = ("smallest class used", "smallest in one stage")
    shown = pd.DataFrame(rows, columns=["data set", "classes", "images", "groups", *parts, *smallest])
    narrow = ("data set", "images", "test", "labels used", "smallest in one stage")
    return sheet.file(suite, "splits", "Splits", counts, shown, says, narrow=narrow)


def _shares(counts: pd.DataFrame) -> str:
    return _range(f"{share:.1f}" for share in counts["share_pct"])


def _smallest(counts: pd.DataFrame) -> str:
    """Return the smallest class of all counts, its images, and the part where that is not the labels used."""
    if counts.empty:
        return MISSING
    smallest = counts.iloc[int(counts["smallest_class_n"].astype(int).argmin())]
    where = "" if smallest["part"] == LABELS else f" ({smallest['part']}, seed {smallest['seed']})"
    return f"{smallest['smallest_class']}, {smallest['smallest_class_n']}{where}"


def _range(values: Iterable[object]) -> str:
    """Return one value where all are the same text, else the lowest and the highest number."""
    texts = sorted({str(value) for value in values}, key=float)
    if not texts:
        return MISSING
    return texts[0] if len(texts) == 1 else f"{texts[0]} to {texts[-1]}"


def budgets_table(run: Results) -> TableFile:
    """Return what each method was given, a row a data set and method; one table a group of methods."""
    suite, frame = run.suite, budgets_frame(run.suite, run.files.manifests)
    tables = [_budgets(suite, frame, *group) for group in method_groups(suite).items()]
    return TableFile("budgets", frame, tables)


def budgets_frame(suite: Suite, manifests: Path) -> pd.DataFrame:
    """Return a row a data set and method: fits, steps, images and labels seen, diverged fits, and its tuning.

    Numbers are per seed: `steps` declared, `steps_run` and `images` as means over the seeds, `labels` the mean
    number of different labelled images that the method's fits learn from; `diverged` counts over all seeds.
    `tuning_trials`, `tuning_steps` and `tuning_images` are those of all trials together, once for all seeds, and 0
    where the method was not tuned; no other number counts them. `deployed_steps` are those in the weights of a network
    that predicts, where several do the most, and `predicting` is how many do. `without_partner` counts labelled images
    that have no other of their class in their subset, of methods whose teachers are shown another image.
    A method without a manifest keeps its row, with empty numbers.
    """
    axes = ["dataset", "method"]
    cells = trained_cells(suite, manifests)
    rows = [(cell.dataset, method, *_numbers(cell, method)) for cell in cells for method in cell.methods]
    found = pd.DataFrame(rows, columns=[*axes, *PER_METHOD]).astype(dict.fromkeys(PER_METHOD, float))
    by_method = found.groupby(axes)
    numbers = by_method.mean().assign(diverged=by_method["diverged"].sum())
    numbers.insert(0, "cells", by_method.size())
    every = pd.MultiIndex.from_product((suite.datasets, suite.methods), names=axes)
    frame = numbers.reindex(every).reset_index().fillna({"cells": 0}).astype({"cells": int})
    declared = {method.name: method.deployed_steps() for method in declared_methods(suite)}
    deployed = frame["method"].map(declared).where(frame["cells"] > 0)
    place = list(frame.columns).index("images")
    frame.insert(
        place, "deployed_steps", deployed.map(lambda steps: max(steps, default=0), na_action="ignore")
    )
    frame.insert(place + 1, "predicting", deployed.map(len, na_action="ignore"))
    return frame


def _numbers(cell: TrainedCell, method: str) -> tuple[float, ...]:
    """Return the numbers of PER_METHOD."""
    entry = cell.methods[method]
    fits = [cell.fits[identity] for identity in entry.fits]
    return (
        len(fits),
        sum(fit["steps"] * fit["networks"] for fit in fits),
        sum(fit["steps_run"] * fit["networks"] for fit in fits),
        sum(fit["images"] for fit in fits),
        entry.labels,
        sum(fit["status"] != "finished" for fit in fits),
        sum(fit.get("without_partner", 0) for fit in fits),
        *(entry.tuning.get(key, 0) for key in ("trials", "steps", "images")),
    )


def _budgets(suite: Suite, frame: pd.DataFrame, group: MethodGroup, methods: Sequence[str]) -> Table:
    """Return a row a method; what differs between data sets is given as a range."""
    rows: list[list[Cell]] = []
    for method in methods:
        own = frame[frame["method"] == method]
        numbers = {header: span(own[key]) for header, key in SPANS.items()}
        if (predicting := own["predicting"].max()) > 1:
            numbers[DEPLOYED] += f" ({predicting:.0f} networks)"
        numbers["diverged fits"] = MISSING if own["diverged"].isna().any() else f"{own['diverged'].sum():.0f}"
        imported = suite.roles[method] == IMPORTED
        rows.append([Name(method), *(["not known"] * len(numbers) if imported else numbers.values())])
    says = said(
        suite,
        f"What each method was given, a data set and seed (a range where data sets differ), in "
        f"batches of {suite.training.batch_size} images.",
        notes=(
            group.note,
            *(note(suite, frame[frame["method"].isin(methods)]) for note in (_alone, _tuning_cost)),
        ),
    )
    shown = pd.DataFrame(rows, columns=["method", *SPANS, "diverged fits"])
    return sheet.table(suite, f"budgets{group.suffix}", f"Budgets, {group.title}", shown, says)


def _alone(suite: Suite, rows: pd.DataFrame) -> str:
    """Return how many images have no other to be shown to a teacher in their place."""
    found = rows[rows["without_partner"] > 0]
    return "".join(
        f"{method}: alone in their class and subset, so that the teacher is shown them and no other: "
        f"{span(own['without_partner'])} images a seed on {', '.join(own['dataset'])}."
        for method, own in found.groupby("method", sort=False)
    )


def _tuning_cost(suite: Suite, rows: pd.DataFrame) -> str:
    """Return what the trials of a group's methods cost, and on which images they were scored."""
    if not suite.tuned:
        return "Validation labels are used by no method."
    tuned = rows[rows["tuning_trials"] > 0]
    if tuned.empty:
        return ""
    return (
        f"tuning trials cost {span(tuned['tuning_steps'])} steps and "
        f"{span(tuned['tuning_images'])} images a method and data set, and are scored on {tuning_images(suite)}."
    )


def span(values: "pd.Series[float]") -> str:
    """Return one number where all are the same, else the lowest and the highest; or that one is missing."""
    return MISSING if values.isna().any() else _range(f"{value:.0f}" for value in values)


def tuned_table(run: Results) -> TableFile:
    """Return what tuning chose: a row a data set and tuned method, a column a setting; nothing where none is tuned."""
    suite = run.suite
    frame = pd.DataFrame(_tuned_rows(run), columns=list(TUNED))
    settings = list(dict.fromkeys(frame["setting"]))
    rows: list[list[Cell]] = []
    for (dataset, method), own in frame.groupby(["dataset", "method"], sort=False):
        values = dict(zip(own["setting"], own["value"], strict=True))
        shown = (f"{values[name]:.2g}" if name in values else NOTHING for name in settings)
        rows.append([sheet.place(suite, str(dataset)), Name(str(method)), *shown])
    kd, rate = suite.distillation, suite.training.learning_rate
    says = said(
        suite,
        "The settings that tuning chose for each method on each data set.",
        notes=(
            tuning_sentence(suite),
            f"Committed settings, the first trial of each search: learning rate {rate:g}, alpha {kd.alpha:g}, "
            f"beta {kd.beta:g}, temperature from {kd.temperature_max:g} to {kd.temperature_min:g}, or "
            f"{kd.temperature_constant:g} where it is constant. {NOTHING}: the method has no such setting.",
        ),
    )
    headers = ["data set", "method", *(name.replace("_", " ") for name in settings)]
    return sheet.file(suite, "tuned", "Settings", frame, pd.DataFrame(rows, columns=headers), says)


def _tuned_rows(run: Results) -> list[tuple[object, ...]]:
    """Return a row a data set, method and setting, of the first cell: all seeds of a data set are trained alike."""
    first = {cell.dataset: cell for cell in reversed(trained_cells(run.suite, run.files.manifests))}
    return [
        (dataset, method, name, value, tuning["trials"], run.suite.plan_hash)
        for dataset in run.suite.datasets
        for method in run.suite.methods
        if dataset in first and method in first[dataset].methods
        for tuning in [first[dataset].methods[method].tuning]
        for name, value in tuning.get("values", {}).items()
    ]
