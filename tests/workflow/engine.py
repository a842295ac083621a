"""Runs of the workflow in folders of their own."""

import atexit
import hashlib
import os
import shlex
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import NamedTemporaryFile, mkdtemp
from types import SimpleNamespace

import pytest
from call import call

REPOSITORY = Path(__file__).resolve().parents[2]
OWN = Path(sys.executable).parent
TINY = REPOSITORY / "tests" / "workflow" / "tiny.yaml"
ODD = "a{b}c {} 'd\" $HOME `e` \\n"
"""A folder's name in which whatever is not quoted would be taken for something else."""
IMPORTED = "finished-run-imports"
"""Folder beside the finished run: a file for each of its commands, <command>-<process>, with what it imported."""
KEYS = {
    name: f"sentinel-of-{name.lower()}"
    for name in (
        *("KAGGLE_KEY", "KAGGLE_API_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
        *("SNAKEMAKE_STORAGE_S3_ACCESS_KEY", "SNAKEMAKE_STORAGE_S3_SECRET_KEY"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    )
}
"""Of the environment in which the finished run is made: they must be in none of its files."""
IMAGE = "5e" * 32
"""Named in the same environment as the container's image, which its record must hold."""


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


def write_noise(folder, count, shade, generator):
    """Write so many images of noise, 00.png and on, into a new folder; the higher the shade, the lighter they are."""
    import numpy as np  # not before tests/conftest.py has settled its kernels
    from PIL import Image

    folder.mkdir(parents=True)
    for number in range(count):
        pixels = shade + generator.normal(0, 60, (40, 40, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:02d}.png")


def arguments_in(folder, *arguments, configfile=TINY, snakefile=REPOSITORY / "Snakefile"):
    """Return those that run the workflow in a folder, with one suite file, several over each other, or none."""
    several = configfile if isinstance(configfile, tuple) else (configfile,)
    files = ["--configfile", *map(str, several)] if configfile else []
    return [
        *("--snakefile", str(snakefile), "--directory", str(folder), "--quiet", "host"),
        *(*files, *arguments),
    ]


def snakemake_command(folder, *arguments, **files):
    """Return the command that runs the workflow in a folder."""
    return [sys.executable, "-m", "snakemake", *arguments_in(folder, *arguments, **files)]


def environment():
    """Return that of a shell in which this Python's own was activated."""
    return {**os.environ, "PATH": f"{OWN}{os.pathsep}{os.environ['PATH']}"}


def not_activated():
    """Return that of a shell in which it was not: the workflow's jobs find their commands none the less."""
    others = (folder for folder in os.environ["PATH"].split(os.pathsep) if Path(folder) != OWN)
    return {**os.environ, "PATH": os.pathsep.join(others)}


@cache
def warm():
    """Return the address of the process that becomes an engine and its jobs; it ends with this one."""
    folder = Path(mkdtemp())
    here, address = Path(__file__).parent, str(folder / "calls")
    job = shlex.join([sys.executable, "-IS", str(here / "call.py"), address, "weckd"])
    (folder / "weckd").write_text(f'#!/bin/sh\nexec {job} "$@"\n')
    (folder / "weckd").chmod(0o700)
    command = [sys.executable, str(here / "warm.py"), str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(rmtree, folder)
    atexit.register(process.communicate)  # closes its input
    assert process.stdout.readline() == "listens\n"
    return address


def snakemake(folder, *arguments, **files):
    """Run to the end, with all modules there already, and return the status, output and errors in one text."""
    with NamedTemporaryFile(mode="r+", encoding="utf-8") as output, Path(os.devnull).open() as nothing:
        command = ["snakemake", *arguments_in(folder, *arguments, **files)]
        streams = [nothing.fileno(), output.fileno(), output.fileno()]
        status = call(warm(), command, not_activated(), str(Path.cwd()), streams)
        output.seek(0)
        return SimpleNamespace(returncode=status, stdout=output.read())


def snakemake_alone(folder, *arguments, **files):
    """Do the same in a process of its own from the start, as it is for a user."""
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


RECORDS = ("suite.json", "groups/**/*", "splits/**/*", "manifests/**/*", "gathered/**/*", "predictions/**/*")
MADE_OF_RECORDS = ("attention/*", "tables/*", "figures/*", "report.html")


def result_bytes(run, kinds=RECORDS + MADE_OF_RECORDS):
    """Return the digest of every file of a run whose bytes must not differ between runs."""
    files = sorted(file for kind in kinds for file in run.glob(kind) if file.is_file())
    return {str(f.relative_to(run)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
