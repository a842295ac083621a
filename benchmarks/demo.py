"""Where the time of the default suite and of the phantoms goes, against an earlier commit's in the same run.

Each workflow runs in a fresh folder on two cores. Seconds of a rule are those between start and end of its jobs, each
of one core; the phases of training are those that the fits' records hold. The goals are 4 minutes for the default
suite, and at most a quarter of the cores' time outside training steps for both.

Run on a machine that does nothing else: python benchmarks/demo.py [--against COMMIT]; it writes benchmarks/demo.md.
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
SUITES = {"The default suite": "config/demo.yaml", "The phantoms": "config/phantoms.yaml"}


def main() -> None:
    """Run, measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--against", help="an earlier commit, whose suites are run before this one's, each in turn"
    )
    options = parser.parse_args()
    trees = {"now": ROOT}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if options.against:
            trees = {options.against: folder / "earlier", **trees}
            git("worktree", "add", "--detach", str(folder / "earlier"), options.against)
        try:
            sections = [
                section(title, {name: account(tree, file, folder) for name, tree in trees.items()})
                for title, file in SUITES.items()
            ]
        finally:
            if options.against:
                git("worktree", "remove", "--force", str(folder / "earlier"))
    against = f" --against {options.against}" if options.against else ""
    text = "\n".join(
        [
            f"# Where the time goes\n\n{machine()}; one run each. Made by `python benchmarks/demo.py{against}`. "
            "Goals: 240 s for the default suite, and at most 25 % outside training steps for both.\n",
            *sections,
        ]
    )
    (FOLDER / "demo.md").write_text(text, encoding="utf-8")
    print(text)


def section(title: str, accounts: dict[str, pd.DataFrame]) -> str:
    """Return a suite's table: a row for each thing that takes time, a column or three for each tree."""
    told = []
    for name, account in accounts.items():
        total, outside = (
            account["seconds"].sum(),
            100 * (1 - account["seconds"].iloc[0] / account["seconds"].sum()),
        )
        of = "" if len(accounts) == 1 else f" ({name})"
        told.append(
            f"{total / CORES:.0f} s on {CORES} cores{of} for {account['jobs'].iloc[0]:.0f} fits of "
            f"{account.attrs['steps']:,} steps, {outside:.1f} % of the cores' time outside training steps"
        )
    columns = {}
    for name, account in accounts.items():
        of = "" if len(accounts) == 1 else f", {name}"
        columns[f"fits or jobs{of}"] = account["jobs"].map("{:.0f}".format)
        columns[f"seconds of a core{of}"] = account["seconds"].map("{:.0f}".format)
        columns[f"%{of}"] = (100 * account["seconds"] / account["seconds"].sum()).map("{:.1f}".format)
    rows = list(dict.fromkeys(row for account in reversed(accounts.values()) for row in account.index))
    table = pd.DataFrame(columns).reindex(rows).fillna("").replace("nan", "")
    shown = tabulate(table, headers="keys", tablefmt="pipe", disable_numparse=True)
    return f"## {title}\n\n{'; '.join(told)}.\n\n{shown}\n"


def account(source: Path, suite: str, workplace: Path) -> pd.DataFrame:
    """Run a source tree's suite; return number of jobs and seconds of a core, training steps first, idle cores last."""
    with tempfile.TemporaryDirectory(dir=workplace) as name:
        seconds = run(source, suite, Path(name))
        return account_of(Path(name), CORES * seconds)


def account_of(folder: Path, total: float) -> pd.DataFrame:
    """Return the same of a finished run in a folder that took so many seconds of all cores."""
    found = [json.loads(file.read_text()) for file in folder.glob("results/fits/*/*/record.json")]
    phases = Counter[str]()
    for record in found:
        phases.update(record["seconds"])
    rules = seconds_of_rules(folder)
    jobs, in_train = rules.pop("train")
    rows = [("training steps", len(found), phases.pop("steps"))]
    rows += [(f"training: {phase}", len(found), value) for phase, value in phases.items()]
    rest = in_train - sum(value for _, _, value in rows)
    rows.append(("training: imports, networks, storing, gathering", jobs, rest))
    rows += [(rule, count, value) for rule, (count, value) in sorted(rules.items(), key=lambda r: -r[1][1])]
    idle = total - sum(value for _, _, value in rows)
    rows.append(("no job on a core, and the workflow itself", float("nan"), idle))
    frame = pd.DataFrame(rows, columns=["", "jobs", "seconds"]).set_index("")
    frame.attrs["steps"] = sum(record["steps_run"] for record in found)
    return frame


def git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *arguments], check=True)


def run(source: Path, suite: str, folder: Path) -> float:
    """Run a source tree's suite in a folder; return the seconds."""
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
    files = ["--configfile", str(source / suite), "--directory", str(folder)]
    began = time.perf_counter()
    subprocess.run([*command, *files], check=True, env=environment, cwd=source)
    return time.perf_counter() - began


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
