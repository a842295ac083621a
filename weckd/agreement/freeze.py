"""From a finished run to a reference that others compare theirs with, and back to the files of a run."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from weckd.agreement.made_with import made_with
from weckd.agreement.packed import (
    DISTRUST,
    pack_predictions,
    pack_records,
    unpack_predictions,
    unpack_records,
)
from weckd.agreement.reference import FACTS, FORMAT, RECORDS, Reference, read_reference, reference_json
from weckd.analysis.imported import IMPORTED, imported_files
from weckd.analysis.manifest_cells import manifest_cells
from weckd.config import Suite, load_suite, suite_json
from weckd.errors import UserError, counted
from weckd.files import file_digest, write_json, write_text
from weckd.locks import runs_under_way

LEVEL = 0.99
FINISH = "a reference is made of a finished run: snakemake --cores all"
RULE = (
    "Made with the same lock, device kind, threads and versions: every prediction, table and figure is equal. Made "
    "with something else: every cell (each method's last stage and each gain of the plan, on every data set and mean) "
    "differs by no more than t(level, df) * sqrt(2) * SE, df and SE those of the reference's own cell. A run of some "
    "of its data sets, seeds and methods: each method's last stage is compared seed by seed, with the standard "
    "deviation over the reference's seeds for SE, and one less than their number for df."
)
RECORDED = (
    "splits/*/*.csv",
    "manifests/*/*.json",
    "audit/*.csv",
    "audit/*.md",
    "audit/*.tex",
    "attention/*.npz",
)
WITHOUT_IMAGES = ("figures/attention.svg", "figures/attention.png")
"""Outputs that a reference cannot make again, since it holds no image."""


def freeze_run(run: Path, out: Path, lock: Path | None) -> None:
    """Write the reference of a finished run; the same run gives the same bytes.

    Args:
        run: folder of the run.
        out: folder of the reference.
        lock: the lock file of the run's environment; None where there is none.

    Raises:
        UserError: a cell, or the tables, are missing; the run is under way; `out` holds a run.
    """
    suite = load_suite(run / "suite.json")
    _refuse_unfinished(suite, run)
    if run.name in runs_under_way(run.parent / ".lock"):
        raise UserError(f"{run}: under way, its tables may be older than its predictions; {FINISH}")
    if (out / FACTS).exists():  # an older reference, whose files must not stay beside the new ones
        shutil.rmtree(out)
    _refuse_over_run(out)
    for key in suite.datasets:
        cells = [run / "predictions" / key / f"seed{seed}.parquet" for seed in suite.seeds]
        pack_predictions(cells, out / "predictions" / f"{key}.parquet")
    pack_records(run, _found(run, RECORDED), out / RECORDS)
    # Where the images lay is a matter of one machine.
    write_text(out / "suite.json", suite_json(replace(suite, data_root=None)))
    for table in _found(run, ("tables/*.md",)):
        write_text(out / "tables" / table.name, table.read_text(encoding="utf-8"))
    files = (file for file in out.rglob("*") if file.is_file() and file.name != FACTS)
    outputs = _found(run, ("tables/*", "figures/*"))
    reference = Reference(
        format=FORMAT,
        suite=suite.run,
        plan_hash=suite.plan_hash,
        made_with=made_with(run, lock),
        level=LEVEL,
        rule=RULE,
        files={file.relative_to(out).as_posix(): file_digest(file) for file in sorted(files)},
        outputs={
            name: file_digest(run / name)
            for name in (file.relative_to(run).as_posix() for file in outputs)
            if name not in WITHOUT_IMAGES
        },
    )
    write_json(out / FACTS, reference_json(reference))


def unfreeze(reference: Path, out: Path) -> None:
    """Lay out a reference's files as a run has them, so that tables and figures can be made from them.

    Raises:
        UserError: `out` holds a run; it is no reference, a file of it is missing or damaged, or it unpacks to more
            than a reference may.
    """
    _refuse_over_run(out)
    read_reference(reference)
    suite = load_suite(reference / "suite.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder first: of a reference that is refused nothing is left in it.
    with tempfile.TemporaryDirectory(prefix=".", dir=out.parent) as name:
        place = Path(name)
        for key in suite.datasets:
            if not re.fullmatch(r"[a-z0-9_-]+", key):
                raise UserError(f"{reference / 'suite.json'}: {key!r} is no key of a data set; {DISTRUST}")
            unpack_predictions(
                reference / "predictions" / f"{key}.parquet", suite.seeds, place / "predictions" / key
            )
        unpack_records(reference / RECORDS, place)
        write_text(place / "suite.json", (reference / "suite.json").read_text(encoding="utf-8"))
        for file in sorted(file for file in place.rglob("*") if file.is_file()):
            target = out / file.relative_to(place)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)


def _refuse_over_run(out: Path) -> None:
    if (out / "suite.json").exists():
        raise UserError(f"{out}: holds a run already, which would be written over; choose another folder")


def _refuse_unfinished(suite: Suite, run: Path) -> None:
    for key in suite.datasets:
        trained = sum(1 for _ in manifest_cells(suite, run / "manifests" / key))
        if trained < len(suite.seeds):
            raise UserError(
                f"{run}/manifests/{key}: tell of {trained} of {counted(len(suite.seeds), 'seed')}; {FINISH}"
            )
        for seed in suite.seeds:
            for name in (f"predictions/{key}/seed{seed}.parquet", f"splits/{key}/seed{seed}.csv"):
                if not (run / name).exists():
                    raise UserError(f"{run / name}: missing; {FINISH}")
    if imported_files(run):
        raise UserError(
            f"{run}/{IMPORTED}: a reference holds the suite's own methods; move imported ones away and run again"
        )
    if not any((run / "tables" / f"{name}.md").exists() for name in ("main", "leakage")):
        raise UserError(f"{run}/tables: missing; {FINISH}")


def _found(run: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    return (file for pattern in patterns for file in sorted(run.glob(pattern)) if file.is_file())
