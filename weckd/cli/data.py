"""Commands from a suite file and images to groups, audit and splits."""

import argparse
from pathlib import Path

from weckd.cli.arguments import (
    Commands,
    command,
    correlation,
    own_catalogue,
    positive,
    run_and_dataset,
    suite_of_run,
)
from weckd.cli.suites import resolved, suite_files


def add_commands(commands: Commands) -> None:
    """Add them to the parser."""
    _add_sources(commands)
    _add_splits(commands)


def _add_sources(commands: Commands) -> None:
    parser = command(commands, "suite", _suite, "check suite files and write the suite.json of a run")
    suite_files(parser)
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--readings", action="store_true", help="the suite of readings in place of it")
    kinds.add_argument(
        "--official", action="store_true", help="the suite on official test parts in place of it"
    )
    parser.add_argument("--out", type=Path, help="file to write (default: results/<run>/suite.json)")

    parser = command(commands, "fetch", _fetch, "find or download a real data set, and verify it")
    parser.add_argument("--dataset", required=True)
    own_catalogue(parser)
    parser.add_argument(
        "--image-size", type=positive, required=True, help="pixels a side; chooses among files"
    )
    parser.add_argument("--data-root", type=Path, help="folder of your own copies, never written to")
    parser.add_argument("--downloads", type=Path, default=Path("data"), help="folder for downloads (data)")
    parser.add_argument("--lock", type=Path, default=Path("datasets.lock"), help="recorded hashes")
    parser.add_argument("--out", type=Path, required=True, help="source.json to write")

    parser = command(
        commands, "weights", _weights, "find or download timm's pretrained weights, and verify them"
    )
    parser.add_argument("name", help="architecture and tag, such as resnet50.a1_in1k")
    parser.add_argument("--data-root", type=Path, help="folder of your own copies, never written to")
    parser.add_argument("--downloads", type=Path, default=Path("data"), help="folder for downloads (data)")
    parser.add_argument("--lock", type=Path, default=Path("weights.lock"), help="recorded hashes")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write: where they lie")

    parser = command(commands, "prepare", _prepare, "decode or draw a data set into one array")
    parser.add_argument("--dataset", required=True)
    own_catalogue(parser)
    parser.add_argument("--image-size", type=positive, required=True, help="pixels a side")
    parser.add_argument("--source", type=Path, help="a real set's folder, or the source.json of `fetch`")
    parser.add_argument("--jobs", type=positive, default=1, help="images decoded side by side (1)")
    parser.add_argument("--skip-bad", action="store_true", help="leave out images that cannot be read")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")

    parser = command(commands, "lock", _lock, "record the hashes of prepared data sets and fetched weights")
    parser.add_argument("prepared", nargs="*", type=Path, help="folders that `prepare` wrote")
    parser.add_argument("--lock", type=Path, default=Path("datasets.lock"), help="file to write them to")
    parser.add_argument(
        "--weights",
        action="extend",
        nargs="+",
        default=[],
        type=Path,
        metavar="FILE",
        help="JSON files that `weights` wrote",
    )
    parser.add_argument(
        "--weights-lock", type=Path, default=Path("weights.lock"), help="file to write those to"
    )


def _add_splits(commands: Commands) -> None:
    parser = command(commands, "group", _group, "find the images that must stay together in a split")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--prepared", type=Path, required=True, help="folder that `prepare` wrote")
    parser.add_argument("--threshold", type=correlation, required=True, help="correlation of thumbnails")
    parser.add_argument("--out", type=Path, required=True, help="folder for groups.csv and pairs.csv")

    parser = command(commands, "audit", _audit, "tables and pictures of duplicates, leaks and conflicts")
    parser.add_argument(
        "--prepared", type=Path, action="extend", nargs="+", required=True, help="folders of `prepare`"
    )
    parser.add_argument(
        "--groups", type=Path, action="extend", nargs="+", required=True, help="folders of `group`, likewise"
    )
    parser.add_argument("--threshold", type=correlation, required=True, help="that of `group`")
    parser.add_argument("--lock", type=Path, default=Path("datasets.lock"), help="recorded hashes")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")

    parser = command(commands, "split", _split, "split a data set for every seed of a suite")
    run_and_dataset(parser)
    parser.add_argument("--tuning", action="store_true", help="for the seeds of tuning in place of its own")


def _suite(options: argparse.Namespace) -> None:
    from weckd.config import refuse_more_than_all, suite_json
    from weckd.files import write_text
    from weckd.planning.first_second import refuse_impossible
    from weckd.run_files import RunFiles
    from weckd.study_suites import official_suite, readings_suite

    suite = resolved(options)
    if options.readings:
        suite = readings_suite(suite)
        refuse_more_than_all(suite.split)
    elif options.official:
        suite = official_suite(suite)
    refuse_impossible(suite)
    write_text(options.out or RunFiles(Path("results") / suite.run).suite, suite_json(suite))


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


def _weights(options: argparse.Namespace) -> None:
    from weckd.data.weights import fetch_weights, recorded_weights

    recorded = recorded_weights(options.lock, options.name)
    fetch_weights(options.name, options.data_root, options.downloads, recorded, options.out)


def _prepare(options: argparse.Namespace) -> None:
    from weckd.data.catalogue import find_dataset
    from weckd.data.prepare import prepare, read_origin

    dataset = find_dataset(options.dataset, options.catalogue)
    origin = None if dataset.phantom else read_origin(dataset, options.source, options.image_size)
    prepare(dataset, origin, options.image_size, options.out, jobs=options.jobs, skip_bad=options.skip_bad)


def _lock(options: argparse.Namespace) -> None:
    from weckd.data.recorded import record
    from weckd.data.weights import record_weights
    from weckd.errors import UserError

    if not options.prepared and not options.weights:
        raise UserError("lock: nothing to record; name folders of `prepare`, or files with --weights")
    if options.prepared:
        record(options.prepared, options.lock)
    if options.weights:
        record_weights(options.weights, options.weights_lock)


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
    from weckd.data.splits import write_splits

    suite, run = suite_of_run(options)
    write_splits(
        options.dataset,
        suite.facts[options.dataset].classes,
        suite.split,
        suite.tuning.seeds if options.tuning else suite.seeds,
        run.prepared(suite, options.dataset),
        run.groups(options.dataset) / "groups.csv",
        run.splits(options.dataset, options.tuning),
    )
