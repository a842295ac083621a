"""Which classes are taken for which: the counts of the confusion matrices."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weckd.analysis import sheet
from weckd.analysis.comparisons import REFERENCES, shown_methods
from weckd.analysis.metrics.scores import confusion
from weckd.analysis.results import Results
from weckd.tables import captions
from weckd.tables.captions import count_sentence, derived_mark
from weckd.tables.cells import MISSING, Name
from weckd.tables.render import Table, TableFile


def confusion_table(run: Results) -> TableFile:
    """Return how often each method's last stage calls images of a class what; a table a data set, seeds pooled.

    The frame has a row a data set, method, seed, true class and predicted class.
    """
    suite, methods, stages = run.suite, shown_methods(run.suite), run.predictions.stages
    if not methods:
        why = f"neither a chain nor {', '.join(REFERENCES)} is in this run; add one of them"
        return sheet.nothing(suite, "confusion", "Confusion of classes", "true class", why)
    rows: list[dict[str, object]] = []
    tables = []
    for dataset, data in run.predictions.datasets.items():
        missing = {method: data.missing(method, stages[method]) for method in methods}
        counts = {x: confusion(data.predicted(x, stages[x])) for x in methods if not missing[x]}
        names = suite.facts[dataset].classes
        for method, seed, true, called in product(methods, suite.seeds, names, names):
            cell = suite.seeds.index(seed), names.index(true), names.index(called)
            of = {"method": method, "stage": stages[method], "seed": seed, "true": true, "predicted": called}
            n_images = counts[method][cell] if method in counts else pd.NA
            last = {"missing": "; ".join(missing[method]), "plan_hash": suite.plan_hash}
            rows.append(sheet.head(suite, dataset) | of | {"n_images": n_images} | last)
        tables.append(_confusion(run, dataset, missing, {x: n.sum(axis=0) for x, n in counts.items()}))
    return TableFile("confusion", pd.DataFrame(rows), tables)


def _confusion(
    run: Results,
    dataset: str,
    missing: Mapping[str, Sequence[str]],
    counts: Mapping[str, NDArray[np.int64]],
) -> Table:
    """A method's true classes in rows, predicted classes in columns; `counts` are (C, C) by whole method."""
    suite, names = run.suite, run.suite.facts[dataset].classes
    images = np.bincount(run.predictions.datasets[dataset].y, minlength=len(names))
    shown = sheet.pivoted(
        product(missing, range(len(names))),
        {
            "method": lambda row: Name(row[0]),
            "true class": lambda row: names[row[1]],
            "images": lambda row: str(images[row[1]]) if images.any() else MISSING,
        },
        {name: label for label, name in enumerate(names)},
        {"as {}": lambda row, called: str(counts[row[0]][row[1], called]) if row[0] in counts else MISSING},
    )
    says = captions.said(
        suite,
        f"How often each method's last stage calls test images of {dataset} what, its predictions of all seeds "
        "counted together.",
        n=count_sentence(run.sizes[dataset]),
        missing=[name for names in missing.values() for name in names],
    )
    title = f"Confusion of classes on {dataset}{derived_mark(suite, dataset)}"
    return sheet.table(suite, f"confusion-{dataset}", title, shown, says)
