# Names and helpers that the rules share. Nothing heavy is imported here: this file is read at every start.

import atexit
import base64
import gzip
import json
import os
import re
import shlex
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from weckd.agreement.reference import frozen_suite
from weckd.analysis.registry import FIGURES, KINDS, TABLES
from weckd.config import refuse_more_than_all, says_suite, suite_json
from weckd.data.catalogue import suite_datasets
from weckd.data.watch import forget_changed, forget_moved, keep_seen
from weckd.engine import (
    IGNORES_CTRL_C,
    failure_text,
    find_own_commands,
    listen_for_stops,
    outlive_reader,
)
from weckd.errors import UserError
from weckd.files import (
    digest,
    edited,
    file_digest,
    forget_sums,
    keep_changed,
    sums_of,
    unlike_sums,
)
from weckd.locks import take_run_lock, try_lock
from weckd.methods.catalogue import fetched_weights
from weckd.planning.first_second import (
    refuse_impossible,
    refuse_small_machine,
    too_many_jobs,
)
from weckd.code_digest import code_of
from weckd.run_files import RunFiles, batches
from weckd.runs import (
    changed_files,
    few,
    note_end,
    note_start,
    results_text,
    study_made,
)
from weckd.study_suites import official_suite, readings_suite
from weckd.suite_file import parse_changes, resolve_suite
from weckd.tuning.chosen import tunable_methods

find_own_commands()
shell.prefix(IGNORES_CTRL_C)


def refuse(problem):
    """End with a message alone; the engine's own errors print where in the rules they arose."""
    sys.exit(f"weckd: {problem}")


# Where splits, predictions and manifests come from: this run, or a frozen reference, from which nothing is trained.
RECORDS = config.pop("records", "run")
if RECORDS not in ("run", "reference"):
    refuse(f"records: {RECORDS!r} is neither run nor reference")

for option, short in (("--config", "-C"), ("--configfile", "--configfiles")):
    if sum(word.partition("=")[0] in (option, short) for word in sys.argv) > 1:
        refuse(
            f"{option}: is given twice, and the engine heeds the last alone; give all its values after one"
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


def run_of(suite):
    """Return the files of a run, or of what is made of its frozen reference."""
    frozen = "-reference" if RECORDS == "reference" else ""
    return RunFiles(Path(f"results/{suite.run}{frozen}"))


RUN = run_of(SUITE)
ANY = RunFiles(Path("results/{run}"))
PREPARED = RUN.prepared(SUITE, "{dataset}")
AUDIT = expand(RUN.audit / "{table}.{kind}", table=["audit", "across"], kind=KINDS)


wildcard_constraints:
    run="|".join(map(re.escape, SUITES)),
    dataset=r"[a-z0-9_-]+",
    seed=r"\d+",
    batch=r"seeds\d+-\d+",
    method=r"[a-z0-9][a-z0-9_=,-]*",
    weights=r"[a-z0-9_]+\.[a-z0-9_]+",


SEEDS_OF_BATCH = {batch: list(seeds) for batch, seeds in batches(SUITE).items()}


def suite_text(wildcards, output):
    """Return what a run's suite.json says; its hash is watched in place of it: hence a function of `output`.

    Packed: the suite of all readings has 800 kB, and the system passes no argument above 128 kB to a shell.
    """
    text = suite_json(SUITES[wildcards.run])
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def suite_content(wildcards):
    """Return the hash of what a run's suite says beside paths, so that an edited suite file is noticed."""
    suite = replace(SUITES[wildcards.run], data_root=None, catalogue=None)
    return digest(suite_json(suite))


def every(path, suite):
    """Return a file for each data set, and seed or batch, of a suite."""
    return expand(path, dataset=suite.datasets, seed=suite.seeds, batch=SEEDS_OF_BATCH)


def split_files(suite):
    """Return the split files of a run."""
    return every(run_of(suite).split("{dataset}", "{seed}"), suite)


def manifest_files(suite):
    """Return the manifests of a run."""
    return every(run_of(suite).manifest("{dataset}", "{batch}"), suite)


def predictions_of(run, suite):
    """Return the predictions of a run for the cells of a suite, and their sums."""
    file = run.prediction("{dataset}", "{seed}")
    return [*every(file, suite), *every(sums_of(file), suite)]


def prediction_files(suite):
    """Return all predictions of a suite's run, and their sums."""
    return predictions_of(run_of(suite), suite)


def attention_files(suite):
    """Return a file of attention maps for each data set, where the suite has a chain that transfers attention."""
    transfers = "chain" in suite.roles.values() and suite.distillation.beta > 0
    maps = run_of(suite).attention("{dataset}")
    files = [*every(maps, suite), *every(sums_of(maps), suite)]
    return files if transfers else []


def outputs(suite, tables, figures):
    """Return the files of tables and figures of a run."""
    run = run_of(suite)
    return [
        *expand(run.tables / "{name}.{kind}", name=tables, kind=KINDS),
        *expand(run.figures / "{name}.{kind}", name=figures, kind=["svg", "png"]),
    ]


def refuse_run(suite, name):
    """End where a run beside the suite's own is one that cannot be trained."""
    try:
        refuse_more_than_all(suite.split)
        if RECORDS == "run":
            refuse_impossible(suite)
    except UserError as problem:
        refuse(f"{name}: {problem}")


def leakage_files(wildcards):
    """Return what the leak study makes; end where it cannot be made of this suite."""
    if OFFICIAL is None:
        refuse(NO_OFFICIAL)
    refuse_run(OFFICIAL, "leak study")
    return outputs(OFFICIAL, ["leakage"], ["leakage"])


def readings_files(wildcards):
    """Return what the readings' run makes; end where the stages are too large for its longest chain."""
    refuse_run(READINGS, "readings")
    return outputs(READINGS, ["readings"], ["specification"])


def batch_splits(wildcards):
    """Return the split files of a training job, and their sums."""
    run = run_of(SUITES[wildcards.run])
    seeds = SEEDS_OF_BATCH[wildcards.batch]
    files = [run.split(wildcards.dataset, seed) for seed in seeds]
    return [*files, run.splits(wildcards.dataset) / "sums.json"]


def weights_files(suite):
    """Return a file for each pretrained weights that a suite's fits begin with and that are fetched."""
    return expand(RUN.weights / "{weights}.json", weights=fetched_weights(suite))


def batch_weights(wildcards):
    """Return those of a training job."""
    return weights_files(SUITES[wildcards.run])


def batch_tuned(wildcards):
    """Return what tuning chose for a training job, where its suite is tuned."""
    suite = SUITES[wildcards.run]
    return tuned_files(suite, wildcards.dataset) if suite.tuned else []


def tuned_files(suite, dataset):
    """Return the file of what tuning chose for each method that is tuned."""
    run = run_of(suite)
    return [run.tuned(dataset, method) for method in tunable_methods(suite)]


def batch_manifest(wildcards):
    """Return the manifest that names a cell's fits."""
    suite = SUITES[wildcards.run]
    return run_of(suite).manifest_of(suite, wildcards.dataset, int(wildcards.seed))


def forget_lost_fits():
    """Remove choices of tuning and manifests that were edited, and manifests that name fits that the store has no more.

    The latter of cells that need them alone. Their jobs run again, and train what is not in the store. The edited ones
    are returned.
    """
    found = []
    for suite in SUITES.values():
        run = run_of(suite)
        attention = attention_files(suite)
        for chosen in filter(edited, run.folder.joinpath("tuned").glob("*/*.json")):
            found.append(chosen)
            chosen.unlink()
        for manifest in run.manifests.glob("*/*.json"):
            if edited(manifest):
                found.append(manifest)
                manifest.unlink()
                continue
            dataset = manifest.parent.name
            seeds = SEEDS_OF_BATCH.get(manifest.stem, [])
            made = [run.prediction(dataset, seed) for seed in seeds]
            made += map(sums_of, made.copy())
            made += [file for file in attention if Path(file) == run.attention(dataset)]
            if not all(map(os.path.exists, made)):
                from weckd.training.store import lacks_fits

                if lacks_fits(manifest, run.store):
                    manifest.unlink()
    return found


def change_words():
    """Return what the command line changes, each KEY=VALUE."""
    records = {"records": RECORDS} if RECORDS != "run" else {}
    changes = {**CHANGES, **records}
    return [f"{key}={json.dumps(value)}" for key, value in changes.items()]


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
    return [] if phantom else [RUN.source(SUITE, wildcards.dataset)]


def prepare_threads(wildcards):
    """Return how many images are decoded side by side; phantoms are drawn by one thread."""
    return 1 if SUITE.facts[wildcards.dataset].phantom else 4


def source_option(wildcards):
    """Return the option that passes that file on."""
    return [word for file in source_file(wildcards) for word in ("--source", file)]


def catalogue_entry(dataset):
    """Return what the catalogue says of a data set."""
    return suite_datasets(SUITE)[dataset]


def entry_content(wildcards):
    """Return the hash of a data set's entry in the catalogue, so that an edited one is noticed."""
    return digest(asdict(catalogue_entry(wildcards.dataset)))


def made_again(*sums):
    """Return a parameter that counts how often what a rule made was found to be something else, to have it made again.

    Sums that are missing would not do: Snakemake asks for what lies between others only where one of these is made.
    """
    return lambda wildcards: sum(
        len(CHANGED.get(str(each).format(**dict(wildcards.items())), []))
        for each in sums
    )


def is_as_asked(file, suite):
    """Return whether a run's suite.json is what the suite files, or the reference, say."""
    if RECORDS == "run":
        return says_suite(file, suite)
    reference = OFFICIAL_REFERENCE if suite is OFFICIAL else REFERENCE
    return file.read_bytes() == RunFiles(reference).suite.read_bytes()


def kept_copy(prepared):
    """Return where the copy of a prepared data set's `seen.json` lies, which stays where the images go."""
    return Path("results/.seen", f"{prepared.name}.json")


def forget_what_changed():
    """Return, by sums, which files were found changed each time, so far and now; sums that do not hold are removed.

    What they are of is compared at every start, but not beside a run that is at work.
    """
    kept, lock = Path("results/.again.json"), Path("results/.lock")
    if not workflow.is_main_process:
        return keep_changed(kept, {})
    if lock.exists() and os.access(lock, os.W_OK):
        held = try_lock(lock)
        if held is None:
            return keep_changed(kept, {})
        held.close()
    unlike = {
        sums: found
        for suite in SUITES.values()
        for sums in sorted(run_of(suite).folder.glob("**/*sums.json"))
        if (found := unlike_sums(sums))
    }
    # Kept before they are removed: a start that ends between, as one that is refused below, must lose none.
    keep_changed(kept, {str(sums): few(found) for sums, found in unlike.items()})
    for sums in unlike:
        forget_sums(sums)
    changed, edited_suites = {}, []
    for suite in SUITES.values():
        file = run_of(suite).suite
        if file.is_file() and not is_as_asked(file, suite):
            print(f"{file}: not what the suite files say; made again", file=sys.stderr)
            edited_suites.append(file)
    if RECORDS == "run":
        own = Path(SUITE.data_root) if SUITE.data_root else None
        roots = [root / "weights" for root in (own, RUN.downloads) if root]
        for file in weights_files(SUITE):
            forget_moved(Path(file), "file", roots)
        changed |= {manifest: [str(manifest)] for manifest in forget_lost_fits()}
        for key in SUITE.datasets:
            prepared = RUN.prepared(SUITE, key)
            changed[prepared / "seen.json"] = forget_changed(
                catalogue_entry(key),
                SUITE.image_size,
                own,
                RUN.downloads,
                prepared,
                kept_copy(prepared),
            )
    files = [file for found in (unlike | changed).values() for file in found]
    FOUND.extend(few(files))
    for file in FOUND:
        print(f"changed since it was read or made: {file}", file=sys.stderr)
    FOUND.extend(map(str, edited_suites))
    changed |= {file: [str(file)] for file in edited_suites}
    return keep_changed(
        kept, {str(sums): few(found) for sums, found in changed.items() if found}
    )


# Files that this start found changed, and all that were found, by what tells of them.
FOUND = []
try:
    CHANGED = forget_what_changed()
except UserError as problem:
    refuse(problem)


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


RUN_LOCK, STOPS, TOLD = [], [], []


def asked_files():
    """Return the outputs of all jobs that this call's targets need, made now or before."""
    jobs = workflow.dag.bfs(workflow.dag.dependencies, *workflow.dag.targetjobs)
    return {str(file) for job in jobs for file in job.output}


def asked_runs():
    """Return the suite of each run that this call asks for something of, by its folder."""
    asked = asked_files()
    folders = {run_of(suite).folder: suite for suite in SUITES.values()}
    return {
        folder: suite
        for folder, suite in folders.items()
        if any(file.startswith(f"{folder}/") for file in asked)
    }


def tell_changed(runs):
    """Say, now and at the end, which files have changed since they were made, and which steps are made again."""
    prepared = [RUN.prepared(SUITE, key) for key in SUITE.datasets]
    since = [changed_files(folder, prepared, CHANGED) for folder in runs]
    files = list(dict.fromkeys(sum(since, FOUND)))
    again = [
        job.rule.name
        for job in workflow.dag.needrun_jobs()
        if any(os.path.exists(file) or file in CHANGED for file in job.output)
    ]
    if files and again:
        rules = [rule.name for rule in workflow.rules if rule.name in again]
        TOLD.append(
            f"changed      {', '.join(files)} (since read or made); made again: {', '.join(rules)}"
        )
        print(*TOLD, file=sys.stderr, flush=True)


def begin():
    """Refuse a second live run in this folder, note how this one goes on, and prepare for its end."""
    made = asked_runs()
    try:
        refuse_memory()
        refuse_future()
        names = [folder.name for folder in made]
        RUN_LOCK.append(take_run_lock(Path("results/.lock"), names))
        tell_changed(made)
        for folder, suite in made.items():
            note_start(folder, change_words(), going_on(suite), CHANGED)
    except UserError as problem:
        refuse(problem)
    outlive_reader(workflow.logger_manager.logger.handlers)
    scheduler = workflow.scheduler
    STOPS.append(listen_for_stops(scheduler.exit_gracefully, started_processes))


def started_processes():
    """Return the numbers of the processes that this one, and those, have started."""
    from psutil import Process

    return [process.pid for process in Process().children(recursive=True)]


def tell_failures():
    """Print what the failed jobs say when all else is said."""
    logs, outputs = {}, {}
    for failed in workflow.scheduler.failed:
        for job in failed if failed.is_group() else [failed]:
            wildcards = ", ".join(str(value) for value in job.wildcards)
            name = f"{job.rule.name} {wildcards}".rstrip()
            logs[name] = Path(job.log[0]) if job.log else None
            outputs[name] = {str(file).split("/")[1] for file in job.output}
    runs = asked_runs()
    for folder in runs if not any(STOPS) else ():
        others = {other.name for other in runs} - {folder.name}
        failed = {job: logs[job] for job in sorted(logs) if not outputs[job] & others}
        note_end(folder, asked_files(), failed, CHANGED)
    if logs:
        text = failure_text(dict(sorted(logs.items())))
        atexit.register(print, *TOLD, text, sep="\n", file=sys.stderr, flush=True)
    if any(STOPS):
        told = f"weckd: stopped; what is made stays, and this goes on:\n  {shlex.join(going_on(SUITE))}"
        atexit.register(print, told, file=sys.stderr, flush=True)


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
    """Print the table that this call asks for, or what it did, and where the rest lies."""
    if RECORDS == "run":
        for key in SUITE.datasets:
            prepared = RUN.prepared(SUITE, key)
            keep_seen(prepared, kept_copy(prepared))
    asked, runs = asked_files(), asked_runs()
    for folder in runs:
        note_end(folder, asked, {}, CHANGED)
    jobs = dict.fromkeys((rule.name for rule in workflow.rules), 0)
    for job in workflow.dag.needrun_jobs(exclude_finished=False):
        jobs[job.rule.name] += 1
    done = {name: jobs[name] for name in jobs if jobs[name] and name != "all"}
    studies = [folder for folder in runs if study_made(folder, asked)]
    shown = studies[0] if studies else RUN.folder
    text = results_text(shown, asked, done, going_on(SUITE))
    print(text, *TOLD, sep="\n", flush=True)


def tell_nothing_done(folder):
    """Print the same where no job had to be run, of which the engine tells none of its hooks."""
    if workflow.scheduler and not (workflow.dryrun or RUN_LOCK or len(workflow.dag)):
        os.chdir(folder)  # which the engine has left
        tell_results()


if workflow.is_main_process:
    atexit.register(tell_nothing_done, Path.cwd())
