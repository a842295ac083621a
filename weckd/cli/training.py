"""Commands that train, and that gather what the fits say: predictions and attention maps."""

import argparse
from pathlib import Path

from weckd.cli.arguments import Commands, dataset_facts, positive, suite_and_dataset
from weckd.gpus import claimed_gpu
from weckd.locks import die_with_parent
from weckd.training.progress import StopRequest


def add_commands(commands: Commands) -> None:
    """Add them to the parser."""
    parser = commands.add_parser("train", help="train what the store of fits lacks, for a batch of seeds")
    suite_and_dataset(parser)
    parser.add_argument("--seeds", type=int, action="extend", nargs="+", required=True)
    parser.add_argument("--prepared", type=Path, required=True, help="folder that `prepare` wrote")
    parser.add_argument("--splits", type=Path, required=True, help="folder that `split` wrote")
    _weights(parser)
    parser.add_argument(
        "--tuned", type=Path, required=True, help="folder of what `tune` chose; read where the suite is tuned"
    )
    parser.add_argument("--store", type=Path, required=True, help="folder of stored fits")
    parser.add_argument("--manifest", type=Path, required=True, help="JSON file to write")
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=60.0,
        help="between two checkpoints of a fit under way (60); changes no result",
    )
    _device(parser)
    parser.set_defaults(run=_train)

    parser = commands.add_parser("tune", help="search for a method's settings, on validation images alone")
    suite_and_dataset(parser)
    parser.add_argument("--method", required=True)
    parser.add_argument("--prepared", type=Path, required=True, help="folder that `prepare` wrote")
    parser.add_argument("--splits", type=Path, required=True, help="folder that `split --tuning` wrote")
    _weights(parser)
    parser.add_argument("--studies", type=Path, required=True, help="folder of finished trials")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    _device(parser)
    parser.set_defaults(run=_tune)

    parser = commands.add_parser("gather", help="write one cell's predictions from the store of fits")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--manifest", type=Path, required=True, help="file that `train` wrote")
    parser.add_argument("--split", type=Path, required=True, help="the cell's split file")
    parser.add_argument("--store", type=Path, required=True, help="folder of stored fits")
    parser.add_argument("--out", type=Path, required=True, help="parquet file to write")
    parser.set_defaults(run=_gather)

    parser = commands.add_parser(
        "attention", help="write what the chain's attention maps of the test images say"
    )
    suite_and_dataset(parser)
    parser.add_argument("--prepared", type=Path, required=True, help="folder that `prepare` wrote")
    parser.add_argument("--splits", type=Path, required=True, help="folder that `split` wrote")
    parser.add_argument("--store", type=Path, required=True, help="folder of stored fits")
    parser.add_argument(
        "--manifests", type=Path, action="extend", nargs="+", required=True, help="files that `train` wrote"
    )
    parser.add_argument("--out", type=Path, required=True, help="npz file to write")
    _device(parser)
    parser.set_defaults(run=_attention)


def _weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", type=Path, default=Path("data/weights"), help="folder of fetched weights (data/weights)"
    )


def _device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs-per-gpu",
        type=positive,
        default=1,
        help="that may share a GPU (1); a job that finds all places taken waits",
    )


def _train(options: argparse.Namespace) -> None:
    stop = StopRequest()
    stop.listen()
    die_with_parent()
    from weckd.config import load_suite

    suite = load_suite(options.suite)
    dataset_facts(suite, options.dataset, options.suite)
    with claimed_gpu(options.jobs_per_gpu):
        from weckd.training.job import train_batch

        train_batch(
            suite,
            options.dataset,
            options.seeds,
            options.prepared,
            options.splits,
            options.weights,
            options.tuned,
            options.store,
            options.manifest,
            options.checkpoint_seconds,
            stop,
        )


def _tune(options: argparse.Namespace) -> None:
    die_with_parent()
    from weckd.config import load_suite

    suite = load_suite(options.suite)
    dataset_facts(suite, options.dataset, options.suite)
    with claimed_gpu(options.jobs_per_gpu):
        from weckd.training.trials import tune_method

        tune_method(
            suite,
            options.dataset,
            options.method,
            options.prepared,
            options.splits,
            options.weights,
            options.studies,
            options.out,
        )


def _gather(options: argparse.Namespace) -> None:
    from weckd.training.gather import gather_predictions

    gather_predictions(options.manifest, options.seed, options.split, options.store, options.out)


def _attention(options: argparse.Namespace) -> None:
    die_with_parent()
    from weckd.config import load_suite

    suite = load_suite(options.suite)
    dataset_facts(suite, options.dataset, options.suite)
    with claimed_gpu(options.jobs_per_gpu):
        from weckd.training.attention_maps import write_attention_maps

        write_attention_maps(
            suite,
            options.dataset,
            options.prepared,
            options.splits,
            options.store,
            options.manifests,
            options.out,
        )
