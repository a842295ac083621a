"""Insert numbers, tables and figures of the frozen references into the documents that show them.

No number of a result is typed by hand. A number in a sentence has a name before it, of a row and a column:

    <!--single.gain-->+4.9 [+0.7, +9.1]<!---->                 of the run that the page is about
    <!--real-small.single.gain-->+4.1 [-1.8, +10.1]<!---->     of another run
    <!--real-small.plan-->e8535ce78ab4<!---->                  a run's analysis plan, and the one before the run

What the names mean is listed at the end of the page:

    <!-- numbers
    run: real
    rows:
      single: gains; chain over single / macro / weckd / over single
      real-small-tuned.ensemble: not run
    columns:
      gain: gain [95 % CI]
    -->

A row is a table (`results/reference/RUN/tables/gains.md`) and the first cells of a row in it, or words for a run that
has no such row. A column is a header, or its short name. Of several tables in a file the first that has row and column
is meant; `leakage#Gains` means the one whose title begins so.

Blocks lie between a mark and `<!-- end -->`:

    <!-- columns real-small/main; data set; single -->  some columns of the first table that has them
    <!-- rows gains -->                                 a table that the list describes under `tables:`: its head, and a
                                                        line for each of its rows, where * is the row's name
    <!-- keys suite -->                                 keys of a file, or columns of a frame

A table of rows with verdicts of runs whose plans differ names the plan of each. Run by `make readme`, which draws the
figures from the references first.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from weckd.committed import plan_before
from weckd.config import SuiteFile
from weckd.data.catalogue import Dataset
from weckd.declared import key_table
from weckd.frames import FRAMES, columns_table
from weckd.yaml_files import parse_yaml

ROOT = Path(__file__).resolve().parents[1]
REFERENCES = ROOT / "results" / "reference"
DOCUMENTS = (
    "README.md",
    *(f"docs/{name}.md" for name in ("findings", "methods", "running", "data-sets", "results")),
    "config/README.md",
)
KEYS = {
    "suite": partial(key_table, SuiteFile),
    "catalogue": partial(key_table, Dataset),
    **{name: partial(columns_table, name) for name in FRAMES},
}
FIGURES = {
    "docs/images/demo-forest.svg": "demo/figures/forest.svg",
    "docs/images/leakage.svg": "real-small-official/figures/leakage.svg",
    **{
        f"docs/images/{name}.{kind}": f"{run}/figures/{figure}.{kind}"
        for name, run, figure in (
            *((f"real-{figure}", "real", figure) for figure in ("summary", "equivalence", "copied")),
            ("real-curves", "real-curves", "curves"),
            ("real-readings", "real-readings", "specification"),
        )
        for kind in ("svg", "png")
    },
}
"""Picture in a document -> suite and figure; drawn into `results/<suite>-reference/`."""
REPORTS = {
    f"results/reference/{suite}/report.html": f"{suite}/report.html" for suite in ("real-small", "real")
}
"""The reports that people open without running anything: of records alone, so without an image of the data."""
_NAME = re.compile(r"[\w=-]+(?:\.[\w=-]+)+")
NUMBER = re.compile(rf"(<!--({_NAME.pattern})-->).*?(<!---->)")
BLOCK = re.compile(r"(<!-- (columns|rows|keys) ([^>]*?) -->).*?(<!-- end -->)", re.DOTALL)
NUMBERS = re.compile(r"<!-- numbers\n(.*?)-->", re.DOTALL)


@dataclass
class Numbers:
    """What the names of a page's numbers mean, and which of them were used."""

    references: Path
    run: str = ""
    rows: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def number(self, name: str) -> str:
        """Return what a name stands for."""
        *of, row, column = name.split(".")
        if column == "plan":
            return plan(self.references, row)
        run = of[0] if of else self.run
        row = f"{run}.{row}" if f"{run}.{row}" in self.rows else row
        self.used |= {f"row {row}", f"column {column}"}
        if row not in self.rows:
            raise LookupError(f"{name}: no such row in the page's list of numbers")
        table, _, first = self.rows[row].partition("; ")
        if first:
            where = table if "/" in table else f"{run}/{table}"
            return cell(self.references, where, first, self.columns.get(column, column))
        if re.search(r"\d", table):
            raise LookupError(f"{row}: {table!r} is no row of a table, and a number that is typed")
        return table

    def table(self, name: str) -> str:
        """Return a table of rows as Markdown."""
        self.used.add(f"table {name}")
        if name not in self.tables:
            raise LookupError(f"rows {name}: no such table in the page's list of numbers")
        head, line, rows = (self.tables[name][key] for key in ("head", "line", "rows"))
        cells = line.split(" | ")
        lines = [head.split(" | "), ["---"] * len(cells)]
        for row in rows:
            label = rows[row] if isinstance(rows, dict) else row
            named = (cell.replace("*", row) for cell in cells)
            lines.append(
                [
                    label if cell == "label" else _NAME.sub(lambda name: self.number(name[0]), cell)
                    for cell in named
                ]
            )
        judged = [re.search(r"(?:([\w-]+)\.)?[\w-]*\*\.verdict", cell) for cell in cells]
        plans = [plan(self.references, found[1] or self.run) if found else "" for found in judged]
        if len({*plans} - {""}) > 1:
            lines.append(["plan", *plans[1:]])
        return as_table(lines)

    def block(self, kind: str, what: str) -> str:
        """Return what stands between a mark of a line of its own and its end."""
        if kind == "keys":
            return KEYS[what]()
        return self.table(what) if kind == "rows" else columns(self.references, *what.split("; "))

    def unused(self) -> set[str]:
        """Return what is defined and not used."""
        kinds = (("row", self.rows), ("column", self.columns), ("table", self.tables))
        return {f"{kind} {name}" for kind, names in kinds for name in names} - self.used


def inserted(document: str, references: Path = REFERENCES) -> str:
    """Return a document with the content of every mark taken from its reference.

    Raises:
        LookupError: a file, row, column or name is not there, or a name is not used; the message tells which.
    """
    if found := re.search(r"^\|.*<!--\S+-->.*", document, flags=re.MULTILINE):
        raise LookupError(f"{found[0]}: in a table, use a block: <!-- rows NAME -->")
    listed = NUMBERS.search(document)
    numbers = Numbers(references, **(parse_yaml(listed[1], "the list of numbers") if listed else {}))
    text = BLOCK.sub(lambda mark: f"{mark[1]}\n\n{numbers.block(mark[2], mark[3])}\n\n{mark[4]}", document)
    text = NUMBER.sub(lambda mark: f"{mark[1]}{numbers.number(mark[2])}{mark[3]}", text)
    if unused := numbers.unused():
        raise LookupError(f"defined and not used: {', '.join(sorted(unused))}")
    return text


def plan(references: Path, run: str) -> str:
    """Return the hash of a run's plan, and that of the plan which was there before the run where it is another."""
    file = references / run / "reference.json"
    if not file.exists():
        raise LookupError(f"{file}: no such reference; freeze the run: weckd freeze results/{run}")
    facts = json.loads(file.read_text(encoding="utf-8"))
    before = plan_before(facts, facts["plan_hash"])
    return facts["plan_hash"] + (f" (before the run: {before})" if before else "")


def tables(references: Path, name: str) -> list[tuple[list[str], list[list[str]]]]:
    """Return head and rows of each table of a frozen file, `suite/table`, or of one of them, `suite/table#title`."""
    place, _, title = name.partition("#")
    suite, _, table = place.partition("/")
    file = references / suite / "tables" / f"{table}.md"
    if not file.exists():
        raise LookupError(f"{file}: no such table; freeze the run that has it: weckd freeze results/{suite}")
    sections = re.split(r"^### ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = "\n".join(section for section in sections if section.startswith(title))
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        plain = re.sub(r"\*\*|(?<=\d)\*", "", block)  # no marks of bold print, and of a p below alpha
        lines = [[words.strip() for words in line.strip("|").split("|")] for line in plain.splitlines()]
        found.append((lines[0], lines[2:]))
    return found


def cell(references: Path, name: str, row: str, column: str) -> str:
    """Return one cell of a file of tables."""
    first = row.split(" / ")
    for head, rows in tables(references, name):
        for cells in rows:
            if cells[: len(first)] == first and column in head:
                return cells[head.index(column)]
    raise LookupError(f"{name}: no table has a row {row!r} and a column {column!r}")


def columns(references: Path, name: str, *wanted: str) -> str:
    """Return some columns of the first table that has them, without the rows that lack one of them."""
    for head, rows in tables(references, name):
        if set(wanted) <= set(head):
            shown = [[cells[head.index(column)] for column in wanted] for cells in rows]
            return as_table([wanted, ["---"] * len(wanted), *(row for row in shown if "-" not in row)])
    raise LookupError(f"{name}: no table has the columns {', '.join(wanted)}")


def as_table(lines: Iterable[Sequence[str]]) -> str:
    """Return lines of cells as Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    """Rewrite the documents, and copy the figures and reports."""
    for name in DOCUMENTS:
        path = ROOT / name
        try:
            path.write_text(inserted(path.read_text(encoding="utf-8")), encoding="utf-8")
        except LookupError as problem:
            sys.exit(f"{name}: {problem.args[0]}")
    for target, figure in {**FIGURES, **REPORTS}.items():
        suite, _, rest = figure.partition("/")
        shutil.copyfile(ROOT / "results" / f"{suite}-reference" / rest, ROOT / target)


if __name__ == "__main__":
    main()
