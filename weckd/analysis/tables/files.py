"""Numbers and frames as text: CSV, Markdown and LaTeX, byte for byte the same for the same values."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from weckd.files import write_text

MISSING = "missing"
CSV_FLOAT = "%.12g"  # all digits but those in which two CPU kinds' sums differ


@dataclass(frozen=True)
class Table:
    """A frame of text cells with its title and caption; `label` names it in LaTeX."""

    title: str
    caption: str
    label: str
    cells: pd.DataFrame


def write_table_files(folder: Path, name: str, frame: pd.DataFrame, tables: Sequence[Table]) -> None:
    """Write `name`.csv from the frame, `name`.md and `name`.tex from the tables."""
    write_text(folder / f"{name}.csv", csv_text(frame))
    write_text(folder / f"{name}.md", "\n".join(markdown(table) for table in tables))
    write_text(folder / f"{name}.tex", "\n".join(latex(table) for table in tables))


def csv_text(frame: pd.DataFrame) -> str:
    """Return a frame as CSV with 12 significant digits and empty cells for undefined numbers."""
    return str(frame.to_csv(index=False, float_format=CSV_FLOAT, lineterminator="\n"))


def markdown(table: Table) -> str:
    """Return the title, the caption and a pipe table, as Markdown."""
    body = tabulate(
        table.cells.to_numpy().tolist(),
        headers=list(table.cells.columns),
        tablefmt="pipe",
        disable_numparse=True,
    )
    return f"### {table.title}\n\n{table.caption}\n\n{body}\n"


def latex(table: Table) -> str:
    """Return a booktabs table (needs the package booktabs), with every special character escaped."""
    style = table.cells.style.hide(axis="index").format(_escaped_cell).format_index(_escaped, axis=1)
    columns = len(table.cells.columns)
    return str(
        style.to_latex(
            hrules=True,
            position="tbp",
            position_float="centering",
            environment="table*",
            column_format="l" + "r" * (columns - 1),
            caption=_escaped(f"{table.title}. {table.caption}"),
            label=f"tab:{table.label}",
        )
    )


def signed(points: float) -> str:
    """Return points with a sign and one decimal, never -0.0."""
    return f"{points:+z.1f}"


def gain_text(points: float, low: float, high: float) -> str:
    """Return "+4.2 [+1.0, +7.4]", without the interval where there is none."""
    if math.isnan(points):
        return MISSING
    if math.isnan(low):
        return signed(points)
    return f"{signed(points)} [{signed(low)}, {signed(high)}]"


def mean_text(percent: float, half_width: float) -> str:
    """Return "54.2 ± 6.1", without the half-width where there is none."""
    if math.isnan(percent):
        return MISSING
    return f"{percent:.1f}" if math.isnan(half_width) else f"{percent:.1f} ± {half_width:.1f}"


def p_text(p: float) -> str:
    """Return p to three decimals without the leading zero, "<.001" below that, "-" where not defined."""
    if math.isnan(p):
        return "-"
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def _escaped_cell(text: object) -> str:
    """Return an escaped cell with true minus signs before numbers."""
    return re.sub(r"(?<!\w)-(?=[\d.])", "$-$", _escaped(text))


def _escaped(text: object) -> str:
    """Return text with LaTeX's special characters escaped and Markdown's bold marks left out."""
    special: dict[str, str | int | None] = {character: f"\\{character}" for character in "&%$#_{}"}
    special |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {"<": r"\textless{}", ">": r"\textgreater{}"}
    return str(text).replace("**", "").translate(str.maketrans(special))
