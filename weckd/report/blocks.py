"""Tables for the page, with all text escaped: from the run's JSON files, or from rows of text."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from weckd.errors import unreadable

LONG = 40  # characters of a cell that may break into lines


@dataclass(frozen=True)
class Cell:
    """A cell as plain text and as HTML."""

    text: str
    html: str

    @property
    def long(self) -> bool:
        """Whether the cell is prose, which may break into lines."""
        return len(self.text) > LONG


@dataclass(frozen=True)
class Block:
    """A table with its title, its caption (HTML) and the label that names it."""

    title: str
    caption: str
    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    label: str = ""  # empty for a table that the page makes itself

    @property
    def nothing(self) -> str:
        """The only cell of a table that has nothing to show and says why; else empty."""
        return self.rows[0][0].text if len(self.header) == len(self.rows) == 1 else ""


def text_block(title: str, caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Block:
    """Return a table of plain text."""
    head, *cells = (tuple(Cell(str(x), escape(str(x))) for x in row) for row in (header, *rows))
    return Block(title, escape(caption), head, tuple(cells))


def read_blocks(file: Path) -> tuple[Block, ...]:
    """Return the tables of a JSON file that `weckd.tables.render` wrote, in order.

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    with unreadable(file, "not tables of a run", "make them again, or move away what is no table", repr):
        return tuple(_block(table) for table in json.loads(file.read_text(encoding="utf-8")))


def _block(told: Mapping[str, Any]) -> Block:
    warned = [{"bold": told["warning"]}, " "] if told["warning"] else []
    header, *rows = (tuple(map(_cell, row)) for row in (told["columns"], *told["rows"]))
    return Block(told["title"], _cell([*warned, told["caption"]]).html, header, tuple(rows), told["label"])


def _cell(told: str | Sequence[Any]) -> Cell:
    """Return a text, or a list of texts and of `{"bold": text}`."""
    text = html = ""
    for span in [told] if isinstance(told, str) else told:
        part = span if isinstance(span, str) else span["bold"]
        text += part
        safe = escape(part, quote=False).replace('"', "&quot;")  # no apostrophe: it can end no attribute here
        html += safe if part is span else f"<strong>{safe}</strong>"
    return Cell(text, html)
