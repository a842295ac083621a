"""Finished cells of an unfinished run, frozen one by one: wherever they are committed, the run goes on from them.

They lie in results/reference/<run>/cells, beside the run's `suite.json`: of each cell `<dataset>/seed<k>.json.xz`,
a manifest that also has the digests of the other files, its predictions, and what its attention maps say as numbers. No
weights and no images.
"""

import hashlib
import io
import tarfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from weckd.committed import REFERENCES, under_plan
from weckd.config import Suite, load_suite, suite_json
from weckd.errors import UserError, unreadable
from weckd.files import (
    digest,
    read_text,
    refuse_changed,
    refuse_other,
    remove_left,
    sums_of,
    whole_file,
    without_sum,
    write_text,
)
from weckd.manifests import TrainedCell, TrainedMethod, read_manifest, write_manifest
from weckd.run_files import FACTS, PART, RunFiles, batches, frozen_record

FORMAT = 1
OTHERWISE = ("device", "versions", "source")
"""What a frozen cell may have been trained with otherwise than here; the job that takes it says so."""
_RESTORE = "restore it, or remove it to have the cell trained again"
_OF_SEEDS = ("seeds", "diverged", "sharpness", "agreement")
"""Arrays of attention maps whose first axis is that of the seeds."""


@dataclass(frozen=True)
class FrozenCell:
    """A frozen cell, whose files were not read yet."""

    record: Path
    trained: TrainedCell  # as the manifest of a run has it that takes the cell
    files: Mapping[str, str]  # name of each file beside the record -> SHA-256

    def file(self, suffix: str) -> Path:
        """Return the cell's file that ends so.

        Raises:
            UserError: it is missing or damaged.
        """
        file = _beside(self.record, suffix)
        refuse_other(file, self.files.get(file.name, ""), self.record.name, _RESTORE)
        return file

    def otherwise(self, shared: Mapping[str, Any]) -> str:
        """Return in words what it was trained with otherwise than a cell that would be trained here; "" for nothing."""
        theirs = self.trained.shared
        return ", ".join(key for key in OTHERWISE if digest(theirs[key]) != digest(shared[key]))

    def refuse_other_training(
        self,
        shared: Mapping[str, Any],
        fits: Mapping[str, Mapping[str, Any]],
        methods: Mapping[str, TrainedMethod],
    ) -> None:
        """Refuse a cell that is not what would be trained here, but for device, versions and code.

        Args:
            shared: what all fits of the cell here share, see `weckd.training.identity.cell_ingredients`.
            fits: identity of each fit here -> what it declares.
            methods: how methods are made of them.

        Raises:
            UserError: images, split, settings or the declaration of a method differ.
        """
        keys = next(iter(fits.values()), {}).keys()
        fits_there = {
            name: {key: value for key, value in fit.items() if key in keys}
            for name, fit in self.trained.fits.items()
        }
        theirs = _compared(self.trained.shared, fits_there, self.trained.methods)
        mine = _compared(shared, fits, methods)
        if wrong := next((key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)), None):
            raise UserError(
                f"{self.record}: frozen with another {wrong} than this run has; give the run what it was frozen "
                f"with, or remove the frozen cells of {self.trained.dataset} to have them trained again"
            )


def _compared(
    shared: Mapping[str, Any], fits: Mapping[str, Mapping[str, Any]], methods: Mapping[str, TrainedMethod]
) -> dict[str, str]:
    """Return the digest of all that must be equal, by what it is called."""
    stages = {
        name: [
            [digest(fits[each["fit"]]) if "fit" in each else each for each in members]
            for members in method.stages
        ]
        for name, method in methods.items()
    }
    return {
        **{key: digest(value) for key, value in shared.items() if key not in OTHERWISE},
        **{
            f"method {name}": digest([stages[name], method.labels, dict(method.tuning)])
            for name, method in methods.items()
        },
    }


def _beside(record: Path, suffix: str) -> Path:
    return record.with_suffix("").with_suffix(suffix)


def read_cell(record: Path) -> FrozenCell:
    """Read the record of a frozen cell.

    Raises:
        UserError: it is edited or damaged, or of another format.
    """
    with unreadable(record, "not the record of a frozen cell", _RESTORE):
        told = without_sum(read_text(record))
        if told.get("format") != FORMAT:
            raise ValueError(f"format {told.get('format')!r}, this version reads {FORMAT}")
        [cell] = read_manifest(record).values()
        return FrozenCell(record, replace(cell, frozen=digest(told)), {**told["files"]})


def parts_of_run(suite: Suite, run: RunFiles) -> list[Path]:
    """Return the folders of frozen cells of a run: in the working folder and beside the package, where they are there.

    None where there is a whole reference: a run beside it is there to be compared with it.

    Raises:
        UserError: one is of another suite.
    """
    parts = _parts(suite, run)
    for part in parts:
        under_plan(
            suite, part, f"give the run those settings, or remove {part} to have all cells trained again"
        )
    return parts


def _parts(suite: Suite, run: RunFiles) -> list[Path]:
    references = run.results / "reference" / suite.run, REFERENCES / suite.run
    parts = [reference / PART for reference in references if not (reference / FACTS).exists()]
    return [*{part.resolve(): part for part in reversed(parts) if part.is_dir()}.values()][::-1]


def frozen_places(suite: Suite, run: RunFiles) -> set[tuple[str, int]]:
    """Return data set and seed of each frozen cell of a run, whatever it says."""
    return {
        (dataset, seed)
        for part in _parts(suite, run)
        for dataset, seed in product(suite.datasets, suite.seeds)
        if frozen_record(part, dataset, seed).exists()
    }


def frozen_cells(suite: Suite, run: RunFiles) -> dict[tuple[str, int], FrozenCell]:
    """Return the frozen cells of a run by data set and seed.

    Raises:
        UserError: they are of another suite, a record is damaged, or a cell was frozen twice and otherwise.
    """
    parts = parts_of_run(suite, run)
    cells = {place: frozen_cell(parts, *place) for place in product(suite.datasets, suite.seeds) if parts}
    return {place: cell for place, cell in cells.items() if cell}


def frozen_cell(parts: list[Path], dataset: str, seed: int) -> FrozenCell | None:
    """Return one cell of these folders of frozen cells, None where it is in none.

    Raises:
        UserError: its record is damaged, or it was frozen twice and otherwise.
    """
    records = (frozen_record(part, dataset, seed) for part in parts)
    cells = [read_cell(record) for record in records if record.exists()]
    for one, other in pairwise(cells):
        if one.trained != other.trained:
            raise UserError(
                f"{one.record} and {other.record}: the same cell, frozen otherwise; remove one of both"
            )
    return next(iter(cells), None)


def taken_text(suite: Suite, cells: Collection[FrozenCell]) -> str:
    """Return how many cells of a run are taken from where they were frozen, and with what they were trained."""
    folders = sorted({str(cell.record.parents[2]) for cell in cells})
    made = sorted({made_text(cell.trained) for cell in cells})
    whole = len(suite.datasets) * len(suite.seeds)
    return (
        f"weckd: {len(cells)} of {whole} cells from {', '.join(folders)}, trained with {' and '.join(made)}"
    )


def taken_sentence(cells: Collection[TrainedCell]) -> str:
    """Return how many of a run's cells were taken from frozen ones, and with what those were trained; "" for none."""
    taken = [cell for cell in cells if cell.frozen]
    made = sorted({made_text(cell) for cell in taken})
    return (
        f"{len(taken)} of {len(cells)} were frozen before, trained with {' and '.join(made)}" if taken else ""
    )


def made_text(cell: TrainedCell) -> str:
    """Return the device and the versions that a cell was trained with."""
    return ", ".join([cell.device, *(f"{name} {version}" for name, version in sorted(cell.versions.items()))])


def freeze_cells(run: Path, out: Path) -> tuple[int, int]:
    """Freeze the finished cells of a run in a folder, where they are not; return how many are new, and how many there.

    Those that were frozen before must be what the run has, and stay; those that it took need not be frozen again. The
    run may be under way.

    Raises:
        UserError: no cell is finished; `out` has a reference, or cells of another suite; a cell was frozen before and
            otherwise, or a file of either is not what was written.
    """
    files = RunFiles(run)
    suite, part = load_suite(files.suite), RunFiles(out / PART)
    if (out / FACTS).exists():
        raise UserError(f"{out}: a reference of a finished run, which has all cells; choose another folder")
    finished = [
        (dataset, batch)
        for dataset, batch in product(suite.datasets, batches(suite))
        if files.manifest(dataset, batch).exists() and sums_of(files.gathered(dataset, batch)).exists()
    ]
    if not finished:
        raise UserError(f"{run}: no training job has ended yet, so no cell is finished; wait for one")
    if part.suite.exists():
        under_plan(suite, part.folder, f"choose another folder, or remove {part.folder}")
    else:
        write_text(part.suite, suite_json(replace(suite, data_root=None)))
    new = [
        _freeze_cell(suite, cell, contents, part.folder)
        for dataset, batch in finished
        for cell, contents in _cells_of_job(files, dataset, batch)
    ]
    return sum(new), len(new)


def _cells_of_job(run: RunFiles, dataset: str, batch: str) -> Iterator[tuple[TrainedCell, dict[str, bytes]]]:
    """Yield the cells of a training job that has ended, and what is frozen of each by the endings of its files."""
    gathered = run.gathered(dataset, batch)
    refuse_changed(gathered, sums_of(gathered))
    with tarfile.open(gathered) as archive:
        packed = {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]
    for seed, cell in read_manifest(run.manifest(dataset, batch)).items():
        contents = {".parquet": packed[f"seed{seed}.parquet"]}
        if maps := packed.get("attention.npz"):
            contents[".npz"] = _maps_of_seed(maps, seed)
        yield cell, contents


def _maps_of_seed(maps: bytes, seed: int) -> bytes:
    """Return what attention maps say of one seed, without images and without the maps themselves."""
    import numpy as np  # noqa: PLC0415 - whoever looks for frozen cells needs none

    stream = io.BytesIO()
    with np.load(io.BytesIO(maps), allow_pickle=False) as arrays:
        place = arrays["seeds"].tolist().index(seed)
        kept = {name: arrays[name] for name in arrays.files if not name.startswith("example_")}
    of_seed = {name: array[place : place + 1] if name in _OF_SEEDS else array for name, array in kept.items()}
    np.savez_compressed(stream, allow_pickle=False, **of_seed)
    return stream.getvalue()


def _freeze_cell(suite: Suite, cell: TrainedCell, contents: Mapping[str, bytes], part: Path) -> bool:
    """Freeze one cell, its record last; return whether it was not there."""
    if cell.frozen:
        return False
    record = frozen_record(part, cell.dataset, cell.seed)
    files = {_beside(record, suffix): content for suffix, content in contents.items()}
    digests = {file.name: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    if record.exists():
        before = read_cell(record)
        wrong = next((name for name in digests if before.files.get(name) != digests[name]), None)
        if wrong or replace(before.trained, frozen="") != cell:
            raise UserError(
                f"{record}: frozen before with {f'another {wrong}' if wrong else 'other fits'} than the run has; "
                f"remove the run's manifests of {cell.dataset} to take what was frozen, or remove it to freeze what "
                "the run has"
            )
        for suffix in contents:
            before.file(suffix)
        return False
    remove_left(record.parent, f"seed{cell.seed}.*")
    for file, content in files.items():
        with whole_file(file) as temporary:
            temporary.write_bytes(content)
    told = {"format": FORMAT, "run": suite.run, "plan_hash": suite.plan_hash, "files": digests}
    write_manifest(record, [cell], **told)
    return True
