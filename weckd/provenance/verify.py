"""Whether all that a crate records is still what it was."""

import json
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weckd.config import Suite, load_suite
from weckd.data.watch import DOWNLOADS, OWN, SEEN, read_seen
from weckd.errors import UserError
from weckd.files import difference
from weckd.manifests import trained_cells
from weckd.provenance.crate import WORKFLOW, code_revision
from weckd.run_files import RunFiles
from weckd.training.store import fit_folder, read_record

_UNRECORDED = ("logs", "agreement", "imported", "tuned")
"""Folders of a run that no crate records: they decide no number of it, or are recorded in what they decide."""
_TOLD_SECONDS = 5.0


@dataclass
class _Comparison:
    """What was compared so far, and what is not what it was."""

    compared: int = 0
    lines: list[str] = field(default_factory=list)
    told: float = field(default_factory=time.monotonic)

    def file(self, file: Path, sha256: str, name: str = "") -> None:
        """Compare a file with its recorded SHA-256, and say every few seconds where that has come to."""
        if time.monotonic() - self.told >= _TOLD_SECONDS:
            self.told = time.monotonic()
            print(f"[verify] {self.compared} things compared, now {file}", file=sys.stderr, flush=True)
        self.compared += 1
        if found := difference(file, sha256):
            self.lines.append(f"{name or file}: {found}")


def changes(run: RunFiles, root: Path) -> tuple[int, list[str]]:
    """Return how many things were compared with a run's crate, and a line for each that is not what it was.

    Args:
        run: its files; prepared data sets, what they were read from, and stored fits are compared where they are there.
        root: folder of the workflow as it is now.

    Raises:
        UserError: there is no crate, or it cannot be read.
    """
    entities = _entities(run.crate)
    kinds = {name: _listed(entity.get("@type")) for name, entity in entities.items()}
    recorded = {name: str(entities[name].get("sha256")) for name in kinds if "File" in kinds[name]}
    found = _Comparison()
    for name, sha256 in recorded.items():
        found.file(run.folder / name, sha256, name)
    found.lines += [f"{name}: not in the crate" for name in _beside(run.folder, {run.crate.name, *recorded})]
    then, now = entities[f"{WORKFLOW}/Snakefile"]["softwareVersion"], code_revision(root)
    if then != now:
        found.lines.append(f"code: {now}, the run was made with {then}")
    for name, sha256 in recorded.items():
        here = name.removeprefix(f"{WORKFLOW}/")
        if here != name and (differs := difference(root / here, sha256)):
            found.lines.append(f"{here}: {differs} since the run was made")
    try:
        suite = load_suite(_regular(run.suite))
        if _told_there(run.data, "prepared images, and what they were read from,"):
            for file, sha256 in _files_of_data(entities, suite, run):
                found.file(file, sha256)
        for manifest in run.manifests.glob("*/*.json"):
            _regular(manifest)
        if _told_there(run.store, "stored fits"):
            _compare_fits(found, suite, run)
    except UserError as problem:
        found.lines.append(f"{problem}; what it tells of was not compared")
    return found.compared, found.lines


def _entities(file: Path) -> dict[str, dict[str, Any]]:
    remedy = "make it with `snakemake --cores all`, which ends with it"
    try:
        graph = json.loads(_regular(file).read_text(encoding="utf-8"))["@graph"]
        entities = {entity["@id"]: entity for entity in graph}
        entities[f"{WORKFLOW}/Snakefile"]["softwareVersion"]
    except (UserError, OSError, ValueError, KeyError, TypeError) as problem:
        raise UserError(f"{file}: not a readable crate ({problem}); {remedy}") from problem
    return entities


def _regular(file: Path) -> Path:
    """Refuse what is no file: a pipe, or a link to a device, would be read without end."""
    if file.exists() and not file.is_file():
        raise UserError(f"{file}: not a file")
    return file


def _beside(run: Path, known: Collection[str]) -> list[str]:
    """Return files that the crate does not know; hidden ones are the workflow engine's own."""
    files = sorted(file.relative_to(run) for file in run.rglob("*") if not file.is_dir())
    seen = [file for file in files if not any(part.startswith(".") for part in file.parts)]
    return [str(file) for file in seen if str(file) not in known and file.parts[0] not in _UNRECORDED]


def _told_there(folder: Path, what: str) -> bool:
    """Return whether a folder is there, which a run that was moved elsewhere leaves; say where it is not."""
    if not folder.exists():
        print(f"[verify] {folder}: not there; {what} are not compared", file=sys.stderr, flush=True)
    return folder.exists()


def _files_of_data(entities: Mapping[str, Any], suite: Suite, run: RunFiles) -> Iterator[tuple[Path, str]]:
    """Yield the files of prepared data sets, and those that they were read from in places that are there."""
    for key in suite.datasets:
        folder = run.prepared(suite, key)
        for reference in _listed(entities.get(f"#data-{key}", {}).get("identifier", [])):
            kind, _, name = entities[reference["@id"]]["name"].partition(" ")
            if kind == "prepared":
                yield folder / name, entities[reference["@id"]]["value"]
        seen = read_seen(folder / SEEN) or {}
        for part in (OWN, DOWNLOADS):
            if part in seen and any(Path(root).exists() for root in seen[part].place.roots):
                yield from ((seen[part].path(name), sha256) for name, (_, sha256) in seen[part].files.items())


def _listed(value: Any) -> list[Any]:
    """Return a property's values: one alone is written without a list."""
    return value if isinstance(value, list) else [value]


def _compare_fits(found: _Comparison, suite: Suite, run: RunFiles) -> None:
    """Check every stored fit that the manifests name against its record, which tells of itself too."""
    for cell in trained_cells(suite, run.manifests):
        for identity in cell.fits if (run.store / cell.dataset).exists() and not cell.frozen else ():
            folder = fit_folder(run.store, cell.dataset, identity)
            found.compared += 1
            try:
                for name, sha256 in read_record(folder, identity)["files"].items():
                    found.file(folder / name, sha256)
            except UserError as problem:
                found.lines.append(str(problem))
