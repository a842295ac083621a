"""The tables across data sets: these and a new one, by modality, and with each data set left out."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from weckd.analysis.captions import (
    SCOPE,
    closing,
    derived_sentence,
    design_sentence,
    joined,
    mean_or_dataset,
    phantom_sentence,
    size_sentence,
    tuning_sentence,
)
from weckd.analysis.contrasts import MACRO, Result, independent, means
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.gains import few_seeds
from weckd.analysis.inference.estimate import Estimate
from weckd.analysis.inference.leave_one_out import leave_one_out
from weckd.analysis.inference.new_data_set import NewDataSet, new_data_set
from weckd.analysis.inference.reader_study import Study, p_value
from weckd.analysis.inference.sensitivity.row import Hypothesis
from weckd.analysis.metrics import METRICS, Metric
from weckd.analysis.tables import cells
from weckd.analysis.tables.cells import NATS_DIGITS, NOTHING, Cell, Joined, Name, Number, P
from weckd.analysis.tables.evaluated_cells import decision_cell, gain_cell
from weckd.analysis.tables.files import Table, TableFile
from weckd.analysis.tables.studies import (
    IDENTICAL,
    NOTHING_KNOWN,
    Planned,
    confidence,
    difference_cell,
    gain_row,
    planned_once,
    study_row,
)
from weckd.analysis.tables.wins import COUNT, wins_ties_losses
from weckd.config import Suite

NOT_IN_RUN = "none of the plan's comparisons has its methods in this run"
ONE_DATA_SET = "one data set"
SIDES = {1: "above", -1: "below", 0: "undecided", None: "no p"}
"""Where a mean lies in relation to its null, by `Hypothesis.side`."""


def across_table(evaluation: Evaluation) -> TableFile:
    """Return for each comparison of the plan what these data sets say, and what they say about a new one."""
    suite, compared = evaluation.suite, _compared(evaluation)
    title = f"Across data sets, suite {suite.run}"
    if not compared:
        return _nothing(suite, "across", title)
    futures = [_future(suite, planned) for planned in compared]
    level = confidence(suite)
    headers = [
        "comparison",
        f"these: {mean_or_dataset(suite, MACRO)} [{level} CI]",
        "p (adjusted)",
        f"new: t over means [{level} CI]",
        "p, t over means",
        f"new: random effects [{level} CI]",
        "p, random effects",
        "tau",
        f"{level} prediction, true gain",
        f"{level} prediction, measured gain",
        COUNT,
    ]
    lines = [_across_cells(suite, *pair) for pair in zip(compared, futures, strict=True)]
    decided = dict.fromkeys(
        f"{planned.gains[MACRO].family} ({planned.gains[MACRO].correction})" for planned in compared
    )
    caption = _caption(
        evaluation,
        (
            "these: new seeds and cases, the same data sets, which is what the plan decides by; p: adjusted, in its "
            f"family: {'; '.join(decided)}. {_margin_sentence(suite)}",
            "new: the data sets as a sample of such, in no family, p not adjusted; t over the data-set means, and "
            "random effects (Paule-Mandel tau, the standard deviation between data sets; modified "
            "Hartung-Knapp-Sidik-Jonkman interval).",
            "prediction: where the gain lies that one more data set has (random effects), and that its test would "
            "measure (t over means).",
            f"{COUNT}: data sets, derived ones too, whose gain is significantly beyond its null, neither, or below it "
            "(adjusted in the secondary family of single data sets).",
        ),
        (name for planned in compared for row in planned.gains.values() for name in row.missing),
    )
    table = Table(title, caption, "across", pd.DataFrame(lines, columns=headers))
    rows = [_across_row(evaluation, *pair) for pair in zip(compared, futures, strict=True)]
    return TableFile("across", pd.DataFrame(rows), [table])


def modality_table(evaluation: Evaluation) -> TableFile:
    """Return each comparison of the plan on the mean over each modality's independent data sets."""
    suite, compared = evaluation.suite, _compared(evaluation)
    title = f"By modality, suite {suite.run}"
    if not compared:
        return _nothing(suite, "modality", title)
    names = [name for name in means(suite) if name != MACRO]
    rows = [
        gain_row(evaluation, planned.gains[name], {"n_datasets": len(means(suite)[name])})
        for planned in compared
        for name in names
    ]
    columns: dict[str, list[Cell]] = {"comparison": [_comparison_cell(planned) for planned in compared]}
    for name in names:
        header = mean_or_dataset(suite, name)
        columns[header] = [gain_cell(suite, planned.gains[name]) for planned in compared]
        columns[f"p, {header}"] = [decision_cell(planned.gains[name]) for planned in compared]
    held = "; ".join(f"{name.removeprefix(f'{MACRO} ')}: {', '.join(means(suite)[name])}" for name in names)
    decided = dict.fromkeys(
        f"{planned.gains[name].family} ({planned.gains[name].correction})"
        for planned in compared
        for name in names
    )
    caption = _caption(
        evaluation,
        (
            f"Data sets: {held}. p: adjusted, in families of their own and secondary ones: {'; '.join(decided)}.",
            _margin_sentence(suite),
        ),
        (name for planned in compared for place in names for name in planned.gains[place].missing),
    )
    return TableFile(
        "modality", pd.DataFrame(rows), [Table(title, caption, "modality", pd.DataFrame(columns))]
    )


def leave_one_out_table(evaluation: Evaluation) -> TableFile:
    """Return each comparison's smallest and largest mean with one data set left out, and what becomes of it."""
    suite, compared = evaluation.suite, _compared(evaluation)
    title = f"One data set left out, suite {suite.run}"
    if not compared:
        return _nothing(suite, "leave-one-out", title)
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
    caption = _caption(
        evaluation,
        (
            "smallest, largest: of the means over the other independent data sets, with the data set left out.",
            "verdict: whether the mean is significantly above or below its null, or neither, by the two-way p of each "
            f"mean at alpha, not adjusted. {_margin_sentence(suite)} Sensitivity, in no family.",
        ),
        (name for planned in compared for name in planned.gains[MACRO].missing),
    )
    table = Table(title, caption, "leave-one-out", pd.DataFrame(lines, columns=headers))
    return TableFile("leave-one-out", pd.DataFrame(rows), [table])


def _compared(evaluation: Evaluation) -> tuple[Planned, ...]:
    return planned_once(evaluation, "superiority", "non-inferiority")


def _comparison_cell(planned: Planned) -> Cell:
    return Joined((Name(planned.comparison.method), planned.comparison.text))


def _nothing(suite: Suite, name: str, title: str) -> TableFile:
    nothing = pd.DataFrame({"comparison": [NOT_IN_RUN]})
    caption = joined(phantom_sentence(suite), closing(suite))
    return TableFile(name, nothing, [Table(title, caption, name, nothing)])


def _studies(suite: Suite, planned: Planned) -> dict[str, Study]:
    """Return the independent data sets' studies; empty where one is missing."""
    found = {key: study for key in independent(suite) if (study := planned.gains[key].study) is not None}
    return found if len(found) == len(independent(suite)) else {}


@dataclass(frozen=True)
class _Future:
    """What a comparison says about a new data set, or why nothing."""

    found: NewDataSet | None
    why_not: str = ""


def _future(suite: Suite, planned: Planned) -> _Future:
    studies, why_not = _studies(suite, planned), _why_not(suite, planned)
    if why_not:
        return _Future(None, why_not)
    return _Future(new_data_set(list(studies.values()), 1 - suite.analysis.alpha, planned.comparison.null))


def _why_not(suite: Suite, planned: Planned) -> str:
    """Return why data sets cannot be taken together; empty where they can."""
    studies = _studies(suite, planned)
    if not studies:
        return "missing"
    if all(study.all_zero for study in studies.values()):
        return IDENTICAL
    return f"descriptive only (k < {suite.analysis.minimum_seeds})" if few_seeds(suite) else ""


def _across_cells(suite: Suite, planned: Planned, future: _Future) -> list[Cell]:
    row = planned.gains[MACRO]
    start = [_comparison_cell(planned), gain_cell(suite, row), decision_cell(row)]
    return [*start, *_new_cells(suite, future), _count(suite, planned)]


def _count(suite: Suite, planned: Planned) -> str:
    if few_seeds(suite):
        return NOTHING
    return wins_ties_losses(suite.analysis.alpha, [planned.gains[key] for key in suite.datasets])


def _new_cells(suite: Suite, future: _Future) -> list[Cell]:
    if future.found is None:
        return [future.why_not, *[NOTHING] * 6]
    metric, found = METRICS[suite.analysis.metrics[0]], future.found
    digits = None if metric.unit == "percent" else NATS_DIGITS
    return [
        _estimate_cell(metric, found.over_means),
        P(found.over_means.p),
        _estimate_cell(metric, found.random_effects),
        P(found.random_effects.p),
        Number(metric.scale * math.sqrt(found.tau2), digits),
        _range_cell(metric.scale * found.prediction_low, metric.scale * found.prediction_high, digits),
        _range_cell(metric.scale * found.measured_low, metric.scale * found.measured_high, digits),
    ]


def _estimate_cell(metric: Metric, estimate: Estimate) -> Cell:
    """Return an estimate and its interval; nothing where a data set on which nothing varies forbids one."""
    if math.isnan(estimate.value):
        return NOTHING
    low, high = metric.scale * estimate.low, metric.scale * estimate.high
    return cells.Gain(metric.scale * estimate.value, low, high, metric.unit == "percent")


def _range_cell(low: float, high: float, digits: int | None) -> Cell:
    return NOTHING if math.isnan(low) else Joined((Number(low, digits), "to", Number(high, digits)))


def _across_row(evaluation: Evaluation, planned: Planned, future: _Future) -> dict[str, object]:
    """Return the row of the mean over these data sets, with what they say about a new one behind it."""
    suite, found = evaluation.suite, future.found
    scale = METRICS[suite.analysis.metrics[0]].scale
    row = gain_row(evaluation, planned.gains[MACRO], {"n_datasets": len(independent(suite))})
    for name, estimate in (
        ("t_over_means", found.over_means if found else None),
        ("random_effects", found.random_effects if found else None),
    ):
        row |= {
            name: scale * estimate.value if estimate else NOTHING_KNOWN,
            f"{name}_ci_low": scale * estimate.low if estimate else NOTHING_KNOWN,
            f"{name}_ci_high": scale * estimate.high if estimate else NOTHING_KNOWN,
            f"{name}_p": estimate.p if estimate else NOTHING_KNOWN,
        }
    row |= {
        "tau": scale * math.sqrt(found.tau2) if found else NOTHING_KNOWN,
        "prediction_low": scale * found.prediction_low if found else NOTHING_KNOWN,
        "prediction_high": scale * found.prediction_high if found else NOTHING_KNOWN,
        "measured_low": scale * found.measured_low if found else NOTHING_KNOWN,
        "measured_high": scale * found.measured_high if found else NOTHING_KNOWN,
        "wins_ties_losses": _count(suite, planned),
        "plan_hash": row.pop("plan_hash"),
    }
    return row


def _left_out(suite: Suite, planned: Planned) -> dict[str, Study]:
    studies = _studies(suite, planned)
    return leave_one_out(studies) if studies else {}


def _left_out_cells(suite: Suite, planned: Planned, left_out: Mapping[str, Study]) -> list[Cell]:
    start = [_comparison_cell(planned), gain_cell(suite, planned.gains[MACRO])]
    why_not = _why_not(suite, planned)
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


def _margin_sentence(suite: Suite) -> str:
    return (
        "A comparison against a method is a test of non-inferiority: its null is a gain of "
        f"-{suite.analysis.margin_pp:g} points."
    )


def _caption(evaluation: Evaluation, notes: Sequence[str], missing: Iterable[str]) -> str:
    suite = evaluation.suite
    return joined(
        phantom_sentence(suite),
        f"Gains in {METRICS[suite.analysis.metrics[0]].name}, percentage points, with their {confidence(suite)} "
        "intervals, not adjusted;",
        size_sentence(suite, evaluation.sizes[MACRO]),
        design_sentence(suite),
        tuning_sentence(suite),
        *notes,
        derived_sentence(suite),
        SCOPE,
        closing(suite, missing),
    )
