"""The gain tables that people read: the plan's families on the macro mean, and the data sets one by one."""

import math
from collections.abc import Sequence

import pandas as pd

from weckd.analysis.accuracy import Accuracy
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
from weckd.analysis.comparisons import BAR, Comparison
from weckd.analysis.contrasts import MACRO, independent
from weckd.analysis.gains import Gain, few_seeds, interval
from weckd.analysis.inference.reader_study import minimum_detectable
from weckd.analysis.metrics import METRICS
from weckd.analysis.tables.files import MISSING, Table, gain_text, p_text
from weckd.config import Suite

LABELS_CONTROL = "pooled"
"""The control shown data set by data set where a family has several: is it just more labels?"""

Sizes = dict[str, tuple[int, int] | None]


def gain_tables(
    suite: Suite, gains: Sequence[Gain], accuracies: Sequence[Accuracy], sizes: Sizes
) -> tuple[Table, ...]:
    """Return the table of families, and that of data sets where the plan has a comparison to show."""
    primary = suite.analysis.metrics[0]
    planned = [gain for gain in gains if gain.comparison.family is not None and gain.metric == primary]
    shown = headline(planned)
    tables = [_families(suite, planned, sizes)]
    if shown:
        tables.append(_datasets(suite, planned, shown, accuracies, sizes))
    return tuple(tables)


def headline(planned: Sequence[Gain]) -> tuple[Comparison, ...]:
    """Return one comparison with another method for each family: with `pooled` or the bar if it has them."""
    families: dict[str, list[Comparison]] = {}
    for gain in planned:
        if gain.dataset == MACRO and gain.comparison.kind != "trend":
            families.setdefault(gain.family, []).append(gain.comparison)
    return tuple(
        next((item for item in members if item.reference in (LABELS_CONTROL, BAR)), members[0])
        for members in families.values()
    )


def _families(suite: Suite, planned: Sequence[Gain], sizes: Sizes) -> Table:
    rows = [gain for gain in planned if gain.dataset == MACRO]
    level = f"{100 * (1 - suite.analysis.alpha):g} % CI"
    cells = pd.DataFrame(
        [
            {
                "family": gain.family,
                "method": gain.comparison.method,
                "comparison": gain.comparison.text,
                f"gain [{level}]": _gain_cell(suite, gain),
                "p": p_text(gain.p),
                "p (Holm)": p_text(gain.p_adjusted),
                "detectable": _detectable(suite, gain),
                "seed share": _seed_share(suite, gain),
                "verdict": _short(gain.verdict),
            }
            for gain in rows
        ]
    )
    metric = METRICS[suite.analysis.metrics[0]].name
    if not rows:
        cells = pd.DataFrame({"family": ["none of the plan's families has its methods in this run"]})
    caption = joined(
        phantom_sentence(suite),
        f"Gains in {metric}, percentage points; {size_sentence(suite, sizes[MACRO])}",
        design_sentence(suite),
        tuning_sentence(suite),
        "Each family is decided here, p by Holm within it; intervals are not adjusted.",
        "A comparison against a method is a test of non-inferiority:",
        f"its p is for a gain of -{suite.analysis.margin_pp:g} points.",
        "detectable: the gain found with 80 % power, where not significant.",
        "seed share: part of the variance due to seeds, the rest is due to cases.",
        SCOPE,
        closing(suite, (name for gain in rows for name in gain.missing)),
    )
    return Table(f"Families of the plan, macro mean, suite {suite.run}", caption, "families", cells)


def _datasets(
    suite: Suite,
    planned: Sequence[Gain],
    shown: Sequence[Comparison],
    accuracies: Sequence[Accuracy],
    sizes: Sizes,
) -> Table:
    metric = suite.analysis.metrics[0]
    methods = tuple(dict.fromkeys([*(item.reference for item in shown), *(item.method for item in shown)]))
    means = {
        (item.dataset, item.method): MISSING
        if item.result.study is None
        else f"{100 * item.result.study.estimate:.1f}"
        for item in accuracies
        if item.final and item.metric == metric
    }
    found = {(gain.dataset, gain.comparison): gain for gain in planned}
    rows = []
    for dataset in (*suite.datasets, MACRO):
        name = f"{MACRO} of {len(independent(suite))}" if dataset == MACRO else dataset_text(suite, dataset)
        size = sizes[dataset]
        row = [f"{name} ({size[0]}, {size[1]})" if size else f"{name} ({MISSING})"]
        row += [means[(dataset, method)] for method in methods]
        for comparison in shown:
            gain = found[(dataset, comparison)]
            row += [_gain_cell(suite, gain), _decision(gain)]
        rows.append(row)
    headers = ["data set (images, groups)", *methods]
    for comparison in shown:
        headers += [comparison.text, "verdict" if comparison.kind == "non-inferiority" else "p"]
    level = f"{100 * (1 - suite.analysis.alpha):g} %"
    missing = (name for gain in planned if gain.comparison in shown for name in gain.missing)
    caption = joined(
        phantom_sentence(suite),
        f"{METRICS[metric].name.capitalize()} in percent (mean over seeds, last stage),",
        f"gains in percentage points with their {level} intervals, not adjusted;",
        size_sentence(suite, sizes[MACRO]),
        design_sentence(suite),
        tuning_sentence(suite),
        "p: Holm; in the macro row within the family that it decides, in the rows above within that family's",
        "secondary family of single data sets.",
        f"verdict: non-inferiority at {suite.analysis.margin_pp:g} points.",
        derived_sentence(suite),
        SCOPE,
        closing(suite, missing),
    )
    return Table(
        f"Gains by data set, suite {suite.run}", caption, "gains", pd.DataFrame(rows, columns=headers)
    )


def _gain_cell(suite: Suite, gain: Gain) -> str:
    low, high = interval(suite, gain)
    estimate = gain.study.estimate if gain.study else float("nan")
    return gain_text(100 * estimate, 100 * low, 100 * high)


def _decision(gain: Gain) -> str:
    """Return the verdict of a non-inferiority test; else the adjusted p, or why there is none."""
    if gain.comparison.kind == "non-inferiority" or not math.isfinite(gain.p_adjusted):
        return _short(gain.verdict)
    return p_text(gain.p_adjusted)


def _short(verdict: str) -> str:
    """Return a verdict without the list of what is missing, which the caption has."""
    return verdict.partition(":")[0]


def _detectable(suite: Suite, gain: Gain) -> str:
    if gain.study is None or few_seeds(suite) or gain.p_adjusted < suite.analysis.alpha:
        return "-"
    points = 100 * minimum_detectable(gain.study, suite.analysis.alpha)
    return f"{points:.1f}" if math.isfinite(points) else "-"


def _seed_share(suite: Suite, gain: Gain) -> str:
    share = float("nan") if gain.study is None or few_seeds(suite) else gain.study.seed_share
    return f"{100 * share:.0f} %" if math.isfinite(share) else "-"
