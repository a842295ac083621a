"""Commands that train, and that join what training jobs said of attention maps."""

import argparse

from weckd.cli.arguments import DATASET, RUN, command, option, positive, suite_of_run
from weckd.gpus import claimed_gpu
from weckd.locks import StopRequest, die_with_parent

_WAITS = "that may share a GPU (1); a job that finds all places taken waits"
_SHARED = option("--jobs-per-gpu", type=positive, default=1, help=_WAITS)


@command(
    "train",
    "train what the store of fits lacks, for a batch of seeds",
    RUN,
    DATASET,
    option("--seeds", type=int, action="extend", nargs="+", required=True),
    option(
        "--checkpoint-seconds",
        type=float,
        default=60.0,
        help="between two checkpoints of a fit under way (60); changes no result",
    ),
    _SHARED,
)
def _train(options: argparse.Namespace) -> None:
    stop = StopRequest()
    stop.listen()
    die_with_parent()
    suite, run = suite_of_run(options)
    with claimed_gpu(options.jobs_per_gpu):
        from weckd.training.job import train_batch

        train_batch(suite, run, options.dataset, options.seeds, options.checkpoint_seconds, stop)


@command(
    "tune",
    "search for a method's settings, on validation images alone",
    RUN,
    DATASET,
    option("--method", required=True),
    _SHARED,
)
def _tune(options: argparse.Namespace) -> None:
    die_with_parent()
    suite, run = suite_of_run(options)
    with claimed_gpu(options.jobs_per_gpu):
        from weckd.training.trials import tune_method

        tune_method(suite, run, options.dataset, options.method)


@command(
    "attention", "write what the chain's attention maps of the test images say, over all seeds", RUN, DATASET
)
def _attention(options: argparse.Namespace) -> None:
    from weckd.training.attention_file import write_attention

    suite, run = suite_of_run(options)
    write_attention(suite, run, options.dataset)
