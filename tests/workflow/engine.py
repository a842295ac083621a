"""Runs of the workflow in folders of their own."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = REPOSITORY / "tests" / "workflow" / "tiny.yaml"


def snakemake_command(folder, *arguments, configfile=TINY):
    files = ["--configfile", str(configfile)] if configfile else []
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")),
        *("--directory", str(folder), "--quiet", "host", *files, *arguments),
    ]


def environment():
    # The rules call `weckd` by name: the environment's own comes first.
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def snakemake(folder, *arguments, configfile=TINY):
    """Run to the end and return the finished process, output and errors in one text."""
    return subprocess.run(
        snakemake_command(folder, *arguments, configfile=configfile),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=environment(),
    )


RECORDS = ("suite.json", "groups/**/*", "splits/**/*", "manifests/**/*", "predictions/**/*")
MADE_OF_RECORDS = ("attention/*", "tables/*", "figures/*", "report.html")


def result_bytes(run, kinds=RECORDS + MADE_OF_RECORDS):
    """Return the digest of every file of a run whose bytes must not differ between runs."""
    files = sorted(file for kind in kinds for file in run.glob(kind) if file.is_file())
    return {str(f.relative_to(run)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
