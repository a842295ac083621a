"""What a comparison found, in one sentence that needs no statistics."""

from collections.abc import Sequence

from weckd.analysis.claims import Judgement, side
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.gains import Gain, interval
from weckd.analysis.inference.reader_study import minimum_detectable
from weckd.places import MACRO
from weckd.tables.cells import P, Wording

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


def sentence(evaluation: Evaluation, judgement: Judgement) -> str:
    """Return why a claim has its verdict, from the comparison that decided it or kept it open."""
    if judgement.deciding is None or judgement.reason:
        return f"No verdict: {judgement.reason}."
    found = _found(evaluation, judgement.deciding)
    if judgement.verdict == "supported" and len(judgement.rows) > 1:
        return f"All {len(judgement.rows)} comparisons agree, this one by the least: {found}"
    if len(judgement.rows) == 1:
        return found
    which = (
        "The comparison that refutes it"
        if judgement.verdict == "refuted"
        else "The least favourable comparison"
    )
    return f"{which} of {len(judgement.rows)}: {found}"


def comparison_words(gain: Gain) -> str:
    """Return a comparison's name, with the data sets that its mean is over where these are not all."""
    over = f", {gain.dataset.removeprefix(MACRO).strip()}" if gain.dataset != MACRO else ""
    return gain.comparison.text + over


def _found(evaluation: Evaluation, gain: Gain) -> str:
    low, high = (100 * value for value in interval(evaluation.suite, gain))
    points = 100 * gain.study.estimate if gain.study else float("nan")
    one, other, where = _who(gain), _other(gain), _where(gain)
    null = 100 * gain.comparison.null
    if gain.comparison.kind == "non-inferiority":
        return _against_margin(evaluation, gain, f"{one} {{}} {other}{where}", points, low, high)
    if side(evaluation, gain) == "above":
        return f"{one} is {points:.1f} points better than {other}{where} (between {low:.1f} and {high:.1f})."
    if high < null:
        worse = (
            f"{one} is {-points:.1f} points worse than {other}{where} (between {-high:.1f} and {-low:.1f})"
        )
        if side(evaluation, gain) == "below":
            return f"{worse}."
        p = P(gain.p_adjusted).text(Wording())
        return (
            f"{worse}, which among several comparisons may still be chance (p {p} after {gain.correction})."
        )
    return (
        f"{one} and {other} cannot be told apart{where}: the difference lies between {low:+.1f} and "
        f"{high:+.1f} points. {_would_be_missed(evaluation, gain)}"
    )


def _against_margin(
    evaluation: Evaluation, gain: Gain, pattern: str, points: float, low: float, high: float
) -> str:
    margin = evaluation.suite.analysis.margin_pp
    between = f"the difference lies between {low:+.1f} and {high:+.1f} points"
    if side(evaluation, gain) == "above":
        return f"{pattern.format(f'is at most {margin:g} points worse than')}: {between}."
    if side(evaluation, gain) == "below":
        worse = pattern.format(f"is {-points:.1f} points worse than")
        return f"{worse} (between {-high:.1f} and {-low:.1f}), more than the margin of {margin:g}."
    keeps = pattern.format(f"may or may not be within {margin:g} points of")
    return f"{keeps}: {between}. {_would_be_missed(evaluation, gain)}"


def _would_be_missed(evaluation: Evaluation, gain: Gain) -> str:
    if gain.study is None:
        return ""
    points = 100 * minimum_detectable(gain.study, evaluation.suite.analysis.alpha)
    return f"A difference below {points:.1f} points would often be missed with these seeds and images."


def _who(gain: Gain) -> str:
    return f"Model {gain.comparison.stage} of the chain" if gain.comparison.kind == "links" else "The chain"


def _other(gain: Gain) -> str:
    if gain.comparison.kind == "links":
        return f"model {gain.comparison.stage - 1}"
    reference = gain.comparison.reference
    if reference.startswith("panel-"):
        backbone, share = reference.removeprefix("panel-").rsplit("-", 1)
        return f"{backbone} on {share} % of the labels"
    return IN_WORDS.get(reference, reference)


def _where(gain: Gain) -> str:
    over = gain.dataset.removeprefix(MACRO).strip()
    return f" on the data sets of {over}" if over else ""


def listed(evaluation: Evaluation, rows: Sequence[Gain]) -> str:
    """Return comparisons with their gains and intervals, one after the other."""
    texts = []
    for gain in rows:
        low, high = (100 * value for value in interval(evaluation.suite, gain))
        points = f"{100 * gain.study.estimate:+z.1f}" if gain.study else "missing"
        known = "" if low != low else f" [{low:+z.1f}, {high:+z.1f}]"  # noqa: PLR0124 - NaN
        texts.append(f"{comparison_words(gain)}: {points}{known}")
    return "; ".join(texts)
