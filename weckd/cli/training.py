"""Commands that train, and that gather what the fits say: predictions and attention maps."""

import argparse

from weckd.cli.arguments import Commands, positive, run_and_dataset, suite_of_run
from weckd.gpus import claimed_gpu
from weckd.locks import StopRequest, die_with_parent


def add_commands(commands: Commands) -> None:
    """Add them to the parser."""
    parser = commands.add_parser("train", help="train what the store of fits lacks, for a batch of seeds")
    run_and_dataset(parser)
    parser.add_argument("--seeds", type=int, action="extend", nargs="+", required=True)
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=60.0,
        help="between two checkpoints of a fit under way (60); changes no result",
    )
    _device(parser)
    parser.set_defaults(run=_train)

    parser = commands.add_parser("tune", help="search for a method's settings, on validation images alone")
    run_and_dataset(parser)
    parser.add_argument("--method", required=True)
    _device(parser)
    parser.set_defaults(run=_tune)

    parser = commands.add_parser("gather", help="write one cell's predictions from the store of fits")
    run_and_dataset(parser)
    parser.add_argument("--seed", type=int, required=True)
    parser.set_defaults(run=_gather)

    parser = commands.add_parser(
        "attention", help="write what the chain's attention maps of the test images say"
    )
    run_and_dataset(parser)
    _device(parser)
    parser.set_defaults(run=_attention)


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
    suite, run = suite_of_run(options)
    with claimed_gpu(options.jobs_per_gpu):
        from weckd.training.job import train_batch

        train_batch(suite, run, options.dataset, options.seeds, options.checkpoint_seconds, stop)


def _tune(options: argparse.Namespace) -> None:
    die_with_parent()
    suite, run = suite_of_run(options)
    with claimed_gpu(options.jobs_per_gpu):
        from weckd.training.trials import tune_method

        tune_method(suite, run, options.dataset, options.method)


def _gather(options: argparse.Namespace) -> None:
    from weckd.training.gather import gather_predictions

    suite, run = suite_of_run(options)
    gather_predictions(suite, run, options.dataset, options.seed)


def _attention(options: argparse.Namespace) -> None:
    die_with_parent()
    suite, run = suite_of_run(options)
    with claimed_gpu(options.jobs_per_gpu):
        from weckd.training.attention_maps import write_attention_maps

        write_attention_maps(suite, run, options.dataset)
