"""Commands on trained networks: one is taken out of a run, used on new images, and judged on labelled ones."""

import argparse

from weckd.cli.arguments import DATASET, RUN, command, option, path, suite_of_run
from weckd.gpus import claimed_gpu
from weckd.locks import StopRequest


@command(
    "export",
    "write a method's trained network as a folder that timm reads",
    RUN,
    DATASET,
    option("--method", default="weckd", help="whose last stage it is (weckd)"),
    option("--seed", type=int, required=True),
    path("--out", required=True, metavar="DIR", help="folder to write"),
    path("--data-root", help="folder of your own copies, where the images are not prepared any more"),
    description="Weights, config.json, a model card and where all of it comes from. Where the run did not keep "
    "the weights (`keep_weights` of the suite) the network is trained again, to the same bytes on the same kind of "
    "machine. RUN may be a frozen reference, results/reference/<suite>.",
)
def _export(options: argparse.Namespace) -> None:
    stop = StopRequest()
    stop.listen()
    suite, run = suite_of_run(options, frozen=True)
    with claimed_gpu(1):
        from weckd.models.export import export_model
        from weckd.models.intervals import in_percent

        what = (suite, run, options.dataset, options.method, options.seed)
        origin = export_model(*what, options.out, options.data_root, stop)
    tested = origin.tested
    print(
        f"{options.out}: {origin.method} of {origin.dataset}, seed {origin.seed}; accuracy in % "
        f"{in_percent(tested.accuracy)}, {tested.images} test images in {tested.groups} groups; its limits are in "
        f"{options.out / 'README.md'}"
    )
