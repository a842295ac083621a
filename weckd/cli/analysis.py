"""Commands that read predictions: tables and figures."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from weckd.cli.arguments import RUN, command, option, path, suite_of_run
from weckd.config import Suite, load_suite
from weckd.run_files import RunFiles

if TYPE_CHECKING:
    from weckd.analysis.results import Published

_PAPERS = Path("config/published.yaml")
_PUBLISHED = path(
    "--published",
    metavar="FILE",
    help="the paper's own numbers, to set beside (config/published.yaml, where it is)",
)


def _published(options: argparse.Namespace) -> "tuple[Published, ...]":
    from weckd.analysis.results import read_published

    return read_published(options.published or (_PAPERS if _PAPERS.exists() else None))


@command(
    "tables",
    "test the gains and write all tables, from predictions alone",
    RUN,
    path("--layout", metavar="FILE", help="which columns and rows are printed, their labels and digits"),
    path(
        "--out",
        metavar="FOLDER",
        help="folder to write (the run's tables/; with a layout LAYOUT/RUN, beside the layout)",
    ),
    _PUBLISHED,
    description="Writes every table as .csv, .md, .tex and .json. The CSV files have all rows, columns and digits "
    "whatever the layout. See docs/reading-the-tables.md (camera-ready) and config/tables.yaml.",
)
def _tables(options: argparse.Namespace) -> None:
    from weckd.analysis.write_tables import write_tables
    from weckd.tables.layout import AS_IT_IS, read_layout

    suite, run = trained_run(options)
    layout, out = AS_IT_IS, options.out or run.tables
    if options.layout:
        layout = read_layout(options.layout)
        out = options.out or options.layout.with_suffix("") / run.folder.resolve().name
    write_tables(suite, run.folder, out, layout, _published(options))
    if not options.out:
        print(f"{out}: all tables, each as .csv, .md, .tex and .json")


@command(
    "figures",
    "draw the figures, from predictions alone",
    RUN,
    path("--out", metavar="FOLDER", help="folder to write (the run's figures/)"),
)
def _figures(options: argparse.Namespace) -> None:
    from weckd.analysis.figures.write import write_figures

    suite, run = trained_run(options)
    write_figures(suite, run.folder, options.out or run.figures)


@command(
    "specification",
    "the table and the curve of all readings",
    RUN,
    path("--across", metavar="FILE", help="across.csv of the audit: data sets that share images"),
    _PUBLISHED,
)
def _specification(options: argparse.Namespace) -> None:
    from weckd.analysis.specification import write_specification

    suite, run = suite_of_run(options)
    write_specification(suite, run.predictions, run.folder, _published(options), options.across)


@command(
    "leakage",
    "what official test parts gain by copies of training images: a table and a figure",
    RUN,
    path("--grouped", required=True, help="folder of the run on grouped test parts, set beside"),
)
def _leakage(options: argparse.Namespace) -> None:
    from weckd.analysis.leakage import write_leakage

    suite, run = suite_of_run(options)
    grouped = load_suite(RunFiles(options.grouped).suite)
    write_leakage(suite, grouped, run.folder, options.grouped, run.folder)


@command(
    "import-predictions",
    "let a method whose predictions were made elsewhere join tables and figures",
    path("file", metavar="FILE", help=".csv or .parquet"),
    RUN,
    option("--name", required=True, help="what the method is called in tables"),
    option(
        "--selection",
        choices=("none", "validation", "test"),
        required=True,
        help="the images on which a model or its settings were chosen; test is refused",
    ),
    description="Checks long predictions (columns dataset, seed, split, image_id, y, p_0, p_1, ..) against the "
    "splits of a run, in results/<suite>/splits, and keeps them in results/<suite>/imported. "
    "Then `snakemake --cores all` makes the tables again, with that method in them.",
)
def _import_predictions(options: argparse.Namespace) -> None:
    from weckd.analysis.imported import import_predictions
    from weckd.runs import goes_on_with

    suite, run = suite_of_run(options)
    out = import_predictions(suite, run.folder, options.file, options.name, options.selection)
    print(f"{out}: fits the splits; it joins tables, figures and report with\n  {goes_on_with(run.folder)}")


def trained_run(options: argparse.Namespace) -> tuple[Suite, RunFiles]:
    """Return what `suite_of_run` does, of a run of which some cells are trained.

    Raises:
        UserError: as there, or no cell is trained yet.
    """
    from weckd.runs import refuse_untrained

    suite, run = suite_of_run(options)
    refuse_untrained(run.folder, suite)
    return suite, run
