"""The command line: one thin sub-command for each rule of the workflow, and lists of what there is."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from weckd import __version__
from weckd.errors import UserError
from weckd.locks import die_with_parent

# Sub-commands import what they need when they run: help must stay quick, and only `train` needs torch.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, or 1 after a message about a user's mistake."""
    # One thread a process, set before NumPy starts: two jobs use two cores, and bytes do not depend on the count.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except UserError as problem:
        print(f"weckd: {problem}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a list closed it, as `| head` does
        sys.stderr.close()
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="weckd",
        description="Reproducibility suite for WeCKD: chains of distilled models, their controls, and "
        "significance-tested gain tables. Each rule of the workflow is one sub-command.",
    )
    parser.add_argument("--version", action="version", version=f"weckd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _listing_commands(commands)
    _data_commands(commands)
    _training_commands(commands)
    _analysis_commands(commands)
    _specification_command(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _listing_commands(commands: _Commands) -> None:
    parser = commands.add_parser("datasets", help="list the data sets, or tell all about one")
    parser.add_argument("name", nargs="?", help="key of one data set")
    parser.add_argument("--describe", type=Path, metavar="FOLDER", help="write the entry of class folders")
    _own_catalogue(parser)
    parser.set_defaults(run=_datasets)

    parser = commands.add_parser("methods", help="list the methods with their fits and steps")
    parser.add_argument("--suite", type=Path, help="suite.json whose steps to print (default: in units of S)")
    parser.set_defaults(run=_methods)

    parser = commands.add_parser("readings", help="list what the paper leaves open, and each way to read it")
    parser.set_defaults(run=_readings)

    parser = commands.add_parser(
        "show", help="print the main table of a finished run and where the rest lies"
    )
    parser.add_argument("folder", type=Path, help="folder of the run, such as results/demo")
    parser.set_defaults(run=_show)


def _data_commands(commands: _Commands) -> None:
    parser = commands.add_parser("suite", help="check suite files and write the suite.json of a run")
    parser.add_argument("files", nargs="+", type=Path, help="suite files; later ones win, key by key")
    parser.add_argument(
        "--config", nargs="+", default=[], metavar="KEY=VALUE", help="changes, values in YAML or JSON"
    )
    parser.add_argument("--readings", action="store_true", help="the suite of readings in place of it")
    parser.add_argument("--out", type=Path, help="file to write (default: results/<run>/suite.json)")
    parser.set_defaults(run=_suite)

    parser = commands.add_parser("fetch", help="find or download a real data set, and verify it")
    parser.add_argument("--dataset", required=True)
    _own_catalogue(parser)
    parser.add_argument("--image-size", type=int, required=True, help="pixels a side; chooses among files")
    parser.add_argument("--data-root", type=Path, help="folder of your own copies, never written to")
    parser.add_argument("--downloads", type=Path, default=Path("data"), help="folder for downloads (data)")
    parser.add_argument("--lock", type=Path, default=Path("datasets.lock"), help="recorded hashes")
    parser.add_argument("--out", type=Path, required=True, help="source.json to write")
    parser.set_defaults(run=_fetch)

    parser = commands.add_parser("prepare", help="decode or draw a data set into one array")
    parser.add_argument("--dataset", required=True)
    _own_catalogue(parser)
    parser.add_argument("--image-size", type=int, required=True, help="pixels a side")
    parser.add_argument("--source", type=Path, help="a real set's folder, or the source.json of `fetch`")
    parser.add_argument("--jobs", type=_positive, default=1, help="images decoded side by side (1)")
    parser.add_argument("--skip-bad", action="store_true", help="leave out images that cannot be read")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.set_defaults(run=_prepare)

    parser = commands.add_parser("lock", help="record the hashes of prepared data sets in datasets.lock")
    parser.add_argument("prepared", nargs="+", type=Path, help="folders that `prepare` wrote")
    parser.add_argument("--lock", type=Path, default=Path("datasets.lock"), help="file to write")
    parser.set_defaults(run=_lock)

    parser = commands.add_parser("group", help="find the images that must stay together in a split")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--prepared", type=Path, required=True, help="folder that `prepare` wrote")
    parser.add_argument("--threshold", type=float, required=True, help="correlation of thumbnails")
    parser.add_argument("--out", type=Path, required=True, help="folder for groups.csv and pairs.csv")
    parser.set_defaults(run=_group)

    parser = commands.add_parser("audit", help="tables and pictures of duplicates, leaks and conflicts")
    parser.add_argument("--prepared", type=Path, nargs="+", required=True, help="folders of `prepare`")
    parser.add_argument("--groups", type=Path, nargs="+", required=True, help="folders of `group`, likewise")
    parser.add_argument("--threshold", type=float, required=True, help="that of `group`")
    parser.add_argument("--lock", type=Path, default=Path("datasets.lock"), help="recorded hashes")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.set_defaults(run=_audit)

    parser = commands.add_parser("split", help="split a data set for every seed of a suite")
    _suite_and_dataset(parser)
    parser.add_argument("--prepared", type=Path, required=True, help="folder that `prepare` wrote")
    parser.add_argument("--groups", type=Path, required=True, help="groups.csv that `group` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for seed<k>.csv")
    parser.set_defaults(run=_split)


def _training_commands(commands: _Commands) -> None:
    parser = commands.add_parser("train", help="train what the store of fits lacks, for a batch of seeds")
    _suite_and_dataset(parser)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--prepared", type=Path, required=True, help="folder that `prepare` wrote")
    parser.add_argument("--splits", type=Path, required=True, help="folder that `split` wrote")
    parser.add_argument("--store", type=Path, required=True, help="folder of stored fits")
    parser.add_argument("--manifest", type=Path, required=True, help="JSON file to write")
    parser.set_defaults(run=_train)

    parser = commands.add_parser("gather", help="write one cell's predictions from the store of fits")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--manifest", type=Path, required=True, help="file that `train` wrote")
    parser.add_argument("--split", type=Path, required=True, help="the cell's split file")
    parser.add_argument("--store", type=Path, required=True, help="folder of stored fits")
    parser.add_argument("--out", type=Path, required=True, help="parquet file to write")
    parser.set_defaults(run=_gather)


def _analysis_commands(commands: _Commands) -> None:
    parser = commands.add_parser("tables", help="test the gains and write all tables, from predictions alone")
    parser.add_argument("--suite", type=Path, required=True, help="suite.json of the run")
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--splits", type=Path, required=True)
    parser.add_argument("--manifests", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.set_defaults(run=_tables)

    parser = commands.add_parser("figures", help="draw the figures, from predictions alone")
    parser.add_argument("--suite", type=Path, required=True, help="suite.json of the run")
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.set_defaults(run=_figures)


def _own_catalogue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--catalogue", type=Path, metavar="FILE", help="data sets of your own")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1")
    return int(text)


def _specification_command(commands: _Commands) -> None:
    parser = commands.add_parser("specification", help="the table and the curve of all readings")
    parser.add_argument("--suite", type=Path, required=True, help="suite.json of a run of readings")
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for tables/ and figures/")
    parser.set_defaults(run=_specification)


def _suite_and_dataset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--suite", type=Path, required=True, help="suite.json of the run")
    parser.add_argument("--dataset", required=True)


def _datasets(options: argparse.Namespace) -> None:
    from weckd.data.describe import describe_folder
    from weckd.listing import dataset_page, dataset_table

    if options.describe:
        print(describe_folder(options.describe), end="")
    else:
        print(
            dataset_page(options.name, options.catalogue)
            if options.name
            else dataset_table(options.catalogue)
        )


def _methods(options: argparse.Namespace) -> None:
    from weckd.config import load_suite
    from weckd.listing import method_table

    print(method_table(load_suite(options.suite) if options.suite else None))


def _readings(_: argparse.Namespace) -> None:
    from weckd.listing import reading_table

    print(reading_table())


def _show(options: argparse.Namespace) -> None:
    from weckd.listing import run_summary

    print(run_summary(options.folder))


def _suite(options: argparse.Namespace) -> None:
    from weckd.config import suite_json
    from weckd.files import write_text
    from weckd.readings_suite import readings_suite
    from weckd.suite_file import parse_changes, resolve_suite

    suite = resolve_suite(options.files, parse_changes(options.config))
    suite = readings_suite(suite) if options.readings else suite
    write_text(options.out or Path("results") / suite.run / "suite.json", suite_json(suite))


def _fetch(options: argparse.Namespace) -> None:
    from weckd.data.catalogue import find_dataset
    from weckd.data.fetch import fetch
    from weckd.data.recorded import recorded_archives

    fetch(
        find_dataset(options.dataset, options.catalogue),
        options.image_size,
        options.data_root,
        options.downloads,
        recorded_archives(options.lock, options.dataset),
        options.out,
    )


def _prepare(options: argparse.Namespace) -> None:
    from weckd.data.catalogue import find_dataset
    from weckd.data.origin import read_origin
    from weckd.data.prepare import prepare

    dataset = find_dataset(options.dataset, options.catalogue)
    origin = None if dataset.phantom else read_origin(dataset, options.source, options.image_size)
    prepare(dataset, origin, options.image_size, options.out, jobs=options.jobs, skip_bad=options.skip_bad)


def _lock(options: argparse.Namespace) -> None:
    from weckd.data.recorded import record

    record(options.prepared, options.lock)


def _group(options: argparse.Namespace) -> None:
    from weckd.data.groups import write_groups

    write_groups(options.dataset, options.prepared, options.threshold, options.out)


def _audit(options: argparse.Namespace) -> None:
    from weckd.audit import summary, write_audit
    from weckd.data.recorded import as_recorded

    recorded = as_recorded(options.lock, options.prepared)
    write_audit(options.prepared, options.groups, options.threshold, recorded, options.out)
    print(summary(options.out))


def _split(options: argparse.Namespace) -> None:
    from weckd.config import load_suite
    from weckd.data.splits import write_splits

    suite = load_suite(options.suite)
    classes = suite.facts[options.dataset].classes
    write_splits(
        options.dataset, classes, suite.split, suite.seeds, options.prepared, options.groups, options.out
    )


def _train(options: argparse.Namespace) -> None:
    die_with_parent()
    from weckd.config import load_suite
    from weckd.training.job import train_batch

    train_batch(
        load_suite(options.suite),
        options.dataset,
        options.seeds,
        options.prepared,
        options.splits,
        options.store,
        options.manifest,
    )


def _gather(options: argparse.Namespace) -> None:
    from weckd.training.gather import gather_predictions

    gather_predictions(options.manifest, options.seed, options.split, options.store, options.out)


def _tables(options: argparse.Namespace) -> None:
    from weckd.analysis.budgets import write_budgets
    from weckd.analysis.report_tables import write_tables
    from weckd.config import load_suite

    suite = load_suite(options.suite)
    write_tables(suite, options.predictions, options.splits, options.out)
    write_budgets(suite, options.manifests, options.out)


def _figures(options: argparse.Namespace) -> None:
    from weckd.analysis.figures import write_figures
    from weckd.config import load_suite

    write_figures(load_suite(options.suite), options.predictions, options.out)


def _specification(options: argparse.Namespace) -> None:
    from weckd.analysis.specification import write_specification
    from weckd.config import load_suite

    write_specification(load_suite(options.suite), options.predictions, options.out)
