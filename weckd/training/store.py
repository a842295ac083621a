"""The store of finished fits: one folder a fit, named by the hash of all that determines it.

Needs no torch. A folder appears whole (written beside, then renamed)
and is checked against its own digests when read; one that does not agree is set aside and trained again.
"""

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from weckd.errors import UserError
from weckd.files import OWN_SUM, file_digest, whole_folder, with_sum, write_json

RECORD = "record.json"
WEIGHTS = "weights.safetensors"
HISTORY = "history.npy"
EVALUATED = ("validation", "test")


@dataclass(frozen=True)
class StoredFit:
    """A finished fit on disk; `weights` is None where they were not kept."""

    folder: Path
    record: dict[str, Any]

    @property
    def diverged(self) -> bool:
        """Whether the fit, or one that it depends on, ended in a loss that is not finite."""
        return bool(self.record["status"] != "finished")

    def logits(self, split: str) -> NDArray[np.float32]:
        """Return logits (images of the split in split-file order, C)."""
        logits: NDArray[np.float32] = np.load(self.folder / f"{split}.npy", allow_pickle=False)
        return logits

    def weights(self) -> dict[str, NDArray[Any]]:
        """Return the state of the network after its last step."""
        return load_file(self.folder / WEIGHTS)


def fit_folder(store: Path, dataset: str, identity: str) -> Path:
    """Return where a fit lies; 20 hex digits keep paths short and collisions out of reach."""
    return store / dataset / identity[:20]


def find_fit(store: Path, dataset: str, identity: str, with_weights: bool) -> StoredFit | None:
    """Return the stored fit, or None where it is absent, damaged, or lacks weights that are needed."""
    folder = fit_folder(store, dataset, identity)
    if not (folder / RECORD).exists():
        return None
    try:
        fit = StoredFit(folder, read_record(folder, identity))
        sound = all(file_digest(folder / name) == expected for name, expected in fit.record["files"].items())
    except (OSError, UserError):
        sound = False
    if not sound:
        folder.replace(folder.with_name(f"damaged-{folder.name}-{os.getpid()}"))
        return None
    return None if with_weights and not fit.diverged and WEIGHTS not in fit.record["files"] else fit


def store_fit(
    store: Path,
    dataset: str,
    identity: str,
    record: Mapping[str, Any],
    logits: Mapping[str, NDArray[np.float32]],
    history: NDArray[np.float32],
    weights: Mapping[str, NDArray[Any]] | None,
) -> StoredFit:
    """Write a finished fit; `record` must hold its "status" ("finished" or "diverged").

    An earlier folder of the same fit (stored without weights, say) is replaced, and what a killed process left of one
    removed.

    Raises:
        UserError: it cannot be written, as on a full disk.
    """
    folder = fit_folder(store, dataset, identity)
    with whole_folder(folder) as temporary:
        for split, values in logits.items():
            (temporary / f"{split}.npy").write_bytes(_npy(values))
        (temporary / HISTORY).write_bytes(_npy(history))
        if weights is not None:
            # safetensors writes an array's memory as it lies, and reads it as rows: channels-last weights would come
            # back with their values in other places.
            rows = {key: np.asarray(value, order="C") for key, value in weights.items()}
            (temporary / WEIGHTS).write_bytes(save(rows))
        files = {file.name: file_digest(file) for file in sorted(temporary.iterdir())}
        summed = with_sum({**record, "identity": identity, "files": files})
        write_json(temporary / RECORD, summed)
    return StoredFit(folder, summed)


def _npy(values: NDArray[np.float32]) -> bytes:
    """Return an array's file; NumPy's own writing does not say why a full disk fails."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def read_record(folder: Path, identity: str) -> dict[str, Any]:
    """Return the record of a stored fit.

    Raises:
        UserError: it is missing, edited or damaged, or of another fit.
    """
    file = folder / RECORD
    if not file.is_file():
        raise UserError(f"{file}: {'not a file' if file.exists() else 'missing'}")
    try:
        record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        sound = record[OWN_SUM] == with_sum(record)[OWN_SUM]
        whose = record["identity"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UserError(f"{file}: not a readable record ({problem!r})") from problem
    if not sound:
        raise UserError(f"{file}: changed")
    if whose != identity:
        raise UserError(f"{folder}: another fit than the manifest names")
    return record
