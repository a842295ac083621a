"""Insert numbers, tables and figures of the frozen references into the documents that show them.

No number of a result is typed by hand. Between a mark and `<!-- end -->` stands what a table of a reference holds:

    <!-- table real-small/main -->                                   a whole file, title and caption included
    <!-- cell real-small/main; macro of 3; gain over single -->    one cell: the row's first cells, then the column
    <!-- columns real-small/main; data set; single -->              some columns of its first table that has them
    <!-- plan real-small -->                                         the run's analysis plan, and the one before the run
    <!-- keys suite -->                                              keys of a file, or columns of a frame

A Markdown table with verdicts of several runs, whose plans differ, must name the plan of each.

where `real-small/main` is `results/reference/real-small/tables/main.md`. A row may be named by several of its first
cells, as `ear_chile / weckd`. The first table of the file that has the row and the column is meant; of several,
`real-small-official/leakage#Gains` means the one whose title begins so. Run by `make readme`, which draws the figures
from the references first.
"""

import json
import re
import shutil
import sys
from functools import partial
from pathlib import Path

from weckd.committed import plan_before
from weckd.config import SuiteFile
from weckd.data.catalogue import Dataset
from weckd.declared import key_table
from weckd.frames import FRAMES, columns_table

ROOT = Path(__file__).resolve().parents[1]
REFERENCES = ROOT / "results" / "reference"
DOCUMENTS = (
    "README.md",
    "docs/findings.md",
    "docs/running.md",
    "config/README.md",
    "docs/data-sets.md",
    "docs/results.md",
)
KEYS = {
    "suite": partial(key_table, SuiteFile),
    "catalogue": partial(key_table, Dataset),
    **{name: partial(columns_table, name) for name in FRAMES},
}
FIGURES = {
    "docs/images/demo-forest.svg": "demo/figures/forest.svg",
    "docs/images/real-medium-forest.svg": "real-medium/figures/forest.svg",
    "docs/images/real-medium-chain.svg": "real-medium/figures/chain.svg",
    "docs/images/leakage.svg": "real-small-official/figures/leakage.svg",
}
"""Picture in a document -> suite and figure; drawn into `results/<suite>-reference/`."""
REPORTS = {
    f"results/reference/{suite}/report.html": f"{suite}/report.html"
    for suite in ("real-small", "real-medium")
}
"""The reports that people open without running anything: of records alone, so without an image of the data."""
MARK = re.compile(
    r"(?P<mark><!-- (?P<kind>table|cell|columns|plan|keys) (?P<what>[^>]*?) -->).*?(?P<end><!-- end -->)",
    re.DOTALL,
)


def inserted(document: str, references: Path = REFERENCES) -> str:
    """Return a document with the content of every mark taken from its reference.

    Raises:
        LookupError: a file, a row or a column is not there, or a plan is not named; the message tells which.
    """

    for block in re.findall(r"(?:^\|.*\n)+", document, flags=re.MULTILINE):
        marks = [mark for mark in MARK.finditer(block) if mark["kind"] in ("cell", "plan")]
        judged = {
            mark["what"].partition("/")[0] for mark in marks if "verdict" in mark["what"].split(";")[-1]
        }
        unnamed = sorted(judged - {mark["what"] for mark in marks if mark["kind"] == "plan"})
        if unnamed and len({plan(references, run) for run in judged}) > 1:
            raise LookupError(
                f"verdicts of runs with different plans side by side; name those of {', '.join(unnamed)}"
            )

    def content(mark: re.Match[str]) -> str:
        if mark["kind"] == "plan":
            return f"{mark['mark']}{plan(references, mark['what'])}{mark['end']}"
        if mark["kind"] == "table":
            text = re.sub(r"^### ", "#### ", table_file(references, mark["what"]), flags=re.MULTILINE)
            return f"{mark['mark']}\n\n{text.strip()}\n\n{mark['end']}"
        if mark["kind"] == "keys":
            return f"{mark['mark']}\n\n{KEYS[mark['what']]()}\n\n{mark['end']}"
        if mark["kind"] == "columns":
            name, *wanted = (word.strip() for word in mark["what"].split(";"))
            shown = columns(table_file(references, name), name, wanted)
            return f"{mark['mark']}\n\n{shown}\n\n{mark['end']}"
        name, row, column = (word.strip() for word in mark["what"].split(";"))
        return f"{mark['mark']}{cell(table_file(references, name), name, row, column)}{mark['end']}"

    return MARK.sub(content, document)


def plan(references: Path, run: str) -> str:
    """Return the hash of a run's plan, and that of the plan which was there before the run where it is another."""
    file = references / run / "reference.json"
    if not file.exists():
        raise LookupError(f"{file}: no such reference; freeze the run: weckd freeze results/{run}")
    facts = json.loads(file.read_text(encoding="utf-8"))
    before = plan_before(facts, facts["plan_hash"])
    return facts["plan_hash"] + (f" (before the run: {before})" if before else "")


def table_file(references: Path, name: str) -> str:
    """Return the text of a frozen file of tables, `suite/table`, or of one table of it, `suite/table#title`."""
    place, _, title = name.partition("#")
    suite, _, table = place.partition("/")
    file = references / suite / "tables" / f"{table}.md"
    if not file.exists():
        raise LookupError(f"{file}: no such table; freeze the run that has it: weckd freeze results/{suite}")
    sections = re.split(r"^(?=### )", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return "".join(section for section in sections if section.startswith(f"### {title}"))


def cell(text: str, name: str, row: str, column: str) -> str:
    """Return one cell of a file of tables, without the marks of bold print."""
    wanted = row.split(" / ")
    header: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            header = []
            continue
        cells = [words.strip().strip("*") for words in line.strip("|").split("|")]
        if not header:
            header = cells
        elif cells[: len(wanted)] == wanted and column in header:
            return cells[header.index(column)]
    raise LookupError(f"{name}: no table has a row {row!r} and a column {column!r}")


def columns(text: str, name: str, wanted: list[str]) -> str:
    """Return some columns of the first table that has them, without its marks and the rows that lack one of them."""
    header: list[str] = []
    rows: list[list[str]] = []
    for line in text.splitlines():
        cells = [words.strip() for words in line.strip("|").split("|")] if line.startswith("|") else []
        if cells and header:
            rows.append([cells[header.index(column)] for column in wanted])
        elif set(wanted) <= set(cells):
            header = cells
        elif header:
            break
    if not header:
        raise LookupError(f"{name}: no table has the columns {', '.join(wanted)}")
    shown = [row for row in rows[1:] if "-" not in row]
    lines = [wanted, ["---"] * len(wanted), *shown]
    return "\n".join(f"| {' | '.join(cell.replace('*', '') for cell in line)} |" for line in lines)


def main() -> None:
    """Rewrite the documents, and copy the figures and reports."""
    try:
        for name in DOCUMENTS:
            path = ROOT / name
            path.write_text(inserted(path.read_text(encoding="utf-8")), encoding="utf-8")
    except LookupError as problem:
        sys.exit(str(problem.args[0]))
    for target, figure in {**FIGURES, **REPORTS}.items():
        suite, _, rest = figure.partition("/")
        shutil.copyfile(ROOT / "results" / f"{suite}-reference" / rest, ROOT / target)


if __name__ == "__main__":
    main()
