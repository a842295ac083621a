"""Commands on trained networks: one is taken out of a run, used on new images, and judged on labelled ones."""

import argparse

from weckd.cli.arguments import CATALOGUE, DATASET, RUN, command, option, path, positive, suite_of_run
from weckd.gpus import claimed_gpu
from weckd.locks import StopRequest

_MODEL = path("model", metavar="DIR", help="folder that `weckd export` wrote")
_BATCH = option("--batch-size", type=positive, default=256, help="images a pass (256)")
_SKIP_BAD = option(
    "--skip-bad", action="store_true", help="name images that cannot be read, and leave them out"
)


@command(
    "export",
    "write a method's trained network as a folder that timm reads",
    RUN,
    DATASET,
    option("--method", default="weckd", help="whose last stage it is (weckd)"),
    option("--seed", type=int, required=True),
    path("--out", required=True, metavar="DIR", help="folder to write"),
    path("--data-root", help="folder of your own copies, where the images are not prepared any more"),
    option("--onnx", action="store_true", help="write model.onnx too, for ONNX runtimes"),
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
        origin = export_model(*what, options.out, options.data_root, stop, onnx=options.onnx)
    tested = origin.tested
    print(
        f"{options.out}: {origin.method} of {origin.dataset}, seed {origin.seed}; accuracy in % "
        f"{in_percent(tested.accuracy)}, {tested.images} test images in {tested.groups} groups; its limits are in "
        f"{options.out / 'README.md'}"
    )


@command(
    "predict",
    "what an exported network says of images",
    _MODEL,
    path("images", nargs="*", metavar="IMAGES", help="images, folders, or tables with a column image"),
    path("--out", required=True, metavar="FILE", help="CSV to write, a row an image"),
    _SKIP_BAD,
    _BATCH,
    path("--maps", metavar="FOLDER", help="folder for a PNG an image: where the network looks"),
    description="Images are decoded and resized as those that the network was trained on. Columns: file, prediction, "
    "the probability of each class, and those after temperature scaling.",
)
def _predict(options: argparse.Namespace) -> None:
    with claimed_gpu(1):
        from weckd.models.predict import predict

        how = {"skip_bad": options.skip_bad, "batch_size": options.batch_size, "maps": options.maps}
        print(predict(options.model, options.images, options.out, **how))


@command(
    "evaluate",
    "how an exported network does on labelled images of another source",
    _MODEL,
    option(
        "--data",
        required=True,
        metavar="KEY",
        help="data set, as `weckd datasets` lists it, or of your --catalogue",
    ),
    path("--out", required=True, metavar="FOLDER", help="folder to write"),
    CATALOGUE,
    path("--data-root", help="folder of your own copies, never written to"),
    option(
        "--map",
        action="extend",
        nargs="+",
        default=[],
        metavar="THEIRS=OURS",
        help="classes that it calls otherwise",
    ),
    path(
        "--trained-on",
        metavar="FOLDER",
        help="prepared images that it was trained on, to look for near-duplicates of (results/data/..)",
    ),
    _SKIP_BAD,
    _BATCH,
    description="Accuracy and balanced accuracy with intervals over groups, calibration and the confusion matrix. "
    "Copies of images that the network was trained on are looked for first, and left out.",
)
def _evaluate(options: argparse.Namespace) -> None:
    with claimed_gpu(1):
        from weckd.models.evaluate import evaluate

        how = {
            **{"catalogue": options.catalogue, "data_root": options.data_root, "mapping": options.map},
            **{
                "trained_on": options.trained_on,
                "skip_bad": options.skip_bad,
                "batch_size": options.batch_size,
            },
        }
        print(evaluate(options.model, options.data, options.out, **how), end="")
