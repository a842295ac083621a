"""The tables of the secondary metrics: every method on each of them, and the chain's gains on each of them."""

import math
from collections.abc import Sequence

import pandas as pd

from weckd.analysis.blocks import Block, method_blocks
from weckd.analysis.comparisons import REFERENCES, Comparison, chain_method
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.gains import MARGIN_METRICS, Gain
from weckd.analysis.levels import levels_frame
from weckd.analysis.metrics import METRICS
from weckd.analysis.tables.evaluated_cells import gain_cell, level_cell, short_verdict
from weckd.analysis.tables.studies import confidence
from weckd.places import MACRO
from weckd.tables.captions import (
    SCOPE,
    closing,
    derived_sentence,
    design_sentence,
    joined,
    phantom_sentence,
    size_sentence,
    tuning_sentence,
)
from weckd.tables.cells import Cell, Name, P
from weckd.tables.files import Table, TableFile, nothing_to_show

DIRECTIONS = {False: "higher", True: "lower"}
"""Which values are better, by `Metric.lower_is_better`."""


def metrics_table(evaluation: Evaluation) -> TableFile:
    """Return the metrics after the primary: a table a block of methods, then the chain's gains."""
    suite = evaluation.suite
    secondary = suite.analysis.metrics[1:]
    if not secondary:
        why = "the plan has no metric besides the primary; its metrics may name more"
        return nothing_to_show(suite, "metrics", "Secondary metrics", "method", why)
    levels = [level for level in evaluation.levels if level.metric in secondary]
    tables = [_block(evaluation, block, methods) for block, methods in method_blocks(suite).items()]
    return TableFile(
        "metrics", levels_frame(suite, evaluation.predictions, levels), [*tables, _gains(evaluation)]
    )


def _block(evaluation: Evaluation, block: Block, methods: Sequence[str]) -> Table:
    """A block's methods in rows, metrics in columns: the last stage's macro mean and half-width."""
    suite = evaluation.suite
    found = {
        (level.method, level.metric): level
        for level in evaluation.levels
        if level.final and level.dataset == MACRO
    }
    columns: dict[str, list[Cell]] = {"method": [Name(method) for method in methods]}
    shown = suite.analysis.metrics[1:]
    for metric in shown:
        columns[METRICS[metric].name] = [level_cell(suite, found[(method, metric)]) for method in methods]
    caption = joined(
        phantom_sentence(suite),
        f"Metrics of each method's last stage on the macro mean, mean ± h, h the half-width of the {confidence(suite)} "
        f"two-way interval; {_unit_sentence('percent', shown)}.",
        _direction_sentence(shown),
        size_sentence(suite, evaluation.sizes[MACRO]),
        block.note,
        design_sentence(suite),
        tuning_sentence(suite),
        "Family: none, nothing is compared here.",
        derived_sentence(suite),
        SCOPE,
        closing(
            suite,
            (
                name
                for metric in shown
                for method in methods
                for name in found[(method, metric)].result.missing
            ),
        ),
    )
    title = f"Secondary metrics, {block.title}, suite {suite.run}"
    return Table(title, caption, f"metrics{block.suffix}", pd.DataFrame(columns))


def _gains(evaluation: Evaluation) -> Table:
    """Metrics in rows, the chain's gains over the references in columns: the macro mean."""
    suite = evaluation.suite
    shown, compared = suite.analysis.metrics[1:], _compared(evaluation)
    found = {(gain.comparison, gain.metric): gain for gain in evaluation.gains if gain.dataset == MACRO}
    columns: dict[str, list[Cell]] = {
        "metric": [METRICS[metric].name for metric in shown],
        "better": [DIRECTIONS[METRICS[metric].lower_is_better] for metric in shown],
    }
    for comparison in compared:
        gains = [found[(comparison, metric)] for metric in shown]
        columns[comparison.text] = [gain_cell(suite, gain) for gain in gains]
        columns[f"p, {comparison.text}"] = [_p_cell(gain) for gain in gains]
    rows = [found[(comparison, metric)] for metric in shown for comparison in compared]
    chain = chain_method(suite)
    cells = pd.DataFrame(columns)
    if not compared:
        why = f"no gain of a chain in this run; add weckd and one of {', '.join(REFERENCES)}"
        cells = pd.DataFrame({"metric": [why]})
    caption = joined(
        phantom_sentence(suite),
        f"Gains of {chain} on the macro mean, with their {confidence(suite)} intervals, not adjusted; "
        f"{_unit_sentence('percentage points', shown)}."
        if compared
        else "",
        _direction_sentence(shown),
        size_sentence(suite, evaluation.sizes[MACRO]),
        design_sentence(suite),
        tuning_sentence(suite),
        "p: adjusted, secondary, Benjamini-Hochberg over all of the plan's comparisons on these metrics and on means "
        "that decide nothing.",
        _margin_sentence(suite.analysis.margin_pp, shown, compared),
        derived_sentence(suite),
        SCOPE,
        closing(suite, (name for gain in rows for name in gain.missing)),
    )
    return Table(f"Gains on secondary metrics, suite {suite.run}", caption, "metrics-gains", cells)


def _compared(evaluation: Evaluation) -> tuple[Comparison, ...]:
    """Return the chain's comparison with each reference: the plan's on all data sets, else an exploratory one."""
    chain = chain_method(evaluation.suite)
    found: dict[str, Comparison] = {}
    for gain in evaluation.gains:
        comparison = gain.comparison
        if comparison.method == chain and comparison.decided_on in ((MACRO,), ()):
            found.setdefault(comparison.reference, comparison)
    return tuple(found[reference] for reference in REFERENCES if reference in found)


def _p_cell(gain: Gain) -> Cell:
    return P(gain.p_adjusted) if math.isfinite(gain.p_adjusted) else short_verdict(gain.verdict)


def _unit_sentence(unit: str, shown: Sequence[str]) -> str:
    names = [METRICS[metric].name for metric in shown if METRICS[metric].unit == "nats"]
    return f"in {unit}, {' and '.join(names)} in nats" if names else f"in {unit}"


def _direction_sentence(shown: Sequence[str]) -> str:
    lower = [METRICS[metric].name for metric in shown if METRICS[metric].lower_is_better]
    if not lower:
        return "Higher is better."
    return f"Lower is better for {', '.join(lower)}, where a gain below 0 is an improvement; higher for the others."


def _margin_sentence(margin_pp: float, shown: Sequence[str], compared: Sequence[Comparison]) -> str:
    """Return which p is not for a gain of 0."""
    against = [comparison.reference for comparison in compared if comparison.kind == "non-inferiority"]
    names = [METRICS[metric].name for metric in shown if metric in MARGIN_METRICS]
    if not against or not names:
        return ""
    return (
        f"Against {' and '.join(against)}, p for {' and '.join(names)} is for a gain of -{margin_pp:g} points; "
        "every other p is for none."
    )
