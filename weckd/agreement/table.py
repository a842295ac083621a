"""The table of an agreement, and its summary in words."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from weckd.agreement.agree import Agreement, Cell, agreement_frame
from weckd.agreement.reference import Reference
from weckd.config import Suite
from weckd.tables.captions import closing, joined, phantom_sentence
from weckd.tables.cells import NOTHING, Number
from weckd.tables.files import Table, TableFile

SHOWN_MISSES = 20


def agreement_table(suite: Suite, agreement: Agreement, reference: Reference) -> TableFile:
    """Return every cell of an agreement; what does not agree stands first."""
    cells = sorted(agreement.cells, key=lambda cell: cell.agrees)
    rows = [
        [
            cell.what,
            cell.dataset or NOTHING,
            cell.name,
            *_numbers(cell),
            "yes" if cell.agrees else "NO",
            cell.note,
        ]
        for cell in cells
    ]
    headers = ["what", "data set", "of", "reference", "rerun", "allowed", "agrees", "note"]
    caption = joined(
        phantom_sentence(suite),
        f"{verdict(agreement)} {reference.rule} Level {reference.level:g}, declared in the reference. Percent and "
        "percentage points. Nothing is tested.",
        closing(suite),
    )
    table = Table(
        f"Agreement with the reference, suite {suite.run}",
        caption,
        "agreement",
        pd.DataFrame(rows, columns=headers),
    )
    return TableFile("agreement", agreement_frame(suite, agreement), [table])


def verdict(agreement: Agreement) -> str:
    """Return the verdict with the number of cells that agree, and how they were compared."""
    inside = sum(cell.agrees for cell in agreement.cells)
    word = "Reproduced" if agreement.reproduced else "NOT reproduced"
    how = (
        "equal bytes"
        if agreement.exact
        else f"intervals, since the run was made otherwise: {agreement.differs}; predictions are equal to the last "
        f"digit in {agreement.equal_files} of {agreement.files} cells all the same"
    )
    return f"{word}: {inside} of {len(agreement.cells)} cells agree, compared by {how}."


def summary(agreement: Agreement, out: Path) -> str:
    """Return the verdict, the first misses, and where all cells are."""
    misses = [cell for cell in agreement.cells if not cell.agrees]
    lines = [verdict(agreement), *(f"  {_miss(cell)}" for cell in misses[:SHOWN_MISSES])]
    if len(misses) > SHOWN_MISSES:
        lines.append(f"  and {len(misses) - SHOWN_MISSES} more")
    return "\n".join([*lines, f"all cells: {out / 'agreement.md'}"])


def _miss(cell: Cell) -> str:
    where = f"{cell.what} {cell.dataset} {cell.name}".replace("  ", " ")
    if math.isnan(cell.reference) or math.isnan(cell.rerun):
        return f"{where}: {cell.note}"
    return f"{where}: {cell.rerun:.3f}, reference {cell.reference:.3f}, allowed {cell.tolerance:.3f}"


def _numbers(cell: Cell) -> Sequence[Number]:
    return [Number(value, 2) for value in (cell.reference, cell.rerun, cell.tolerance)]
