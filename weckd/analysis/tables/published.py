"""The paper's numbers beside ours: inside or outside our interval."""

import math
from collections.abc import Sequence

import pandas as pd

from weckd.analysis.evaluation import Evaluation
from weckd.analysis.gains import Gain, interval
from weckd.analysis.published import LARGEST, Published
from weckd.analysis.tables.evaluated_cells import gain_cell, short_verdict
from weckd.places import independent, is_phantom
from weckd.tables.captions import (
    SCOPE,
    closing,
    dataset_text,
    design_sentence,
    has_phantom,
    joined,
    phantom_sentence,
    tuning_sentence,
)
from weckd.tables.cells import NOTHING, Cell
from weckd.tables.cells import Gain as GainCell
from weckd.tables.files import Table, TableFile


def published_table(evaluation: Evaluation, published: Sequence[Published]) -> TableFile:
    """Return every number of the paper beside the same comparison here."""
    found = [(item, _ours(evaluation, item)) for item in published]
    suite = evaluation.suite
    rows = [_cells(evaluation, item, gain) for item, gain in found]
    headers = ["what", "where", "paper says", "here", "on", "paper's number is"]
    cells = pd.DataFrame(rows, columns=headers)
    if not rows:
        cells = pd.DataFrame({"what": ["no number of the paper is listed; config/published.yaml holds them"]})
    caption = joined(
        phantom_sentence(suite),
        "The paper's numbers as far as they can be read, in percentage points, beside the same comparison in this run "
        f"with its {100 * (1 - suite.analysis.alpha):g} % two-way interval, not adjusted. largest: the data set with "
        "the largest gain here, chosen on these test images and so flattered. Nothing is tested.",
        "Phantom images are not comparable with the paper's." if has_phantom(suite) else "",
        design_sentence(suite),
        tuning_sentence(suite),
        SCOPE,
        closing(suite, (name for _, gain in found if gain for name in gain.missing)),
    )
    table = Table(f"What the paper says, suite {suite.run}", caption, "published", cells)
    return TableFile("published", _frame(evaluation, found), [table])


def _ours(evaluation: Evaluation, item: Published) -> Gain | None:
    """Return the same comparison in this run, or None where it has not been made."""
    of_item = [
        gain
        for gain in evaluation.gains
        if (gain.comparison.method, gain.comparison.reference) == (item.method, item.reference)
        and gain.metric == item.metric
    ]
    if item.data_set != LARGEST:
        return next((gain for gain in of_item if gain.dataset == item.data_set), None)
    keys = independent(evaluation.suite)
    whole = [gain for gain in of_item if gain.dataset in keys and gain.study is not None]
    return max(whole, key=lambda gain: gain.study.estimate if gain.study else -math.inf, default=None)


def _judgement(evaluation: Evaluation, item: Published, gain: Gain | None) -> str:
    if gain is None:
        return "not in this run"
    if gain.study is None:
        return short_verdict(gain.verdict)
    if is_phantom(evaluation.suite, gain.dataset):
        return "not comparable: phantom images"
    low, high = interval(evaluation.suite, gain)
    if math.isnan(low):
        return "no interval: too few seeds"
    if item.value > 100 * high:
        return "outside our interval, above"
    return "outside our interval, below" if item.value < 100 * low else "inside our interval"


def _cells(evaluation: Evaluation, item: Published, gain: Gain | None) -> list[Cell]:
    ours: list[Cell] = [NOTHING, item.data_set]
    if gain is not None:
        ours = [gain_cell(evaluation.suite, gain), _on(evaluation, item, gain)]
    where = f"{item.where}, {item.version}"
    return [item.name, where, GainCell(item.value), *ours, _judgement(evaluation, item, gain)]


def _on(evaluation: Evaluation, item: Published, gain: Gain) -> str:
    suite = evaluation.suite
    name = dataset_text(suite, gain.dataset) if gain.dataset in suite.datasets else gain.dataset
    return f"{LARGEST}: {name}" if item.data_set == LARGEST else name


def _frame(evaluation: Evaluation, found: Sequence[tuple[Published, Gain | None]]) -> pd.DataFrame:
    suite, nothing = evaluation.suite, float("nan")
    rows = []
    for item, gain in found:
        low, high = interval(suite, gain) if gain else (nothing, nothing)
        rows.append(
            {
                "suite": suite.run,
                "name": item.name,
                "method": item.method,
                "reference": item.reference,
                "metric": item.metric,
                "data_set": item.data_set,
                "where": item.where,
                "version": item.version,
                "paper_says": item.value,
                "dataset": gain.dataset if gain else "",
                "phantom": is_phantom(suite, gain.dataset) if gain else "",
                "gain": 100 * gain.study.estimate if gain and gain.study else nothing,
                "ci_low": 100 * low,
                "ci_high": 100 * high,
                "judgement": _judgement(evaluation, item, gain),
                "plan_hash": suite.plan_hash,
            }
        )
    return pd.DataFrame(rows)
