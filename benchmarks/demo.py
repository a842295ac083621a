"""Where the time of the demo suite goes, against an earlier commit's in the same run.

The whole workflow runs in a fresh folder on two cores. Seconds of a rule are those between start and end of its jobs,
each of one core; the phases of training are those that the fits' records hold. The goal is 4 minutes, and at most a
quarter of the cores' time outside training steps.

Run: python benchmarks/demo.py [--against COMMIT]; it writes benchmarks/demo.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd
from tabulate import tabulate
from workplace import FOLDER, machine

ROOT = FOLDER.parent
CORES = 2


def main() -> None:
    """Run, measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", help="an earlier commit, whose demo suite is run first")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        earlier = ""
        if options.against:
            worktree = folder / "earlier"
            git("worktree", "add", "--detach", str(worktree), options.against)
            try:
                seconds = run(worktree, folder / "earlier run")
                fits, steps = len(records(folder / "earlier run")), steps_of(records(folder / "earlier run"))
            finally:
                git("worktree", "remove", "--force", str(worktree))
            earlier = (
                f" The demo suite of commit {options.against}, run before it: {seconds:.0f} s for {fits} fits of "
                f"{steps:,} steps, {1000 * CORES * seconds / steps:.0f} ms of a core a step."
            )
        seconds = run(ROOT, folder / "run")
        found = records(folder / "run")
        steps = steps_of(found)
        phases = Counter[str]()
        for record in found:
            phases.update(record["seconds"])
        rules = seconds_of_rules(folder / "run")
    total = CORES * seconds
    rows = [("training steps", len(found), phases.pop("steps"))]
    rows += [(f"training: {phase}", len(found), value) for phase, value in phases.items()]
    jobs, in_train = rules.pop("train")
    rows.append(("training: imports, networks, storing", jobs, in_train - sum(value for _, _, value in rows)))
    rows += [(rule, count, value) for rule, (count, value) in sorted(rules.items(), key=lambda r: -r[1][1])]
    rows.append(("no job on a core, and the workflow itself", "", total - sum(value for _, _, value in rows)))
    frame = pd.DataFrame(
        [(name, count, f"{value:.0f}", f"{100 * value / total:.1f}") for name, count, value in rows],
        columns=["what", "fits or jobs", "seconds of a core", "% of both cores' time"],
    )
    text = (
        "# The demo suite\n\n"
        f"{seconds:.0f} s on two cores for {len(found)} fits of {steps:,} steps, {1000 * total / steps:.0f} ms of a "
        f"core a step, all included; {machine()}; one run. Made by `python benchmarks/demo.py`. Goal: 240 s, and at "
        f"most 25 % outside training steps.{earlier}\n\n"
        f"{tabulate(frame, headers='keys', tablefmt='pipe', showindex=False, disable_numparse=True)}\n"
    )
    (FOLDER / "demo.md").write_text(text, encoding="utf-8")
    print(text)


def git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *arguments], check=True)


def run(source: Path, folder: Path) -> float:
    """Run a source tree's demo suite in a folder; return the seconds."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # The environment holds this tree's package; the path given here goes before it.
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(source / "Snakefile"),
        "--cores",
        str(CORES),
    ]
    began = time.perf_counter()
    subprocess.run([*command, "--directory", str(folder)], check=True, env=environment, cwd=source)
    return time.perf_counter() - began


def records(folder: Path) -> list[dict]:
    return [json.loads(file.read_text()) for file in folder.glob("results/fits/*/*/record.json")]


def steps_of(found: list[dict]) -> int:
    return sum(record["steps_run"] for record in found)


def seconds_of_rules(folder: Path) -> dict[str, tuple[int, float]]:
    """Return number and seconds of the jobs of each rule, as the workflow engine wrote them down for each output."""
    outputs = [json.loads(file.read_text()) for file in (folder / ".snakemake/metadata").iterdir()]
    jobs = {(output["rule"], output["job_hash"]): output for output in outputs}
    found: dict[str, tuple[int, float]] = {}
    for (rule, _), job in jobs.items():
        count, seconds = found.get(rule, (0, 0.0))
        found[rule] = count + 1, seconds + job["endtime"] - job["starttime"]
    return found


if __name__ == "__main__":
    main()
