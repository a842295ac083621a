# Which files the rules make and ask for, and what is watched, so that they are made again.

import base64
import gzip
import re
from dataclasses import asdict, replace

from weckd.analysis.registry import KINDS, TABLES, figure_names
from weckd.changes import forget_changes, is_alone, kept_changes
from weckd.code_digest import code_of
from weckd.config import suite_json
from weckd.data.catalogue import suite_datasets
from weckd.files import digest, file_digest, sums_of
from weckd.frozen_cells import frozen_cells
from weckd.methods.catalogue import fetched_weights
from weckd.run_files import batches
from weckd.tuning.chosen import tunable_methods

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


def of_study(suite, name, tables, figures, why_none):
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
