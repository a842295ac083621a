# Names and helpers that the rules share. Nothing heavy is imported here: this file is read at every start.

import atexit
import json
import os
import re
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from weckd.agreement.reference import frozen_suite
from weckd.config import refuse_more_than_all, says_suite, suite_json
from weckd.data.catalogue import find_dataset
from weckd.data.watch import forget_changed, forget_moved, keep_seen
from weckd.engine import (
    IGNORES_CTRL_C,
    failure_text,
    find_own_commands,
    listen_for_stops,
    outlive_reader,
)
from weckd.errors import UserError
from weckd.files import digest, file_digest
from weckd.locks import take_run_lock, try_lock
from weckd.methods.catalogue import fetched_weights
from weckd.official_suite import official_suite
from weckd.planning.first_second import (
    refuse_impossible,
    refuse_small_machine,
    too_many_jobs,
)
from weckd.source import code_of
from weckd.readings_suite import readings_suite
from weckd.runs import leakage_summary, note_call, run_summary
from weckd.suite_file import parse_changes, resolve_suite
from weckd.sums import count_again, edited
from weckd.sums import forget_changed as forget_changed_sums
from weckd.tuning.chosen import tunable_methods

find_own_commands()
shell.prefix(IGNORES_CTRL_C)


def refuse(problem):
    """End with a message alone; the engine's own errors print where in the rules they arose."""
    sys.exit(f"weckd: {problem}")


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
    refuse(f"records: {RECORDS!r} is neither run nor reference")

for option, short in (("--config", "-C"), ("--configfile", "--configfiles")):
    if sum(word.partition("=")[0] in (option, short) for word in sys.argv) > 1:
        refuse(
            f"{option}: stands twice, and the engine heeds the last alone; give all its values after one"
        )

SUITE_FILES = [Path(file) for file in workflow.configfiles]


def reference_folders(suite):
    """Return where a suite's frozen reference is looked for: beside the workflow, then in the working folder."""
    folder = Path("results/reference", suite.run)
    return Path(workflow.basedir, folder), folder


try:
    # As they were typed: the engine reads numbers and words otherwise than the package does.
    TYPED = workflow.config_settings.config_args
    CHANGES = parse_changes(TYPED) if TYPED else dict(workflow.config_settings.config)
    CHANGES.pop("records", None)
    SUITE = resolve_suite(SUITE_FILES, CHANGES)
    if RECORDS == "reference":
        SUITE, REFERENCE = frozen_suite(SUITE, reference_folders(SUITE))
    else:
        refuse_impossible(SUITE)
except UserError as problem:
    refuse(problem)

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
PREDICTED = ("parquet", "sums.json")
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
    """Return the hash of what a run's suite says beside paths, so that an edited suite file is noticed."""
    suite = replace(SUITES[wildcards.run], data_root=None, catalogue=None)
    return digest(suite_json(suite))


def kind_option(wildcards):
    """Return the option that asks for the suite of readings, or for that on official test parts."""
    if wildcards.run == READINGS.run:
        return ["--readings"]
    return ["--official"] if OFFICIAL and wildcards.run == OFFICIAL.run else []


def run_files(pattern, suite):
    """Return a file for each data set, and seed or batch, of a run."""
    files = f"{run_folder(suite)}/{pattern}"
    return expand(files, dataset=suite.datasets, seed=suite.seeds, batch=SEEDS_OF_BATCH)


def prediction_files(suite):
    """Return the predictions of a run, and their sums."""
    files = [f"predictions/{{dataset}}/seed{{seed}}.{kind}" for kind in PREDICTED]
    return [file for pattern in files for file in run_files(pattern, suite)]


def attention_files(suite):
    """Return a file of attention maps for each data set, where the suite has a chain that transfers attention."""
    transfers = "chain" in suite.roles.values() and suite.distillation.beta > 0
    files = run_files("attention/{dataset}.npz", suite) + run_files(
        "attention/{dataset}.sums.json", suite
    )
    return files if transfers else []


def leakage_files(wildcards):
    """Return what the leak study makes; end where it cannot be made of this suite."""
    if OFFICIAL is None:
        refuse(NO_OFFICIAL)
    files = {"tables": ["csv", "md", "tex"], "figures": ["svg", "png"]}
    return [
        f"{run_folder(OFFICIAL)}/{folder}/leakage.{kind}"
        for folder, kinds in files.items()
        for kind in kinds
    ]


def readings_files(wildcards):
    """Return what the readings' run makes; end where the stages are too large for its longest chain."""
    try:
        refuse_more_than_all(READINGS.split)
    except UserError as problem:
        refuse(f"readings: {problem}")
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
    """Return the split files of a training job, and their sums."""
    folder = splits_folder(wildcards)
    files = [f"{folder}/seed{seed}.csv" for seed in SEEDS_OF_BATCH[wildcards.batch]]
    return [*files, f"{folder}/sums.json"]


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


def forget_lost_fits():
    """Remove choices of tuning and manifests that were edited, and manifests that name fits that the store has no more.

    The latter of cells that need them alone. Their jobs run again, and train what is not in the store.
    """
    for suite in SUITES.values():
        attention = set(attention_files(suite))
        folder = Path(run_folder(suite))
        for chosen in filter(edited, folder.glob("tuned/*/*.json")):
            print(f"changed since it was read or made: {chosen}", file=sys.stderr)
            chosen.unlink()
        for manifest in folder.glob("manifests/*/*.json"):
            if edited(manifest):
                print(f"changed since it was read or made: {manifest}", file=sys.stderr)
                manifest.unlink()
                continue
            dataset = manifest.parent.name
            made = [
                f"predictions/{dataset}/seed{seed}.{kind}"
                for seed in SEEDS_OF_BATCH.get(manifest.stem, [])
                for kind in PREDICTED
            ]
            made = [f"{run_folder(suite)}/{file}" for file in made]
            made += attention & {f"{run_folder(suite)}/attention/{dataset}.npz"}
            if not all(map(os.path.exists, made)):
                from weckd.training.manifests import lacks_fits

                if lacks_fits(manifest, Path(STORE)):
                    manifest.unlink()


if RECORDS == "run" and workflow.is_main_process:
    forget_lost_fits()


def change_words():
    """Return what the command line changes, each KEY=VALUE."""
    records = {"records": RECORDS} if RECORDS != "run" else {}
    changes = {**CHANGES, **records}
    return [f"{key}={json.dumps(value)}" for key, value in changes.items()]


def changes_option(wildcards, output):
    """Return the option that passes the command line's changes on."""
    changes = [f"{key}={json.dumps(value)}" for key, value in CHANGES.items()]
    return ["--config", *changes] if changes else []


def suite_files(wildcards, output):
    """Return the suite files; what they say is watched, not where they lie: hence a function of `output`."""
    return [str(file) for file in SUITE_FILES]


def beside_workflow(*names):
    """Return a function that returns files beside the Snakefile; where they lie is not watched, as above."""
    files = [str(Path(workflow.basedir, name)) for name in names]
    return lambda wildcards, output: files


# Where data sets and their catalogue lie is no reason to make anything again (a parameter that looks at the output is
# none for Snakemake); what lies there is, which `forget_changed`, `forget_moved` and `entry_content` see to.


def data_root_option(wildcards, output):
    """Return the option that tells where the user's own data sets lie."""
    return ["--data-root", SUITE.data_root] if SUITE.data_root else []


def catalogue_option(wildcards, output):
    """Return the option that names the user's own data sets."""
    return ["--catalogue", SUITE.catalogue] if SUITE.catalogue else []


def content_of(*names):
    """Return the digests of files beside the Snakefile, to be watched in place of them; none of those not there."""
    files = [Path(workflow.basedir, name) for name in names]
    return [file_digest(file) for file in files if file.exists()]


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


def catalogue_entry(dataset):
    """Return what the catalogue says of a data set."""
    return find_dataset(dataset, Path(SUITE.catalogue) if SUITE.catalogue else None)


def entry_content(wildcards):
    """Return the hash of a data set's entry in the catalogue, so that an edited one is noticed."""
    return digest(asdict(catalogue_entry(wildcards.dataset)))


def made_again(*sums):
    """Return a parameter that counts how often what a rule made was found to be something else, to have it made again.

    Sums that are missing would not do: Snakemake asks for what lies between others only where one of these is made.
    """
    return lambda wildcards: sum(
        AGAIN.get(each.format(**dict(wildcards.items())), 0) for each in sums
    )


def is_as_asked(file, suite):
    """Return whether a run's suite.json is what the suite files, or the reference, say."""
    if RECORDS == "run":
        return says_suite(file, suite)
    reference = OFFICIAL_REFERENCE if suite is OFFICIAL else REFERENCE
    return file.read_bytes() == Path(reference, "suite.json").read_bytes()


def kept_copy(prepared):
    """Return where the copy of a prepared data set's `seen.json` lies, which stays where the images go."""
    return Path("results/.seen", f"{prepared.name}.json")


def forget_what_changed():
    """Return, by sums, how often these were found not to hold, so far and now; those that do not are removed.

    What they are of is compared at every start, but not beside a run that is at work.
    """
    counts, lock = Path("results/.again.json"), Path("results/.lock")
    if not workflow.is_main_process:
        return count_again(counts, [])
    if lock.exists() and os.access(lock, os.W_OK):
        held = try_lock(lock)
        if held is None:
            return count_again(counts, [])
        held.close()
    again = []
    changed = {
        sums: forget_changed_sums(sums)
        for suite in SUITES.values()
        for sums in sorted(Path(run_folder(suite)).glob("**/*sums.json"))
    }
    for suite in SUITES.values():
        file = Path(run_folder(suite), "suite.json")
        if file.is_file() and not is_as_asked(file, suite):
            print(f"{file}: not what the suite files say; made anew", file=sys.stderr)
            again.append(str(file))
    if RECORDS == "run":
        own = Path(SUITE.data_root) if SUITE.data_root else None
        roots = [root / "weights" for root in (own, Path(DOWNLOADS)) if root]
        for file in weights_files(SUITE):
            forget_moved(Path(file), "file", roots)
        for key in SUITE.datasets:
            prepared = Path(PREPARED.format(dataset=key))
            changed[prepared / "seen.json"] = forget_changed(
                catalogue_entry(key),
                SUITE.image_size,
                own,
                Path(DOWNLOADS),
                prepared,
                kept_copy(prepared),
            )
    files = [file for found in changed.values() for file in found]
    for file in files[:CHANGED_SHOWN]:
        print(f"changed since it was read or made: {file}", file=sys.stderr)
    if len(files) > CHANGED_SHOWN:
        print(f"and {len(files) - CHANGED_SHOWN} more files", file=sys.stderr)
    again += [str(sums) for sums, found in changed.items() if found]
    return count_again(counts, again)


CHANGED_SHOWN = 5
try:
    AGAIN = forget_what_changed()
except UserError as problem:
    refuse(problem)


def runs_made():
    """Return the folder of each run that this call makes something of."""
    folders = {run_folder(suite): suite for suite in SUITES.values()}
    made = {
        output.split("/")[1]
        for job in workflow.dag.jobs
        for output in job.output
        if output.startswith("results/")
    }
    return {
        folder: suite for folder, suite in folders.items() if Path(folder).name in made
    }


def from_here(path):
    """Return a path as it is named from the working folder, where it lies below it."""
    path = Path(path).absolute()
    return str(
        path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    )


def going_on(suite):
    """Return the words of the command that goes on with a run, called in the working folder."""
    words = ["snakemake", "--cores", "all"]
    if Path(workflow.basedir) != Path.cwd():
        words += ["--snakefile", from_here(workflow.main_snakefile)]
    for place, word in enumerate(sys.argv):
        option, _, value = word.partition("=")
        if option in ("--profile", "--workflow-profile"):
            words += [option, value or sys.argv[place + 1]]
    if suite.run == READINGS.run:
        words.append("readings")
    elif OFFICIAL and suite.run == OFFICIAL.run:
        words.append("leakage")
    if workflow.overwrite_configfiles:
        words += ["--configfile", *map(from_here, SUITE_FILES)]
    return [*words, "--config", *change_words()] if change_words() else words


RUN_LOCK = []


def begin():
    """Refuse a second live run in this folder, note how this one goes on, and prepare for its end."""
    outputs = {file for job in workflow.dag.jobs for file in job.output}
    made = {
        Path(run_folder(suite)): suite
        for suite in SUITES.values()
        if f"{run_folder(suite)}/suite.json" in outputs
    }
    try:
        refuse_memory()
        refuse_future()
        names = [folder.name for folder in made]
        RUN_LOCK.append(take_run_lock(Path("results/.lock"), names))
        for folder, suite in made.items():
            note_call(folder, change_words(), going_on(suite))
    except UserError as problem:
        refuse(problem)
    outlive_reader(workflow.logger_manager.logger.handlers)
    scheduler = workflow.scheduler
    listen_for_stops(scheduler.exit_gracefully, started_processes)


def started_processes():
    """Return the numbers of the processes that this one, and those, have started."""
    from psutil import Process

    return [process.pid for process in Process().children(recursive=True)]


def tell_failures():
    """Print what the failed jobs say when all else is said."""
    logs = {}
    for failed in workflow.scheduler.failed:
        for job in failed if failed.is_group() else [failed]:
            wildcards = ", ".join(str(value) for value in job.wildcards)
            name = f"{job.rule.name} {wildcards}".rstrip()
            logs[name] = Path(job.log[0]) if job.log else None
    if logs:
        text = failure_text(dict(sorted(logs.items())))
        atexit.register(print, text, file=sys.stderr, flush=True)


def refuse_memory():
    """Refuse training jobs that this machine's memory cannot hold, where they run here; tell of too many at once.

    Raises:
        UserError: it cannot hold one.
    """
    rules = ("train", "tune_method")
    training = [job for job in workflow.dag.needrun_jobs() if job.rule.name in rules]
    if workflow.local_exec and training:
        need = refuse_small_machine(SUITE)
        if told := too_many_jobs(need, min(len(training), workflow.cores)):
            print(told, file=sys.stderr, flush=True)


def refuse_future():
    """Refuse what is dated later than this machine's clock: the engine would fail each job that reads it.

    Raises:
        UserError: an input of a job that is to run is.
    """
    now = time.time()
    for file in sorted(
        {file for job in workflow.dag.needrun_jobs() for file in job.input}
    ):
        if os.path.exists(file) and os.path.getmtime(file) > now + 1:
            raise UserError(
                f"{file}: its time is later than this machine's clock; set the clock, or give all such files the "
                "present time: find results data -newermt now -exec touch {} +"
            )


def tell_results():
    """Print the main table, or that of the leak study, and where the rest lies, where this run has made it."""
    if RECORDS == "run":
        for key in SUITE.datasets:
            prepared = Path(PREPARED.format(dataset=key))
            keep_seen(prepared, kept_copy(prepared))
    study = Path(run_folder(OFFICIAL)) if OFFICIAL else None
    made = {str(file) for job in workflow.dag.jobs for file in job.output}
    if study and f"{study}/tables/leakage.md" in made:
        print(leakage_summary(study), flush=True)
    elif Path(RUN, "report.html").exists():
        print(run_summary(Path(RUN)), flush=True)
