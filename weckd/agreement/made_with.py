"""What a run was made with, as its manifests say."""

import json
from pathlib import Path

from weckd.agreement.reference import MadeWith
from weckd.errors import UserError
from weckd.files import file_digest


def made_with(run: Path, lock: Path | None) -> MadeWith:
    """Return the device kind, threads and versions that a run's fits were trained with, and the lock's digest.

    A lock counts only where it names those versions: a run may have been trained elsewhere, in another environment.

    Args:
        run: folder of the run.
        lock: the lock file that its environment was installed from; None where there is none.

    Raises:
        UserError: the run has no manifests, or was trained on several kinds of device.
    """
    found: dict[str, MadeWith] = {}
    locked = set(lock.read_text(encoding="utf-8").split()) if lock else set()
    digest = file_digest(lock) if lock else ""
    for file in sorted(run.glob("manifests/*/*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        for cell in content["seeds"].values():
            device, versions = cell["cell"]["device"], cell["cell"]["versions"]
            named = locked.issuperset(f"{name}=={number}" for name, number in versions.items())
            made = MadeWith(digest if named else "", device, content["threads"], versions)
            found.setdefault(repr(made), made)
    if not found:
        raise UserError(f"{run}: no manifests; finish the run first: snakemake --cores all")
    if len(found) > 1:
        raise UserError(
            f"{run}: trained with several devices or versions: {'; '.join(found)}; train it with one"
        )
    return next(iter(found.values()))
