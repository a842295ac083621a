"""Cells and CSV rows of studies, and the comparisons without repetition: the plan's, and those made elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from weckd.analysis.comparisons import Comparison, Kind
from weckd.analysis.contrasts import Result
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.gains import EXPLORATORY, Gain, decides
from weckd.analysis.imported import IMPORTED
from weckd.analysis.inference.reader_study import Study, half_width
from weckd.analysis.metrics import METRICS
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, is_phantom, places
from weckd.tables import cells
from weckd.tables.captions import mean_or_dataset
from weckd.tables.cells import MISSING, Name

IDENTICAL = "identical"
NOTHING_KNOWN = float("nan")
UNTESTED: Mapping[str, object] = {
    "test": "",
    "family": "not tested",
    "correction": "",
    "alpha": NOTHING_KNOWN,
    "p": NOTHING_KNOWN,
    "p_adjusted": NOTHING_KNOWN,
    "verdict": "",
}
"""What stands in the columns of `gain_row` where nothing is tested."""


@dataclass(frozen=True)
class Planned:
    """A comparison on every data set and mean: of one or more of the plan's families, or of a method made elsewhere."""

    comparison: Comparison
    gains: Mapping[str, Gain]  # by data set or mean: the row that decides a family, where one does

    @property
    def family(self) -> str:
        """The plan's first family that holds the comparison, or that it only explores."""
        return self.comparison.family or EXPLORATORY


def planned_once(evaluation: Evaluation, *kinds: Kind) -> tuple[Planned, ...]:
    """Return the plan's comparisons of some kinds on the primary metric, each once.

    Where several families hold a comparison, a mean's row is that of the family it decides; all other rows are
    those of the family that is decided on the mean over all data sets.
    """
    found: dict[tuple[str, str, int, str], list[Comparison]] = {}
    rows: dict[tuple[Comparison, str], Gain] = {}
    for gain in evaluation.planned():
        comparison = gain.comparison
        rows[(comparison, gain.dataset)] = gain
        if comparison.kind in kinds:
            key = (comparison.kind, comparison.method, comparison.stage, comparison.reference)
            known = found.setdefault(key, [])
            if comparison not in known:
                known.append(comparison)
    planned = []
    for same in found.values():
        ordered = sorted(same, key=lambda comparison: comparison.decided_on != (MACRO,))
        gains = {}
        for place in places(evaluation.suite):
            of_place = [rows[(comparison, place)] for comparison in ordered]
            gains[place] = next((gain for gain in of_place if decides(gain)), of_place[0])
        planned.append(Planned(ordered[0], gains))
    return tuple(planned)


def made_elsewhere(evaluation: Evaluation) -> tuple[Planned, ...]:
    """Return the comparisons of imported methods on the primary metric, which are in no family of the plan."""
    suite = evaluation.suite
    found: dict[Comparison, dict[str, Gain]] = {}
    for gain in evaluation.gains:
        if suite.roles[gain.comparison.method] == IMPORTED and gain.metric == suite.analysis.metrics[0]:
            found.setdefault(gain.comparison, {})[gain.dataset] = gain
    return tuple(Planned(comparison, gains) for comparison, gains in found.items())


def place_cell(suite: Suite, place: str) -> Name:
    """Return a data set, marked where it is derived, or a mean with the number of its data sets."""
    return Name(place, mean_or_dataset(suite, place).removeprefix(place))


def size_cell(evaluation: Evaluation, place: str) -> str:
    """Return test images and groups."""
    size = evaluation.sizes[place]
    return f"{size[0]} ({size[1]})" if size else MISSING


def confidence(suite: Suite) -> str:
    """Return the confidence level of the intervals."""
    return f"{100 * (1 - suite.analysis.alpha):g} %"


def study_interval(suite: Suite, study: Study | None) -> tuple[float, float]:
    """Return the two-sided interval at 1 - alpha; NaN with too few seeds."""
    if study is None or few_seeds(suite):
        return NOTHING_KNOWN, NOTHING_KNOWN
    half = half_width(study, 1 - suite.analysis.alpha)
    return study.estimate - half, study.estimate + half


def difference_cell(suite: Suite, study: Study | None, metric: str) -> cells.Gain:
    """Return a difference with its interval."""
    shown, (low, high) = METRICS[metric], study_interval(suite, study)
    estimate = shown.scale * study.estimate if study else NOTHING_KNOWN
    return cells.Gain(estimate, shown.scale * low, shown.scale * high, shown.unit == "percent")


def untested_cell(suite: Suite, result: Result, metric: str) -> cells.Cell:
    """Return a difference with its interval, or that the predictions are identical, where no p stands beside it."""
    if result.study is not None and result.study.all_zero:
        return IDENTICAL
    return difference_cell(suite, result.study, metric)


def study_row(
    evaluation: Evaluation,
    place: str,
    identity: Mapping[str, object],
    result: Result,
    metric: str,
    unit: str,
    more: Mapping[str, object],
) -> dict[str, object]:
    """Return a row of a long frame: numbers in the unit of the row, NaN where not defined.

    Args:
        evaluation: the run.
        place: data set or mean.
        identity: columns that say what the row is of.
        result: the study, or what is missing for it.
        metric: key in `METRICS`.
        unit: in the place of "percent": "points" for differences.
        more: columns behind the estimate.
    """
    suite, size, study, shown = evaluation.suite, evaluation.sizes[place], result.study, METRICS[metric]
    low, high = study_interval(suite, study)
    return {
        "suite": suite.run,
        "phantom": is_phantom(suite, place),
        "dataset": place,
        **identity,
        "metric": metric,
        "k": len(suite.seeds),
        "n_images": size[0] if size else pd.NA,
        "n_groups": size[1] if size else pd.NA,
        "unit": unit if shown.unit == "percent" else shown.unit,
        "estimate": shown.scale * study.estimate if study else NOTHING_KNOWN,
        "ci_low": shown.scale * low,
        "ci_high": shown.scale * high,
        "se": shown.scale * study.se if study else NOTHING_KNOWN,
        "df": study.df if study else NOTHING_KNOWN,
        **more,
        "missing": "; ".join(result.missing),
        "plan_hash": suite.plan_hash,
    }


def gain_row(evaluation: Evaluation, gain: Gain, identity: Mapping[str, object]) -> dict[str, object]:
    """Return the row of a tested gain, with its test, family, correction, p and verdict."""
    comparison = gain.comparison
    of = {
        **identity,
        "method": comparison.method,
        "stage": comparison.stage,
        "reference": comparison.reference,
    }
    tested = {
        "test": gain.test,
        "family": gain.family,
        "correction": gain.correction,
        "alpha": evaluation.suite.analysis.alpha,
        "p": gain.p,
        "p_adjusted": gain.p_adjusted,
        "verdict": gain.verdict,
    }
    result = Result(gain.study, gain.missing)
    return study_row(evaluation, gain.dataset, of, result, gain.metric, "points", tested)
