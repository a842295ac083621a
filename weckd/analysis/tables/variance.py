"""The tables of variance: what limits each comparison, and whether more seeds or more cases would help."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from weckd.analysis.contrasts import Result
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.inference.reader_study import Study, mean_study, minimum_detectable
from weckd.analysis.metrics import METRICS
from weckd.analysis.tables.studies import (
    NOTHING_KNOWN,
    Planned,
    confidence,
    made_elsewhere,
    place_cell,
    planned_once,
    study_row,
    untested_cell,
)
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, means, places
from weckd.tables.captions import (
    NO_FAMILY,
    SCOPE,
    closing,
    derived_sentence,
    design_sentence,
    joined,
    phantom_sentence,
    size_sentence,
)
from weckd.tables.cells import NATS_DIGITS, NOTHING, Cell, Number
from weckd.tables.files import Table, TableFile, nothing_to_show

MOST = 2 / 3
"""A part above this share of the variance is the one to work on."""


@dataclass(frozen=True)
class _Row:
    """One comparison on one data set or mean; fractions."""

    planned: Planned
    place: str
    study: Study | None
    missing: tuple[str, ...]
    doubled: Study | None  # what twice as many seeds would give


def variance_table(evaluation: Evaluation) -> TableFile:
    """Return the parts of the variance of every comparison of the plan; a table a family."""
    suite = evaluation.suite
    planned = planned_once(evaluation, "superiority", "non-inferiority", "trend", "links")
    compared = (*planned, *made_elsewhere(evaluation))
    if not compared:
        return nothing_to_show(suite, "variance", "Variance", "data set", NO_FAMILY)
    rows = [row for planned in compared for row in _rows(suite, planned)]
    tables = [
        _table(evaluation, family, [row for row in rows if _table_of(row.planned) == family])
        for family in dict.fromkeys(map(_table_of, compared))
    ]
    return TableFile("variance", pd.DataFrame([_line(evaluation, row) for row in rows]), tables)


def twice_the_seeds(study: Study) -> Study:
    """Return what twice as many seeds would give on one data set, were they like those at hand.

    The seed part halves, A/2 with 2k - 1 df; the case part c with G - 1 stays:

        SE^2 = A/2 + c,    df = SE^4 / ( (A/2)^2 / (2k - 1) + c^2 / (G - 1) )
    """
    seed_part, case_part = study.seed_part / 2, study.case_part
    df = NOTHING_KNOWN
    if seed_part + case_part > 0:
        spread = seed_part**2 / (2 * len(study.per_seed) - 1) + case_part**2 / (study.n_groups - 1)
        df = (seed_part + case_part) ** 2 / spread
    return dataclasses.replace(study, seed_part=seed_part, df=df)


def advice(study: Study) -> str:
    """Return which part of the variance is above two thirds and so the one to work on; "-" where nothing varies."""
    if math.isnan(study.seed_share):
        return NOTHING
    if study.seed_share > MOST:
        return "more seeds"
    return "more cases" if 1 - study.seed_share > MOST else "both"


def _table_of(planned: Planned) -> str:
    """Return the family whose table holds a comparison; a method made elsewhere has a table of its own."""
    return planned.comparison.family or f"{planned.comparison.method} made elsewhere"


def _rows(suite: Suite, planned: Planned) -> list[_Row]:
    doubled = {
        key: twice_the_seeds(study)
        for key in suite.datasets
        if (study := planned.gains[key].study) is not None
    }
    for mean, keys in means(suite).items():
        if planned.gains[mean].study is not None:
            doubled[mean] = mean_study([doubled[key] for key in keys])
    return [
        _Row(planned, place, planned.gains[place].study, planned.gains[place].missing, doubled.get(place))
        for place in places(suite)
    ]


def _table(evaluation: Evaluation, family: str, rows: Sequence[_Row]) -> Table:
    suite, metric = evaluation.suite, evaluation.suite.analysis.metrics[0]
    level, shares = confidence(suite), [_seed_share(suite, row.study) for row in rows]
    columns: dict[str, list[Cell]] = {
        "comparison": [row.planned.comparison.text for row in rows],
        "data set": [place_cell(suite, row.place) for row in rows],
        f"gain [{level} CI]": [untested_cell(suite, Result(row.study, row.missing), metric) for row in rows],
        "SE": [_number(suite, _se(row.study)) for row in rows],
        "seeds": [Number(100 * share, 0, " %") for share in shares],
        "cases": [Number(100 * (1 - share), 0, " %") for share in shares],
        "detectable": [_number(suite, _detectable(suite, row.study)) for row in rows],
        "more of what": [_advice_text(suite, row.study) for row in rows],
        "SE, 2k seeds": [_number(suite, _se(row.doubled)) for row in rows],
        "detectable, 2k seeds": [_number(suite, _detectable(suite, row.doubled)) for row in rows],
    }
    caption = joined(
        phantom_sentence(suite),
        f"What limits the gains of {rows[0].planned.comparison.method} in {METRICS[metric].name}, percentage points, "
        f"with their {level} intervals; SE: standard error; seeds, cases: shares of its variance; detectable: the "
        "gain found with 80 % power.",
        "more of what: the part above two thirds of the variance, else both. 2k seeds: what twice as many seeds "
        "would give, SE^2 = A/2 + c with the seed part A halved and the case part c as it is.",
        size_sentence(suite, evaluation.sizes[MACRO]),
        design_sentence(suite),
        "Nothing is tested here: the family is where the comparisons come from; one that several families hold stands "
        "once.",
        derived_sentence(suite),
        SCOPE,
        closing(suite, (name for row in rows for name in row.missing)),
    )
    label = "variance-" + family.replace(" ", "-")
    return Table(f"Variance, {family}, suite {suite.run}", caption, label, pd.DataFrame(columns))


def _se(study: Study | None) -> float:
    return NOTHING_KNOWN if study is None or study.all_zero else study.se


def _detectable(suite: Suite, study: Study | None) -> float:
    return minimum_detectable(study, suite.analysis.alpha) if study else NOTHING_KNOWN


def _number(suite: Suite, value: float) -> Cell:
    """Return a number in the unit of the primary metric; nothing where it is not known or seeds are too few."""
    metric = METRICS[suite.analysis.metrics[0]]
    shown = NOTHING_KNOWN if few_seeds(suite) else metric.scale * value
    return Number(shown, None if metric.unit == "percent" else NATS_DIGITS)


def _seed_share(suite: Suite, study: Study | None) -> float:
    return NOTHING_KNOWN if study is None or few_seeds(suite) else study.seed_share


def _advice_text(suite: Suite, study: Study | None) -> str:
    return NOTHING if study is None or few_seeds(suite) else advice(study)


def _line(evaluation: Evaluation, row: _Row) -> dict[str, object]:
    suite, metric = evaluation.suite, evaluation.suite.analysis.metrics[0]
    comparison, inferential = row.planned.comparison, row.study is not None and not few_seeds(suite)
    scale = METRICS[metric].scale
    share = _seed_share(suite, row.study)
    of = {
        "family": row.planned.family,
        "method": comparison.method,
        "stage": comparison.stage,
        "reference": comparison.reference,
    }
    more = {
        "alpha": suite.analysis.alpha,
        "seed_share": share,
        "case_share": 1 - share,
        "min_detectable": scale * _detectable(suite, row.study) if inferential else NOTHING_KNOWN,
        "advice": _advice_text(suite, row.study),
        "se_twice_the_seeds": scale * _se(row.doubled) if inferential else NOTHING_KNOWN,
        "min_detectable_twice_the_seeds": scale * _detectable(suite, row.doubled)
        if inferential
        else NOTHING_KNOWN,
    }
    return study_row(evaluation, row.place, of, Result(row.study, row.missing), metric, "points", more)
