"""The paper's claims as stated tests: which comparisons decide each, and what came of them."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from weckd.analysis.evaluation import Evaluation
from weckd.analysis.gains import Gain, decides, interval
from weckd.config import Claim, Evidence
from weckd.places import macro_of

Verdict = Literal["supported", "refuted", "undecided", "not tested"]


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


def evaluate_claims(evaluation: Evaluation) -> tuple[ClaimVerdict, ...]:
    """Return every claim of the plan with its verdict.

    *Supported*: each comparison's two-sided interval lies above its threshold (0, or minus the margin); all of them
    together are an intersection-union test, which needs no correction. *Refuted*: at least one lies below its
    threshold, its p corrected within its family. Else *undecided*, also where something is missing or identical:
    such a claim can be refuted by what is there, not supported. *Not tested*: no comparison is in this run.
    """
    return tuple(
        ClaimVerdict(claim, _judged(evaluation, claim.decided_by), _judged(evaluation, claim.beside))
        for claim in evaluation.suite.analysis.claims
    )


def side(evaluation: Evaluation, gain: Gain) -> Literal["above", "below", "neither", "unknown"]:
    """Return on which side of its threshold a comparison lies, see `evaluate_claims`."""
    low, _ = interval(evaluation.suite, gain)
    study = gain.study
    if study is None or not study.se > 0 or low != low:  # noqa: PLR0124 - NaN: too few seeds
        return "unknown"
    if low > gain.comparison.null:
        return "above"
    below = study.estimate < gain.comparison.null and gain.p_adjusted < evaluation.suite.analysis.alpha
    return "below" if below else "neither"


def _judged(evaluation: Evaluation, evidence: Sequence[Evidence]) -> Judgement:
    found = {id(row): row for item in evidence for row in _rows(evaluation, item)}
    rows = tuple(found.values())
    absent = _absent(evaluation, evidence)
    if not rows:
        return Judgement("not tested", (), None, absent)
    sides = {id(row): side(evaluation, row) for row in rows}
    known = [row for row in rows if sides[id(row)] != "unknown"]
    unknown = [row for row in rows if sides[id(row)] == "unknown"]
    below = [row for row in rows if sides[id(row)] == "below"]
    if below:
        return Judgement("refuted", rows, min(below, key=_distance), "")
    if unknown or absent:
        reason = "; ".join([*dict.fromkeys(row.verdict for row in unknown), *([absent] if absent else [])])
        return Judgement("undecided", rows, (unknown or sorted(known, key=_distance))[0], reason)
    least = min(rows, key=_distance)
    supported = all(sides[id(row)] == "above" for row in rows)
    return Judgement("supported" if supported else "undecided", rows, least, "")


def _distance(gain: Gain) -> float:
    """Return how far above its threshold a comparison's estimate lies."""
    return (gain.study.estimate if gain.study else float("nan")) - gain.comparison.null


def _rows(evaluation: Evaluation, evidence: Evidence) -> list[Gain]:
    means = {macro_of(modality) for modality in evidence.over}
    return [
        gain
        for gain in evaluation.planned()
        if gain.comparison.family == evidence.family
        and decides(gain)
        and (not means or gain.dataset in means)
        and (
            not evidence.references
            or any(fnmatch.fnmatch(gain.comparison.reference, pattern) for pattern in evidence.references)
        )
    ]


def _absent(evaluation: Evaluation, evidence: Sequence[Evidence]) -> str:
    """Return what the evidence names and this run has not: families, references, modalities."""
    missing: list[str] = []
    for item in evidence:
        rows = _rows(evaluation, item)
        if not rows:
            missing.append(f"{item.family}: not in this run")
            continue
        family = next(f for f in evaluation.suite.analysis.families if f.name == item.family)
        named = item.references or family.references
        references = [row.comparison.reference for row in rows]
        missing += [
            f"over {name}: not run"
            for name in named
            if "*" not in name and not fnmatch.filter(references, name)
        ]
        places = {row.dataset for row in rows}
        missing += [f"{modality}: no data set" for modality in item.over if macro_of(modality) not in places]
    return "; ".join(missing)
