"""Writes all tables of a run from its saved predictions, splits and manifests."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from weckd.analysis.registry import KINDS, TABLES
from weckd.analysis.results import Published, Results, load_run
from weckd.analysis.sheets.claims import answers_text
from weckd.config import Suite
from weckd.files import FOLDER_SUMS, write_sums, write_text
from weckd.tables.layout import AS_IT_IS, Layout, refuse_unknown
from weckd.tables.render import TableFile, write_table_file


def write_tables(
    suite: Suite, run: Path, out: Path, layout: Layout = AS_IT_IS, published: Sequence[Published] = ()
) -> None:
    """Write every table of the run as .csv, .md, .tex and .json, answers.csv, and their sums, into a folder.

    Args:
        suite: the run's settings; its plan says what is tested.
        run: folder with predictions/, splits/, manifests/, attention/ and audit/.
        out: folder for the tables.
        layout: labels, order, columns and digits.
        published: the paper's own numbers.

    Raises:
        UserError: a file is unreadable or inconsistent, or the layout names what no table has; what is missing of the
            run is printed as missing instead.
    """
    results = load_run(suite, run, tuple(published))
    files = {name: table_file(name, results) for name in TABLES}
    refuse_unknown(layout, {table.label: table.cells for file in files.values() for table in file.tables})
    write_text(out / "answers.csv", answers_text(files["claims"].tables, layout.wording))
    for file in files.values():
        write_table_file(out, file, layout)
    names = ("answers.csv", *(f"{name}.{kind}" for name in files for kind in KINDS))
    write_sums(out / FOLDER_SUMS, map(out.joinpath, names))


def table_file(name: str, results: Results) -> TableFile:
    """Return a table of `TABLES` by its name."""
    module, _, function = TABLES[name].partition(":")
    make: Callable[[Results], TableFile] = getattr(import_module(module), function)
    return make(results)
