"""Power before the run: the gains that a suite's plan would find, by variances of a reference, or guessed ones."""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from weckd.analysis.claims import as_claimed, rests_on
from weckd.analysis.comparisons import Comparison, comparisons
from weckd.analysis.contrasts import evaluate, one_test
from weckd.analysis.estimates import VERDICTS
from weckd.analysis.inference import ceiling
from weckd.analysis.inference.power import (
    Chances,
    chances,
    equivalence_chances,
)
from weckd.analysis.inference.reader_study import (
    Study,
    mean_study,
    minimum_detectable,
    planned_mean_study,
    planned_study,
)
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import SuitePredictions
from weckd.analysis.results import Results
from weckd.config import Suite
from weckd.data.phantoms import IMAGES
from weckd.errors import counted
from weckd.fitted import fitted_table, fitted_text
from weckd.methods.catalogue import suite_methods
from weckd.places import few_seeds, overall, sets_of
from weckd.planning.first_second import class_images, patients
from weckd.tables.captions import TEST, place_text
from weckd.tables.cells import NOTHING

IMAGES_A_GROUP = 2.0
"""Guessed where no reference tells: near-duplicates, and images of a patient, are one group."""


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a gain, fractions."""

    seed: float  # of one seed's gain on the test images
    group: float  # of a group's part in the gain, averaged over seeds


GUESS = Spread(0.08, 0.20)
"""A guess; comparisons of the committed references have .01 to .17 and 0 to .36, on images of 32 to 128 px."""


@dataclass(frozen=True)
class _Test:
    """A comparison on a mean that decides its family, with the studies that the run would have."""

    comparison: Comparison
    place: str
    mean: Study
    alone: tuple[Study, ...]  # the mean's data sets, one by one
    guessed: bool
    tests: int  # of its family; alpha is divided by them in Holm's first step
    largest: Mapping[
        float, float
    ]  # the largest gain that a claim on it states -> the mean's, if it is as claimed; points


def power_page(
    suite: Suite, reference: Results | None, guess: Spread = GUESS, width: int | None = None
) -> str:
    """Return what the suite's plan would find, by the variances that each comparison has in a reference.

    On a data set these are its own in the reference; else the mean of those on the reference's data sets of the same
    modality; else of all of them. They are guessed where the reference lacks the comparison, or there is none. The seed
    part is divided by the suite's seeds, the case part by its planned groups; where the reference has all data sets of
    a mean, the seed part is that of the mean there, so that effects of a seed may go together. What is near the ceiling
    there is taken to be so in the suite. `width` is as in `fitted_table`; without one each row tells all three chances.
    """
    plan, seeds = suite.analysis, counted(len(suite.seeds), "seed")
    if few_seeds(suite):
        return f"Power: none. {seeds}, at least {plan.minimum_seeds} are needed for an interval or a verdict."
    sizes = _sizes(suite, reference)
    found = _tests(suite, reference, sizes, guess)
    if not found:
        return "Power: none. No family of the plan has its methods in this suite."
    metric = METRICS[plan.metrics[0]]
    listed = ", ".join(
        f"{key} {size[0]} ({size[1]})" if size else f"{key} not known" for key, size in sizes.items()
    )
    tables = [_table(suite, kind, found, metric.scale, width) for kind in VERDICTS]
    told = (
        f"Power before the run: gains in {metric.name}, percentage points; {seeds}; {TEST}; alpha = {plan.alpha:g}.",
        _told(reference, [test.guessed for test in found], guess),
        f"Planned test images (groups): {listed}.",
        *filter(None, [ceiling.sentence([_text(suite, x) for x in found if x.mean.ceiling_part])]),
        *(["A quick look: it tests no claim, whatever its power."] if suite.quick_look else []),
    )
    texts = [
        fitted_text("\n".join(told), width),
        *filter(None, tables),
        fitted_text(_legend(suite, found), width),
    ]
    return "\n\n".join(texts)


def _legend(suite: Suite, found: Sequence[_Test]) -> str:
    """Return what the columns of the tables mean, a line each."""
    margin, stated = suite.analysis.margin_pp, sorted({value for test in found for value in test.largest})
    lost = any(_asks(test.comparison) == "non-inferiority" for test in found)
    claimed = (
        f"{value:+g} on one: chance if one data set of the mean gains {value:g} points, the most that a claim states, "
        f"and the others nothing; {NOTHING} where no such claim rests on the comparison."
        for value in stated
    )
    return "\n".join(
        [
            "detectable: the smallest true gain, in points, that is found with 80 % power.",
            "alone: the same for each data set by itself, tested at alpha: smallest to largest.",
            "at 0: chance of the verdict if the true gain is 0.",
            f"at {margin:+g}: chance if it is the margin"
            + (f"; at {-margin:+g}: a loss of it." if lost else "."),
            *claimed,
            "SE: standard error of the gain, in points.",
            "tests: how many the family has. Each is at alpha / tests, the first step of Holm's correction, so a "
            "verdict has at least the chance that is printed (a link of the chain: if those before it are found).",
            "What two families ask is listed under the first.",
        ]
    )


def _told(reference: Results | None, guessed: Sequence[bool], guess: Spread) -> str:
    """Return where the variances come from."""
    between = (
        f"{100 * guess.seed:g} points between seeds, {100 * guess.group:g} between groups of test images"
    )
    if reference is None:
        return f"Variances: a guess, SD {between}, {IMAGES_A_GROUP:g} images a group. Better: --reference FOLDER."
    told = (
        f"Variances: those of {reference.suite.run} ({counted(len(reference.suite.seeds), 'seed')}; "
        f"{', '.join(reference.suite.datasets)}); "
        "a data set that it lacks has the mean of those of its modality, else of all."
    )
    return told + (f"\n(guess): what it did not compare, SD {between}." if any(guessed) else "")


def _table(suite: Suite, kind: str, found: Sequence[_Test], scale: float, width: int | None) -> str:
    """Return the tests of a kind, with the chances of its verdicts at true gains of 0, the margin and what is claimed.

    Tests of a family that the guess makes equal have one row.
    """
    tests = [test for test in found if _asks(test.comparison) == kind]
    if not tests:
        return ""
    alpha, margin = suite.analysis.alpha, suite.analysis.margin_pp / scale
    stated = sorted({value for test in tests for value in test.largest})
    gains = (0.0, -margin if kind == "non-inferiority" else margin)
    rows: dict[tuple[str, ...], list[str]] = {}
    for number, test in enumerate(tests):
        level = alpha / test.tests
        asked = (*gains, *(test.largest.get(value, math.nan) / scale for value in stated))
        texts = [_percent(_chances(kind, gain, test.mean, level, margin), width) for gain in asked]
        alone = _range(scale * minimum_detectable(study, alpha) for study in test.alone)
        detectable = (
            NOTHING if kind == "equivalence" else _number(scale * minimum_detectable(test.mean, level))
        )
        shared = f"{test.comparison.family}, each of" if test.guessed else str(number)
        place = "" if test.place == overall(suite) else f", {place_text(suite, test.place)}"
        row = (shared, place, str(test.tests), _number(scale * test.mean.se), detectable, alone, *texts)
        rows.setdefault(row, []).append(test.comparison.text + (" (guess)" if test.guessed else ""))
    yes, no, neither = VERDICTS[kind]
    verdicts = f'"{yes}"' if width else f"{yes} / {neither} / {no}"
    at = ("at 0", f"at {scale * gains[1]:+g}", *(f"{value:+g}\non one" for value in stated))
    headers = ("comparison", "tests", "SE", "detectable", "alone", *at)
    lines = [
        (f"{names[0] if len(names) == 1 else f'{shared} {len(names)} (guess)'}{place}", *texts)
        for (shared, place, *texts), names in rows.items()
    ]
    # The chance at the edge of what a test asks is that of its level, whatever the variances: it says least.
    edge = at[0] if kind == "superiority" else at[1]
    place = place_text(suite, overall(suite))
    told = f"{kind.capitalize()}: chances in % of {verdicts}, on {place} unless named"
    table = fitted_table(
        lines, headers, width, headers[:1], (edge, "SE", "tests", "alone"), right=headers[1:]
    )
    return f"{fitted_text(told, width)}\n\n{table}"


def _text(suite: Suite, test: _Test) -> str:
    return f"{test.comparison.text} ({place_text(suite, test.place)})"


def _chances(kind: str, gain: float, study: Study, alpha: float, margin: float) -> Chances:
    if kind == "equivalence":
        return equivalence_chances(gain, study.se, study.df, alpha, margin)
    return chances(gain, study.se, study.df, alpha, -margin if kind == "non-inferiority" else 0.0)


def _asks(comparison: Comparison) -> str:
    return comparison.kind if comparison.kind in VERDICTS else "superiority"


def _percent(found: Chances, width: int | None) -> str:
    """Return the chances of all verdicts, where there is width for them; else of the one that is asked for."""
    shown = [f"{100 * chance:.1f}" for chance in found]
    return NOTHING if math.isnan(found.above) else shown[0] if width else " / ".join(shown)


def _number(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:.1f}"


def _range(values: Iterable[float]) -> str:
    """Return the smallest and the largest number as they are printed."""
    known = sorted(value for value in values if not math.isnan(value))
    return " to ".join(dict.fromkeys(map(_number, (known[0], known[-1])))) if known else NOTHING


def _tests(
    suite: Suite, reference: Results | None, sizes: Mapping[str, tuple[int, int] | None], guess: Spread
) -> list[_Test]:
    """Return the tests that decide the plan's families, each once: what two families ask is the first one's."""
    methods = suite_methods(suite)
    stages = {method.name: len(method.stages) for method in methods}
    models: dict[
        Hashable, tuple[str, int]
    ] = {}  # what a stage is made of -> the first method's stage that is so
    same = {
        (method.name, stage): models.setdefault(members, (method.name, stage))
        for method in methods
        for stage, members in enumerate(method.stages, start=1)
    }
    planned: dict[Hashable, list[tuple[Comparison, str]]] = {}
    for comparison in comparisons(suite, SuitePredictions({}, stages)):
        for place in comparison.decided_on if comparison.family and comparison.contrast else ():
            kind = _asks(comparison)
            contrast = one_test(comparison.contrast, same) if kind == "superiority" else comparison.contrast
            planned.setdefault((kind, contrast, place), []).append((comparison, place))
    in_family = Counter(item.family for [(item, _), *_] in planned.values() if item.kind != "links")
    found = []
    for asked in planned.values():
        comparison, place = asked[0]
        known, keys = _known(reference, comparison, suite.analysis.metrics[0]), sets_of(suite, place)
        like = {key: [known[name] for name in _nearest(suite, key, reference, known)] for key in keys}
        alone = [_planned(len(suite.seeds), sizes[key], like[key], comparison, guess) for key in keys]
        paired = None
        if all(key in known for key in keys):
            mean = mean_study([known[key] for key in keys])
            paired = (mean.seed_part - mean.ceiling_part) * len(mean.per_seed) / len(suite.seeds)
        tests = max(1, in_family[comparison.family])
        planned_mean, largest = planned_mean_study(alone, paired), _largest(suite, asked)
        found.append(_Test(comparison, place, planned_mean, tuple(alone), not known, tests, largest))
    return found


def _largest(suite: Suite, asked: Sequence[tuple[Comparison, str]]) -> dict[float, float]:
    """Return the largest gains that claims state which rest on a test, each with what it is of the mean."""
    return {
        claim.up_to_pp: as_claimed(suite, claim, comparison, place)
        for claim in suite.analysis.claims
        for comparison, place in asked
        if claim.up_to_pp
        and any(rests_on(suite, of, comparison, place) for of in (*claim.as_worded, *claim.for_the_chain))
    }


def _known(reference: Results | None, comparison: Comparison, metric: str) -> dict[str, Study]:
    """Return the reference's studies of a comparison, by data set, that have both parts of the variance."""
    datasets = reference.predictions.datasets if reference else {}
    studies = {key: evaluate(data, comparison.contrast, metric).study for key, data in datasets.items()}
    return {key: study for key, study in studies.items() if study and not math.isnan(study.se)}


def _nearest(suite: Suite, key: str, reference: Results | None, known: Iterable[str]) -> list[str]:
    """Return the data sets of the reference whose variances, or groups, a data set takes."""
    facts = reference.suite.facts if reference else {}
    names = list(known)
    alike = [name for name in names if facts[name].modality == suite.facts[key].modality]
    return [key] if key in names else alike or names


def _planned(
    seeds: int, size: tuple[int, int] | None, like: Sequence[Study], comparison: Comparison, guess: Spread
) -> Study:
    """Return the study that a comparison would have on a data set, by studies of it elsewhere."""
    # The guess is of a difference of two methods; a slope has smaller weights.
    weight = sum(abs(term.weight) for term in comparison.contrast) / 2
    of_seed, of_group, raised = (weight * guess.seed) ** 2, (weight * guess.group) ** 2, 0.0
    if like:
        of_seed = float(np.mean([(x.seed_part - x.ceiling_part) * len(x.per_seed) for x in like]))
        raised = float(np.mean([study.ceiling_part * len(study.per_seed) for study in like]))
        of_group = float(np.mean([study.case_part * study.n_groups for study in like]))
    return (
        planned_study(of_seed, of_group, seeds, *size, raised)
        if size
        else planned_study(math.nan, math.nan, seeds, 2, 2)
    )


def _sizes(suite: Suite, reference: Results | None) -> dict[str, tuple[int, int] | None]:
    """Return the test images and groups that each data set will have, None where the images are not known.

    They are the reference's own where it split the same classes alike; else the share of what is counted: of patients,
    where a table names them, or in as many groups an image as in the reference.
    """
    counts, facts = class_images(suite), suite.facts
    known = (
        {key: size for key, size in reference.sizes.items() if size and key in reference.suite.facts}
        if reference
        else {}
    )
    found: dict[str, tuple[int, int] | None] = {}
    for key in suite.datasets:
        if reference and key in known and _split_alike(suite, reference.suite, key):
            found[key] = known[key]
            continue
        of_class = [counts[key].get(name, 0) for name in facts[key].classes]
        total = IMAGES if facts[key].phantom else sum(of_class) if all(of_class) else 0
        images = round(suite.split.test * total) if suite.split.protocol == "grouped" else 0
        alike = [known[name][0] / known[name][1] for name in _nearest(suite, key, reference, known)]
        given = patients(suite, key)
        a_group = total / given if given else np.mean(alike) if alike else IMAGES_A_GROUP
        groups = round(images / a_group)
        found[key] = (images, groups) if groups > 1 else None
    return found


def _split_alike(suite: Suite, other: Suite, key: str) -> bool:
    return all(
        getattr(suite.split, name) == getattr(other.split, name) for name in ("seed", "test", "protocol")
    ) and set(suite.facts[key].classes) == set(other.facts[key].classes)
