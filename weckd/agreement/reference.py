"""What a frozen reference holds, with what a run was made, and whether a run is of a reference's suite.

reference.json            how and with what it was made, tolerances, a digest of every file
suite.json                the run's settings, with the plan that its tables are of
predictions/<dataset>.parquet  all seeds of a data set
elsewhere/<dataset>.parquet    those of a rerun that was made otherwise, where one was added
records.tar.xz            splits, manifests, audit tables, numbers of attention maps: no image
tables/*.md, answers.csv  the tables as people read them, and the verdicts as programs do

Light, since the workflow asks for a reference's suite at every start.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from weckd.committed import under_plan
from weckd.config import Suite, build
from weckd.errors import UserError, unreadable
from weckd.files import file_digest
from weckd.manifests import read_manifest
from weckd.run_files import FACTS, PART, RunFiles, part_of_run

FORMAT = 1
ELSEWHERE = "elsewhere"
"""Folder of a rerun's predictions, as in `predictions`."""
RECORDS = "records.tar.xz"
DECIDING = (
    *("torch", "timm", "optuna", "numpy", "pandas", "pyarrow", "scipy", "statsmodels", "scikit-posthocs"),
    *("tabulate", "jinja2", "matplotlib", "pillow", "h5py"),
)
"""Packages whose version may change a byte of a prediction, table or figure.

Of a lock, these alone are compared, so that one more package in it leaves references as they are.
"""


@dataclass(frozen=True)
class MadeWith:
    """What decides whether two runs must be equal to the byte."""

    lock: str  # SHA-256 of the lock's lines of DECIDING; empty where there was none
    device: str
    threads: int
    versions: dict[str, str]


@dataclass(frozen=True)
class Reference:
    """The facts of a reference."""

    format: int
    suite: str  # the run's name
    plan_hash: str
    made_with: MadeWith
    level: float  # of the interval that a rerun made with something else must lie in
    rule: str  # what counts as reproduced, in words
    files: dict[str, str]  # frozen file -> SHA-256
    outputs: dict[str, str]  # table or figure that the run made -> SHA-256
    plan_before: str | None = None  # hash of the plan that was there before the run; None: plan_hash itself
    elsewhere: MadeWith | None = None  # with what the rerun beside was made; None where there is none


def read_facts(file: Path) -> Reference:
    """Read the facts of a reference, but none of what they tell of.

    Raises:
        UserError: they cannot be read, or are of another format, or there are frozen cells alone.
    """
    if not file.exists() and (file.parent / PART).is_dir():
        raise part_of_run(file.parent)
    with unreadable(file, "not a readable reference", "make one with `weckd freeze`"):
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        facts = build(Reference, values) if values.get("format") == FORMAT else None
    if not isinstance(facts, Reference):
        raise UserError(
            f"{file}: format {values.get('format')!r}, this version reads {FORMAT}; freeze the run again"
        )
    return facts


def read_reference(folder: Path) -> Reference:
    """Read a reference's facts and check every file of it.

    Raises:
        UserError: it is no reference, of another format, or a file is missing or damaged.
    """
    facts = read_facts(folder / FACTS)
    for name, expected in facts.files.items():
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}: missing; restore the reference, or freeze a run again")
        if file_digest(folder / name) != expected:
            raise UserError(
                f"{folder / name}: damaged, its hash is not the recorded one; restore the reference"
            )
    return facts


def made_with(run: Path, lock: Path | None) -> MadeWith:
    """Return the device kind, threads and versions that a run's fits were trained with, and the lock's digest.

    Of cells that were trained with several, each is named once, "and" between them, and there is no lock.

    `lock` is the file that its environment was installed from, None where there is none. It counts only where it names
    those versions: a run may have been trained elsewhere, in another environment.

    Raises:
        UserError: the run has no manifests.
    """
    found: list[MadeWith] = []
    locked = set(lock.read_text(encoding="utf-8").split()) if lock else set()
    deciding = sorted(pin for pin in locked if pin.partition("==")[0] in DECIDING)
    digest = hashlib.sha256("\n".join(deciding).encode()).hexdigest() if lock else ""
    for file in sorted(RunFiles(run).manifests.glob("*/*.json")):
        for cell in read_manifest(file).values():
            named = locked.issuperset(f"{name}=={number}" for name, number in cell.versions.items())
            found.append(MadeWith(digest if named else "", cell.device, cell.threads, dict(cell.versions)))
    if not found:
        raise UserError(f"{run}: no manifests; finish the run first, by the command that `weckd runs` lists")
    libraries = dict.fromkeys(name for made in found for name in made.versions)
    return MadeWith(
        found[0].lock if all(made == found[0] for made in found) else "",
        _each(made.device for made in found),
        max(made.threads for made in found),
        {name: _each(made.versions.get(name, "none") for made in found) for name in libraries},
    )


def _each(values: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(values))


def narrowed(whole: Suite, suite: Suite) -> Suite:
    """Return the reference's suite narrowed to what a run has of it; itself, where the run is no part of it."""
    axes = ("datasets", "seeds", "methods")
    if not all(set(getattr(suite, axis)) <= set(getattr(whole, axis)) for axis in axes) or all(
        getattr(suite, axis) == getattr(whole, axis) for axis in axes
    ):
        return whole
    return replace(
        whole,
        run=suite.run,  # a narrowed run has a folder and a plan of its own
        plan_hash=suite.plan_hash,
        datasets=suite.datasets,
        seeds=suite.seeds,
        methods=suite.methods,
        readings_datasets=suite.readings_datasets,
        facts={key: whole.facts[key] for key in suite.datasets},
        roles={method: whole.roles[method] for method in suite.methods},
    )


def frozen_suite(suite: Suite, references: tuple[Path, ...]) -> tuple[Suite, Path]:
    """Return the suite of the first reference folder that is there, under this suite's plan, and the folder.

    Raises:
        UserError: there is none, or it is of another suite.
    """
    found = next((folder for folder in references if RunFiles(folder).suite.exists()), None)
    if found is None:
        if part := next((folder for folder in references if (folder / PART).is_dir()), None):
            raise part_of_run(part)
        names = " or ".join(str(folder) for folder in references)
        raise UserError(f"records=reference: there is no reference {names}; make one with `weckd freeze`")
    return under_plan(suite, found), found
