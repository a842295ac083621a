"""Tables as files: CSV, Markdown, LaTeX and JSON, byte for byte the same for the same values."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from tabulate import tabulate

from weckd.files import write_text
from weckd.tables.captions import SAID_MISSING
from weckd.tables.cells import Span, marked
from weckd.tables.latex import latex
from weckd.tables.layout import AS_IT_IS, Layout, printed
from weckd.tables.terms import POINTER

MOST_WORDS = 60  # of a caption
CSV_FLOAT = "%.12g"  # all digits but those in which two CPU kinds' sums differ


@dataclass(frozen=True)
class Table:
    """A frame of cells (see `cells`) with its title and caption; `label` names it in LaTeX and in a layout.

    `notes` are sentences on this run, printed below the table; `terms` say what headers mean; `narrow` names
    the headers that are shown where the whole table is too wide (empty: all).
    """

    title: str
    caption: str
    label: str
    cells: pd.DataFrame
    warning: str = ""  # printed in bold before the caption
    notes: tuple[str, ...] = ()
    terms: Mapping[str, str] = field(default_factory=dict)
    narrow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        words = len(self.caption.split())
        if words > MOST_WORDS:
            raise ValueError(
                f"{self.label}: a caption of {words} words, {MOST_WORDS} at most; say more in notes"
            )


@dataclass(frozen=True)
class TableFile:
    """What is written under one name: a frame for machines and the tables made of it for people."""

    name: str
    frame: pd.DataFrame
    tables: Sequence[Table]


def write_table_file(folder: Path, file: TableFile, layout: Layout = AS_IT_IS) -> None:
    """Write the frame as `name`.csv, and the tables as `name`.md, .tex and .json as the layout says."""
    write_text(folder / f"{file.name}.csv", csv_text(file.frame))
    write_text(folder / f"{file.name}.md", "\n".join(markdown(table, layout) for table in file.tables))
    write_text(folder / f"{file.name}.tex", "\n".join(latex(table, layout) for table in file.tables))
    write_text(folder / f"{file.name}.json", json_text(file.tables, layout))


def csv_text(frame: pd.DataFrame) -> str:
    """Return a frame as CSV with 12 significant digits and empty cells for undefined numbers."""
    return str(frame.to_csv(index=False, float_format=CSV_FLOAT, lineterminator="\n"))


def json_text(tables: Sequence[Table], layout: Layout = AS_IT_IS) -> str:
    """Return tables as JSON: title, label, warning, caption, notes, terms, narrow, columns, and rows of cells.

    Headers are as they are printed; terms and narrow name printed ones alone.
    A cell is its text, or a list of texts and of `{"bold": text}` where some of it is bold.
    """
    shown = []
    for table in tables:
        columns, rows = printed(table.cells, table.label, layout)
        head = {name: getattr(table, name) for name in ("title", "label", "warning", "caption", "notes")}
        head["terms"] = {label: table.terms[name] for name, label in columns.items() if name in table.terms}
        head["narrow"] = [label for name, label in columns.items() if name in table.narrow]
        cells = [[*map(_json_cell, row)] for row in rows]
        shown.append({**head, "columns": [*columns.values()], "rows": cells})
    return json.dumps(shown, ensure_ascii=False, indent=1) + "\n"


def markdown(table: Table, layout: Layout = AS_IT_IS) -> str:
    """Return the title, the caption, a pipe table, the notes and where its columns are explained, as Markdown."""
    columns, rows = printed(table.cells, table.label, layout)
    texts = [[marked(cell) for cell in row] for row in rows]
    body = tabulate(texts, headers=[*columns.values()], tablefmt="pipe", disable_numparse=True)
    caption = f"**{table.warning}** {table.caption}" if table.warning else table.caption
    caption = SAID_MISSING.sub(r"**\g<0>**", caption)
    notes = [f"**{note}**" if note.startswith("MISSING: ") else note for note in table.notes]
    below = "".join(f"- {note}\n" for note in (*notes, *([POINTER] if table.terms else [])))
    return "\n\n".join(filter(None, (f"### {table.title}", caption, body, below.rstrip("\n")))) + "\n"


def _json_cell(cell: Sequence[Span]) -> Any:
    if not any(bold for _, bold in cell):
        return "".join(text for text, _ in cell)
    return [{"bold": text} if bold else text for text, bold in cell]
