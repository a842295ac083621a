"""Whether all that a crate records is still what it was."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weckd.config import load_suite
from weckd.data.index import prepared_folder
from weckd.errors import UserError
from weckd.files import file_digest
from weckd.provenance.crate import METADATA, WORKFLOW
from weckd.provenance.recorded import prepared_digests
from weckd.provenance.revision import code_revision
from weckd.report.manifests import trained_cells
from weckd.training.store import RECORD, fit_folder

_UNRECORDED = ("logs", "agreement", "imported", "tuned")
"""Folders of a run that no crate records: they decide no number of it, or are recorded in what they decide."""


def changes(run: Path, root: Path, data: Path, store: Path) -> tuple[int, list[str]]:
    """Return how many things were compared with a run's crate, and a line for each that is not what it was.

    Args:
        run: folder of the run.
        root: folder of the workflow as it is now.
        data: folder of prepared data sets; those that are not there are not compared.
        store: folder of stored fits; likewise.

    Raises:
        UserError: there is no crate, or it cannot be read.
    """
    entities = _entities(run / METADATA)
    files = {name: entity for name, entity in entities.items() if "File" in _listed(entity["@type"])}
    recorded = {name: entity["sha256"] for name, entity in files.items()}
    found = [
        *(
            f"{name}: {_state(run / name, digest)}"
            for name, digest in recorded.items()
            if _state(run / name, digest)
        ),
        *(f"{name}: not in the crate" for name in _beside(run, recorded)),
        *_workflow(entities, run, root, recorded),
    ]
    compared = len(recorded)
    for count, lines in (_data(entities, run, data), _fits(run, store)):
        compared += count
        found += lines
    return compared, found


def _entities(file: Path) -> dict[str, dict[str, Any]]:
    remedy = "make it with `snakemake --cores all`, which ends with it"
    try:
        graph = json.loads(file.read_text(encoding="utf-8"))["@graph"]
        return {entity["@id"]: entity for entity in graph}
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UserError(f"{file}: not a readable crate ({problem}); {remedy}") from problem


def _state(file: Path, digest: str) -> str:
    """Return what is wrong with a file, "" where it is as recorded."""
    if not file.exists():
        return "missing"
    return "" if file_digest(file) == digest else "changed"


def _beside(run: Path, recorded: dict[str, str]) -> list[str]:
    """Return files that the crate does not know; hidden ones are the workflow engine's own."""
    files = sorted(file.relative_to(run) for file in run.rglob("*") if file.is_file())
    known = {METADATA, *recorded}
    return [
        file.as_posix()
        for file in files
        if file.as_posix() not in known
        and file.parts[0] not in _UNRECORDED
        and not any(part.startswith(".") for part in file.parts)
    ]


def _workflow(
    entities: dict[str, dict[str, Any]], run: Path, root: Path, recorded: dict[str, str]
) -> Iterator[str]:
    """Compare the code and the lock that the run was made with to those that are here."""
    then, now = entities[f"{WORKFLOW}/Snakefile"]["softwareVersion"], code_revision(root)
    if then != now:
        yield f"code: {now}, the run was made with {then}"
    for name, digest in recorded.items():
        if name.startswith(f"{WORKFLOW}/") and (
            state := _state(root / name.removeprefix(f"{WORKFLOW}/"), digest)
        ):
            yield f"{name.removeprefix(f'{WORKFLOW}/')}: {state} since the run was made"


def _data(entities: dict[str, dict[str, Any]], run: Path, data: Path) -> tuple[int, list[str]]:
    suite = load_suite(run / "suite.json")
    compared, lines = 0, []
    for key in suite.datasets:
        folder = prepared_folder(suite, key, data)
        references = entities[f"#data-{key}"].get("identifier", [])
        values = [entities[reference["@id"]] for reference in _listed(references)]
        then = {value["name"].removeprefix("prepared "): value["value"] for value in values}
        for name, digest in prepared_digests(folder).items():
            compared += 1
            if then.get(name) != digest:
                lines.append(f"{folder / name}: changed")
    return compared, lines


def _listed(value: Any) -> list[Any]:
    """Return a property's values: one alone is written without a list."""
    return value if isinstance(value, list) else [value]


def _fits(run: Path, store: Path) -> tuple[int, list[str]]:
    """Check every stored fit that the manifests name against the digests in its record."""
    compared, lines = 0, []
    for cell in trained_cells(load_suite(run / "suite.json"), run):
        for identity in cell.fits:
            folder = fit_folder(store, cell.dataset, identity)
            if (folder / RECORD).exists():
                record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
                compared += len(record["files"])
                lines += [
                    f"{folder / name}: {s}"
                    for name, d in record["files"].items()
                    if (s := _state(folder / name, d))
                ]
                if record["identity"] != identity:
                    lines.append(f"{folder}: another fit than the manifest names")
    return compared, lines
