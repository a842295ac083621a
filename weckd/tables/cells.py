"""What is in a table's cells, and how it reads as text."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

MISSING = "missing"
NOTHING = "-"
NATS_DIGITS = 3


@dataclass(frozen=True)
class Wording:
    """How numbers and names are printed."""

    digits: int = 1  # decimals of percentages and points
    labels: Mapping[str, str] = field(default_factory=dict)  # method, data set or column -> its label

    def label(self, name: str) -> str:
        """Return what is printed for a name."""
        return self.labels.get(name, name)


@dataclass(frozen=True)
class Name:
    """A method or a data set."""

    key: str
    suffix: str = ""

    def text(self, wording: Wording) -> str:
        """Return its label."""
        return f"{wording.label(self.key)}{self.suffix}"


@dataclass(frozen=True)
class Level:
    """A mean and the half-width of its interval, "54.2 ± 6.1"; the mean alone where there is no half-width."""

    mean: float
    half_width: float = float("nan")
    in_percent: bool = True

    def text(self, wording: Wording) -> str:
        """Return the mean and its half-width."""
        digits = wording.digits if self.in_percent else NATS_DIGITS
        if math.isnan(self.mean):
            return MISSING
        mean = f"{self.mean:z.{digits}f}"
        return mean if math.isnan(self.half_width) else f"{mean} ± {self.half_width:.{digits}f}"


@dataclass(frozen=True)
class Gain:
    """A difference and its interval, "+4.2 [+1.0, +7.4]"; the difference alone where there is no interval."""

    estimate: float
    low: float = float("nan")
    high: float = float("nan")
    in_percent: bool = True
    mark: str = ""  # printed behind the estimate

    def text(self, wording: Wording) -> str:
        """Return the signed difference with its interval."""
        digits = wording.digits if self.in_percent else NATS_DIGITS
        if math.isnan(self.estimate):
            return MISSING
        estimate, low, high = (f"{value:+z.{digits}f}" for value in (self.estimate, self.low, self.high))
        return f"{estimate}{self.mark}" + ("" if math.isnan(self.low) else f" [{low}, {high}]")


@dataclass(frozen=True)
class P:
    """A p value to three decimals without the leading zero, "<.001" below that, "-" where not defined."""

    p: float

    def text(self, _: Wording) -> str:
        """Return p."""
        if math.isnan(self.p):
            return NOTHING
        return "<.001" if self.p < 0.001 else f"{self.p:.3f}".removeprefix("0")


@dataclass(frozen=True)
class Number:
    """A number without a sign or an interval, "-" where not defined."""

    value: float
    digits: int | None = None  # None: as percentages have
    unit: str = ""

    def text(self, wording: Wording) -> str:
        """Return the number and its unit."""
        if not math.isfinite(self.value):
            return NOTHING
        return f"{self.value:z.{wording.digits if self.digits is None else self.digits}f}{self.unit}"


@dataclass(frozen=True)
class Bold:
    """Another cell, in bold."""

    cell: "Cell"


@dataclass(frozen=True)
class Joined:
    """Cells side by side, with a space between them."""

    cells: "tuple[Cell, ...]"


Cell: TypeAlias = str | Name | Level | Gain | P | Number | Bold | Joined
Span: TypeAlias = tuple[str, bool]
"""A piece of text, and whether it is bold."""


def spans(cell: Cell, wording: Wording) -> list[Span]:
    """Return a cell as pieces of text; a plain string stays as it is."""
    if isinstance(cell, Joined):
        parts = [spans(part, wording) for part in cell.cells]
        return [span for place, part in enumerate(parts) for span in ([(" ", False)] if place else []) + part]
    if isinstance(cell, Bold):
        return [("".join(text for text, _ in spans(cell.cell, wording)), True)]
    return [(cell if isinstance(cell, str) else cell.text(wording), False)]


def marked(pieces: Iterable[Span]) -> str:
    """Return pieces of text as one, with what is bold between Markdown's marks."""
    return "".join(f"**{text}**" if bold else text for text, bold in pieces)


def cell_text(cell: Cell, wording: Wording) -> str:
    """Return a cell as text, with what is bold between Markdown's marks."""
    return marked(spans(cell, wording))


def cell_key(cell: Cell) -> str:
    """Return what a row is called by in a layout: the key of a name, or a cell's plain text."""
    while isinstance(cell, Bold):
        cell = cell.cell
    return cell.key if isinstance(cell, Name) else cell_text(cell, Wording())
