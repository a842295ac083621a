"""Commands that read predictions: tables and figures."""

import argparse
from pathlib import Path

from weckd.cli.arguments import Commands

SELECTIONS = ("none", "validation", "test")


def add_commands(commands: Commands) -> None:
    """Add them to the parser."""
    parser = commands.add_parser("tables", help="test the gains and write all tables, from predictions alone")
    _run_and_out(parser)
    parser.add_argument(
        "--layout", type=Path, metavar="FILE", help="labels, order, columns and digits of the tables"
    )
    _published(parser)
    parser.set_defaults(run=_tables)

    parser = commands.add_parser("figures", help="draw the figures, from predictions alone")
    _run_and_out(parser)
    parser.set_defaults(run=_figures)

    parser = commands.add_parser("specification", help="the table and the curve of all readings")
    parser.add_argument("--suite", type=Path, required=True, help="suite.json of a run of readings")
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for tables/ and figures/")
    parser.add_argument(
        "--across", type=Path, metavar="FILE", help="across.csv of the audit: data sets that share images"
    )
    _published(parser)
    parser.set_defaults(run=_specification)

    parser = commands.add_parser(
        "leakage", help="what official test parts gain by copies of training images: a table and a figure"
    )
    parser.add_argument(
        "--official", type=Path, required=True, help="folder of the run on official test parts"
    )
    parser.add_argument("--grouped", type=Path, required=True, help="folder of the run on grouped ones")
    parser.add_argument("--out", type=Path, required=True, help="folder for tables/ and figures/")
    parser.set_defaults(run=_leakage)

    parser = commands.add_parser(
        "import-predictions",
        help="let a method whose predictions were made elsewhere join every table",
        description="Checks long predictions (columns dataset, seed, split, image_id, y, p_0, p_1, ..) against the "
        "splits of a run, in results/<suite>/splits, and keeps them in results/<suite>/imported. "
        "Then `snakemake --cores all` makes the tables again, with that method in them.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help=".csv or .parquet")
    parser.add_argument(
        "--run", type=Path, required=True, dest="folder", help="folder of the run, results/<suite>"
    )
    parser.add_argument("--name", required=True, help="what the method is called in tables")
    parser.add_argument(
        "--selection",
        choices=SELECTIONS,
        required=True,
        help="the images on which a model or its settings were chosen; test is refused",
    )
    parser.set_defaults(run=_import_predictions)


def _run_and_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--run", type=Path, required=True, dest="folder", help="folder of the run, results/<suite>"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")


def _published(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--published", type=Path, metavar="FILE", help="the paper's own numbers, to set beside"
    )


def _import_predictions(options: argparse.Namespace) -> None:
    from weckd.analysis.imported import import_predictions
    from weckd.config import load_suite

    suite = load_suite(options.folder / "suite.json")
    out = import_predictions(suite, options.folder, options.file, options.name, options.selection)
    print(f"{out}: {options.name} fits the splits; run snakemake again, and it joins the tables")


def _tables(options: argparse.Namespace) -> None:
    from weckd.analysis.published import read_published
    from weckd.analysis.tables.write import write_tables
    from weckd.config import load_suite
    from weckd.tables.layout import AS_IT_IS, read_layout

    layout = read_layout(options.layout) if options.layout else AS_IT_IS
    published = read_published(options.published) if options.published else ()
    write_tables(load_suite(options.folder / "suite.json"), options.folder, options.out, layout, published)


def _figures(options: argparse.Namespace) -> None:
    from weckd.analysis.figures.write import write_figures
    from weckd.config import load_suite

    write_figures(load_suite(options.folder / "suite.json"), options.folder, options.out)


def _specification(options: argparse.Namespace) -> None:
    from weckd.analysis.published import read_published
    from weckd.analysis.specification import write_specification
    from weckd.config import load_suite

    published = read_published(options.published) if options.published else ()
    suite = load_suite(options.suite)
    write_specification(suite, options.predictions, options.out, published, options.across)


def _leakage(options: argparse.Namespace) -> None:
    from weckd.analysis.leakage.write import write_leakage
    from weckd.config import load_suite

    official, grouped = (load_suite(run / "suite.json") for run in (options.official, options.grouped))
    write_leakage(official, grouped, options.official, options.grouped, options.out)
