"""What a person sees first: what this is, whether the images are real, and the answer to each claim."""

from collections.abc import Sequence
from dataclasses import dataclass

from weckd.analysis.captions import PHANTOM
from weckd.config import Suite
from weckd.report.blocks import Block, Cell

VERDICTS = ("supported", "refuted", "undecided")


@dataclass(frozen=True)
class Banner:
    """The line that no reader may miss; `phantom` where any image is drawn by the suite."""

    phantom: bool
    headline: str
    text: str


@dataclass(frozen=True)
class Answer:
    """The verdict of a claim, the paper's words, and what decides; empty where the table lacks a column."""

    claim: Cell
    says: str  # the paper's words, shortened; empty where the plan has no claim of this name
    verdict: Cell
    effect: Cell
    compared: Cell
    why: Cell


def banner(suite: Suite) -> Banner:
    """Return whether the run's images are phantoms, real, or both."""
    drawn = [key for key in suite.datasets if suite.facts[key].phantom]
    one, count = len(suite.datasets) == 1, len(suite.datasets)
    if not drawn:
        whole = "The data set holds" if one else f"All {count} data sets hold"
        return Banner(False, "Real images", f"{whole} real medical images.")
    if len(drawn) == count:
        whole = (
            "The data set is a synthetic stand-in"
            if one
            else f"All {count} data sets are synthetic stand-ins"
        )
        return Banner(True, PHANTOM, f"{whole}: the numbers show that the suite works, and no more.")
    be = "is such a stand-in" if len(drawn) == 1 else "are such stand-ins"
    return Banner(True, PHANTOM, f"{len(drawn)} of {count} data sets {be}: {', '.join(drawn)}.")


def answers(suite: Suite, claims: Sequence[Block]) -> tuple[Answer, ...]:
    """Return the answers in the order of the tables of claims; a row without a verdict is none."""
    says = {claim.name: claim.says for claim in suite.analysis.claims}
    found = []
    for block in claims:
        names = [cell.text.partition(" [")[0] for cell in block.header]
        for row in block.rows:
            cells = dict(zip(names, row, strict=True))
            claim, verdict, effect, compared, why = (
                cells.get(name, Cell("", "")) for name in ("claim", "verdict", "effect", "compared", "why")
            )
            if verdict.text in VERDICTS:
                found.append(Answer(claim, says.get(claim.text, ""), verdict, effect, compared, why))
    return tuple(found)
