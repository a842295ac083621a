"""What the tables of means share: the plan's comparisons, their caption, and what is said where there are none."""

from collections.abc import Iterable, Sequence

from weckd.analysis.evaluation import Evaluation
from weckd.analysis.inference.reader_study import Study
from weckd.analysis.metrics import METRICS
from weckd.analysis.tables.studies import (
    IDENTICAL,
    Planned,
    confidence,
    made_elsewhere,
    planned_once,
)
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, independent
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
from weckd.tables.cells import Cell, Joined, Name


def compared_on_means(evaluation: Evaluation) -> tuple[Planned, ...]:
    """Return the plan's comparisons of methods, each once, then those of methods made elsewhere."""
    return (*planned_once(evaluation, "superiority", "non-inferiority"), *made_elsewhere(evaluation))


def comparison_cell(planned: Planned) -> Cell:
    """Return what is compared, as a cell."""
    return Joined((Name(planned.comparison.method), planned.comparison.text))


def independent_studies(suite: Suite, planned: Planned) -> dict[str, Study]:
    """Return the independent data sets' studies; empty where one is missing."""
    found = {key: study for key in independent(suite) if (study := planned.gains[key].study) is not None}
    return found if len(found) == len(independent(suite)) else {}


def why_not_together(suite: Suite, planned: Planned) -> str:
    """Return why data sets cannot be taken together; empty where they can."""
    studies = independent_studies(suite, planned)
    if not studies:
        return "missing"
    if all(study.all_zero for study in studies.values()):
        return IDENTICAL
    return f"descriptive only (k < {suite.analysis.minimum_seeds})" if few_seeds(suite) else ""


def margin_sentence(suite: Suite) -> str:
    """Return the null of the comparisons *against* a method."""
    return (
        "A comparison against a method is a test of non-inferiority: its null is a gain of "
        f"-{suite.analysis.margin_pp:g} points."
    )


def means_caption(evaluation: Evaluation, notes: Sequence[str], missing: Iterable[str]) -> str:
    """Return the caption of a table of means: what they are, a table's own notes, and what is missing."""
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
