"""The tables of robustness: nine tests of each primary claim, and what limits each comparison."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from weckd.analysis.contrasts import Result
from weckd.analysis.estimates import IDENTICAL, NOT_KNOWN, Estimate, Gain, estimate
from weckd.analysis.inference.nine_tests import PROCEDURE, Row, nine_tests, robust
from weckd.analysis.inference.paired_tests import Paired
from weckd.analysis.inference.reader_study import Study, mean_study
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.scores import correct
from weckd.analysis.results import Compared, Results
from weckd.analysis.sheet import (
    compared_of,
    confidence,
    csv_head,
    csv_row,
    listed,
    number_cell,
    place_cell,
    primary_name,
    run_caption,
    untested_cell,
)
from weckd.errors import counted
from weckd.places import MACRO, few_seeds, independent, means, places
from weckd.tables.captions import NO_FAMILY
from weckd.tables.cells import NOTHING, Cell, Number, P
from weckd.tables.cells import Gain as GainCell
from weckd.tables.render import Table, TableFile, nothing_to_show, sheet

METRIC = "accuracy"
"""The nine tests compare right and wrong answers."""
NOTE_WIDTH = 60
"""Characters; a longer note would make the table wider than a page."""
IN_CAPTION = "see the caption"
MOST = 2 / 3
"""A part above this share of the variance is the one to work on."""


def sensitivity_table(run: Results) -> TableFile:
    """Return nine tests of each gain that decides a superiority family on the mean over all data sets."""
    claimed = [
        gain
        for gain in run.planned
        if gain.comparison.kind == "superiority" and gain.dataset == MACRO and gain.decides
    ]
    if not claimed:
        return nothing_to_show(run.suite, "sensitivity", "Sensitivity", "test", NO_FAMILY)
    found = [(gain, why := _why_not(run, gain), () if why else _tests(run, gain)) for gain in claimed]
    rows = [line for gain, why_not, tests in found for line in _sensitivity_rows(run, gain, why_not, tests)]
    return TableFile("sensitivity", pd.DataFrame(rows), [_sensitivity(run, *item) for item in found])


def _why_not(run: Results, gain: Gain) -> str:
    """Return why the nine tests are not done; empty where they are."""
    suite = run.suite
    if gain.metric != METRIC:
        return f"not done: the tests are of {METRIC}, the primary metric is {METRICS[gain.metric].name}"
    if gain.estimate.study is None:
        return f"not done, missing: {'; '.join(gain.estimate.missing)}"
    if few_seeds(suite):
        return f"not done: {counted(len(suite.seeds), 'seed')}, at least {suite.analysis.minimum_seeds} are needed"
    return ""


def _tests(run: Results, gain: Gain) -> tuple[Row, ...]:
    """Return the nine tests of both methods' right and wrong answers on every independent data set."""
    comparison = gain.comparison
    both = (
        (comparison.method, comparison.stage),
        (comparison.reference, run.predictions.stages[comparison.reference]),
    )
    pairs = {}
    for key in independent(run.suite):
        data = run.predictions.datasets[key]
        one, other = (correct(data.probabilities[cell], data.y) for cell in both)
        pairs[key] = Paired(one, other, data.groups)
    return nine_tests(pairs, run.suite.analysis.alpha, comparison.null)


def _sensitivity(run: Results, gain: Gain, why_not: str, tests: Sequence[Row]) -> Table:
    suite, comparison = run.suite, gain.comparison
    long = [row for row in tests if len(row.note) > NOTE_WIDTH]
    shown = listed(
        tests,
        {
            "test": lambda row: row.name,
            "question": lambda row: row.question,
            f"gain [{confidence(suite)} interval]": _row_cell,
            "p": lambda row: P(row.p),
            "note": lambda row: IN_CAPTION if row in long else row.note,
            "robust": lambda row: _robust_text(row, tests),
        },
    )
    says = run_caption(
        run,
        f"The gain of {comparison.method} {comparison.text} in accuracy, mean over the independent data sets, "
        "percentage points, tested in nine ways; p not adjusted.",
        "The first row is the plan's test, which alone decides, with p adjusted in the table of gains; the others ask "
        "as their question says: they are sensitivity, in no family.",
        "robust: the three tests of Q3 agree, all significant on the same side or none.",
        *(f"{row.name}: {row.note}." for row in long),
        notes=(f"Family of the gain: {comparison.family}.",),
        missing=gain.estimate.missing,
    )
    title = f"Nine tests of {comparison.method} {comparison.text}"
    return sheet(suite, f"sensitivity-{comparison.reference}", title, shown, says, ("test", why_not))


def _row_cell(row: Row) -> Cell:
    return IDENTICAL if row.note == IDENTICAL else GainCell(100 * row.estimate, 100 * row.low, 100 * row.high)


def _robust_text(row: Row, tests: Sequence[Row]) -> str:
    if row.question != PROCEDURE or row.note == IDENTICAL:
        return NOTHING
    return "yes" if robust(tests) else "no"


def _sensitivity_rows(
    run: Results, gain: Gain, why_not: str, tests: Sequence[Row]
) -> list[dict[str, object]]:
    """Return a row a test; one that says why not, where the tests are not done."""
    size = run.sizes[MACRO] or (pd.NA, pd.NA)
    return [
        {
            **csv_head(run.suite, MACRO),
            "family": gain.comparison.family,
            **compared_of(gain),
            "metric": gain.metric,
            "k": len(run.suite.seeds),
            "n_images": size[0],
            "n_groups": size[1],
            "unit": "points",
            "test": row.name,
            "question": row.question,
            "estimate": 100 * row.estimate,
            "ci_low": 100 * row.low,
            "ci_high": 100 * row.high,
            "alpha": run.suite.analysis.alpha,
            "p": row.p,
            "note": row.note,
            "robust": _robust_text(row, tests),
            "plan_hash": run.suite.plan_hash,
        }
        for row in tests or (Row("", "", NOT_KNOWN, NOT_KNOWN, NOT_KNOWN, NOT_KNOWN, None, why_not),)
    ]


@dataclass(frozen=True)
class _Part:
    """One comparison on one data set or mean."""

    item: Compared
    place: str
    shown: Estimate
    doubled: Estimate  # what twice as many seeds would give


def variance_table(run: Results) -> TableFile:
    """Return what limits each comparison, and whether more seeds or more cases would help; a table a family."""
    compared = run.compared("superiority", "non-inferiority", "trend", "links")
    if not compared:
        return nothing_to_show(run.suite, "variance", "Variance", "data set", NO_FAMILY)
    of_family: dict[str, list[_Part]] = {}
    for item in compared:
        # A method made elsewhere has a table of its own.
        family = item.comparison.family or f"{item.comparison.method} made elsewhere"
        of_family.setdefault(family, []).extend(_parts(run, item))
    rows = [_variance_row(run, part) for item in compared for part in _parts(run, item)]
    return TableFile(
        "variance", pd.DataFrame(rows), [_variance(run, *family) for family in of_family.items()]
    )


def twice_the_seeds(study: Study) -> Study:
    """Return what twice as many seeds would give on one data set, were they like those at hand.

    The seed part halves, A/2 with 2k - 1 df; the case part c with G - 1 stays:

        SE^2 = A/2 + c,    df = SE^4 / ( (A/2)^2 / (2k - 1) + c^2 / (G - 1) )
    """
    seed_part, case_part = study.seed_part / 2, study.case_part
    df = NOT_KNOWN
    if seed_part + case_part > 0:
        spread = seed_part**2 / (2 * len(study.per_seed) - 1) + case_part**2 / (study.n_groups - 1)
        df = (seed_part + case_part) ** 2 / spread
    return dataclasses.replace(study, seed_part=seed_part, df=df)


def advice(seed_share: float) -> str:
    """Return which part of the variance is above two thirds and so the one to work on; "-" where nothing varies."""
    if math.isnan(seed_share):
        return NOTHING
    if seed_share > MOST:
        return "more seeds"
    return "more cases" if 1 - seed_share > MOST else "both"


def _parts(run: Results, item: Compared) -> list[_Part]:
    studies = {place: item.gains[place].estimate.study for place in places(run.suite)}
    doubled = {
        key: twice_the_seeds(study) for key, study in studies.items() if study and key in run.suite.datasets
    }
    for mean, keys in means(run.suite).items():
        if studies[mean]:
            doubled[mean] = mean_study([doubled[key] for key in keys])
    scale = METRICS[run.primary].scale
    return [
        _Part(item, place, item.gains[place].estimate, estimate(run.suite, Result(doubled.get(place)), scale))
        for place in studies
    ]


def _se(run: Results, shown: Estimate) -> float:
    return NOT_KNOWN if shown.identical or few_seeds(run.suite) else shown.se


def _variance(run: Results, family: str, parts: Sequence[_Part]) -> Table:
    suite, level = run.suite, confidence(run.suite)
    shown = listed(
        parts,
        {
            "comparison": lambda part: part.item.comparison.text,
            "data set": lambda part: place_cell(suite, part.place),
            f"gain [{level} CI]": lambda part: untested_cell(part.shown),
            "SE": lambda part: number_cell(part.shown, _se(run, part.shown)),
            "seeds": lambda part: Number(100 * part.shown.seed_share, 0, " %"),
            "cases": lambda part: Number(100 * (1 - part.shown.seed_share), 0, " %"),
            "detectable": lambda part: number_cell(part.shown, part.shown.detectable),
            "more of what": lambda part: advice(part.shown.seed_share),
            "SE, 2k seeds": lambda part: number_cell(part.shown, _se(run, part.doubled)),
            "detectable, 2k seeds": lambda part: number_cell(part.shown, part.doubled.detectable),
        },
    )
    says = run_caption(
        run,
        f"What limits the gains of {parts[0].item.comparison.method} in {primary_name(run)}, percentage points, "
        f"with their {level} intervals; SE: standard error; seeds, cases: shares of its variance; detectable: the "
        "gain found with 80 % power.",
        "more of what: the part above two thirds of the variance, else both. 2k seeds: what twice as many seeds "
        "would give, SE^2 = A/2 + c with the seed part A halved and the case part c as it is.",
        notes=(
            "Nothing is tested here: the family is where the comparisons come from; one that several families hold "
            "stands once.",
        ),
        omit="tuning",
        missing=[name for part in parts for name in part.shown.missing],
    )
    return sheet(suite, "variance-" + family.replace(" ", "-"), f"Variance, {family}", shown, says)


def _variance_row(run: Results, part: _Part) -> dict[str, object]:
    of = {"family": part.item.family, **compared_of(part.item)}
    more = {
        "alpha": run.suite.analysis.alpha,
        "seed_share": part.shown.seed_share,
        "case_share": 1 - part.shown.seed_share,
        "min_detectable": part.shown.detectable,
        "advice": advice(part.shown.seed_share),
        "se_twice_the_seeds": _se(run, part.doubled),
        "min_detectable_twice_the_seeds": part.doubled.detectable,
    }
    return csv_row(run, part.place, of, run.primary, part.shown, more)
