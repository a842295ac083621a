"""Writes all tables of a run from its saved predictions and splits."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from weckd.analysis.accuracy import Accuracy, accuracy_frame, evaluate_accuracies, floors, interval_half_width
from weckd.analysis.blocks import PANEL, Block, method_blocks
from weckd.analysis.captions import (
    SCOPE,
    closing,
    dataset_text,
    derived_sentence,
    design_sentence,
    joined,
    phantom_sentence,
    size_sentence,
    tuning_sentence,
)
from weckd.analysis.checks import Check, checks_frame, evaluate_checks
from weckd.analysis.contrasts import MACRO, independent, sizes
from weckd.analysis.gains import evaluate_gains, gains_frame
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import SuitePredictions, load_predictions
from weckd.analysis.tables.files import MISSING, Table, gain_text, mean_text, p_text, write_table_files
from weckd.analysis.tables.gain_tables import Sizes, gain_tables
from weckd.analysis.tables.split_counts import (
    ALL,
    LABELS,
    PartCount,
    chain_parts,
    count_splits,
    splits_frame,
    stage_parts,
)
from weckd.config import Suite


def write_tables(suite: Suite, predictions: Path, splits: Path, out: Path) -> None:
    """Write `gains`, `accuracy`, `checks` and `splits` as .csv, .md and .tex into the folder `out`.

    Args:
        suite: the run; its plan says what is tested.
        predictions: folder with `<dataset>/seed<k>.parquet`.
        splits: folder with `<dataset>/seed<k>.csv`.
        out: folder for the tables.

    Raises:
        UserError: a file is unreadable or inconsistent; what is missing is printed as missing instead.
    """
    loaded = load_predictions(suite, predictions)
    known = sizes(suite, loaded.datasets)
    gains = evaluate_gains(suite, loaded)
    accuracies = evaluate_accuracies(suite, loaded)
    checks = evaluate_checks(suite, loaded)
    counts = count_splits(suite, splits)
    write_table_files(
        out, "gains", gains_frame(suite, loaded, gains), gain_tables(suite, gains, accuracies, known)
    )
    write_table_files(
        out,
        "accuracy",
        accuracy_frame(suite, loaded, accuracies),
        [
            _accuracy(suite, loaded, accuracies, known, metric, block, methods)
            for metric in suite.analysis.metrics
            for block, methods in method_blocks(suite).items()
        ],
    )
    write_table_files(out, "checks", checks_frame(suite, checks), [_checks(suite, checks, known)])
    write_table_files(out, "splits", splits_frame(suite, counts), [_splits(suite, counts)])


def _accuracy(
    suite: Suite,
    predictions: SuitePredictions,
    accuracies: Sequence[Accuracy],
    known: Sizes,
    metric: str,
    block: Block,
    methods: Sequence[str],
) -> Table:
    """A block's methods in rows, data sets in columns: the last stage's mean and half-width."""
    floor_of = floors(suite, predictions)
    shown = [item for item in accuracies if item.final and item.metric == metric and item.method in methods]
    columns: dict[str, list[str]] = {
        "method": ["test images (groups)", "majority class", "chance", "smallest class", *methods]
    }
    for dataset in (*suite.datasets, MACRO):
        floor, size = floor_of.get(dataset), known[dataset]
        cells = [f"{size[0]} ({size[1]})" if size else MISSING]
        if floor is None:
            cells += [MISSING] * 3
        else:
            cells += [f"{100 * floor.majority:.1f}", f"{100 * floor.chance:.1f}"]
            cells.append(f"{floor.smallest_class}, {floor.smallest_n}")
        for item in shown:
            if item.dataset == dataset:
                study = item.result.study
                mean = 100 * study.estimate if study else float("nan")
                cells.append(mean_text(mean, 100 * interval_half_width(suite, item)))
        name = f"{MACRO} of {len(independent(suite))}" if dataset == MACRO else dataset_text(suite, dataset)
        columns[name] = cells
    level = f"{100 * (1 - suite.analysis.alpha):g} %"
    caption = joined(
        phantom_sentence(suite),
        f"{METRICS[metric].name.capitalize()} of each method's last stage in percent, mean ± h;",
        f"h is the half-width of the {level} two-way interval. {size_sentence(suite, known[MACRO])}",
        block.note,
        design_sentence(suite),
        tuning_sentence(suite),
        "Family: none, nothing is compared here. majority class, smallest class: of the test images.",
        derived_sentence(suite),
        SCOPE,
        closing(suite, (name for item in shown for name in item.result.missing)),
    )
    title = f"{METRICS[metric].name.capitalize()}, {block.title}, suite {suite.run}"
    return Table(title, caption, metric.replace("_", "-") + block.suffix, pd.DataFrame(columns))


def _checks(suite: Suite, checks: Sequence[Check], known: Sizes) -> Table:
    cells = pd.DataFrame(
        [
            {
                "check": check.check,
                "subject": check.subject,
                "points [interval]": gain_text(
                    100 * check.value,
                    100 * (check.value - check.half_width),
                    100 * (check.value + check.half_width),
                ),
                "level": f"{100 * check.level:g} %",
                "p (Holm)": p_text(check.p_adjusted),
                "passed": check.passed,
            }
            for check in checks
        ]
    )
    panel = any(suite.roles[method] == PANEL for method in suite.methods)
    but = " but the panel's, whose networks may be better than the bar's," if panel else ""
    caption = joined(
        phantom_sentence(suite),
        f"Checks on the macro mean, percentage points; {size_sentence(suite, known[MACRO])}",
        design_sentence(suite),
        f"Family: all methods{but} against the supervised bar, Holm; the label check stands alone.",
        closing(suite),
    )
    return Table(f"Checks, suite {suite.run}", caption, "checks", cells)


def _splits(suite: Suite, counts: Sequence[PartCount]) -> Table:
    """One row a data set; ranges over the seeds where they differ."""
    parts = ("test", "validation", *stage_parts(suite), "rest", LABELS)
    rows = []
    for dataset in suite.datasets:
        of_part: dict[str, list[PartCount]] = {}
        for count in counts:
            if count.dataset == dataset:
                of_part.setdefault(count.part, []).append(count)
        whole = [count for count in of_part[ALL] if not count.missing]
        row = [
            dataset_text(suite, dataset),
            str(len(suite.facts[dataset].classes)),
            _range([count.n_images for count in whole]),
            _range([count.n_groups for count in whole]),
        ]
        for part in parts:
            found = of_part.get(part, [])
            shares = _range([f"{100 * count.share:.1f}" for count in found])
            row.append(f"{_range([count.n_images for count in found])} ({shares} %)" if found else MISSING)
        smallest = min(of_part.get(LABELS, []), key=lambda count: count.smallest_class_n or 0, default=None)
        row.append(f"{smallest.smallest_class}, {smallest.smallest_class_n}" if smallest else MISSING)
        rows.append(row)
    headers = ["data set", "classes", "images", "groups", *parts, "smallest class used"]
    caption = joined(
        phantom_sentence(suite),
        "Images in each part (lowest to highest over the seeds).",
        "Shares: test, of all images; validation, of what is not test; the others, of the training part.",
        f"labels used: {' + '.join(chain_parts(suite))}; validation labels are labels too.",
        f"Suite {suite.run}, k = {len(suite.seeds)} seeds, split seed {suite.split.seed}.",
        derived_sentence(suite),
        closing(suite, (count.missing for count in counts if count.missing)),
    )
    return Table(f"Splits, suite {suite.run}", caption, "splits", pd.DataFrame(rows, columns=headers))


def _range(values: Sequence[object]) -> str:
    """Return one value where all are the same text, else the lowest and the highest number."""
    texts = sorted({str(value) for value in values}, key=float)
    if not texts:
        return MISSING
    return texts[0] if len(texts) == 1 else f"{texts[0]} to {texts[-1]}"
