"""What a training job left: its manifest, and the stored fits that it names. Needs no torch."""

import json
from pathlib import Path
from typing import Any

from weckd.errors import UserError
from weckd.training.store import StoredFit, find_fit


def read_manifest(manifest: Path) -> dict[str, Any]:
    """Return the data set and the seeds that a training job wrote down.

    Raises:
        UserError: there is no such file.
    """
    if not manifest.exists():
        raise UserError(f"{manifest}: no such manifest; make it with `weckd train`")
    content: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    return content


def named_fit(store: Path, dataset: str, identity: str, manifest: Path, with_weights: bool) -> StoredFit:
    """Return a fit that a manifest names.

    Raises:
        UserError: the store has it no more, or without the weights that are asked for.
    """
    fit = find_fit(store, dataset, identity, with_weights)
    if fit is None:
        lacks = "missing, damaged or without its weights" if with_weights else "missing or damaged"
        raise UserError(
            f"{store}: fit {identity[:20]} of {dataset} is {lacks}; delete {manifest} and run again to train it"
        )
    return fit
