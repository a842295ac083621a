# Names and helpers that the rules share. Nothing heavy is imported here: this file is read at every start.

import json
import re
from pathlib import Path

from snakemake.exceptions import WorkflowError

from weckd.agreement.same_suite import frozen_suite
from weckd.config import refuse_more_than_all, suite_json
from weckd.errors import UserError
from weckd.files import digest
from weckd.listing import run_summary
from weckd.locks import take_run_lock
from weckd.methods.catalogue import fetched_weights
from weckd.official_suite import official_suite
from weckd.source import code_of
from weckd.readings_suite import readings_suite
from weckd.suite_file import parse_changes, resolve_suite
from weckd.tuning.chosen import tunable_methods

TABLES = [
    "claims",
    "published",
    "main",
    "gains",
    "along",
    "panel",
    "accuracy",
    "metrics",
    "classes",
    "across",
    "modality",
    "leave-one-out",
    "sensitivity",
    "variance",
    "attention",
    "checks",
    "splits",
    "budgets",
    "tuned",
]
FIGURES = [
    "forest",
    "chain",
    "labels",
    "variance",
    "reliability",
    "ranks",
    "attention",
]

# Where splits, predictions and manifests come from: this run, or a frozen reference, from which nothing is trained.
RECORDS = config.pop("records", "run")
if RECORDS not in ("run", "reference"):
    raise WorkflowError(f"records: {RECORDS!r} is neither run nor reference")

SUITE_FILES = [Path(file) for file in workflow.configfiles]


def reference_folders(suite):
    """Return where a suite's frozen reference is looked for: beside the workflow, then in the working folder."""
    folder = Path("results/reference", suite.run)
    return Path(workflow.basedir, folder), folder


try:
    # As they were typed: the engine reads numbers and words otherwise than the package does.
    CHANGES = parse_changes(workflow.config_settings.config_args or [])
    CHANGES.pop("records", None)
    SUITE = resolve_suite(SUITE_FILES, CHANGES)
    if RECORDS == "reference":
        SUITE, REFERENCE = frozen_suite(SUITE, reference_folders(SUITE))
except UserError as problem:
    raise WorkflowError(str(problem)) from None

READINGS = readings_suite(SUITE)
# The leak study's run beside this one, or why there can be none.
OFFICIAL, NO_OFFICIAL = None, ""
try:
    OFFICIAL = official_suite(SUITE)
    if RECORDS == "reference":
        OFFICIAL, OFFICIAL_REFERENCE = frozen_suite(
            OFFICIAL, reference_folders(OFFICIAL)
        )
except UserError as problem:
    OFFICIAL, NO_OFFICIAL = None, str(problem)
SUITES = {suite.run: suite for suite in (SUITE, READINGS, OFFICIAL) if suite}


def run_folder(suite):
    """Return the folder of a run, or of what is made of its frozen reference."""
    return f"results/{suite.run}" + ("-reference" if RECORDS == "reference" else "")


RUN = run_folder(SUITE)
ANY_RUN = "results/{run}"
STORE = "results/fits"
DOWNLOADS = "data"
WEIGHTS = f"{DOWNLOADS}/weights"
STUDIES = "results/studies"
SKIPPING = "-skip-bad" if SUITE.skip_bad else ""
PREPARED = f"results/data/{{dataset}}-{SUITE.image_size}px{SKIPPING}"
AUDIT = expand(
    f"{RUN}/audit/{{table}}.{{kind}}",
    table=["audit", "across"],
    kind=["csv", "md", "tex"],
)
# What the audit found of images that data sets share, which decides what counts as independent.
ACROSS = f"{RUN}/audit/across.csv"
RECORDED = Path(workflow.basedir, "datasets.lock")


wildcard_constraints:
    run="|".join(map(re.escape, SUITES)),
    dataset=r"[a-z0-9_-]+",
    seed=r"\d+",
    batch=r"seeds\d+-\d+",
    method=r"[a-z0-9][a-z0-9_=,-]*",
    weights=r"[a-z0-9_]+\.[a-z0-9_]+",


def batch_name(seeds):
    """Return the name of a batch of seeds."""
    return f"seeds{seeds[0]}-{seeds[-1]}"


BATCHES = [
    SUITE.seeds[first : first + SUITE.seeds_per_job]
    for first in range(0, len(SUITE.seeds), SUITE.seeds_per_job)
]
SEEDS_OF_BATCH = {batch_name(seeds): list(seeds) for seeds in BATCHES}
BATCH_OF_SEED = {str(seed): batch_name(seeds) for seeds in BATCHES for seed in seeds}


def suite_content(wildcards):
    """Return the hash of all that a run's suite says, so that an edited suite file is noticed."""
    return digest(suite_json(SUITES[wildcards.run]))


def kind_option(wildcards):
    """Return the option that asks for the suite of readings, or for that on official test parts."""
    if wildcards.run == READINGS.run:
        return ["--readings"]
    return ["--official"] if OFFICIAL and wildcards.run == OFFICIAL.run else []


def run_files(pattern, suite):
    """Return a file for each data set, and seed or batch, of a run."""
    files = f"{run_folder(suite)}/{pattern}"
    return expand(files, dataset=suite.datasets, seed=suite.seeds, batch=SEEDS_OF_BATCH)


def attention_files(suite):
    """Return a file of attention maps for each data set, where the suite has a chain that transfers attention."""
    transfers = "chain" in suite.roles.values() and suite.distillation.beta > 0
    return run_files("attention/{dataset}.npz", suite) if transfers else []


def leakage_files(wildcards):
    """Return what the leak study makes.

    Raises:
        WorkflowError: it cannot be made of this suite.
    """
    if OFFICIAL is None:
        raise WorkflowError(NO_OFFICIAL)
    files = {"tables": ["csv", "md", "tex"], "figures": ["svg", "png"]}
    return [
        f"{run_folder(OFFICIAL)}/{folder}/leakage.{kind}"
        for folder, kinds in files.items()
        for kind in kinds
    ]


def readings_files(wildcards):
    """Return what the readings' run makes.

    Raises:
        WorkflowError: the suite's stages are too large for its longest chain.
    """
    try:
        refuse_more_than_all(READINGS.split)
    except UserError as problem:
        raise WorkflowError(f"readings: {problem}") from None
    folder = f"results/{READINGS.run}"
    return [
        *expand(f"{folder}/tables/readings.{{kind}}", kind=["csv", "md", "tex"]),
        *expand(f"{folder}/figures/specification.{{kind}}", kind=["svg", "png"]),
    ]


def batch_seeds(wildcards):
    """Return the seeds of a training job."""
    return SEEDS_OF_BATCH[wildcards.batch]


def splits_folder(wildcards):
    """Return the folder of a data set's split files."""
    return f"results/{wildcards.run}/splits/{wildcards.dataset}"


def own_splits_folder(wildcards):
    """Return the folder of a data set's split files in this run itself."""
    return f"{RUN}/splits/{wildcards.dataset}"


def tuning_splits_folder(wildcards):
    """Return the folder of the split files that a data set's settings are chosen on."""
    return f"{RUN}/tuned/splits/{wildcards.dataset}"


def tuned_folder(wildcards):
    """Return the folder of what tuning chose for a data set's methods."""
    return f"results/{wildcards.run}/tuned/{wildcards.dataset}"


def batch_splits(wildcards):
    """Return the split files of a training job."""
    folder = splits_folder(wildcards)
    return [f"{folder}/seed{seed}.csv" for seed in SEEDS_OF_BATCH[wildcards.batch]]


def weights_files(suite):
    """Return a file for each pretrained weights that a suite's fits begin with and that are fetched."""
    return expand(f"{WEIGHTS}/{{weights}}.json", weights=fetched_weights(suite))


def batch_weights(wildcards):
    """Return those of a training job."""
    return weights_files(SUITES[wildcards.run])


def batch_tuned(wildcards):
    """Return what tuning chose for a training job, where its suite is tuned."""
    suite = SUITES[wildcards.run]
    return tuned_files(suite, wildcards.dataset) if suite.tuned else []


def tuned_files(suite, dataset):
    """Return the file of what tuning chose for each method that is tuned."""
    return expand(
        f"results/{suite.run}/tuned/{dataset}/{{method}}.json",
        method=tunable_methods(suite),
    )


def batch_manifest(wildcards):
    """Return the manifest that names a cell's fits."""
    batch = BATCH_OF_SEED[wildcards.seed]
    return f"results/{wildcards.run}/manifests/{wildcards.dataset}/{batch}.json"


def changes_option():
    """Return the option that passes the command line's changes on."""
    changes = [f"{key}={json.dumps(value)}" for key, value in CHANGES.items()]
    return ["--config", *changes] if changes else []


def data_root_option(wildcards):
    """Return the option that tells where the user's own images lie."""
    return ["--data-root", SUITE.data_root] if SUITE.data_root else []


def catalogue_option(wildcards):
    """Return the option that names the user's own data sets."""
    return ["--catalogue", SUITE.catalogue] if SUITE.catalogue else []


def recorded_option(wildcards):
    """Return the option that names the recorded hashes, which lie beside the workflow."""
    return ["--lock", str(RECORDED)]


def source_file(wildcards):
    """Return the file that tells where a real data set lies; phantoms have none."""
    phantom = SUITE.facts[wildcards.dataset].phantom
    return (
        []
        if phantom
        else [f"{DOWNLOADS}/{wildcards.dataset}/source-{SUITE.image_size}px.json"]
    )


def prepare_threads(wildcards):
    """Return how many images are decoded side by side; phantoms are drawn by one thread."""
    return 1 if SUITE.facts[wildcards.dataset].phantom else 4


def source_option(wildcards):
    """Return the option that passes that file on."""
    return [word for file in source_file(wildcards) for word in ("--source", file)]


RUN_LOCK = []


def lock_run():
    """Refuse a second live run in this folder; the lock lives as long as this process."""
    try:
        RUN_LOCK.append(take_run_lock(Path("results/.lock")))
    except UserError as problem:
        raise WorkflowError(str(problem)) from None


def tell_results():
    """Print the main table and where the rest lies, where this run has made it."""
    if Path(RUN, "report.html").exists():
        print(run_summary(Path(RUN)), flush=True)
