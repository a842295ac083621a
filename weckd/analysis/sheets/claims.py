"""The ledger of the paper's claims: a verdict each, why, and what the paper's own comparison says; and its numbers."""

import math

import pandas as pd

from weckd.analysis import sheet
from weckd.analysis.claims import (
    ClaimVerdict,
    Judgement,
    comparison_words,
    evaluate_claims,
    listed_gains,
    sentence,
)
from weckd.analysis.estimates import NOT_KNOWN, Gain, missing_of
from weckd.analysis.results import LARGEST, Published, Results
from weckd.analysis.sheets.gains import gains_frame
from weckd.places import independent, is_phantom, means
from weckd.tables.captions import confidence, dataset_text, has_phantom
from weckd.tables.cells import NOTHING, Cell, Wording, cell_text
from weckd.tables.cells import Gain as GainCell
from weckd.tables.render import Table, TableFile, csv_text

ANSWER = ("claim", "verdict", "effect", "compared", "why")
"""The columns of answers.csv, which the report's first screen is made of."""
NO_CLAIM = "the plan of this run holds no claim; see claims in config/analysis.yaml"
NO_NUMBER = "no number of the paper is listed; config/published.yaml holds them"


def claims_table(run: Results) -> TableFile:
    """Return the ledger, and as a frame every comparison of every claim with its numbers."""
    suite, claims = run.suite, evaluate_claims(run)
    shown = sheet.listed(
        claims,
        {
            "claim": lambda item: item.claim.name,
            "verdict": lambda item: item.decided.verdict,
            f"effect [{confidence(suite)} CI]": lambda item: _effect(item.decided.deciding),
            "compared": lambda item: _compared(item.decided.deciding),
            "why": lambda item: sentence(run, item.decided),
            "the paper's own comparison": lambda item: _beside(item.beside),
        },
    )
    sets = "; ".join(f"{name}: {', '.join(keys)}" for name, keys in means(suite).items() if keys)
    says = sheet.caption(
        run,
        *(f"Claim {item.claim.name}: {item.claim.says} ({item.claim.source})." for item in claims),
        "Decided against methods with the same labels and steps, or against all labels, as the plan says: supported "
        "when every comparison of the claim has its interval above the threshold (0, or minus the margin of "
        f"{suite.analysis.margin_pp:g} points), refuted when one lies below it after the family's correction, else "
        "undecided. effect: percentage points of accuracy, of the comparison that decides or is the least favourable.",
        "The last column is the comparison that the paper makes itself; it decides nothing here.",
        "The paper's settings are not public: verdicts hold for these data sets and our reading of the method.",
        f"means: {sets}.",
        missing=[
            name for item in claims for part in (item.decided, item.beside) for name in missing_of(part.rows)
        ],
    )
    frame = _frame(run, claims)
    return sheet.file(suite, "claims", "Claims of the paper", frame, shown, says, ("claim", NO_CLAIM))


def answers_text(table: Table, wording: Wording) -> str:
    """Return the ledger's cells by stable names, as CSV: what is printed may be relabelled or left out by a layout."""
    shown = table.cells.iloc[:, : len(ANSWER)]
    rows = [[cell_text(cell, wording) for cell in row] for row in shown.itertuples(index=False)]
    return csv_text(pd.DataFrame(rows if len(shown.columns) == len(ANSWER) else [], columns=list(ANSWER)))


def _effect(deciding: Gain | None) -> Cell:
    return sheet.gain(deciding.estimate) if deciding else NOTHING


def _compared(deciding: Gain | None) -> Cell:
    return comparison_words(deciding) if deciding else NOTHING


def _beside(judgement: Judgement) -> str:
    if not judgement.rows:
        return f"not in this run ({judgement.reason})"
    why = f" ({judgement.reason})" if judgement.reason else ""
    return f"{judgement.verdict}{why}: {listed_gains(judgement.rows)}"


def _frame(run: Results, claims: tuple[ClaimVerdict, ...]) -> pd.DataFrame:
    """Return the comparisons of each claim, or one row without numbers where this run has none."""
    frames = [pd.DataFrame(columns=["claim"])] if not claims else []
    for item in claims:
        for role, judgement in (("decides", item.decided), ("beside", item.beside)):
            of_claim = {
                "claim": item.claim.name,
                "source": item.claim.source,
                "role": role,
                "claim_verdict": judgement.verdict,
                "claim_reason": judgement.reason,
            }
            of = pd.DataFrame([of_claim] * max(1, len(judgement.rows)))
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
        "The paper's numbers as far as they can be read, in percentage points, beside the same comparison in this run "
        f"with its {confidence(suite)} two-way interval, not adjusted. largest: the data set with "
        "the largest gain here, chosen on these test images and so flattered. Nothing is tested.",
        "Phantom images are not comparable with the paper's." if has_phantom(suite) else "",
        size="not said",
        omit="derived",
        missing=missing_of(gain for _, gain in found if gain),
    )
    rows = [_published_row(run, *pair) for pair in found]
    return sheet.file(suite, "published", "What the paper says", rows, shown, says, ("what", NO_NUMBER))


def _ours(run: Results, item: Published) -> Gain | None:
    """Return the same comparison in this run, or None where it has not been made."""
    of_item = [
        gain
        for gain in run.gains
        if (gain.comparison.method, gain.comparison.reference) == (item.method, item.reference)
        and gain.metric == item.metric
    ]
    if item.data_set != LARGEST:
        return next((gain for gain in of_item if gain.dataset == item.data_set), None)
    whole = [gain for gain in of_item if gain.dataset in independent(run.suite) and gain.estimate.study]
    return max(whole, key=lambda gain: gain.estimate.value, default=None)


def _judgement(run: Results, item: Published, gain: Gain | None) -> str:
    if gain is None:
        return "not in this run"
    if gain.estimate.study is None:
        return gain.short_verdict
    if is_phantom(run.suite, gain.dataset):
        return "not comparable: phantom images"
    if math.isnan(gain.estimate.low):
        return "no interval: too few seeds"
    if item.value > gain.estimate.high:
        return "outside our interval, above"
    return "outside our interval, below" if item.value < gain.estimate.low else "inside our interval"


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
