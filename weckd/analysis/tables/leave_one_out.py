"""The table of means with each data set left out."""

from collections.abc import Mapping

import pandas as pd

from weckd.analysis.contrasts import Result
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.inference.data_sets import leave_one_out
from weckd.analysis.inference.nine_tests import Hypothesis
from weckd.analysis.inference.reader_study import Study, p_value
from weckd.analysis.metrics import METRICS
from weckd.analysis.tables.compared import (
    compared_on_means,
    comparison_cell,
    independent_studies,
    margin_sentence,
    means_caption,
    why_not_together,
)
from weckd.analysis.tables.evaluated_cells import gain_cell
from weckd.analysis.tables.studies import (
    IDENTICAL,
    NOTHING_KNOWN,
    Planned,
    confidence,
    difference_cell,
    study_row,
)
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, independent
from weckd.tables.captions import NO_FAMILY, mean_or_dataset
from weckd.tables.cells import NOTHING, Cell, Joined, Name
from weckd.tables.files import Table, TableFile, nothing_to_show

TITLE = "One data set left out"
ONE_DATA_SET = "one data set"
SIDES = {1: "above", -1: "below", 0: "undecided", None: "no p"}
"""Where a mean lies in relation to its null, by `Hypothesis.side`."""


def leave_one_out_table(evaluation: Evaluation) -> TableFile:
    """Return each comparison's smallest and largest mean with one data set left out, and what becomes of it."""
    suite, compared = evaluation.suite, compared_on_means(evaluation)
    if not compared:
        return nothing_to_show(suite, "leave-one-out", TITLE, "comparison", NO_FAMILY)
    title = f"{TITLE}, suite {suite.run}"
    found = [_left_out(suite, planned) for planned in compared]
    rows = [
        row
        for planned, left_out in zip(compared, found, strict=True)
        for row in _left_out_rows(evaluation, planned, left_out)
    ]
    level = confidence(suite)
    lines = [_left_out_cells(suite, *pair) for pair in zip(compared, found, strict=True)]
    headers = [
        "comparison",
        f"{mean_or_dataset(suite, MACRO)} [{level} CI]",
        "smallest",
        "largest",
        "verdict",
    ]
    caption = means_caption(
        evaluation,
        (
            "smallest, largest: of the means over the other independent data sets, with the data set left out.",
            "verdict: whether the mean is significantly above or below its null, or neither, by the two-way p of each "
            f"mean at alpha, not adjusted. {margin_sentence(suite)} Sensitivity, in no family.",
        ),
        (name for planned in compared for name in planned.gains[MACRO].missing),
    )
    table = Table(title, caption, "leave-one-out", pd.DataFrame(lines, columns=headers))
    return TableFile("leave-one-out", pd.DataFrame(rows), [table])


def _left_out(suite: Suite, planned: Planned) -> dict[str, Study]:
    studies = independent_studies(suite, planned)
    return leave_one_out(studies) if studies else {}


def _left_out_cells(suite: Suite, planned: Planned, left_out: Mapping[str, Study]) -> list[Cell]:
    start = [comparison_cell(planned), gain_cell(suite, planned.gains[MACRO])]
    why_not = why_not_together(suite, planned)
    if not left_out or why_not in ("missing", IDENTICAL):
        return [*start, NOTHING, NOTHING, why_not or ONE_DATA_SET]
    ordered = sorted(left_out, key=lambda key: left_out[key].estimate)
    ends: list[Cell] = [_left_out_cell(suite, left_out[key], key) for key in (ordered[0], ordered[-1])]
    return [*start, *ends, why_not or _stays(suite, planned, left_out)]


def _left_out_cell(suite: Suite, study: Study, key: str) -> Cell:
    return Joined((difference_cell(suite, study, suite.analysis.metrics[0]), "without", Name(key)))


def _stays(suite: Suite, planned: Planned, left_out: Mapping[str, Study]) -> str:
    study = planned.gains[MACRO].study
    whole = "" if study is None else _side(suite, planned, study)
    changed = {key: side for key, x in left_out.items() if (side := _side(suite, planned, x)) != whole}
    then = "; ".join(f"{side} without {key}" for key, side in changed.items())
    return f"{whole}; {then}" if changed else f"{whole}, stays"


def _side(suite: Suite, planned: Planned, study: Study) -> str:
    """Return on which side of the null a mean lies, by its own p."""
    null = planned.comparison.null
    side = Hypothesis(suite.analysis.alpha, null).side(study.estimate, p_value(study, null))
    return SIDES[side]


def _left_out_rows(
    evaluation: Evaluation, planned: Planned, left_out: Mapping[str, Study]
) -> list[dict[str, object]]:
    """Return a row for the mean over all independent data sets and one for each that is left out."""
    suite, comparison, row = evaluation.suite, planned.comparison, planned.gains[MACRO]
    results = {"": Result(row.study, row.missing), **{key: Result(x) for key, x in left_out.items()}}
    lines = []
    for key, result in results.items():
        tested = result.study is not None and not few_seeds(suite)
        of = {
            "left_out": key,
            "n_datasets": len(independent(suite)) - bool(key),
            "method": comparison.method,
            "stage": comparison.stage,
            "reference": comparison.reference,
        }
        more = {
            "alpha": suite.analysis.alpha,
            "null": METRICS[row.metric].scale * comparison.null,
            "p": p_value(result.study, comparison.null) if result.study and tested else NOTHING_KNOWN,
            "side": _side(suite, planned, result.study) if result.study and tested else "",
        }
        line = study_row(evaluation, MACRO, of, result, row.metric, "points", more)
        if result.study is not None:
            line |= {"n_images": result.study.n_images, "n_groups": result.study.n_groups}
        lines.append(line)
    return lines
