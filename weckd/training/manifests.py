"""What a training job left: its manifest, and the stored fits that it names. Needs no torch."""

import json
from pathlib import Path
from typing import Any

from weckd.errors import UserError
from weckd.sums import OWN_SUM, holds_sum
from weckd.training.store import RECORD, StoredFit, find_fit, fit_folder


def read_manifest(manifest: Path) -> dict[str, Any]:
    """Return the data set and the seeds that a training job wrote down.

    Raises:
        UserError: there is no such file, it is no manifest, or was edited (those of old references have no sum).
    """
    if not manifest.exists():
        raise UserError(f"{manifest}: no such manifest; make it with `weckd train`")
    try:
        content: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
        content["dataset"], content["seeds"].keys()
        if OWN_SUM in content and not holds_sum(content):
            raise ValueError("edited, its sum is another one")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UserError(
            f"{manifest}: not a manifest of `weckd train` ({problem}); make it again"
        ) from problem
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
            f"{store}: fit {identity[:20]} of {dataset}, which {manifest} names, is {lacks}; run snakemake again: it "
            "trains it"
        )
    return fit


def lacks_fits(manifest: Path, store: Path) -> bool:
    """Return whether the store has a fit no more that a manifest names, or the manifest cannot be read."""
    try:
        content = read_manifest(manifest)
        identities = {identity for cell in content["seeds"].values() for identity in cell["fits"]}
        folders = [fit_folder(store, content["dataset"], identity) for identity in identities]
    except (UserError, ValueError, KeyError, TypeError, AttributeError):
        return True
    return not all((folder / RECORD).exists() for folder in folders)
