"""Commands from a suite file and images to groups, audit and splits."""

import argparse
from functools import partial
from pathlib import Path

from weckd.cli.arguments import (
    CATALOGUE,
    DATASET,
    RUN,
    command,
    correlation,
    option,
    path,
    positive,
    suite_of_run,
)
from weckd.cli.suites import SUITE_FILES, resolved
from weckd.run_files import RunFiles

_DATA_ROOT = path("--data-root", help="folder of your own copies, never written to")
_DOWNLOADS = path("--downloads", default=Path("data"), help="folder for downloads (data)")
_HASHES = path("--lock", default=Path("datasets.lock"), help="recorded hashes")
_OUT = path("--out", required=True, help="folder to write")
_SEVERAL = partial(path, action="extend", nargs="+")


@command(
    "suite",
    "check suite files and write the suite.json of a run",
    *SUITE_FILES,
    [
        option("--readings", action="store_true", help="the suite of readings in place of it"),
        option("--official", action="store_true", help="the suite on official test parts in place of it"),
    ],
    path("--out", help="file to write (default: results/<run>/suite.json)"),
)
def _suite(options: argparse.Namespace) -> None:
    from weckd.config import suite_json
    from weckd.files import write_text
    from weckd.planning.first_second import refuse_impossible
    from weckd.study_suites import official_suite, readings_suite

    suite = resolved(options)
    if options.readings:
        suite = readings_suite(suite)
    elif options.official:
        suite = official_suite(suite)
    refuse_impossible(suite)
    write_text(options.out or RunFiles(Path("results") / suite.run).suite, suite_json(suite))


@command(
    "fetch",
    "find or download a real data set, and verify it",
    DATASET,
    CATALOGUE,
    option("--image-size", type=positive, required=True, help="pixels a side; chooses among files"),
    _DATA_ROOT,
    _DOWNLOADS,
    _HASHES,
    path("--out", required=True, help="source.json to write"),
)
def _fetch(options: argparse.Namespace) -> None:
    from weckd.data.catalogue import find_dataset
    from weckd.data.fetch import fetch
    from weckd.data.recorded import recorded_archives

    dataset = find_dataset(options.dataset, options.catalogue)
    recorded = recorded_archives(options.lock, options.dataset)
    fetch(dataset, options.image_size, options.data_root, options.downloads, recorded, options.out)


@command(
    "weights",
    "find or download timm's pretrained weights, and verify them",
    option("name", help="architecture and tag, such as resnet50.a1_in1k"),
    _DATA_ROOT,
    _DOWNLOADS,
    path("--lock", default=Path("weights.lock"), help="recorded hashes"),
    path("--out", required=True, help="JSON file to write: where they lie"),
)
def _weights(options: argparse.Namespace) -> None:
    from weckd.data.weights import fetch_weights, recorded_weights

    recorded = recorded_weights(options.lock, options.name)
    fetch_weights(options.name, options.data_root, options.downloads, recorded, options.out)


@command(
    "prepare",
    "decode or draw a data set into one array",
    DATASET,
    CATALOGUE,
    option("--image-size", type=positive, required=True, help="pixels a side"),
    path("--source", help="a real set's folder, or the source.json of `fetch`"),
    option("--jobs", type=positive, default=1, help="images decoded side by side (1)"),
    option("--skip-bad", action="store_true", help="leave out images that cannot be read"),
    _OUT,
)
def _prepare(options: argparse.Namespace) -> None:
    from weckd.data.catalogue import find_dataset
    from weckd.data.prepare import prepare, read_origin

    dataset = find_dataset(options.dataset, options.catalogue)
    origin = None if dataset.phantom else read_origin(dataset, options.source, options.image_size)
    prepare(dataset, origin, options.image_size, options.out, jobs=options.jobs, skip_bad=options.skip_bad)


@command(
    "lock",
    "record the hashes of prepared data sets and fetched weights",
    path("prepared", nargs="*", help="folders that `prepare` wrote"),
    path("--lock", default=Path("datasets.lock"), help="file to write them to"),
    _SEVERAL("--weights", default=[], metavar="FILE", help="JSON files that `weights` wrote"),
    path("--weights-lock", default=Path("weights.lock"), help="file to write those to"),
)
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


@command(
    "group",
    "find the images that must stay together in a split",
    DATASET,
    path("--prepared", required=True, help="folder that `prepare` wrote"),
    option("--threshold", type=correlation, required=True, help="correlation of thumbnails"),
    option("--join-suspected", action="store_true", help="keep suspected variants together, too"),
    path("--out", required=True, help="folder for groups.csv and pairs.csv"),
)
def _group(options: argparse.Namespace) -> None:
    from weckd.data.groups import write_groups

    threshold, join = options.threshold, options.join_suspected
    write_groups(options.dataset, options.prepared, threshold, options.out, join_suspected=join)


@command(
    "audit",
    "tables and pictures of duplicates, leaks and conflicts",
    _SEVERAL("--prepared", required=True, help="folders of `prepare`"),
    _SEVERAL("--groups", required=True, help="folders of `group`, likewise"),
    option("--threshold", type=correlation, required=True, help="that of `group`"),
    _HASHES,
    _OUT,
)
def _audit(options: argparse.Namespace) -> None:
    from weckd.audit import summary, write_audit
    from weckd.data.recorded import as_recorded

    recorded = as_recorded(options.lock, options.prepared)
    write_audit(options.prepared, options.groups, options.threshold, recorded, options.out)
    print(summary(options.out))


@command(
    "split",
    "split a data set for every seed of a suite",
    RUN,
    DATASET,
    option("--tuning", action="store_true", help="for the seeds of tuning in place of its own"),
)
def _split(options: argparse.Namespace) -> None:
    from weckd.data.splits import write_splits

    suite, run = suite_of_run(options)
    dataset, seeds = options.dataset, suite.tuning.seeds if options.tuning else suite.seeds
    prepared, groups = run.prepared(suite, dataset), run.groups(dataset) / "groups.csv"
    out = run.splits(dataset, options.tuning)
    write_splits(dataset, suite.facts[dataset].classes, suite.split, seeds, prepared, groups, out)
