"""The paper's claims as stated tests: which comparisons decide each, what came of them, and why in plain words."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from weckd.analysis.estimates import Gain
from weckd.analysis.results import Results
from weckd.analysis_plan import Claim, Evidence
from weckd.places import MACRO, macro_of
from weckd.tables.cells import P, Wording

Verdict = Literal["supported", "refuted", "undecided", "not tested", "not tested (quick look)"]

IN_WORDS = {
    "single": "one model on the first part of the labels",
    "pooled": "one model on the same labels and as many steps",
    "sequential": "the same three models in a row without a teacher",
    "single-long": "one model on the first part of the labels with as many steps",
    "ensemble": "the average of three models on the same labels",
    "one-step": "a single step of distillation with the same labels",
    "full": "a model on all labels with as many steps",
    "full-converged": "a model trained to the end on all labels",
}


@dataclass(frozen=True)
class Judgement:
    """Some comparisons and what they say together."""

    verdict: Verdict
    rows: tuple[Gain, ...]  # all comparisons, in the plan's order
    deciding: Gain | None  # the one that decided, or that kept the verdict open; None where there are no rows
    reason: str  # why there is no verdict; empty where the intervals alone decide


@dataclass(frozen=True)
class ClaimVerdict:
    """A claim, decided by the plan's comparisons, and by the paper's own beside them."""

    claim: Claim
    decided: Judgement
    beside: Judgement


def evaluate_claims(run: Results) -> tuple[ClaimVerdict, ...]:
    """Return every claim of the plan with its verdict.

    *Supported*: each comparison's two-sided interval lies above its threshold (0, or minus the margin); all of them
    together are an intersection-union test, which needs no correction. *Refuted*: at least one lies below its
    threshold, its p corrected within its family. Else *undecided*, also where something is missing or identical:
    such a claim can be refuted by what is there, not supported. *Not tested*: no comparison is in this run, or the
    suite is a quick look, of which the least favourable comparison is shown.
    """
    return tuple(
        ClaimVerdict(claim, _judged(run, claim.for_the_chain), _judged(run, claim.as_worded))
        for claim in run.suite.analysis.claims
    )


def side(run: Results, gain: Gain) -> Literal["above", "below", "neither", "unknown"]:
    """Return on which side of its threshold a comparison lies, see `evaluate_claims`."""
    shown, null = gain.estimate, gain.comparison.null
    if shown.study is None or not shown.se > 0 or shown.low != shown.low:
        return "unknown"
    if shown.low > shown.scale * null:
        return "above"
    below = shown.study.estimate < null and gain.p_adjusted < run.suite.analysis.alpha
    return "below" if below else "neither"


def _judged(run: Results, evidence: Sequence[Evidence]) -> Judgement:
    found = {id(row): row for item in evidence for row in _rows(run, item)}
    rows, absent = tuple(found.values()), _absent(run, evidence)
    if not rows:
        return Judgement("not tested", (), None, absent)
    of_side: dict[str, list[Gain]] = {"above": [], "below": [], "neither": [], "unknown": []}
    for row in rows:
        of_side[side(run, row)].append(row)
    below, unknown = of_side["below"], of_side["unknown"]
    known = [row for row in rows if row not in unknown]
    if run.suite.quick_look:
        return Judgement("not tested (quick look)", rows, min(known or rows, key=_distance), absent)
    if below:
        return Judgement("refuted", rows, min(below, key=_distance), "")
    if unknown or absent:
        reason = "; ".join([*dict.fromkeys(row.verdict for row in unknown), *([absent] if absent else [])])
        return Judgement("undecided", rows, (unknown or sorted(known, key=_distance))[0], reason)
    supported = len(of_side["above"]) == len(rows)
    return Judgement("supported" if supported else "undecided", rows, min(rows, key=_distance), "")


def _distance(gain: Gain) -> float:
    """Return how far above its threshold a comparison's estimate lies."""
    study = gain.estimate.study
    return (study.estimate if study else float("nan")) - gain.comparison.null


def _rows(run: Results, evidence: Evidence) -> list[Gain]:
    means = {macro_of(modality) for modality in evidence.over}
    return [
        gain
        for gain in run.planned
        if gain.comparison.family == evidence.family
        and gain.decides
        and (not means or gain.dataset in means)
        and (
            not evidence.references
            or any(fnmatch.fnmatch(gain.comparison.reference, pattern) for pattern in evidence.references)
        )
    ]


def _absent(run: Results, evidence: Sequence[Evidence]) -> str:
    """Return what the evidence names and this run has not: families, references, modalities."""
    missing: list[str] = []
    for item in evidence:
        rows = _rows(run, item)
        if not rows:
            missing.append(f"{item.family}: not in this run")
            continue
        family = next(f for f in run.suite.analysis.families if f.name == item.family)
        references = [row.comparison.reference for row in rows]
        missing += [
            f"over {name}: not run"
            for name in item.references or family.references
            if "*" not in name and not fnmatch.filter(references, name)
        ]
        places = {row.dataset for row in rows}
        missing += [f"{modality}: no data set" for modality in item.over if macro_of(modality) not in places]
    return "; ".join(missing)


def sentence(run: Results, judgement: Judgement) -> str:
    """Return, in words that need no statistics, why a claim has its verdict."""
    if run.suite.quick_look and judgement.rows:
        absent = f"; {judgement.reason}" if judgement.reason else ""
        return f"A quick look decides nothing: {listed_gains(judgement.rows)}{absent}."
    if judgement.deciding is None or judgement.reason:
        return f"No verdict: {judgement.reason}."
    found, count = _found(run, judgement.deciding), len(judgement.rows)
    if count == 1:
        return found
    if judgement.verdict == "supported":
        return f"All {count} comparisons agree, this one by the least: {found}"
    refutes = judgement.verdict == "refuted"
    which = "The comparison that refutes it" if refutes else "The least favourable comparison"
    return f"{which} of {count}: {found}"


def comparison_words(gain: Gain) -> str:
    """Return a comparison's name, with the data sets that its mean is over where these are not all."""
    over = f", {gain.dataset.removeprefix(MACRO).strip()}" if gain.dataset != MACRO else ""
    return gain.comparison.text + over


def listed_gains(rows: Sequence[Gain]) -> str:
    """Return comparisons with their gains and intervals, one after the other."""
    texts = []
    for gain in rows:
        shown = gain.estimate
        points = f"{shown.value:+z.1f}" if shown.study else "missing"
        known = "" if shown.low != shown.low else f" [{shown.low:+z.1f}, {shown.high:+z.1f}]"
        texts.append(f"{comparison_words(gain)}: {points}{known}")
    return "; ".join(texts)


def _found(run: Results, gain: Gain) -> str:
    points, low, high = gain.estimate.value, gain.estimate.low, gain.estimate.high
    one, other = _opponents(gain)
    where = gain.dataset.removeprefix(MACRO).strip()
    where = f" on the data sets of {where}" if where else ""
    its_side, margin = side(run, gain), run.suite.analysis.margin_pp
    between = f"the difference lies between {low:+.1f} and {high:+.1f} points"
    worse = f"{one} is {-points:.1f} points worse than {other}{where} (between {-high:.1f} and {-low:.1f})"
    missed = f"A difference below {gain.estimate.detectable:.1f} points would often be missed"
    missed += " with these seeds and images."
    against = gain.comparison.kind == "non-inferiority"
    if its_side == "above":
        if against:
            return f"{one} is at most {margin:g} points worse than {other}{where}: {between}."
        return f"{one} is {points:.1f} points better than {other}{where} (between {low:.1f} and {high:.1f})."
    if its_side == "below":
        return f"{worse}, more than the margin of {margin:g}." if against else f"{worse}."
    if against:
        return f"{one} may or may not be within {margin:g} points of {other}{where}: {between}. {missed}"
    if high < gain.estimate.scale * gain.comparison.null:
        p = P(gain.p_adjusted).text(Wording())
        return (
            f"{worse}, which among several comparisons may still be chance (p {p} after {gain.correction})."
        )
    return f"{one} and {other} cannot be told apart{where}: {between}. {missed}"


def _opponents(gain: Gain) -> tuple[str, str]:
    reference, stage = gain.comparison.reference, gain.comparison.stage
    if gain.comparison.kind == "links":
        return f"Model {stage} of the chain", f"model {stage - 1}"
    if reference.startswith("panel-"):
        backbone, share = reference.removeprefix("panel-").rsplit("-", 1)
        return "The chain", f"{backbone} on {share} % of the labels"
    return "The chain", IN_WORDS.get(reference, reference)
