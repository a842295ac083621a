"""What tuning chose: each method's settings on each data set."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from weckd.config import Suite
from weckd.manifests import trained_cells
from weckd.tables.captions import closing, derived_mark, joined, phantom_sentence, tuning_sentence
from weckd.tables.cells import NOTHING, Cell, Name
from weckd.tables.files import Table, TableFile

COLUMNS = ("dataset", "method", "setting", "value", "trials", "plan_hash")


def tuned_table(suite: Suite, manifests: Path) -> TableFile:
    """Return a row a data set and tuned method, a column a setting; nothing where no method is tuned.

    Args:
        suite: the run.
        manifests: folder with `<dataset>/<batch>.json`, see `weckd.manifests`.
    """
    frame = pd.DataFrame(_rows(suite, manifests), columns=list(COLUMNS))
    settings = list(dict.fromkeys(frame["setting"]))
    rows: list[list[Cell]] = []
    for (dataset, method), own in frame.groupby(["dataset", "method"], sort=False):
        values = dict(zip(own["setting"], own["value"], strict=True))
        shown = (f"{values[name]:.2g}" if name in values else NOTHING for name in settings)
        rows.append([Name(str(dataset), derived_mark(suite, str(dataset))), Name(str(method)), *shown])
    headers = ["data set", "method", *(name.replace("_", " ") for name in settings)]
    kd, rate = suite.distillation, suite.training.learning_rate
    caption = joined(
        phantom_sentence(suite),
        f"Suite {suite.run}. {tuning_sentence(suite)}",
        f"Committed settings, the first trial of each search: learning rate {rate:g}, alpha {kd.alpha:g}, "
        f"beta {kd.beta:g}, temperature from {kd.temperature_max:g} to {kd.temperature_min:g}, or "
        f"{kd.temperature_constant:g} where it is constant. {NOTHING}: the method has no such setting.",
        closing(suite),
    )
    return TableFile(
        "tuned",
        frame,
        [Table(f"Settings, suite {suite.run}", caption, "tuned", pd.DataFrame(rows, columns=headers))],
    )


def _rows(suite: Suite, manifests: Path) -> Iterator[dict[str, object]]:
    """Yield a row a data set, method and setting, of the first cell: all seeds of a data set are trained alike."""
    first = {cell.dataset: cell for cell in reversed(trained_cells(suite, manifests))}
    for dataset in suite.datasets:
        methods = first[dataset].methods if dataset in first else {}
        for method in suite.methods:
            tuning = methods[method].tuning if method in methods else {}
            for setting, value in tuning.get("values", {}).items():
                yield {
                    "dataset": dataset,
                    "method": method,
                    "setting": setting,
                    "value": value,
                    "trials": tuning["trials"],
                    "plan_hash": suite.plan_hash,
                }
