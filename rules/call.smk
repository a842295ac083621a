# How a call begins, shows how far it is, fails and ends.

import atexit
import os
import shlex
import time

from weckd.changes import keep_what_was_seen
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
from weckd.frozen_cells import taken_text
from weckd.locks import take_run_lock
from weckd.planning.first_second import refuse_small_machine, too_many_jobs
from weckd.progress import ProgressLine, Work
from weckd.runs import changed_files, note_end, note_start, results_text, study_made
from weckd.suite_file import telling_changes

find_own_commands()
shell.prefix(IGNORES_CTRL_C)

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
