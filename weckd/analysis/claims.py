"""The paper's claims as stated tests: what came of them, how firmly, and why in plain words."""

import fnmatch
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from weckd.analysis.comparisons import Comparison
from weckd.analysis.estimates import NOT_KNOWN, Gain, descriptive
from weckd.analysis.inference.power import chances
from weckd.analysis.inference.reader_study import half_width
from weckd.analysis.registry import VERDICTS
from weckd.analysis.results import Results
from weckd.analysis_plan import Claim, Evidence
from weckd.config import Suite
from weckd.places import by_modality, few_seeds, independent, is_phantom, means, sets_of
from weckd.tables.captions import part_text
from weckd.tables.cells import Gain as GainCell
from weckd.tables.cells import P, Wording

SHOWN, CONTRADICTED, NOT_SHOWN, NOT_TESTED, QUICK_LOOK = VERDICTS
AGAINST = "non-inferiority"

IN_WORDS = {
    "single": "one model on the first part of the labels",
    "pooled": "one model trained on the same labels for as many steps",
    "sequential": "the same three models in a row without a teacher",
    "single-long": "one model trained on the first part of the labels for as many steps",
    "ensemble": "the average of three models on the same labels",
    "one-step": "a single step of distillation with the same labels",
    "full": "a model trained on all labels for as many steps",
    "full-converged": "a model trained to the end on all labels",
}


@dataclass(frozen=True)
class Judgement:
    """Some comparisons and what they say together."""

    reading: str  # of the claim's words; empty where they leave nothing open
    verdict: str  # of `VERDICTS`
    rows: tuple[Gain, ...]  # all comparisons, in the plan's order
    deciding: (
        Gain | None
    )  # the one that decided, or that kept the claim from being shown; None where there are no rows
    reason: str  # why intervals do not decide; empty where they do
    absent: tuple[str, ...]  # what the evidence names and this run has not


@dataclass(frozen=True)
class ClaimVerdict:
    """A claim with its two verdicts: each a judgement, or one for every reading of the words."""

    claim: Claim
    as_worded: tuple[Judgement, ...]
    for_the_chain: tuple[Judgement, ...]

    @property
    def sides(self) -> tuple[tuple[str, tuple[Judgement, ...]], ...]:
        """Both verdicts with their names."""
        return (("as worded", self.as_worded), ("for the chain", self.for_the_chain))


def evaluate_claims(run: Results) -> tuple[ClaimVerdict, ...]:
    """Return every claim of the plan with its two verdicts.

    *Shown here*: each comparison's two-sided interval lies above its threshold (0, or minus the margin); all of them
    together are an intersection-union test, which needs no correction. *Contradicted here*: at least one lies below its
    threshold, its p corrected within its family. Else *not shown here*, also where something is missing, was not run or
    is identical: such a claim can be contradicted by what is there, not shown. *Not tested*: no comparison is in this
    run, its seeds are too few, or the suite is a quick look, of which the least favourable comparison is shown.
    """
    return tuple(
        ClaimVerdict(claim, _by_reading(run, claim.as_worded), _by_reading(run, claim.for_the_chain))
        for claim in run.suite.analysis.claims
    )


def verdict_text(judgements: Sequence[Judgement]) -> str:
    """Return a verdict, or that of each reading."""
    return "; ".join(
        f"{item.reading}: {item.verdict}" if item.reading else item.verdict for item in judgements
    )


def side(run: Results, gain: Gain) -> Literal["above", "below", "neither", "unknown"]:
    """Return on which side of its threshold a comparison lies, see `evaluate_claims`."""
    shown, null = gain.estimate, gain.comparison.null
    if shown.study is None or not shown.se > 0 or shown.low != shown.low:
        return "unknown"
    if shown.low > shown.scale * null:
        return "above"
    below = shown.study.estimate < null and gain.asked.p_adjusted < run.suite.analysis.alpha
    return "below" if below else "neither"


def _by_reading(run: Results, evidence: Sequence[Evidence]) -> tuple[Judgement, ...]:
    readings = dict.fromkeys(item.reading for item in evidence)
    return tuple(_judged(run, name, [item for item in evidence if item.reading == name]) for name in readings)


def _judged(run: Results, reading: str, evidence: Sequence[Evidence]) -> Judgement:
    found = {id(row): row for item in evidence for row in _rows(run, item)}
    rows, absent = tuple(found.values()), _absent(run, evidence)

    def judgement(verdict: str, of: Iterable[Gain], reason: str = "") -> Judgement:
        return Judgement(reading, verdict, rows, min(of, key=_distance, default=None), reason, absent)

    of_side: dict[str, list[Gain]] = {"above": [], "below": [], "neither": [], "unknown": []}
    for row in rows:
        of_side[side(run, row)].append(row)
    unknown = of_side["unknown"]
    known = [row for row in rows if row not in unknown]
    if not rows:
        return judgement(NOT_TESTED, (), "; ".join(absent))
    if few_seeds(run.suite):
        return judgement(NOT_TESTED, rows, descriptive(run.suite))
    if run.suite.quick_look:
        return judgement(QUICK_LOOK, known or rows)
    if of_side["below"]:
        return judgement(CONTRADICTED, of_side["below"])
    if unknown or absent:
        reasons = dict.fromkeys((*(row.asked.verdict for row in unknown), *absent))
        return judgement(NOT_SHOWN, unknown[:1] or known, "; ".join(reasons))
    return judgement(SHOWN if len(of_side["above"]) == len(rows) else NOT_SHOWN, rows)


def _distance(gain: Gain) -> float:
    """Return how far above its threshold a comparison's estimate lies."""
    study = gain.estimate.study
    return (study.estimate if study else float("nan")) - gain.comparison.null


def _rows(run: Results, evidence: Evidence) -> list[Gain]:
    return [
        gain
        for gain in run.planned
        if gain.decides and rests_on(run.suite, evidence, gain.comparison, gain.dataset)
    ]


def _absent(run: Results, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """Return what the evidence names and this run has not: families, references (patterns too), modalities."""
    missing: list[str] = []
    for item in evidence:
        rows = [row for row in run.planned if row.comparison.family == item.family and row.decides]
        if not rows:
            missing.append(f"{item.family}: not in this run")
            continue
        family = next(f for f in run.suite.analysis.families if f.name == item.family)
        references, places = [row.comparison.reference for row in rows], {row.dataset for row in rows}
        missing += [
            f"{'against' if family.kind == AGAINST else 'over'} {name}: not run"
            for name in item.references or family.references
            if not fnmatch.filter(references, name)
        ]
        missing += [f"{x}: no data set" for x in item.over if by_modality(run.suite).get(x) not in places]
    return tuple(dict.fromkeys(missing))


@dataclass(frozen=True)
class Firmness:
    """How much a verdict hangs on the margin, and whether *shown here* could be had; NaN where not known."""

    up_to: float = NOT_KNOWN  # percentage points: the verdict holds at any margin up to this
    from_: float = NOT_KNOWN  # percentage points: it holds at any margin from this on
    true_gain: float = NOT_KNOWN  # percentage points, if the truth were as claimed
    least: float = (
        NOT_KNOWN  # chance of *shown here* at that true gain, were all comparisons in the run: at least ..
    )
    most: float = NOT_KNOWN  # .. and at most


def firmness(run: Results, claim: Claim, judgement: Judgement) -> Firmness:
    """Return at which margins a verdict holds, and the chance of *shown here* if the truth were as claimed.

    A margin is a loss that is tolerated (non-inferiority), or else the least gain or loss that is asked for. It is told
    by the end of an interval: of *contradicted here*, of the comparison that holds furthest, at alpha over the tests
    of its family (Bonferroni). As claimed: equal, in a test of non-inferiority; where the words say "up to", that much
    on one of the mean's data sets and nothing on the others; else the plan's margin. The chance is that of a noncentral
    t with this run's own standard error and df; of several comparisons it lies between what Bonferroni's inequality
    leaves and the smallest.
    """
    plan, deciding = run.suite.analysis, judgement.deciding
    if deciding is None or judgement.verdict not in (SHOWN, CONTRADICTED, NOT_SHOWN):
        return Firmness()
    null, studies = deciding.comparison.null, [row.estimate.study for row in judgement.rows]
    up_to = from_ = least = most = NOT_KNOWN
    if judgement.verdict == SHOWN:
        lowest = min(row.estimate.low for row in judgement.rows)
        up_to, from_ = (NOT_KNOWN, max(0.0, -lowest)) if null else (lowest, NOT_KNOWN)
    elif judgement.verdict == CONTRADICTED:
        below = [row for row in judgement.rows if row.estimate.study and side(run, row) == "below"]
        up_to = deciding.estimate.scale * max(-null, *(-_highest(row, plan.alpha) for row in below)) + 0.0
    true_gain = as_claimed(run.suite, claim, deciding.comparison, deciding.dataset)
    found = [
        chances(true_gain / 100, study.se, study.df, plan.alpha, null).above if study else NOT_KNOWN
        for study in studies
    ]
    if not any(map(math.isnan, found)):
        least, most = max(0.0, 1 - sum(1 - chance for chance in found)), min(found)
    return Firmness(up_to, from_, true_gain, least, most)


def as_claimed(suite: Suite, claim: Claim, comparison: Comparison, place: str) -> float:
    """Return the true gain, in points, that a comparison has on a mean if the truth is as a claim says.

    Equal, against a margin; where the words say "up to", that much on one of the mean's data sets and nothing on the
    others; else the plan's margin.
    """
    if comparison.null:
        return 0.0
    return claim.up_to_pp / len(sets_of(suite, place)) if claim.up_to_pp else suite.analysis.margin_pp


def rests_on(suite: Suite, evidence: Evidence, comparison: Comparison, place: str) -> bool:
    """Return whether a comparison on a mean over data sets is some of the evidence."""
    places, patterns = {by_modality(suite).get(modality) for modality in evidence.over}, evidence.references
    return (
        comparison.family == evidence.family
        and (not places or place in places)
        and (not patterns or any(fnmatch.fnmatch(comparison.reference, pattern) for pattern in patterns))
    )


def _highest(row: Gain, alpha: float) -> float:
    """Return the upper end of a gain's interval at alpha over the tests of its family, as a fraction."""
    study = row.estimate.study
    return study.estimate + half_width(study, 1 - alpha / row.asked.tests) if study else NOT_KNOWN


def largest_gain(run: Results, method: str, reference: str, metric: str) -> Gain | None:
    """Return the row of the independent data set with a method's largest gain; None where there is none."""
    found = [
        gain
        for gain in run.gains
        if (gain.comparison.method, gain.comparison.reference) == (method, reference)
        and gain.metric == metric
        and gain.dataset in independent(run.suite)
        and gain.estimate.study
    ]
    return max(found, key=lambda gain: gain.estimate.value, default=None)


def lies(suite: Suite, number: float, gain: Gain) -> str:
    """Return where a number of the paper lies in relation to an interval here, in percentage points."""
    if gain.estimate.study is None:
        return gain.short_verdict
    if is_phantom(suite, gain.dataset):
        return "not comparable: phantom images"
    if math.isnan(gain.estimate.low):
        return "no interval: too few seeds"
    if number > gain.estimate.high:
        return "outside our interval, above"
    return "outside our interval, below" if number < gain.estimate.low else "inside our interval"


def sentences(run: Results, claim: Claim, judgement: Judgement) -> str:
    """Return, in words that need no statistics, why a claim has its verdict, and what becomes of its "up to"."""
    said, largest = [_sentence(run, judgement)], None
    if claim.up_to_pp and judgement.deciding and len(judgement.rows) == 1:
        comparison = judgement.deciding.comparison
        largest = largest_gain(run, comparison.method, comparison.reference, run.primary)
    if claim.up_to_pp and largest:
        said.append(
            f"The largest gain of a data set is {gain_words(largest)} ({largest.dataset}, chosen on these test "
            f"images); +{claim.up_to_pp:g} is {lies(run.suite, claim.up_to_pp, largest)}."
        )
    return " ".join(said)


def _sentence(run: Results, judgement: Judgement) -> str:
    verdict, deciding, absent = judgement.verdict, judgement.deciding, "; ".join(judgement.absent)
    if deciding is None:
        return f"Nothing to test ({judgement.reason})."
    if verdict in (NOT_TESTED, QUICK_LOOK):
        said = f": {judgement.reason}" if judgement.reason else ""
        what = "Nothing is tested" if said else "A quick look decides nothing"
        return f"{what}{said}; {listed_gains(run.suite, judgement.rows)}{f'; {absent}' if absent else ''}."
    if side(run, deciding) == "unknown":
        return f"Could not be shown ({judgement.reason})."
    found = _found(run, deciding)
    if len(judgement.rows) > 1:
        told = [
            row
            for row in judgement.rows
            if side(run, row) == ("below" if verdict == CONTRADICTED else "above")
        ]
        by = f"{'Contradicted' if verdict == CONTRADICTED else 'Shown'} by {_share(len(told), len(judgement.rows))}"
        found = f"{by}: {found}" if told == [deciding] else f"{by}. In the least favourable one, {found}"
    found = found[0].upper() + found[1:]
    if verdict == NOT_SHOWN and absent:
        return f"Could not be shown, as not everything is in this run ({absent}). {found}"
    return f"{found} Not everything is in this run ({absent})." if absent else found


def _share(some: int, every: int) -> str:
    """Return how many of two or more comparisons, in words."""
    few = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    words = [few[number] if number < len(few) else str(number) for number in (some, every)]
    share = f"{words[0]} of {words[1]}" if some < every else "both" if every == 2 else f"all {words[1]}"
    return f"{share} comparisons"


def comparison_words(suite: Suite, gain: Gain) -> str:
    """Return a comparison's name, with the data sets that it is on where these are not all."""
    return ", ".join(filter(None, (gain.comparison.text, part_text(suite, gain.dataset))))


def listed_gains(suite: Suite, rows: Sequence[Gain]) -> str:
    """Return comparisons with their gains and intervals, one after the other."""
    return "; ".join(f"{comparison_words(suite, gain)}: {gain_words(gain)}" for gain in rows)


def gain_words(gain: Gain) -> str:
    """Return a gain with its interval, as far as known."""
    shown = gain.estimate
    return GainCell(shown.value, shown.low, shown.high).text(Wording())


def _found(run: Results, gain: Gain) -> str:
    points, low, high = gain.estimate.value, gain.estimate.low, gain.estimate.high
    one, other = _opponents(gain)
    where = part_text(run.suite, gain.dataset)
    where = where and f" on {'the data sets of ' if gain.dataset in means(run.suite) else ''}{where}"
    its_side, margin = side(run, gain), run.suite.analysis.margin_pp
    between = f"the difference lies between {low:+.1f} and {high:+.1f} points"
    worse = f"{one} is {-points:.1f} points worse (between {-high:.1f} and {-low:.1f}) than {other}{where}"
    missed = f"A difference below {gain.estimate.detectable:.1f} points would often be missed"
    missed += " with these seeds and images."
    against = gain.comparison.kind == AGAINST
    if its_side == "above":
        if against:
            return f"{one} is at most {margin:g} points worse than {other}{where}: {between}."
        return f"{one} is {points:.1f} points better (between {low:.1f} and {high:.1f}) than {other}{where}."
    if its_side == "below":
        return f"{worse}, more than the margin of {margin:g}." if against else f"{worse}."
    if against:
        return f"{one} may or may not be within {margin:g} points of {other}{where}: {between}. {missed}"
    if high < gain.estimate.scale * gain.comparison.null:
        p, correction = P(gain.asked.p_adjusted).text(Wording()), gain.asked.correction
        return f"{worse}, which among several comparisons may still be chance (p {p} after {correction})."
    return f"{one} and {other} cannot be told apart{where}: {between}. {missed}"


def _opponents(gain: Gain) -> tuple[str, str]:
    reference, stage = gain.comparison.reference, gain.comparison.stage
    if gain.comparison.kind == "links":
        return f"model {stage} of the chain", f"model {stage - 1}"
    if reference.startswith("panel-"):
        backbone, share = reference.removeprefix("panel-").rsplit("-", 1)
        return "the chain", f"{backbone} on {share} % of the labels"
    return "the chain", IN_WORDS.get(reference, reference)
