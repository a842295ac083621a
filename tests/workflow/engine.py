"""Runs of the workflow in folders of their own."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
OWN = Path(sys.executable).parent
TINY = REPOSITORY / "tests" / "workflow" / "tiny.yaml"
IMPORTED = "finished-run-imports"
"""Folder beside the finished run: a file for each of its commands, <command>-<process>, with what it imported."""


def unavailable(reason):
    """Skip what this machine cannot run; continuous integration must be able to run everything, so it fails there."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def describe(folder, words="unknown"):
    """Return the catalogue's entry of a folder of class folders, filled in with `words`."""
    command = [sys.executable, "-m", "weckd", "datasets", "--describe", str(folder)]
    entry = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return entry.replace("FILL IN", words)


def snakemake_command(folder, *arguments, configfile=TINY, snakefile=REPOSITORY / "Snakefile"):
    """Return the command that runs the workflow in a folder, with one suite file, several over each other, or none."""
    several = configfile if isinstance(configfile, tuple) else (configfile,)
    files = ["--configfile", *map(str, several)] if configfile else []
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(snakefile)),
        *("--directory", str(folder), "--quiet", "host", *files, *arguments),
    ]


def environment():
    """Return that of a shell in which this Python's own was activated."""
    return {**os.environ, "PATH": f"{OWN}{os.pathsep}{os.environ['PATH']}"}


def not_activated():
    """Return that of a shell in which it was not: the workflow's jobs find their commands none the less."""
    others = (folder for folder in os.environ["PATH"].split(os.pathsep) if Path(folder) != OWN)
    return {**os.environ, "PATH": os.pathsep.join(others)}


def snakemake(folder, *arguments, **files):
    """Run to the end and return the finished process, output and errors in one text."""
    return subprocess.run(
        snakemake_command(folder, *arguments, **files),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=not_activated(),
    )


def start(folder, *arguments, **files):
    """Start a run in a process group of its own."""
    return subprocess.Popen(
        snakemake_command(folder, *arguments, **files),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=not_activated(),
        start_new_session=True,
    )


def trainers(folder):
    """Return the processes that train in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                inside = (entry / "cwd").readlink() == folder
            except OSError:
                continue
            if inside and b"train" in command and any(part.endswith(b"weckd") for part in command):
                found.append(int(entry.name))
    return found


def wait_for_the_end_of_trainers(folder):
    """Wait until no process trains in this folder; fail where one lives on."""
    deadline = time.monotonic() + 30
    while trainers(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert trainers(folder) == []


RECORDS = ("suite.json", "groups/**/*", "splits/**/*", "manifests/**/*", "predictions/**/*")
MADE_OF_RECORDS = ("attention/*", "tables/*", "figures/*", "report.html")


def result_bytes(run, kinds=RECORDS + MADE_OF_RECORDS):
    """Return the digest of every file of a run whose bytes must not differ between runs."""
    files = sorted(file for kind in kinds for file in run.glob(kind) if file.is_file())
    return {str(f.relative_to(run)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
