"""Labels, order, columns and digits of printed tables, from a file such as config/tables.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

import pandas as pd

from weckd.declared import NOT_EMPTY, UNIQUE, Bounds, Declared, checked, plain
from weckd.errors import UserError
from weckd.tables.cells import Span, Wording, cell_key, spans
from weckd.yaml_files import read_yaml

_Names: TypeAlias = Annotated[tuple[str, ...], NOT_EMPTY, UNIQUE]


@dataclass(frozen=True)
class Selection(Declared):
    """Which columns and rows of one table are printed, in which order; empty: all of them as they come."""

    columns: _Names = ()  # by their headers
    rows: _Names = ()  # by their first cells: keys of methods or data sets, or plain text


@dataclass(frozen=True)
class _File(Declared):
    digits: Annotated[int, Bounds(ge=0, le=6)] = Wording.digits
    labels: dict[str, str] = field(default_factory=dict)
    tables: dict[str, Selection] = field(default_factory=dict)


@dataclass(frozen=True)
class Layout:
    """How all tables of a run are printed; the CSV files are not touched by it."""

    wording: Wording = field(default_factory=Wording)
    tables: Mapping[str, Selection] = field(default_factory=dict)  # by a table's label
    source: str = "layout"  # for messages


AS_IT_IS = Layout()


def read_layout(file: Path) -> Layout:
    """Read a layout.

    Raises:
        UserError: the file cannot be read, or has a key or value that a layout cannot have.
    """
    values = plain(_File, read_yaml(file, "name a layout of tables", {}))
    told = checked(_File, values, f"{file}: not a valid layout of tables")
    return Layout(Wording(told.digits, told.labels), told.tables, str(file))


def refuse_unknown(layout: Layout, tables: Mapping[str, pd.DataFrame]) -> None:
    """Refuse a layout that names a table, column or row which is not there; `tables` are all cells by label.

    Raises:
        UserError: it does.
    """
    for label in layout.tables:
        if label not in tables:
            raise UserError(f"{layout.source}: tables.{label}: no such table; there: {', '.join(tables)}")
        printed(tables[label], label, layout)


def printed(cells: pd.DataFrame, label: str, layout: Layout) -> tuple[dict[str, str], list[list[list[Span]]]]:
    """Return what is printed for each header, and the rows, of what a layout selects; a cell is pieces of text.

    Raises:
        UserError: the layout names a column or row that the table lacks.
    """
    selection = layout.tables.get(label, Selection())
    keys = [cell_key(cell) for cell in cells.iloc[:, 0]] if len(cells.columns) else []
    columns = _places(layout, f"tables.{label}.columns", selection.columns, list(cells.columns))
    rows = _places(layout, f"tables.{label}.rows", selection.rows, keys)
    chosen = cells.iloc[rows, columns]
    found = [
        [spans(cell, layout.wording) for cell in row] for row in chosen.itertuples(index=False, name=None)
    ]
    return {name: layout.wording.label(name) for name in chosen.columns}, found


def _places(layout: Layout, where: str, wanted: tuple[str, ...], known: list[str]) -> list[int]:
    """Return the places of the wanted names, in their order; a name that several rows have takes all of them."""
    if not wanted:
        return list(range(len(known)))
    for name in wanted:
        if name not in known:
            raise UserError(f"{layout.source}: {where}: {name!r} is not there; there: {', '.join(known)}")
    return [place for name in wanted for place, key in enumerate(known) if key == name]
