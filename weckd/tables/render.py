"""Tables as files: CSV, Markdown, LaTeX and JSON, byte for byte the same for the same values."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from tabulate import tabulate

from weckd.files import write_text
from weckd.tables.cells import Span, marked
from weckd.tables.layout import AS_IT_IS, Layout, printed

_HEAD = ("title", "label", "warning", "caption", "notes", "terms", "narrow")  # of a table's JSON
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

    A cell is its text, or a list of texts and of `{"bold": text}` where some of it is bold.
    """
    shown = []
    for table in tables:
        columns, rows = printed(table.cells, table.label, layout)
        head = {name: getattr(table, name) for name in _HEAD}
        shown.append({**head, "columns": columns, "rows": [[*map(_json_cell, row)] for row in rows]})
    return json.dumps(shown, ensure_ascii=False, indent=1) + "\n"


def markdown(table: Table, layout: Layout = AS_IT_IS) -> str:
    """Return the title, the caption, a pipe table and the notes, as Markdown."""
    columns, rows = printed(table.cells, table.label, layout)
    texts = [[marked(cell) for cell in row] for row in rows]
    body = tabulate(texts, headers=columns, tablefmt="pipe", disable_numparse=True)
    caption = f"**{table.warning}** {table.caption}" if table.warning else table.caption
    notes = "".join(f"\n{note}\n" for note in table.notes)
    return f"### {table.title}\n\n{caption}\n\n{body}\n{notes}"


def latex(table: Table, layout: Layout = AS_IT_IS) -> str:
    """Return a booktabs table (needs the packages booktabs and graphicx), with every special character escaped.

    A table that is wider than the page is scaled down to it.
    """
    columns, rows = printed(table.cells, table.label, layout)
    cells = pd.DataFrame([["".join(map(_latex_span, cell)) for cell in row] for row in rows], columns=columns)
    tabular = (
        cells.style.hide(axis="index")
        .format_index(_escaped, axis=1)
        .to_latex(hrules=True, column_format="l" + "r" * (len(columns) - 1))
    )
    warned = f"\\textbf{{{_escaped(table.warning)}}} " if table.warning else ""
    return (
        "\\begin{table*}[tbp]\n\\centering\n"
        f"\\caption{{{_escaped(table.title)}. {warned}{_escaped(table.caption)}}}\n\\label{{tab:{table.label}}}\n"
        f"\\sbox0{{%\n{tabular}}}%\n"
        "\\ifdim\\wd0>\\linewidth\\resizebox{\\linewidth}{!}{\\usebox0}\\else\\usebox0\\fi\n\\end{table*}\n"
    )


def _json_cell(cell: Sequence[Span]) -> Any:
    if not any(bold for _, bold in cell):
        return "".join(text for text, _ in cell)
    return [{"bold": text} if bold else text for text, bold in cell]


def _latex_span(span: Span) -> str:
    """Return an escaped piece of a cell with true minus signs before numbers."""
    text = re.sub(r"(?<!\w)-(?=[\d.])", "$-$", _escaped(span[0]))
    return f"\\textbf{{{text}}}" if span[1] else text


def _escaped(text: object) -> str:
    """Return text with LaTeX's special characters escaped."""
    special: dict[str, str | int | None] = {character: f"\\{character}" for character in "&%$#_{}"}
    special |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {"<": r"\textless{}", ">": r"\textgreater{}"}
    return str(text).translate(str.maketrans(special))
