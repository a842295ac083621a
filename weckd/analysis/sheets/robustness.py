"""The tables of robustness: ten tests of each planned comparison, and what limits each comparison."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from weckd.analysis import sheet
from weckd.analysis.contrasts import Result
from weckd.analysis.estimates import IDENTICAL, NOT_KNOWN, Estimate, Gain, estimate, why_untested
from weckd.analysis.inference.paired_tests import DRAWS, Paired
from weckd.analysis.inference.power import fewest_discordant, smallest_drawn_p
from weckd.analysis.inference.reader_study import mean_study
from weckd.analysis.inference.sensitivity import PROCEDURE, Row, robust, sensitivity_tests
from weckd.analysis.metrics.scores import correct
from weckd.analysis.results import Compared, Results
from weckd.errors import counted
from weckd.places import few_seeds, places, sets_of
from weckd.tables.captions import NO_FAMILY, confidence, count_sentence, part_text
from weckd.tables.cells import NOTHING, Number, P
from weckd.tables.cells import Gain as GainCell
from weckd.tables.render import Table, TableFile

METRIC = "accuracy"
"""The ten tests compare right and wrong answers."""
TESTED = ("superiority", "non-inferiority", "links")
"""Kinds of families whose comparisons are of two answers, with one null."""
BELOW_ZERO = "below 0"
NOTE_WIDTH = 60
"""Characters; a longer note would make the table wider than a page."""
BELOW = "see below"
LIMITS = ("seeds", "detectable", "more of what")
"""Columns of the narrow form of the tables of variance."""
MOST = 2 / 3
"""A part above this share of the variance is the one to work on."""


def sensitivity_table(run: Results) -> TableFile:
    """Return ten tests of each comparison that decides a family, on the mean that it decides it on."""
    claimed: dict[tuple[object, ...], Gain] = {}
    for gain in run.planned:
        comparison = gain.comparison
        if comparison.kind in TESTED and gain.decides:
            what = (comparison.method, comparison.stage, comparison.text, gain.dataset)
            claimed.setdefault(what, gain)  # of the family that the plan names first
    if not claimed:
        return sheet.nothing(run.suite, "sensitivity", "Sensitivity", "test", NO_FAMILY)
    found = [
        (gain, why := _why_not(run, gain), () if why else _tests(run, gain)) for gain in claimed.values()
    ]
    rows = [line for item in found for line in _sensitivity_rows(run, *item)]
    return TableFile("sensitivity", pd.DataFrame(rows), [_sensitivity(run, *item) for item in found])


def _why_not(run: Results, gain: Gain) -> str:
    """Return why the ten tests are not done; empty where they are."""
    suite = run.suite
    if gain.metric != METRIC:
        return f"not done: the tests are of {METRIC}, the primary metric is {run.primary_name}"
    if gain.estimate.study is None:
        return f"not done, missing: {'; '.join(gain.estimate.missing)}"
    if few_seeds(suite):
        return f"not done: {counted(len(suite.seeds), 'seed')}, at least {suite.analysis.minimum_seeds} are needed"
    return why_untested(suite)


def _tests(run: Results, gain: Gain) -> tuple[Row, ...]:
    """Return the ten tests of both methods' right and wrong answers on every data set of the mean."""
    pairs = {}
    for key in sets_of(run.suite, gain.dataset):
        data = run.predictions.datasets[key]
        cells = ((term.method, term.stage) for term in gain.comparison.contrast)
        one, other = (correct(data.probabilities[cell], data.y) for cell in cells)
        pairs[key] = Paired(one, other, data.groups)
    return sensitivity_tests(pairs, run.suite.analysis.alpha, gain.comparison.null)


def _sensitivity(run: Results, gain: Gain, why_not: str, tests: Sequence[Row]) -> Table:
    suite, comparison = run.suite, gain.comparison
    long = [row for row in tests if len(row.note) > NOTE_WIDTH]
    shown = sheet.listed(
        tests,
        {
            "test": lambda row: row.name,
            "question": lambda row: row.question,
            f"gain [{confidence(suite)} interval]": lambda row: (
                IDENTICAL
                if row.note == IDENTICAL
                else GainCell(100 * row.estimate, 100 * row.low, 100 * row.high)
            ),
            "p": lambda row: P(row.p),
            "note": lambda row: BELOW if row in long else row.note,
            "robust": lambda row: _robust_text(row, tests),
        },
    )
    of = part_text(suite, gain.dataset)
    says = sheet.caption(
        run,
        f"The gain of {comparison.method} {comparison.text} in accuracy{f', {of},' if of else ''} tested in ten ways, "
        "percentage points.",
        n=f"{of}: {count_sentence(run.sizes[gain.dataset])}" if of else None,
        test="p not adjusted",
        notes=(
            "The first row is the plan's test, which alone decides, with p adjusted in the table of gains; the "
            f"others are sensitivity, in no family. Family of the gain: {comparison.family}.",
            sheet.margin_sentence(suite, [comparison]),
            _smallest_p(run, gain) if tests else "",
            *(f"{row.name}: {row.note}." for row in long),
            sheet.near_ceiling([gain]),
        ),
        missing=gain.estimate.missing,
    )
    label, title = (
        "-".join(filter(None, ("sensitivity", comparison.reference, of.partition(" (")[0]))).replace(
            " ", "-"
        ),
        f"Ten tests of {comparison.method} {comparison.text}" + (f", {of}" if of else ""),
    )
    narrow = ("test", "question", "gain *", "p", "robust")
    return sheet.table(suite, label, title, shown, says, ("test", why_not), narrow)


def _smallest_p(run: Results, gain: Gain) -> str:
    """Return how small the p of the tests can be that have a smallest one with these seeds, images and draws."""
    _, groups = run.sizes[gain.dataset] or (0, 0)
    bootstrap, permutation = (f"{p:.4f}".removeprefix("0") for p in smallest_drawn_p(DRAWS, groups))
    if gain.comparison.null:
        return f"Smallest p: {bootstrap} by the crossed bootstrap; a t test has none."
    fewest = fewest_discordant(run.suite.analysis.alpha)
    return (
        f"Smallest p: {bootstrap} by the crossed bootstrap, {permutation} by label permutation; a t test has none. By "
        f"McNemar's mid-p no seed is significant with fewer than {fewest} images that one method alone gets right."
    )


def _robust_text(row: Row, tests: Sequence[Row]) -> str:
    if row.question != PROCEDURE or row.note == IDENTICAL:
        return NOTHING
    return "yes" if robust(tests) else "no"


def _sensitivity_rows(
    run: Results, gain: Gain, why_not: str, tests: Sequence[Row]
) -> list[dict[str, object]]:
    """Return a row a test; one that says why not, where the tests are not done."""
    of_gain = {
        **sheet.head(run.suite, gain.dataset),
        "family": gain.comparison.family,
        **sheet.compared_of(gain),
        "metric": gain.metric,
        "k": len(run.suite.seeds),
        **sheet.counts(run, gain.dataset),
        "unit": "points",
    }
    not_done = Row("", "", NOT_KNOWN, NOT_KNOWN, NOT_KNOWN, NOT_KNOWN, None, why_not)
    return [
        {
            **of_gain,
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
        for row in tests or (not_done,)
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
        return sheet.nothing(run.suite, "variance", "Variance", "data set", NO_FAMILY)
    of_family: dict[str, list[_Part]] = {}
    rows = []
    for item in compared:
        # A method made elsewhere has a table of its own.
        family, parts = (
            item.comparison.family or f"{item.comparison.method} made elsewhere",
            _parts(run, item),
        )
        of_family.setdefault(family, []).extend(parts)
        rows += [_variance_row(run, part) for part in parts]
    return TableFile("variance", pd.DataFrame(rows), [_variance(run, *item) for item in of_family.items()])


def advice(seed_share: float) -> str:
    """Return which part of the variance is above two thirds and so the one to work on; "-" where nothing varies."""
    if math.isnan(seed_share):
        return NOTHING
    if seed_share > MOST:
        return "more seeds"
    return "more cases" if 1 - seed_share > MOST else "both"


def _parts(run: Results, item: Compared) -> list[_Part]:
    studies = {place: item.gains[place].estimate.study for place in places(run.suite)}
    then = {}
    for place in studies:
        of_place = [studies[key] for key in sets_of(run.suite, place)]
        whole = [study for study in of_place if study]
        doubled = mean_study(whole, times=2) if whole and len(whole) == len(of_place) else None
        then[place] = estimate(run.suite, Result(doubled), run.scale)
    return [_Part(item, place, item.gains[place].estimate, then[place]) for place in studies]


def _se(run: Results, shown: Estimate) -> float:
    return NOT_KNOWN if shown.identical or few_seeds(run.suite) else shown.se


def _variance(run: Results, family: str, parts: Sequence[_Part]) -> Table:
    suite, level = run.suite, confidence(run.suite)
    shown = sheet.listed(
        parts,
        {
            "comparison": lambda part: part.item.comparison.text,
            "data set": lambda part: sheet.place(suite, part.place),
            f"gain [{level} CI]": lambda part: sheet.untested(part.shown),
            "SE": lambda part: sheet.number(part.shown, _se(run, part.shown)),
            "seeds": lambda part: Number(100 * part.shown.seed_share, 0, " %"),
            "cases": lambda part: (
                BELOW_ZERO
                if part.shown.cases_below_zero
                else Number(100 * (1 - part.shown.seed_share), 0, " %")
            ),
            "detectable": lambda part: sheet.number(part.shown, part.shown.detectable),
            "more of what": lambda part: advice(part.shown.seed_share),
            "SE, 2k seeds": lambda part: sheet.number(part.shown, _se(run, part.doubled)),
            "detectable, 2k seeds": lambda part: sheet.number(part.shown, part.doubled.detectable),
        },
    )
    says = sheet.caption(
        run,
        f"What limits the gains of {parts[0].item.comparison.method} in {run.primary_name}, percentage points; a "
        "comparison of several families is in the first.",
        notes=(sheet.near_ceiling(part.item.gains[part.place] for part in parts),),
        missing=[name for part in parts for name in part.shown.missing],
    )
    label, narrow = "variance-" + family.replace(" ", "-"), ("comparison", "data set", "gain *", *LIMITS)
    return sheet.table(suite, label, f"Variance, {family}", shown, says, narrow=narrow)


def _variance_row(run: Results, part: _Part) -> dict[str, object]:
    more = {
        "alpha": run.suite.analysis.alpha,
        "seed_share": part.shown.seed_share,
        "case_share": 1 - part.shown.seed_share,
        "cases_below_zero": part.shown.cases_below_zero,
        "min_detectable": part.shown.detectable,
        "advice": advice(part.shown.seed_share),
        "se_twice_the_seeds": _se(run, part.doubled),
        "min_detectable_twice_the_seeds": part.doubled.detectable,
    }
    of = {"family": part.item.family, **sheet.compared_of(part.item)}
    return sheet.row(run, part.place, of, run.primary, part.shown, more)
