"""What a person sees first: what this is, whether the images are real, and the answer to each claim."""

import csv
from dataclasses import dataclass
from pathlib import Path

from weckd.config import Suite
from weckd.errors import UserError
from weckd.tables.captions import PHANTOM

VERDICTS = ("supported", "refuted", "undecided", "not tested (quick look)")


@dataclass(frozen=True)
class Banner:
    """The line that no reader may miss; `phantom` where any image is drawn by the suite."""

    phantom: bool
    headline: str
    text: str


@dataclass(frozen=True)
class Answer:
    """The verdict of a claim, the paper's words, and what decides."""

    claim: str
    says: str  # the paper's words, shortened; empty where the plan has no claim of this name
    verdict: str
    effect: str
    compared: str
    why: str


def banner(suite: Suite) -> Banner:
    """Return whether the run's images are phantoms, real, or both."""
    drawn = [key for key in suite.datasets if suite.facts[key].phantom]
    one, count = len(suite.datasets) == 1, len(suite.datasets)
    whole = "The data set" if one else f"All {count} data sets"
    if not drawn:
        return Banner(False, "Real images", f"{whole} {'holds' if one else 'hold'} real medical images.")
    if len(drawn) == count:
        be = "is a synthetic stand-in" if one else "are synthetic stand-ins"
        return Banner(True, PHANTOM, f"{whole} {be}: the numbers show that the suite works, and no more.")
    be = "is such a stand-in" if len(drawn) == 1 else "are such stand-ins"
    return Banner(True, PHANTOM, f"{len(drawn)} of {count} data sets {be}: {', '.join(drawn)}.")


def answers(suite: Suite, file: Path) -> tuple[Answer, ...]:
    """Return the verdicts of claims, as in answers.csv, each with the words of the paper that the plan has.

    `file` is answers.csv of the run's tables, by stable names whatever the printed tables are relabelled to; there are
    no answers where it is missing.

    Raises:
        UserError: the file cannot be read.
    """
    says = {claim.name: claim.says for claim in suite.analysis.claims}
    try:
        with file.open(encoding="utf-8", newline="") as rows:
            found = [Answer(says=says.get(row["claim"], ""), **row) for row in csv.DictReader(rows)]
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UserError(
            f"{file}: not the answers of a run ({problem!r}); make the run's tables again"
        ) from problem
    return tuple(answer for answer in found if answer.verdict in VERDICTS)
