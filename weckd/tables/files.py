"""Tables as files: CSV, Markdown and LaTeX, byte for byte the same for the same values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from weckd.config import Suite
from weckd.files import write_text
from weckd.tables.captions import closing, joined, phantom_sentence
from weckd.tables.layout import AS_IT_IS, Layout, printed

CSV_FLOAT = "%.12g"  # all digits but those in which two CPU kinds' sums differ


@dataclass(frozen=True)
class Table:
    """A frame of cells (see `cells`) with its title and caption; `label` names it in LaTeX and in a layout."""

    title: str
    caption: str
    label: str
    cells: pd.DataFrame


@dataclass(frozen=True)
class TableFile:
    """What is written under one name: a frame for machines and the tables made of it for people."""

    name: str
    frame: pd.DataFrame
    tables: Sequence[Table]


def nothing_to_show(suite: Suite, name: str, title: str, column: str, why: str) -> TableFile:
    """Return a table of one cell, which says why a run has nothing to show here and what would change that."""
    cells = pd.DataFrame({column: [why]})
    caption = joined(phantom_sentence(suite), closing(suite))
    return TableFile(name, cells, [Table(f"{title}, suite {suite.run}", caption, name, cells)])


def write_table_file(folder: Path, file: TableFile, layout: Layout = AS_IT_IS) -> None:
    """Write the frame as `name`.csv, and the tables as `name`.md and `name`.tex as the layout says."""
    write_text(folder / f"{file.name}.csv", csv_text(file.frame))
    write_text(folder / f"{file.name}.md", "\n".join(markdown(table, layout) for table in file.tables))
    write_text(folder / f"{file.name}.tex", "\n".join(latex(table, layout) for table in file.tables))


def csv_text(frame: pd.DataFrame) -> str:
    """Return a frame as CSV with 12 significant digits and empty cells for undefined numbers."""
    return str(frame.to_csv(index=False, float_format=CSV_FLOAT, lineterminator="\n"))


def markdown(table: Table, layout: Layout = AS_IT_IS) -> str:
    """Return the title, the caption and a pipe table, as Markdown."""
    cells = printed(table.cells, table.label, layout)
    body = tabulate(
        cells.to_numpy().tolist(), headers=list(cells.columns), tablefmt="pipe", disable_numparse=True
    )
    return f"### {table.title}\n\n{table.caption}\n\n{body}\n"


def latex(table: Table, layout: Layout = AS_IT_IS) -> str:
    """Return a booktabs table (needs the packages booktabs and graphicx), with every special character escaped.

    A table that is wider than the page is scaled down to it.
    """
    cells = printed(table.cells, table.label, layout)
    style = cells.style.hide(axis="index").format(_escaped_cell).format_index(_escaped, axis=1)
    tabular = style.to_latex(hrules=True, column_format="l" + "r" * (len(cells.columns) - 1))
    return (
        "\\begin{table*}[tbp]\n\\centering\n"
        f"\\caption{{{_escaped(f'{table.title}. {table.caption}')}}}\n\\label{{tab:{table.label}}}\n"
        f"\\sbox0{{%\n{tabular}}}%\n"
        "\\ifdim\\wd0>\\linewidth\\resizebox{\\linewidth}{!}{\\usebox0}\\else\\usebox0\\fi\n\\end{table*}\n"
    )


def _escaped_cell(text: object) -> str:
    """Return an escaped cell with true minus signs before numbers."""
    return re.sub(r"(?<!\w)-(?=[\d.])", "$-$", _escaped(text))


def _escaped(text: object) -> str:
    """Return text with LaTeX's special characters escaped and Markdown's bold as LaTeX's."""
    special: dict[str, str | int | None] = {character: f"\\{character}" for character in "&%$#_{}"}
    special |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {"<": r"\textless{}", ">": r"\textgreater{}"}
    return re.sub(r"\*\*(.+?)\*\*", r"\\textbf{\1}", str(text).translate(str.maketrans(special)))
