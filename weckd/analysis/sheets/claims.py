"""The paper's claims, two verdicts each with what they rest on, and the paper's numbers beside those of the run."""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import pandas as pd

from weckd.analysis import sheet
from weckd.analysis.claims import (
    ClaimVerdict,
    Firmness,
    Judgement,
    comparison_words,
    evaluate_claims,
    firmness,
    largest_gain,
    lies,
    sentences,
    verdict_text,
)
from weckd.analysis.estimates import NOT_KNOWN, Gain, missing_of
from weckd.analysis.results import LARGEST, Published, Results
from weckd.analysis.sheets.gains import gains_frame
from weckd.analysis_plan import Claim
from weckd.config import Suite
from weckd.places import MACRO, is_phantom, means, overall, sets_of
from weckd.tables.captions import amended_sentence, confidence, dataset_text, has_phantom
from weckd.tables.cells import NOTHING, Cell, Joined, Number, Wording, cell_text
from weckd.tables.cells import Gain as GainCell
from weckd.tables.render import Table, TableFile, csv_text

VERDICTS_OF = {"as worded": "verdict as worded", "for the chain": "verdict for the chain"}
ANSWER = ("claim", "question", "verdict", "effect", "compared", "comparisons", "margin", "chance", "why")
"""The columns of answers.csv, which the report's first screen is made of; a row for each verdict."""
NO_CLAIM = "the plan of this run holds no claim; see claims in config/analysis.yaml"
NO_NUMBER = "no number of the paper is listed; config/published.yaml holds them"
Row: TypeAlias = tuple[Claim, str, Judgement]
"""A claim, what is asked of it, and what came of that."""


def claims_table(run: Results) -> TableFile:
    """Return both verdicts of each claim side by side, what each rests on, and as a frame every comparison."""
    suite, claims, level = run.suite, evaluate_claims(run), confidence(run.suite)
    both: dict[str, Callable[[ClaimVerdict], Cell]] = {
        "claim": lambda item: item.claim.name,
        VERDICTS_OF["as worded"]: lambda item: verdict_text(item.as_worded),
        f"as worded [{level} CI]": lambda item: _effects(suite, item.as_worded),
        VERDICTS_OF["for the chain"]: lambda item: verdict_text(item.for_the_chain),
        f"for the chain [{level} CI]": lambda item: _effects(suite, item.for_the_chain),
    }
    rows = [(item.claim, name, one) for item in claims for name, side in item.sides for one in side]
    each: dict[str, Callable[[Row], Cell]] = {
        "claim": lambda row: row[0].name,
        "question": lambda row: ", ".join(filter(None, (row[1], row[2].reading))),
        "verdict": lambda row: row[2].verdict,
        f"effect [{level} CI]": lambda row: _effect(row[2].deciding),
        "compared": lambda row: comparison_words(suite, row[2].deciding) if row[2].deciding else NOTHING,
        "comparisons": lambda row: _comparisons(row[2]),
        "holds at any margin": lambda row: _margins(firmness(run, row[0], row[2])),
        "chance of shown": lambda row: _chance(suite, *row[::2], firmness(run, row[0], row[2])),
        "why": lambda row: sentences(run, row[0], row[2]),
    }
    threshold = (
        "Shown here: every comparison has its interval above the threshold, 0 or minus the margin of "
        f"{suite.analysis.margin_pp:g} points. Contradicted here: one lies below it, after the correction of its "
        "family. Else not shown here."
    )
    sets = "; ".join(
        f"{name}: the mean over {', '.join(keys)}" for name, keys in means(suite).items() if keys
    )
    missing = [name for _, _, one in rows for name in missing_of(one.rows)]
    says = sheet.caption(
        run,
        "Both verdicts on each claim, for these data sets and our reading of the method.",
        test="contradictions corrected in their family",
        notes=(
            "The paper's settings are not public: verdicts hold for these data sets and our reading of the method.",
            *(f"Claim {item.claim.name}: {item.claim.says} ({item.claim.source})." for item in claims),
            threshold,
            f"{sets}." if sets else "",
            amended_sentence(suite),
        ),
        missing=missing,
    )
    rests = sheet.caption(
        run,
        "The comparisons that each verdict rests on, gains in percentage points of accuracy.",
        test="contradictions corrected in their family",
        notes=(threshold, amended_sentence(suite)),
        missing=missing,
    )
    tables = [
        sheet.table(
            suite,
            "claims",
            "Claims of the paper",
            sheet.listed(claims, both),
            says,
            ("claim", NO_CLAIM),
            ("claim", *VERDICTS_OF.values()),
        ),
        sheet.table(
            suite,
            "claims-why",
            "What the verdicts rest on",
            sheet.listed(rows, each),
            rests,
            ("claim", NO_CLAIM),
            ("claim", "question", "verdict", "effect *", "compared", "comparisons"),
        ),
    ]
    return TableFile("claims", _frame(run, claims), tables)


def answers_text(tables: Sequence[Table], wording: Wording) -> str:
    """Return what the verdicts rest on by stable names, as CSV: what is printed may be relabelled or left out."""
    cells = tables[-1].cells
    rows = [[cell_text(cell, wording) for cell in row] for row in cells.itertuples(index=False)]
    return csv_text(pd.DataFrame(rows if len(cells.columns) == len(ANSWER) else [], columns=list(ANSWER)))


def _effects(suite: Suite, judgements: Sequence[Judgement]) -> Cell:
    """Return the deciding gains, each with what it is over where there is one."""
    parts: list[Cell] = []
    for item in judgements:
        parts += [f"{item.reading}:"] if item.reading else []
        parts += [_effect(item.deciding)]
        parts += (
            [f"{comparison_words(suite, item.deciding)}{';' * (item is not judgements[-1])}"]
            if item.deciding
            else []
        )
    return Joined(tuple(parts))


def _effect(deciding: Gain | None) -> Cell:
    return sheet.gain(deciding.estimate) if deciding else NOTHING


def _comparisons(judgement: Judgement) -> str:
    """Return how many comparisons decide, and of how many; what may be several that are not there is named."""
    made = len(judgement.rows)
    one = [name for name in judgement.absent if name.endswith(": not run") and "*" not in name]
    several = [name for name in judgement.absent if name not in one]
    told = f"{made} of {made + len(one)}" if one else str(made)
    return f"{told} ({'; '.join(several)})" if several else told


def _margins(found: Firmness) -> Cell:
    ends = {"up to": found.up_to, "from": found.from_}
    return next((Joined((word, Number(end))) for word, end in ends.items() if not math.isnan(end)), NOTHING)


def _chance(suite: Suite, claim: Claim, judgement: Judgement, found: Firmness) -> Cell:
    if math.isnan(found.most) or judgement.deciding is None:
        return NOTHING
    ends = dict.fromkeys(map(_share, (found.least, found.most)))
    truth = f"if {found.true_gain:+.1f}" if found.true_gain else "if equal"
    sets = len(sets_of(suite, judgement.deciding.dataset))
    if found.true_gain and claim.up_to_pp and sets > 1:
        truth = f"if {claim.up_to_pp:+g} on one of {sets} data sets (mean {found.true_gain:+.1f})"
    if judgement.absent:
        return f"none, as not all was run; else at most {_share(found.most)} {truth}"
    return f"{' to '.join(ends)} {truth}"


def _share(chance: float) -> str:
    return "<.01" if chance < 0.005 else ">.99" if chance > 0.995 else f"{chance:.2f}".removeprefix("0")


def _frame(run: Results, claims: tuple[ClaimVerdict, ...]) -> pd.DataFrame:
    """Return the comparisons of each claim, or one row without numbers where this run has none."""
    frames = [pd.DataFrame(columns=["claim"])] if not claims else []
    for item in claims:
        both = {VERDICTS_OF[name]: verdict_text(judgements) for name, judgements in item.sides}
        for name, judgements in item.sides:
            for judgement in judgements:
                found = firmness(run, item.claim, judgement)
                of_verdict = {
                    "claim": item.claim.name,
                    "source": item.claim.source,
                    **both,
                    "question": name,
                    "reading": judgement.reading,
                    "claim_verdict": judgement.verdict,
                    "claim_reason": judgement.reason,
                    "absent": "; ".join(judgement.absent),
                    "holds_up_to_margin": found.up_to,
                    "holds_from_margin": found.from_,
                    "true_gain": found.true_gain,
                    "chance_shown_least": found.least,
                    "chance_shown_most": found.most,
                }
                of = pd.DataFrame([of_verdict] * max(1, len(judgement.rows)))
                frames.append(pd.concat([of, gains_frame(run, judgement.rows)], axis=1))
    return pd.concat(frames, ignore_index=True)


def published_table(run: Results) -> TableFile:
    """Return every number of the paper beside the same comparison here: inside or outside our interval."""
    suite, found = run.suite, [(item, _ours(run, item)) for item in run.published]
    shown = sheet.listed(
        found,
        {
            "what": lambda pair: pair[0].name,
            "where": lambda pair: f"{pair[0].where}, {pair[0].version}",
            "paper says": lambda pair: GainCell(pair[0].value),
            "here": lambda pair: _effect(pair[1]),
            "on": lambda pair: _on(run, *pair),
            "paper's number is": lambda pair: _judgement(run, *pair),
        },
    )
    says = sheet.caption(
        run,
        "The paper's numbers, as far as they can be read, beside the same comparison in this run, percentage points.",
        notes=("Phantom images are not comparable with the paper's." if has_phantom(suite) else "",),
        missing=missing_of(gain for _, gain in found if gain),
    )
    rows = [_published_row(run, *pair) for pair in found]
    none, narrow = ("what", NO_NUMBER), ("what", "paper says", "here", "paper's number is")
    return sheet.file(suite, "published", "What the paper says", rows, shown, says, none, narrow)


def _ours(run: Results, item: Published) -> Gain | None:
    """Return the same comparison in this run, or None where it has not been made."""
    if item.data_set == LARGEST:
        return largest_gain(run, item.method, item.reference, item.metric)
    compared, place = (item.method, item.reference), item.data_set
    place = overall(run.suite) if place == MACRO else place
    return next(
        (
            gain
            for gain in run.gains
            if (gain.comparison.method, gain.comparison.reference) == compared
            and (gain.metric, gain.dataset) == (item.metric, place)
        ),
        None,
    )


def _judgement(run: Results, item: Published, gain: Gain | None) -> str:
    return lies(run.suite, item.value, gain) if gain else "not in this run"


def _on(run: Results, item: Published, gain: Gain | None) -> str:
    if gain is None:
        return item.data_set
    on = dataset_text(run.suite, gain.dataset) if gain.dataset in run.suite.datasets else gain.dataset
    return f"{LARGEST}: {on}" if item.data_set == LARGEST else on


def _published_row(run: Results, item: Published, gain: Gain | None) -> dict[str, object]:
    names = ("name", "method", "reference", "metric", "data_set", "where", "version")
    shown = gain.estimate if gain else None
    return {
        "suite": run.suite.run,
        **{name: getattr(item, name) for name in names},
        "paper_says": item.value,
        "dataset": gain.dataset if gain else "",
        "phantom": is_phantom(run.suite, gain.dataset) if gain else "",
        "gain": shown.value if shown else NOT_KNOWN,
        "ci_low": shown.low if shown else NOT_KNOWN,
        "ci_high": shown.high if shown else NOT_KNOWN,
        "judgement": _judgement(run, item, gain),
        "plan_hash": run.suite.plan_hash,
    }
