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
from weckd.analysis.registry import KINDS, TABLES, figure_names
from weckd.changes import forget_changes, is_alone, keep_what_was_seen, kept_changes
from weckd.code_digest import code_of
from weckd.committed import FULL
from weckd.config import suite_json
from weckd.data.catalogue import suite_datasets
from weckd.engine import (
    IGNORES_CTRL_C,
    SILENT,
    data_notices,
    failure_text,
    find_own_commands,
    listen_for_stops,
    outlive_reader,
    started_processes,
    tell_warnings_alone,
)
from weckd.errors import UserError
from weckd.files import digest, file_digest, sums_of
from weckd.frozen_cells import frozen_cells, taken_text
from weckd.locks import take_run_lock
from weckd.methods.catalogue import fetched_weights
from weckd.planning.first_second import (
    refuse_impossible,
    refuse_small_machine,
    too_many_jobs,
)
from weckd.progress import ProgressLine, Work
from weckd.run_files import RunFiles, batches
from weckd.runs import changed_files, note_end, note_start, results_text, study_made
from weckd.study_suites import official_suite, readings_suite
from weckd.suite_file import parse_changes, resolve_suite, telling_changes
from weckd.tuning.chosen import tunable_methods

find_own_commands()
shell.prefix(IGNORES_CTRL_C)


def refuse(problem):
    """Exit with nothing but a message; the engine's own errors also print where in the rules they arose."""
    sys.exit(f"weckd: {problem}")


# `quiet: rules` asks for one line of progress instead of the messages of the engine and the jobs, which are in their logs.
ONE_LINE = workflow.is_main_process and any(
    quietness.name == "RULES" for quietness in workflow.output_settings.quiet or ()
)
if ONE_LINE:
    tell_warnings_alone(
        workflow.logger_manager.logger.handlers,
        lambda: bool(workflow.executor_plugin)
        and not (workflow.dryrun or workflow.touch),
    )

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
REFERENCES = {}  # run -> folder of the frozen reference that it is made from


def as_recorded(suite):
    """Return a suite as its frozen reference has it, beside the workflow or in the working folder."""
    if RECORDS == "run":
        return suite
    folder = Path("results/reference", suite.run)
    frozen, found = frozen_suite(suite, (Path(workflow.basedir, folder), folder))
    REFERENCES[frozen.run] = found
    return frozen


try:
    # As typed: the engine reads numbers and words differently from the package.
    TYPED = workflow.config_settings.config_args
    CHANGES = parse_changes(TYPED) if TYPED else dict(workflow.config_settings.config)
    CHANGES.pop("records", None)
    SUITE = as_recorded(resolve_suite(SUITE_FILES, CHANGES))
    if RECORDS == "run":
        refuse_impossible(SUITE)
except UserError as problem:
    refuse(problem)


def study(suite_of):
    """Return the run of a study that belongs to this one; or None, and why there is none."""
    try:
        return as_recorded(suite_of(SUITE)), ""
    except UserError as problem:
        return None, problem


READINGS, NO_READINGS = study(readings_suite)
OFFICIAL, NO_OFFICIAL = study(official_suite)
SUITES = {suite.run: suite for suite in (SUITE, READINGS, OFFICIAL) if suite}


def run_of(suite):
    """Return the files of a run, or of what is made from its frozen reference."""
    frozen = "-reference" if RECORDS == "reference" else ""
    return RunFiles(Path(f"results/{suite.run}{frozen}"))


RUNS = {run_of(suite): suite for suite in SUITES.values()}
RUN = run_of(SUITE)
ANY = RunFiles(Path("results/{run}"))
PREPARED = RUN.prepared(SUITE, "{dataset}")
FIGURES = figure_names(SUITE.datasets)
AUDIT = expand(RUN.audit / "{table}.{kind}", table=["audit", "across"], kind=KINDS)
SEEDS_OF_BATCH = {
    batch: list(seeds)
    for suite in SUITES.values()
    for batch, seeds in batches(suite).items()
}
SPLITS, MANIFESTS = RUN.every_split(SUITE), RUN.every_manifest(SUITE)
PREDICTIONS, ATTENTION = RUN.every_prediction(SUITE), RUN.every_attention(SUITE)


wildcard_constraints:
    run="|".join(map(re.escape, SUITES)),
    dataset=r"[a-z0-9_-]+",
    seed=r"\d+",
    batch=r"seeds\d+-\d+",
    method=r"[a-z0-9][a-z0-9_=,-]*",
    weights=r"[a-z0-9_]+\.[a-z0-9_]+",


def outputs(suite, tables, figures):
    """Return the files of tables and figures of a run."""
    run = run_of(suite)
    return [
        *expand(run.tables / "{name}.{kind}", name=tables, kind=KINDS),
        *expand(run.figures / "{name}.{kind}", name=figures, kind=["svg", "png"]),
    ]


def of_study(suite, name, tables, figures, why_none=""):
    """Return a function that returns what a study makes; it exits where the suite's run cannot be trained."""

    def files(wildcards):
        if not suite:
            refuse(why_none)
        try:
            if RECORDS == "run":
                refuse_impossible(suite)
        except UserError as problem:
            refuse(f"{name}: {problem}")
        return outputs(suite, tables, figures)

    return files


def shown(file, category, caption, **labels):
    """Return an output that the engine's own report shows."""
    caption = f"../report/{caption}.rst"
    return report(file, category=category, caption=caption, labels=labels)


def figures_shown(files):
    """Return outputs, of which that report shows the figures."""
    return [
        (
            shown(file, "Figures", "figure", figure=Path(file).stem)
            if file.endswith(".svg")
            else file
        )
        for file in files
    ]


# A file for each set of pretrained weights that fits of a run start from and that is fetched.
WEIGHTS = {
    run: expand(RUN.weights / "{weights}.json", weights=fetched_weights(suite))
    for run, suite in SUITES.items()
}


def tuned_files(suite, dataset):
    """Return the file of what tuning chose for each method that is tuned."""
    run = run_of(suite)
    return [run.tuned(dataset, method) for method in tunable_methods(suite)]


def suite_text(suite):
    """Return what a run's suite.json says.

    Packed: the suite of all readings has 800 kB, and the system passes no argument above 128 kB to a shell.
    """
    packed = gzip.compress(suite_json(suite).encode(), mtime=0)
    return base64.b64encode(packed).decode()


def settings_digest(suite):
    """Return the digest of what splits and training can read of a suite: all but its plan, and where data sets lie."""
    settings = json.loads(suite_json(replace(suite, data_root=None, catalogue=None)))
    plan = ("analysis", "plan_hash", "quick_look")
    return digest({key: value for key, value in settings.items() if key not in plan})


SETTINGS = {run: settings_digest(suite) for run, suite in SUITES.items()}


def of_batch(file):
    """Return a function that returns a file of the training job that trains a cell."""

    def of(wildcards):
        seeds_of = batches(SUITES[wildcards.run])
        batch = next(b for b, seeds in seeds_of.items() if int(wildcards.seed) in seeds)
        return str(file).format(batch=batch, **dict(wildcards.items()))

    return of


def settings(wildcards):
    """Return the digest of a job's run, watched instead of its suite.json: an edit of the plan trains nothing again.

    That file is `ancient` to such a job: made before it, and no reason to run it again.
    """
    return SETTINGS[wildcards.get("run", SUITE.run)]


def unwatched(value):
    """Return a parameter whose change makes nothing again: Snakemake ignores changes of one that takes the output.

    Used for paths: what is there is watched, by its digest or by `weckd.changes`.
    """
    return lambda wildcards, output: value


def beside_workflow(name):
    """Return a parameter that names a file beside the Snakefile."""
    return unwatched(str(Path(workflow.basedir, name)))


def content_of(*names):
    """Return the digests of those files beside the Snakefile that exist, to be watched instead of the files."""
    files = [Path(workflow.basedir, name) for name in names]
    return [file_digest(file) for file in files if file.exists()]


DATA_ROOT = unwatched(["--data-root", SUITE.data_root] if SUITE.data_root else [])
CATALOGUE = unwatched(["--catalogue", SUITE.catalogue] if SUITE.catalogue else [])


def entry_content(wildcards):
    """Return the hash of a data set's entry in the catalogue, so that an edited one is noticed."""
    return digest(asdict(suite_datasets(SUITE)[wildcards.dataset]))


def join_option(wildcards):
    """Return the option that keeps suspected variants together, where a data set's entry asks for it."""
    groups = suite_datasets(SUITE)[wildcards.dataset].groups
    return "--join-suspected" if groups == "suspected" else ""


def made_again(*sums):
    """Return a parameter that counts how often a rule's outputs were found changed, so that they are made again.

    Removing their sums is not enough: Snakemake makes an intermediate file only if a file that needs it is made.
    """
    return lambda wildcards: sum(
        len(CHANGED.times.get(str(each).format(**dict(wildcards.items())), []))
        for each in sums
    )


# Compared at every start, but not while another run is at work.
try:
    # Cells of each run that were frozen before it was finished: training jobs take them as they are.
    FROZEN = {
        suite.run: frozen_cells(suite, run) if workflow.is_main_process else {}
        for run, suite in RUNS.items()
        if RECORDS == "run"
    }
    KEPT, LOCK = Path("results/.again.json"), Path("results/.lock")
    ALONE = workflow.is_main_process and is_alone(LOCK)
    CHANGED = (
        forget_changes(KEPT, RUNS, bool(REFERENCES)) if ALONE else kept_changes(KEPT)
    )
except UserError as problem:
    refuse(problem)


def from_here(path):
    """Return a path relative to the working folder, if it is below it."""
    path, here = Path(path).absolute(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def change_words(changes):
    """Return changes of the command line, that of the records among them, each KEY=VALUE."""
    records = {"records": RECORDS} if RECORDS != "run" else {}
    return [
        f"{key}={json.dumps(value)}" for key, value in {**changes, **records}.items()
    ]


def going_on(suite):
    """Return the words of the command that continues a run, for the working folder."""
    words = ["snakemake", "--cores", "all"]
    if Path(workflow.basedir) != Path.cwd():
        words += ["--snakefile", from_here(workflow.main_snakefile)]
    for place, word in enumerate(sys.argv):
        option, _, value = word.partition("=")
        if option in ("--profile", "--workflow-profile"):
            words += [option, value or sys.argv[place + 1]]
    if suite is not SUITE:
        words.append("readings" if suite is READINGS else "leakage")
    if workflow.overwrite_configfiles:
        words += ["--configfile", *map(from_here, SUITE_FILES)]
    changes = change_words(CHANGES)
    return [*words, "--config", *changes] if changes else words


RUN_LOCK, STOPS, TOLD, LINES = [], [], [], []


def asked_jobs():
    """Return all jobs that this call's targets need, run now or before."""
    return list(workflow.dag.bfs(workflow.dag.dependencies, *workflow.dag.targetjobs))


def asked_files():
    """Return the outputs of all jobs that this call's targets need, made now or before."""
    return {str(file) for job in asked_jobs() for file in job.output}


def asked_runs(asked):
    """Return the suite of each run whose files are asked for, by its folder."""
    return {
        run.folder: suite
        for run, suite in RUNS.items()
        if any(file.startswith(f"{run.folder}/") for file in asked)
    }


def single_jobs(jobs):
    """Return jobs by name, those of groups one by one."""
    single = (one for job in jobs for one in (job if job.is_group() else [job]))
    return {
        f"{job.rule.name} {', '.join(job.wildcards)}".rstrip(): job for job in single
    }


def logs_of(jobs):
    """Return the log of each job, by its name; None where it has none."""
    return {name: Path(job.log[0]) if job.log else None for name, job in jobs.items()}


def cells_of(job):
    """Return the cells that a job trains, or takes from those that were frozen."""
    if job.rule.name != "train":
        return []
    return [
        (job.wildcards.dataset, seed) for seed in SEEDS_OF_BATCH[job.wildcards.batch]
    ]


def trained_cells(job):
    """Return how many cells a job trains."""
    return sum(cell not in FROZEN[job.wildcards.run] for cell in cells_of(job))


def works(planned):
    """Return a function that returns the state of each of these jobs, by its name without the run's."""

    def now():
        scheduler = workflow.scheduler
        running = set(single_jobs(scheduler.running.copy()).values())
        failed = set(single_jobs(scheduler.failed.copy()).values())

        def state(job):
            if job in running or job in failed:
                return "running" if job in running else "failed"
            return "ended" if workflow.dag.finished(job) else "waiting"

        return [
            Work(
                " ".join(
                    [job.rule.name, *(w for w in job.wildcards if w not in SUITES)]
                ),
                state(job),
                trained_cells(job),
                Path(job.log[0]) if job.log else None,
            )
            for job in planned
        ]

    return now


def show_progress():
    """Show one line of progress from now on."""
    shell.prefix(IGNORES_CTRL_C + SILENT)
    if planned := list(workflow.dag.needrun_jobs()):
        cells = sum(len(cells_of(job)) for job in asked_jobs())
        LINES.append(ProgressLine(works(planned), cells, sys.stderr))
        LINES[0].start()


def stop_progress():
    """Remove the line, and keep for the end what was reported about data sets while it was shown."""
    for line in LINES:
        line.stop()
    if LINES:
        jobs = workflow.dag.needrun_jobs(exclude_finished=False)
        TOLD.extend(
            data_notices(
                Path(job.log[0])
                for job in jobs
                if job.rule.name in ("prepare", "split")
            )
        )


def tell_changed(runs):
    """Say, now and at the end, which files have changed since they were made, and which steps are made again."""
    prepared = [RUN.prepared(SUITE, key) for key in SUITE.datasets]
    since = [changed_files(folder, prepared, CHANGED.times) for folder in runs]
    files = list(dict.fromkeys(sum(since, CHANGED.found)))
    again = [
        job.rule.name
        for job in workflow.dag.needrun_jobs()
        if any(os.path.exists(file) or file in CHANGED.times for file in job.output)
    ]
    if files and again:
        rules = [rule.name for rule in workflow.rules if rule.name in again]
        TOLD.append(
            f"changed      {', '.join(files)} (since read or made); made again: {', '.join(rules)}"
        )
        print(*TOLD, file=sys.stderr, flush=True)


def tell_frozen():
    """Say how many cells of each run this call takes from where they were frozen."""
    asked = [job for job in workflow.dag.needrun_jobs() if cells_of(job)]
    for run, frozen in FROZEN.items():
        cells = {
            cell for job in asked if job.wildcards.run == run for cell in cells_of(job)
        }
        if taken := [frozen[cell] for cell in frozen.keys() & cells]:
            print(taken_text(SUITES[run], taken), file=sys.stderr, flush=True)


def begin():
    """Refuse a second live run in this folder, note how to continue this one, and prepare for its end."""
    runs = asked_runs(asked_files())
    try:
        refuse_memory()
        refuse_future()
        RUN_LOCK.append(take_run_lock(LOCK, [folder.name for folder in runs]))
        tell_changed(runs)
        tell_frozen()
        changes = change_words(telling_changes(SUITE_FILES, CHANGES))
        for folder, suite in runs.items():
            note_start(folder, changes, going_on(suite), CHANGED.times)
    except UserError as problem:
        refuse(problem)
    if ONE_LINE:
        show_progress()
    outlive_reader(
        workflow.logger_manager.logger.handlers,
        lambda: [line.clear() for line in LINES],
    )
    STOPS.append(
        listen_for_stops(
            workflow.scheduler.exit_gracefully,
            lambda: logs_of(single_jobs(workflow.scheduler.running.copy())),
            started_processes,
        )
    )


def tell_failures():
    """Print the messages of the failed jobs, after everything else."""
    stop_progress()
    jobs, asked = single_jobs(workflow.scheduler.failed), asked_files()
    logs = dict(sorted(logs_of(jobs).items()))
    runs = asked_runs(asked)
    for folder in runs if not any(STOPS) else ():
        others = runs.keys() - {folder}
        mine = {
            name: log
            for name, log in logs.items()
            if others.isdisjoint(
                Path(*Path(file).parts[:2]) for file in jobs[name].output
            )
        }
        note_end(folder, asked, mine, CHANGED.times)
    if logs:
        atexit.register(
            print, *TOLD, failure_text(logs), sep="\n", file=sys.stderr, flush=True
        )
    if any(STOPS):
        told = f"weckd: stopped; what is made stays, and this goes on:\n  {shlex.join(going_on(SUITE))}"
        atexit.register(print, told, file=sys.stderr, flush=True)


def refuse_memory():
    """Refuse training jobs that this machine's memory cannot hold, where they run here; report too many at once.

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
    files = {file for job in workflow.dag.needrun_jobs() for file in job.input}
    for file in sorted(files):
        if os.path.exists(file) and os.path.getmtime(file) > now + 1:
            raise UserError(
                f"{file}: its time is later than this machine's clock; set the clock, or give all such files the "
                "present time: find results data -newermt now -exec touch {} +"
            )


def tell_results():
    """Print the table that this call asks for, or what it did, and where the rest is."""
    stop_progress()
    if RECORDS == "run":
        keep_what_was_seen(RUN, SUITE)
    asked = asked_files()
    runs = asked_runs(asked)
    for folder in runs:
        note_end(folder, asked, {}, CHANGED.times)
    jobs = [job.rule.name for job in workflow.dag.needrun_jobs(exclude_finished=False)]
    names = [rule.name for rule in workflow.rules if rule.name != "all"]
    done = {name: jobs.count(name) for name in names if name in jobs}
    shown = next((run for run in runs if study_made(run, asked)), RUN.folder)
    text = results_text(shown, asked, done, going_on(SUITE))
    print(text, *TOLD, sep="\n", flush=True)


def tell_nothing_done(folder):
    """Print the same where no job had to be run; the engine then calls none of its hooks."""
    if workflow.scheduler and not (workflow.dryrun or RUN_LOCK or len(workflow.dag)):
        os.chdir(folder)  # which the engine has left
        tell_results()


if workflow.is_main_process:
    atexit.register(tell_nothing_done, Path.cwd())
