"""The tables of gains: the plan's families on the means that decide them, and the same on every data set."""

from collections.abc import Sequence

import pandas as pd

from weckd.analysis.evaluation import Evaluation
from weckd.analysis.gains import EXPLORATORY, Gain, decides, gains_frame
from weckd.analysis.metrics import METRICS
from weckd.analysis.tables.evaluated_cells import (
    decision_cell,
    detectable_cell,
    gain_cell,
    seed_share_cell,
    short_verdict,
)
from weckd.analysis.tables.studies import made_elsewhere, place_cell
from weckd.places import MACRO
from weckd.tables.captions import (
    NO_FAMILY,
    SCOPE,
    closing,
    derived_sentence,
    design_sentence,
    joined,
    phantom_sentence,
    size_sentence,
    tuning_sentence,
)
from weckd.tables.cells import MISSING, Cell, Name, P
from weckd.tables.files import Table, TableFile


def gains_tables(evaluation: Evaluation) -> TableFile:
    """Return every contrast as a frame; as tables the families of the plan, then each of them by data set."""
    suite, planned = evaluation.suite, evaluation.planned()
    frame = gains_frame(suite, evaluation.predictions, evaluation.gains)
    # A family that is decided on another mean holds no comparison that these do not.
    over_all = (gain.comparison for gain in planned if gain.comparison.decided_on == (MACRO,))
    families = dict.fromkeys(comparison.family for comparison in over_all)
    tables = [_families(evaluation, [gain for gain in planned if decides(gain)])]
    for family in families:
        rows = [g for g in planned if g.comparison.family == family and g.dataset in suite.datasets]
        tables.append(_by_dataset(evaluation, str(family), rows))
    imported: dict[str, list[Gain]] = {}
    for item in made_elsewhere(evaluation):
        rows = [gain for place, gain in item.gains.items() if place in (*suite.datasets, MACRO)]
        imported.setdefault(f"{item.comparison.method} made elsewhere", []).extend(rows)
    tables += [_by_dataset(evaluation, *of_method) for of_method in imported.items()]
    return TableFile("gains", frame, tables)


def _families(evaluation: Evaluation, rows: Sequence[Gain]) -> Table:
    suite, sizes = evaluation.suite, evaluation.sizes
    level = f"{100 * (1 - suite.analysis.alpha):g} % CI"
    cells = pd.DataFrame(
        [
            {
                "family": gain.family,
                "mean over": gain.dataset,
                "method": Name(gain.comparison.method),
                "comparison": gain.comparison.text,
                f"gain [{level}]": gain_cell(suite, gain),
                "p": P(gain.p),
                "p (adjusted)": P(gain.p_adjusted),
                "correction": gain.correction,
                "detectable": detectable_cell(suite, gain),
                "seed share": seed_share_cell(suite, gain),
                "verdict": short_verdict(gain.verdict),
            }
            for gain in rows
        ]
    )
    if not rows:
        cells = pd.DataFrame({"family": [NO_FAMILY]})
    caption = joined(
        phantom_sentence(suite),
        f"Gains in {METRICS[suite.analysis.metrics[0]].name}, percentage points;",
        size_sentence(suite, sizes[MACRO]),
        design_sentence(suite),
        tuning_sentence(suite),
        "Each family is decided here, at alpha of its own; p is corrected within it, intervals are not adjusted.",
        "A comparison against a method is a test of non-inferiority:",
        f"its p is for a gain of -{suite.analysis.margin_pp:g} points.",
        "detectable: the gain found with 80 % power, where not significant.",
        "seed share: part of the variance due to seeds, the rest is due to cases.",
        SCOPE,
        closing(suite, (name for gain in rows for name in gain.missing)),
    )
    return Table(f"Families of the plan, suite {suite.run}", caption, "families", cells)


def _by_dataset(evaluation: Evaluation, family: str, rows: Sequence[Gain]) -> Table:
    """Return a family's secondary rows, or a method's exploratory ones: data sets down, its comparisons across."""
    suite = evaluation.suite
    compared = tuple(dict.fromkeys(gain.comparison for gain in rows))
    found = {(gain.dataset, gain.comparison): gain for gain in rows}
    lines: list[list[Cell]] = []
    for dataset in dict.fromkeys(gain.dataset for gain in rows):
        size = evaluation.sizes[dataset]
        line: list[Cell] = [place_cell(suite, dataset)]
        line.append(f"{size[0]} ({size[1]})" if size else MISSING)
        for comparison in compared:
            gain = found[(dataset, comparison)]
            line += [gain_cell(suite, gain), decision_cell(gain)]
        lines.append(line)
    headers = ["data set", "images (groups)"]
    for comparison in compared:
        kind = "verdict" if comparison.kind == "non-inferiority" else "p"
        headers += [comparison.text, f"{kind}, {comparison.text}"]
    level = f"{100 * (1 - suite.analysis.alpha):g} %"
    planned = rows[0].family != EXPLORATORY
    of_what = (
        "the family's secondary one of single data sets"
        if planned
        else "exploratory, in no family of the plan"
    )
    caption = joined(
        phantom_sentence(suite),
        f"Gains of {compared[0].method} in {METRICS[suite.analysis.metrics[0]].name}, percentage points, with their "
        f"{level} intervals, not adjusted; p: {rows[0].correction}, {of_what}.",
        f"verdict: non-inferiority at {suite.analysis.margin_pp:g} points."
        if compared[0].kind == "non-inferiority"
        else "",
        design_sentence(suite),
        tuning_sentence(suite),
        derived_sentence(suite),
        SCOPE,
        closing(suite, (name for gain in rows for name in gain.missing)),
    )
    label = "gains-" + family.replace(" ", "-")
    return Table(
        f"{family.capitalize()}, by data set, suite {suite.run}",
        caption,
        label,
        pd.DataFrame(lines, columns=headers),
    )
