"""The ledger of the paper's claims: a verdict each, why, and what the paper's own comparison says."""

import pandas as pd

from weckd.analysis.claim_words import comparison_words, listed, sentence
from weckd.analysis.claims import ClaimVerdict, Judgement, evaluate_claims
from weckd.analysis.evaluation import Evaluation
from weckd.analysis.gains import Gain, gains_frame
from weckd.analysis.tables.evaluated_cells import gain_cell
from weckd.places import MACRO, means
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
from weckd.tables.cells import NOTHING, Cell, Wording, cell_text
from weckd.tables.files import Table, TableFile, csv_text

ANSWER = ("claim", "verdict", "effect", "compared", "why")
"""The columns of answers.csv, which the report's first screen is made of."""


def claims_table(evaluation: Evaluation) -> TableFile:
    """Return the ledger, and as a frame every comparison of every claim with its numbers."""
    claims = evaluate_claims(evaluation)
    return TableFile("claims", _frame(evaluation, claims), [_table(evaluation, claims)])


def answers_text(table: Table, wording: Wording) -> str:
    """Return the ledger's cells by stable names, as CSV: what is printed may be relabelled or left out by a layout."""
    shown = table.cells.iloc[:, : len(ANSWER)]
    rows = [[cell_text(cell, wording) for cell in row] for row in shown.itertuples(index=False)]
    return csv_text(pd.DataFrame(rows if len(shown.columns) == len(ANSWER) else [], columns=list(ANSWER)))


def _table(evaluation: Evaluation, claims: tuple[ClaimVerdict, ...]) -> Table:
    suite = evaluation.suite
    rows: list[list[Cell]] = [
        [
            item.claim.name,
            item.decided.verdict,
            *_deciding(evaluation, item.decided),
            sentence(evaluation, item.decided),
            _beside(evaluation, item.beside),
        ]
        for item in claims
    ]
    headers = {"effect": f"effect [{100 * (1 - suite.analysis.alpha):g} % CI]"}
    columns = [*(headers.get(name, name) for name in ANSWER), "the paper's own comparison"]
    cells = pd.DataFrame(rows, columns=columns)
    if not rows:
        cells = pd.DataFrame(
            {"claim": ["the plan of this run holds no claim; see claims in config/analysis.yaml"]}
        )
    caption = joined(
        phantom_sentence(suite),
        *(f"Claim {item.claim.name}: {item.claim.says} ({item.claim.source})." for item in claims),
        "Decided against methods with the same labels and steps, or against all labels, as the plan says: supported "
        "when every comparison of the claim has its interval above the threshold (0, or minus the margin of "
        f"{suite.analysis.margin_pp:g} points), refuted when one lies below it after the family's correction, else "
        "undecided. effect: percentage points of accuracy, of the comparison that decides or is the least favourable.",
        "The last column is the comparison that the paper makes itself; it decides nothing here.",
        "The paper's settings are not public: verdicts hold for these data sets and our reading of the method.",
        "means: "
        + "; ".join(f"{name}: {', '.join(keys)}" for name, keys in means(suite).items() if keys)
        + ".",
        size_sentence(suite, evaluation.sizes[MACRO]),
        design_sentence(suite),
        tuning_sentence(suite),
        derived_sentence(suite),
        SCOPE,
        closing(suite, _missing(claims)),
    )
    return Table(f"Claims of the paper, suite {suite.run}", caption, "claims", cells)


def _deciding(evaluation: Evaluation, judgement: Judgement) -> tuple[Cell, Cell]:
    if judgement.deciding is None:
        return NOTHING, NOTHING
    return gain_cell(evaluation.suite, judgement.deciding), comparison_words(judgement.deciding)


def _beside(evaluation: Evaluation, judgement: Judgement) -> str:
    if not judgement.rows:
        return f"not in this run ({judgement.reason})"
    why = f" ({judgement.reason})" if judgement.reason else ""
    return f"{judgement.verdict}{why}: {listed(evaluation, judgement.rows)}"


def _missing(claims: tuple[ClaimVerdict, ...]) -> list[str]:
    return [
        name
        for item in claims
        for part in (item.decided, item.beside)
        for g in part.rows
        for name in g.missing
    ]


def _frame(evaluation: Evaluation, claims: tuple[ClaimVerdict, ...]) -> pd.DataFrame:
    frames = []
    for item in claims:
        for role, judgement in (("decides", item.decided), ("beside", item.beside)):
            of_claim = {
                "claim": item.claim.name,
                "source": item.claim.source,
                "role": role,
                "claim_verdict": judgement.verdict,
                "claim_reason": judgement.reason,
            }
            frames.append(_rows(evaluation, judgement.rows, of_claim))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["claim"])


def _rows(evaluation: Evaluation, rows: tuple[Gain, ...], of_claim: dict[str, str]) -> pd.DataFrame:
    """Return the comparisons of a claim, or one row without numbers where this run has none."""
    numbers = gains_frame(evaluation.suite, evaluation.predictions, rows)
    of = pd.DataFrame([of_claim] * max(1, len(rows)))
    return pd.concat([of, numbers], axis=1)
