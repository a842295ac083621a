"""The table of splits: how many images each part holds, true fractions included."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from weckd.analysis.tables.split_counts import (
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
from weckd.tables.captions import closing, derived_mark, derived_sentence, joined, phantom_sentence
from weckd.tables.cells import MISSING, Cell, Name
from weckd.tables.files import Table, TableFile


def splits_table(suite: Suite, folder: Path) -> TableFile:
    """Return the table of the split files `folder/<dataset>/seed<k>.csv`.

    Raises:
        UserError: a file lacks a column, or holds a part or class that the suite does not know.
    """
    counts = count_splits(suite, folder)
    return TableFile("splits", splits_frame(suite, counts), [_splits(suite, counts)])


def _splits(suite: Suite, counts: Sequence[PartCount]) -> Table:
    """One row a data set; ranges over the seeds where they differ."""
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
    headers = [
        "data set",
        "classes",
        "images",
        "groups",
        *parts,
        "smallest class used",
        "smallest in one stage",
    ]
    caption = joined(
        phantom_sentence(suite),
        "Images in each part (lowest to highest over the seeds).",
        "Shares: test, of all images; validation, of what is not test; the others, of the training part.",
        f"{COPIES}: near-duplicates, or images of the same patient; share of the test images."
        if official
        else "",
        f"labels used: {' + '.join(chain_parts(suite))}; validation labels are labels too.",
        "smallest class: in any seed; 0 in one stage: a model of the chain learns from a subset without that class.",
        f"Suite {suite.run}, k = {counted(len(suite.seeds), 'seed')}, split seed {suite.split.seed}.",
        derived_sentence(suite),
        closing(suite, (count.missing for count in counts if count.missing)),
    )
    return Table(f"Splits, suite {suite.run}", caption, "splits", pd.DataFrame(rows, columns=headers))


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
