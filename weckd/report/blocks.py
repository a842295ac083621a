"""Tables for the page, with all text escaped: from the run's Markdown files, or from rows of text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from weckd.errors import UserError

_MARKDOWN = MarkdownIt("zero").enable(["heading", "table", "emphasis", "backticks", "escape"])
"""What the suite's own tables use and no more: no HTML, no links, no images."""

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
    """A table with its title and its caption (HTML); a block without header is a paragraph."""

    title: str
    caption: str
    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def only_sentence(self) -> str:
        """The only cell of a table that has nothing to show and says why; else empty."""
        return self.rows[0][0].text if len(self.header) == len(self.rows) == 1 else ""


def text_block(title: str, caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Block:
    """Return a table of plain text."""
    return Block(title, escape(caption), _cells(header), tuple(_cells(row) for row in rows))


def _cells(row: Iterable[object]) -> tuple[Cell, ...]:
    return tuple(Cell(str(value), escape(str(value))) for value in row)


def read_blocks(file: Path) -> tuple[Block, ...]:
    """Return the tables of a Markdown file that `weckd.analysis.tables.files.markdown` wrote, in order.

    Raises:
        UserError: the file is no UTF-8 text.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise UserError(f"{file}: not UTF-8 text ({problem}); make the run's tables again") from problem
    drafts = [_Draft(file.stem)]
    tokens = _MARKDOWN.parse(text)
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            drafts.append(_Draft(_cell(token).text))
        elif before.type == "table_open" and drafts[-1].header:
            drafts.append(_Draft(drafts[-1].title))  # a second table below one title
        elif before.type == "paragraph_open":
            drafts[-1].caption.append(_cell(token).html)
        elif before.type == "th_open":
            drafts[-1].header.append(_cell(token))
        elif before.type == "tr_open" and token.type == "td_open":
            drafts[-1].rows.append([])
        elif before.type == "td_open":
            drafts[-1].rows[-1].append(_cell(token))
    return tuple(draft.block() for draft in drafts if draft.header or draft.caption)


@dataclass
class _Draft:
    title: str
    caption: list[str] = field(default_factory=list)
    header: list[Cell] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)

    def block(self) -> Block:
        rows = tuple(tuple(row) for row in self.rows)
        return Block(self.title, " ".join(self.caption), tuple(self.header), rows)


def _cell(inline: Token) -> Cell:
    parts = inline.children or []
    html = _MARKDOWN.renderer.render(parts, _MARKDOWN.options, {})
    return Cell("".join(part.content for part in parts), html)
