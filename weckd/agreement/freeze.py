"""From a finished run to a reference that others compare theirs with, and back to the files of a run.

Predictions and records lie in few small files; no byte of them depends on when or where they were packed.
"""

import io
import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from weckd.agreement.reference import (
    ELSEWHERE,
    FORMAT,
    RECORDS,
    Reference,
    made_with,
    read_facts,
    read_reference,
)
from weckd.analysis.imported import imported_files
from weckd.analysis.predictions import NAMES
from weckd.analysis.registry import KINDS
from weckd.committed import plan_before, refuse_other_suite, under_plan, with_plans
from weckd.config import Suite, load_suite, suite_json
from weckd.data.archives import members
from weckd.errors import UserError, counted, unreadable
from weckd.files import (
    FOLDER_SUMS,
    file_digest,
    refuse_changed,
    sums_of,
    whole_file,
    whole_folder,
    write_json,
    write_sums,
    write_text,
)
from weckd.frozen_cells import freeze_cells
from weckd.locks import runs_under_way
from weckd.manifests import trained_cells
from weckd.run_files import FACTS, PART, RunFiles

LEVEL = 0.99
FINISH = "a reference is made of a finished run; `weckd runs` lists the command that finishes each"
RULE = (
    "Made with the same lock, device kind, threads and versions: every prediction, table and figure is equal. Made "
    "with something else: every cell (each method's last stage and each gain of the plan, on every data set and mean) "
    "differs by no more than t(level, df) * sqrt(2) * SE, df and SE those of the reference's own cell. A run of some "
    "of its data sets, seeds and methods: each method's last stage is compared seed by seed, with the standard "
    "deviation over the reference's seeds for SE, and one less than their number for df."
)
RECORDED = (
    *("splits/*/*.csv", "manifests/*/*.json", "attention/*.npz"),
    *(f"audit/*.{kind}" for kind in KINDS),
)
OUTPUTS = ("tables/*", "figures/*")
WITHOUT_IMAGES = ("figures/attention.svg", "figures/attention.png")
"""Outputs that a reference cannot make again, since it holds no image."""
# One page a column: fits that several methods share lie in it several times, and compress away.
_ONE_PAGE = 1 << 30
LARGEST = 4_000_000_000
"""Bytes that a reference's records, or the predictions of one data set, may unpack to."""
DISTRUST = "do not use it, or freeze the run again"
_PICTURES = ("example_rows", "example_images", "example_maps")
"""Arrays of an attention file that are, or show, images."""


def freeze_run(run: Path, out: Path, lock: Path | None) -> None:
    """Write the reference of the finished run in a folder; the same run gives the same bytes.

    `lock` is the lock file of the run's environment, None where there is none. A run that was laid out from a reference
    was made with what that one was. An older one in `out` is replaced when this one is whole. The plan that was there
    before the run is kept beside its own: that which it was trained under, or, where the older one has the same
    predictions, which were known then, the first one of that; and so is the rerun that was added to the older one.

    Raises:
        UserError: a cell, or the tables, are missing; the run is under way; `out` holds something that is no reference,
            or one whose predictions cannot be read, or frozen cells that are not the run's.
    """
    files = RunFiles(run)
    suite = with_plans(load_suite(files.suite), files)
    _refuse_unfinished(suite, files)
    if run.name in runs_under_way(run.parent / ".lock"):
        raise UserError(f"{run}: under way, its tables may be older than its predictions; {FINISH}")
    drawn, older = (read_facts(file) if file.exists() else None for file in (files.drawn_from, out / FACTS))
    if older is None:
        _refuse_over_run(out)
        if out.exists() and (not out.is_dir() or {file.name for file in out.iterdir()} - {PART}):
            raise UserError(
                f"{out}: there is something that is no reference; choose another folder, or remove it"
            )
    if older is None and (out / PART).is_dir():
        freeze_cells(run, out)  # refuses a run that has others
    with whole_folder(out) as folder:
        frozen = RunFiles(folder)
        for key in suite.datasets:
            cells = [files.prediction(key, seed) for seed in suite.seeds]
            pack_predictions(cells, frozen.predictions / f"{key}.parquet")
        pack_records(run, _found(run, RECORDED), folder / RECORDS)
        # Where the images lay is a matter of one machine.
        write_text(frozen.suite, suite_json(replace(suite, data_root=None)))
        for table in _found(run, ("tables/*.md", "tables/answers.csv")):
            write_text(frozen.tables / table.name, table.read_text(encoding="utf-8"))
        if older and not _same_predictions(folder, out):
            older = None
        if older and older.elsewhere:
            shutil.copytree(out / ELSEWHERE, folder / ELSEWHERE)
        write_json(folder / FACTS, asdict(_facts(suite, folder, run, lock, drawn, older)))


def _facts(
    suite: Suite, folder: Path, run: Path, lock: Path | None, drawn: Reference | None, older: Reference | None
) -> Reference:
    """Return the facts of the reference that a folder will be; `older` had the same predictions."""
    under = suite.trained_under
    trained = max(filter(None, under), key=under.__getitem__, default=None)
    return Reference(
        format=FORMAT,
        suite=suite.run,
        plan_hash=suite.plan_hash,
        made_with=drawn.made_with if drawn else made_with(run, lock),
        level=LEVEL,
        rule=RULE,
        files=_digests(folder),
        outputs={
            name: file_digest(run / name)
            for name in (file.relative_to(run).as_posix() for file in _found(run, OUTPUTS))
            if name not in WITHOUT_IMAGES
        },
        plan_before=(plan_before(asdict(older), suite.plan_hash) if older else None) or trained,
        elsewhere=older.elsewhere if older else None,
    )


def freeze_rerun(run: Path, reference: Path, lock: Path | None) -> None:
    """Add the predictions of a finished rerun to a reference, to be shown beside its own; they decide nothing.

    Raises:
        UserError: the run is not finished, or of another suite or plan; a file of the reference is missing or damaged.
    """
    files, facts = RunFiles(run), read_reference(reference)
    suite = load_suite(files.suite)
    refuse_other_suite(suite, load_suite(RunFiles(reference).suite), reference)
    _refuse_unfinished(suite, files)
    with whole_folder(reference) as folder:
        shutil.copytree(reference, folder, dirs_exist_ok=True)
        for key in suite.datasets:
            cells = [files.prediction(key, seed) for seed in suite.seeds]
            pack_predictions(cells, folder / ELSEWHERE / f"{key}.parquet")
        added = {name: digest for name, digest in _digests(folder).items() if name.startswith(ELSEWHERE)}
        changed = replace(facts, elsewhere=made_with(run, lock), files=facts.files | added)
        write_json(folder / FACTS, asdict(changed))


def _digests(reference: Path) -> dict[str, str]:
    """Return the digest of each file of a reference but its facts."""
    files = sorted(file for file in reference.rglob("*") if file.is_file() and file.name != FACTS)
    return {file.relative_to(reference).as_posix(): file_digest(file) for file in files}


def _same_predictions(folder: Path, older: Path) -> bool:
    """Return whether an older reference has the same predictions, however it was packed.

    Raises:
        UserError: those of the older one cannot be read.
    """
    files, others = (sorted(RunFiles(of).predictions.glob("*.parquet")) for of in (folder, older))
    return [file.name for file in files] == [file.name for file in others] and all(
        _packed(file).equals(_packed(other, "restore that reference, or remove it"))
        for file, other in zip(files, others, strict=True)
    )


def _packed(file: Path, remedy: str = DISTRUST) -> pd.DataFrame:
    """Return a packed data set.

    Raises:
        UserError: it cannot be read, or unpacks to more than LARGEST.
    """
    try:
        facts = pq.ParquetFile(file).metadata
        size = sum(facts.row_group(n).total_byte_size for n in range(facts.num_row_groups))
        # What a column repeats counts for little there, and fully in memory.
        _refuse_large(file, max(size, facts.num_rows * facts.num_columns * 8))
        return pd.read_parquet(file)
    except (OSError, ValueError, pa.ArrowException) as problem:
        raise UserError(f"{file}: not a readable table of predictions ({problem}); {remedy}") from problem


def unfreeze(reference: Path, out: Path, suite: Suite | None = None) -> None:
    """Lay out a reference's files as a run has them, so that tables and figures can be made from them.

    `suite` is the same suite under a plan that counts in place of the reference's own; None: its own.

    Raises:
        UserError: `out` holds a run; it is no reference, of another suite, a file of it is missing or damaged, or it
            unpacks to more than a reference may.
    """
    _refuse_over_run(out)
    read_reference(reference)
    frozen = RunFiles(reference)
    with unreadable(frozen.suite, "not a readable suite.json", DISTRUST):  # be its plan an older one
        told = suite_json(under_plan(suite, reference)) if suite else frozen.suite.read_text(encoding="utf-8")
        settings = json.loads(told)
        datasets, seeds = [*map(str, settings["datasets"])], tuple(map(int, settings["seeds"]))
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder first: of a reference that is refused nothing is left in it.
    with tempfile.TemporaryDirectory(prefix=".", dir=out.parent) as name:
        place = Path(name)
        laid_out = RunFiles(place)
        for key in datasets:
            if not re.fullmatch(r"[a-z0-9_-]+", key):
                raise UserError(f"{frozen.suite}: {key!r} is no key of a data set; {DISTRUST}")
            packed = frozen.predictions / f"{key}.parquet"
            unpack_predictions(packed, seeds, laid_out.predictions / key)
        unpack_records(reference / RECORDS, place)
        write_text(laid_out.suite, told)
        write_text(laid_out.drawn_from, (reference / FACTS).read_text(encoding="utf-8"))
        for file in sorted(file for file in place.rglob("*") if file.is_file()):
            target = out / file.relative_to(place)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.replace(target)


def _refuse_over_run(out: Path) -> None:
    if RunFiles(out).suite.exists():
        raise UserError(f"{out}: holds a run already, which would be written over; choose another folder")


def _refuse_unfinished(suite: Suite, run: RunFiles) -> None:
    cells = trained_cells(suite, run.manifests)
    for key in suite.datasets:
        trained = sum(cell.dataset == key for cell in cells)
        if trained < len(suite.seeds):
            raise UserError(
                f"{run.manifests / key}: tell of {trained} of {counted(len(suite.seeds), 'seed')}; {FINISH}"
            )
        for file in (of(key, seed) for seed in suite.seeds for of in (run.prediction, run.split)):
            if not file.exists():
                raise UserError(f"{file}: missing; {FINISH}")
    if imported_files(run.folder):
        raise UserError(
            f"{run.imported}: a reference holds the suite's own methods; move imported ones away and run again"
        )
    if not any((run.tables / f"{name}.md").exists() for name in ("main", "leakage", "readings")):
        raise UserError(f"{run.tables}: missing; {FINISH}")


def _found(run: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """Return files but the sums of a folder, some of which no reference holds."""
    files = (file for pattern in patterns for file in sorted(run.glob(pattern)) if file.is_file())
    return (file for file in files if file.name != FOLDER_SUMS)


def pack_predictions(cells: Iterable[Path], out: Path) -> None:
    """Write the cells of one data set, `seed<k>.parquet` files, as one table, in their order.

    Raises:
        UserError: a cell is not what `gather` wrote.
    """
    tables = []
    for file in cells:
        refuse_changed(file, sums_of(file))
        tables.append(pq.read_table(file))
    whole = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    with whole_file(out) as temporary:
        pq.write_table(
            whole,
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=list(NAMES),
            row_group_size=len(whole) or 1,
            data_page_size=_ONE_PAGE,
            write_statistics=False,
            store_schema=False,
        )


def unpack_predictions(file: Path, seeds: Collection[int], folder: Path) -> None:
    """Write a packed data set as `folder/seed<k>.parquet`, a file a cell.

    Raises:
        UserError: it cannot be read, holds another seed than these, or unpacks to more than LARGEST.
    """
    frame = _packed(file)
    others = set(frame["seed"]) - set(seeds) if "seed" in frame else {"none"}
    if others:
        raise UserError(f"{file}: seed {min(map(str, others))} is not one of the suite's; {DISTRUST}")
    for seed, rows in frame.groupby("seed", sort=False):
        out = folder / f"seed{seed}.parquet"
        with whole_file(out) as temporary:
            rows.reset_index(drop=True).to_parquet(temporary, index=False, compression="zstd")
        write_sums(sums_of(out), [out])


def pack_records(run: Path, files: Iterable[Path], out: Path) -> None:
    """Write files of the run in a folder into one archive (.tar.xz); of attention files the numbers alone."""
    with whole_file(out) as temporary, tarfile.open(temporary, "w:xz", format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(files):
            content = _without_pictures(file) if file.suffix == ".npz" else file.read_bytes()
            entry = tarfile.TarInfo(file.relative_to(run).as_posix())  # no time, no owner
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def unpack_records(file: Path, folder: Path) -> None:
    """Unpack an archive below a folder.

    Raises:
        UserError: it is damaged, a member is no plain file or would leave the folder, or all are more than LARGEST.
    """
    total = 0
    for member in members(file):
        with (
            whole_file(folder / member.path) as temporary,
            member.open() as source,
            temporary.open("wb") as out,
        ):
            while piece := source.read(1 << 20):
                total += len(piece)
                _refuse_large(file, total)
                out.write(piece)
        if member.path.suffix == ".npz":
            write_sums(sums_of(folder / member.path), [folder / member.path])


def _refuse_large(file: Path, size: int) -> None:
    if size > LARGEST:
        raise UserError(
            f"{file}: unpacks to more than {LARGEST / 1e9:g} GB, as no reference does; {DISTRUST}"
        )


def _without_pictures(file: Path) -> bytes:
    with np.load(file, allow_pickle=False) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name not in _PICTURES}
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **kept)
    return stream.getvalue()
