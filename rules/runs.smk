# Which runs this call is about, of which suites, and the command that goes on with each. Nothing heavy is imported in
# this file and the next, which are read at every start; what they import is there for all files of rules.

import json
import sys
from pathlib import Path

from weckd.agreement.reference import frozen_suite
from weckd.errors import UserError
from weckd.planning.first_second import refuse_impossible
from weckd.run_files import RunFiles
from weckd.study_suites import official_suite, readings_suite
from weckd.suite_file import parse_changes, resolve_suite


def refuse(problem):
    """Exit with nothing but a message; the engine's own errors also print where in the rules they arose."""
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
