"""The leak study as a table: accuracies first, then the gains of the chain."""

from collections.abc import Callable, Sequence

import pandas as pd

from weckd.analysis.inference.reader_study import Study, half_width
from weckd.analysis.leakage.study import METRIC, Leak, copied_images
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import SuitePredictions
from weckd.config import Suite
from weckd.errors import counted
from weckd.places import few_seeds, is_phantom
from weckd.tables.captions import TEST, closing, derived_mark, joined, phantom_sentence
from weckd.tables.cells import Cell, Gain, Level, Name
from weckd.tables.files import Table, TableFile

COLUMNS = (
    "grouped test part",
    "official test part",
    "official - grouped",
    "official, no copy in training",
    "official, copy in training",
    "with - without a copy",
)
DIFFERENCES = ("official - grouped", "with - without a copy")


def leakage_table(
    suite: Suite, levels: Sequence[Leak], gains: Sequence[Leak], predictions: SuitePredictions
) -> TableFile:
    """Return a row a data set and method, and in a second table a row a gain of the chain."""
    caption = _caption(suite, [*levels, *gains], predictions)
    frame = pd.DataFrame([row for leak in [*levels, *gains] for row in _rows(suite, leak)])
    tables = [
        Table(
            f"Accuracy with and without leaks, suite {suite.run}",
            caption,
            "leakage",
            _cells(suite, levels, "method", lambda leak: leak.method),
        )
    ]
    if gains:
        tables.append(
            Table(
                f"Gains of the chain with and without leaks, suite {suite.run}",
                caption,
                "leakage-gains",
                _cells(suite, gains, "gain of the chain over", lambda leak: leak.reference),
            )
        )
    return TableFile("leakage", frame, tables)


def studies(leak: Leak) -> dict[str, Study | None]:
    """Return what stands in each column; None where something is missing."""
    results = (leak.grouped, leak.official, leak.clean, leak.copied, leak.memory)
    grouped, official, clean, copied, memory = (result.study for result in results)
    return dict(zip(COLUMNS, (grouped, official, leak.inflation, clean, copied, memory), strict=True))


def _cells(suite: Suite, found: Sequence[Leak], what: str, subject: Callable[[Leak], str]) -> pd.DataFrame:
    rows: list[list[Cell]] = [
        [
            Name(leak.dataset, derived_mark(suite, leak.dataset)),
            Name(subject(leak)),
            *(_cell(suite, leak, column, study) for column, study in studies(leak).items()),
        ]
        for leak in found
    ]
    return pd.DataFrame(rows, columns=["data set", what, *COLUMNS])


def _cell(suite: Suite, leak: Leak, column: str, study: Study | None) -> Cell:
    mean, half = _points(suite, study)
    if leak.reference or column in DIFFERENCES:
        return Gain(mean, mean - half, mean + half)
    return Level(mean, half)


def _points(suite: Suite, study: Study | None) -> tuple[float, float]:
    """Return mean and half-width in percentage points; NaN where missing, or with too few seeds for an interval."""
    if study is None:
        return float("nan"), float("nan")
    level = 1 - suite.analysis.alpha
    return 100 * study.estimate, float("nan") if few_seeds(suite) else 100 * half_width(study, level)


def _rows(suite: Suite, leak: Leak) -> list[dict[str, object]]:
    rows = []
    for column, study in studies(leak).items():
        mean, half = _points(suite, study)
        rows.append(
            {
                "suite": suite.run,
                "phantom": is_phantom(suite, leak.dataset),
                "dataset": leak.dataset,
                "method": leak.method,
                "reference": leak.reference,
                "metric": METRIC,
                "part": column,
                "estimate_pp": mean,
                "low_pp": mean - half,
                "high_pp": mean + half,
                "n_images": pd.NA if study is None else study.n_images,
                "n_groups": pd.NA if study is None else study.n_groups,
                "k": len(suite.seeds),
                "plan_hash": suite.plan_hash,
            }
        )
    return rows


def _caption(suite: Suite, found: Sequence[Leak], predictions: SuitePredictions) -> str:
    intervals = f"{100 * (1 - suite.analysis.alpha):g} % intervals, ± half of them, not adjusted"
    few = f"fewer than {suite.analysis.minimum_seeds} seeds, so no intervals"
    missing = [
        name
        for leak in found
        for result in (leak.grouped, leak.official, leak.clean, leak.copied)
        for name in result.missing
    ]
    return joined(
        phantom_sentence(suite),
        f"{METRICS[METRIC].name.capitalize()} of each method's last stage in percent, differences in points. grouped: "
        "the test part that the suite draws by group, as in all its other tables; official: the source's own, "
        "copies of training images included. The same methods, settings and seeds; validation and subsets are drawn "
        "by group from what is not test.",
        *(_sizes(predictions, key) for key in suite.datasets),
        "copy: a near-duplicate, or an image of the same patient, among the source's images for training, of which a "
        "method learns from some. official - grouped: other test images, taken as independent. with - without a copy: "
        "images with copies may also be easier; compare methods that learn from few labels and from many.",
        f"k = {counted(len(suite.seeds), 'seed')} (readers), groups of images as cases; {TEST}; "
        f"{few if few_seeds(suite) else intervals}. Exploratory: in no family of the plan, nothing is tested.",
        closing(suite, missing),
    )


def _sizes(predictions: SuitePredictions, key: str) -> str:
    data = predictions.datasets[key]
    copied = int(copied_images(data).sum())
    size = f"{data.n_images} official test images in {data.n_groups} groups"
    return f"{key}: {size}, {copied} of them with a copy in training."
