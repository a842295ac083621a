"""The stored fits that a manifest names. Needs no torch."""

from pathlib import Path

from weckd.errors import UserError
from weckd.manifests import read_manifest
from weckd.training.store import RECORD, StoredFit, find_fit, fit_folder


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
        cells = read_manifest(manifest).values()
    except UserError:
        return True
    folders = {fit_folder(store, cell.dataset, identity) for cell in cells for identity in cell.fits}
    return not all((folder / RECORD).exists() for folder in folders)
