"""A run's folder described as a Workflow Run RO-Crate (profile 0.5, https://w3id.org/ro/wfrun/workflow/0.5)."""

import datetime
import mimetypes
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from weckd import __version__
from weckd.config import Suite, load_suite
from weckd.data.prepared import prepared_digests, read_facts
from weckd.errors import counted
from weckd.files import file_digest, refuse_unsound, whole_folder, write_json
from weckd.manifests import trained_cells
from weckd.report.tables import stated_terms
from weckd.run_files import RunFiles

WORKFLOW = "workflow"
"""Folder of the crate with the files that the run was made by."""
WORKFLOW_FILES = ("Snakefile", "rules/*.smk", "config/*.yaml", "profiles/*/profile.yaml", "*.lock", "LICENSE")
_RESULTS = (
    *("splits/*/*.csv", "groups/*/*.csv", "manifests/*/*.json", "predictions/*/*.parquet"),
    *(
        "predictions/*/*sums.json",
        "splits/*/sums.json",
        "groups/*/sums.json",
        "gathered/*/*",
        "attention/*",
        "drawn-from.json",
    ),
)
_MADE = ("audit/*", "tables/*", "figures/*", "report.*")
_PROFILES = (
    "https://w3id.org/ro/wfrun/process/0.5",
    "https://w3id.org/ro/wfrun/workflow/0.5",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
)
_TERMS = {
    name: f"https://w3id.org/ro/terms/workflow-run#{name}"
    for name in ("sha256", "containerImage", "ContainerImage")
}
FROM_IMAGE = "WECKD_REVISION"
"""Set in the container, which has no .git: what `git describe` said when it was built."""
_REVISION = re.compile(r"[\w.+/-]+", re.ASCII)
_IMAGE = "WECKD_IMAGE"
"""Where the caller of a container says which image it is, as sha256:<digest>; it cannot know by itself."""
_SPDX = {"MIT": "MIT", "CC0": "CC0-1.0", "CC BY 4.0": "CC-BY-4.0"}


def write_crate(run: RunFiles, root: Path) -> None:
    """Describe a finished run: its files with their SHA-256, and what made which of what, when and where.

    The workflow's own files are copied into the run's folder, since a crate holds what it describes. The description is
    the last file that is written, whole or not at all.

    Args:
        run: its files.
        root: folder of the workflow, a checkout or that of the image.

    Raises:
        UserError: the run's suite.json or a manifest cannot be read, or a file that it rests on is not what was
            written.
    """
    suite = load_suite(run.suite)
    for sums in sorted(run.folder.glob("**/*sums.json")):
        refuse_unsound(sums)
    with whole_folder(run.folder / WORKFLOW) as temporary:
        for file in _found(root, WORKFLOW_FILES):
            copy = temporary / file.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(_TERMS)
    crate.name = f"WeCKD reproducibility suite, run {suite.run}"
    phantom = [key for key in suite.datasets if suite.facts[key].phantom]
    drawn = f" Drawn by the suite, not real images: {', '.join(phantom)}." if phantom else ""
    crate.description = (
        f"Chains of distilled models and their controls on {', '.join(suite.datasets)}; "
        f"{counted(len(suite.seeds), 'seed')}; analysis plan {suite.plan_hash}.{drawn}"
    )
    crate.license = crate.add(_licence(crate, "MIT"))
    crate.datePublished = datetime.datetime.fromtimestamp(run.report.stat().st_mtime, datetime.UTC)
    crate.root_dataset["conformsTo"] = [
        crate.add(ContextEntity(crate, profile, {"@type": "CreativeWork", "name": profile.split("ro/")[-1]}))
        for profile in _PROFILES
    ]
    _describe(crate, suite, run, root)
    write_json(run.crate, crate.metadata.generate())


def code_revision(root: Path) -> str:
    """Return the commit of the checkout at `root`, ending in -dirty where files were edited; "unknown" without git.

    Where git is there and refuses to tell, its reason is printed.
    """
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError:  # no git, or one that cannot be started
        return os.environ.get(FROM_IMAGE, "unknown")
    found = said.stdout.strip()
    if said.returncode == 0 and _REVISION.fullmatch(found):
        return found
    if (root / ".git").exists() and FROM_IMAGE not in os.environ:
        why = next(iter(said.stderr.splitlines()), "it says nothing")
        print(
            f"{root}: git does not tell the revision, it is recorded as unknown ({why}); where the folder is of "
            f"another owner: git config --global --add safe.directory {shlex.quote(str(root))}",
            file=sys.stderr,
        )
    return os.environ.get(FROM_IMAGE, "unknown")


def _describe(crate: ROCrate, suite: Suite, run: RunFiles, root: Path) -> None:
    snakefile = f"{WORKFLOW}/Snakefile"
    properties = {
        "name": "WeCKD reproducibility suite",
        "version": __version__,
        "softwareVersion": code_revision(root),
        "sha256": file_digest(run.folder / snakefile),
    }
    workflow = crate.add_workflow(None, snakefile, main=True, lang="snakemake", properties=properties)
    described = partial(_file, crate, run.folder)
    copied = _found(run.folder, (f"{WORKFLOW}/**/*",))
    code = [described(file) for file in copied if file.name != "Snakefile"]
    settings = described(run.suite)
    sets = {key: crate.add(_data_set(crate, suite, key, run)) for key in suite.datasets}
    records = {file: described(file) for file in _found(run.folder, _RESULTS)}
    made = {file: described(file) for file in _found(run.folder, _MADE)}
    action = partial(_action, crate, workflow)
    for cell in trained_cells(suite, run.manifests):
        predictions = run.prediction(cell.dataset, cell.seed)
        versions = ", ".join(f"{library} {version}" for library, version in sorted(cell.versions.items()))
        action(
            f"#train-{cell.dataset}-seed{cell.seed}",
            f"Training of {cell.dataset}, seed {cell.seed}, {counted(len(cell.fits), 'fit')}",
            [settings, sets[cell.dataset], records[run.split(cell.dataset, cell.seed)]],
            {predictions: records[predictions]},
            description=f"{cell.device}, {cell.threads} thread; {versions}{'; frozen before' if cell.frozen else ''}",
        )
    tables = "Tables, figures and report from stored predictions"
    action("#tables", tables, [settings, *records.values()], made)
    inputs = [settings, *code, *sets.values()]
    action("#run", f"Run {suite.run} as a whole", inputs, records | made, **_container(crate))


def _container(crate: ROCrate) -> dict[str, Entity]:
    """Return the image that the run was made in, where its caller has said so."""
    if _IMAGE not in os.environ:
        return {}
    digest = os.environ[_IMAGE].removeprefix("sha256:")
    properties = {"@type": "ContainerImage", "name": f"weckd:{__version__}", "sha256": digest}
    return {"containerImage": crate.add(ContextEntity(crate, "#image", properties))}


def _action(
    crate: ROCrate,
    workflow: Entity,
    identifier: str,
    name: str,
    inputs: Sequence[Entity],
    results: Mapping[Path, Entity],
    **more: Any,
) -> None:
    """Add an action that ended when the last of the files that it made was written, and began before the first."""
    dates = sorted(datetime.datetime.fromtimestamp(file.stat().st_mtime, datetime.UTC) for file in results)
    properties: dict[str, Any] = {
        "name": name,
        "startTime": dates[0].isoformat(timespec="seconds"),
        "endTime": dates[-1].isoformat(timespec="seconds"),
        "actionStatus": "http://schema.org/CompletedActionStatus",
        **more,
    }
    made = list(results.values())
    crate.add_action(workflow, identifier, object=list(inputs), result=made, properties=properties)


def _file(crate: ROCrate, run: Path, file: Path) -> Entity:
    properties = {
        "name": file.name,
        "contentSize": str(file.stat().st_size),
        "encodingFormat": mimetypes.guess_type(file.name)[0] or "application/octet-stream",
        "sha256": file_digest(file),
    }
    return crate.add_file(dest_path=file.relative_to(run).as_posix(), properties=properties)


def _data_set(crate: ROCrate, suite: Suite, key: str, run: RunFiles) -> ContextEntity:
    """Return a data set: whose it is, what it allows, and the digests of its archives and of what was made of it."""
    facts = suite.facts[key]
    folder = run.prepared(suite, key)
    digests = prepared_digests(folder)
    values = {f"prepared {name}": digest for name, digest in digests.items()}
    archives = read_facts(folder)["archives"] if digests else {}  # none of folders and phantoms
    values |= {f"archive {name}": entry["sha256"] for name, entry in archives.items()}
    identifiers = []
    for number, (name, value) in enumerate(values.items(), start=1):
        said = {"@type": "PropertyValue", "name": name, "value": value}
        identifiers.append(crate.add(ContextEntity(crate, f"#data-{key}-{number}", said)))
    properties: dict[str, Any] = {"@type": "Dataset", "name": facts.title, "identifier": identifiers}
    if terms := stated_terms(suite, key, run):
        properties["license"] = crate.add(_licence(crate, terms.licence))
        properties["description"] = f"Source: {terms.source}. {terms.citation}".strip()
    return ContextEntity(crate, f"#data-{key}", properties)


def _licence(crate: ROCrate, licence: str) -> ContextEntity:
    short = licence.partition(" (")[0]
    spdx, own = _SPDX.get(short), f"#licence-{short.lower().replace(' ', '-')}"
    identifier = f"https://spdx.org/licenses/{spdx}" if spdx else own
    properties = {"@type": "CreativeWork", "name": licence, "description": licence}
    return ContextEntity(crate, identifier, properties)


def _found(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return sorted(file for pattern in patterns for file in folder.glob(pattern) if file.is_file())
