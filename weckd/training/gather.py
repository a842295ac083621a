"""From a manifest and the store of fits to one cell's predictions; needs no torch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from weckd.config import Suite
from weckd.data.splits import read_split
from weckd.errors import UserError
from weckd.files import file_digest, sums_of, whole_file, write_sums
from weckd.manifests import read_manifest
from weckd.run_files import RunFiles
from weckd.training.store import EVALUATED, StoredFit, named_fit


def gather_predictions(suite: Suite, run: RunFiles, dataset: str, seed: int) -> None:
    """Write the long predictions of one cell: a row a method, stage, split and image.

    Columns: dataset, seed, method, stage (1 ..), split (validation, test), image_id, group_id, y,
    p_0 .. p_{C-1} (float32; NaN where a fit diverged). Their sum goes beside them: whoever reads them compares it, so
    that an edit reaches no table.

    Raises:
        UserError: the manifest lacks the seed, or was made with another split, or the store lacks a fit that it names.
    """
    manifest, split_file = run.manifest_of(suite, dataset, seed), run.split(dataset, seed)
    cells = read_manifest(manifest)
    if seed not in cells:
        raise UserError(f"{manifest}: holds no seed {seed}; delete it to have it made again")
    cell = cells[seed]
    split = read_split(split_file)
    if cell.shared["split"] != file_digest(split_file):
        raise UserError(
            f"{split_file}: not the split that {manifest} was made with for {dataset}, seed {seed}; delete "
            "that manifest to have it made again"
        )
    fits = {
        identity: named_fit(run.store, dataset, identity, manifest, with_weights=False)
        for identity in cell.fits
    }
    columns = ["image_id", "group_id", "y"]
    images = {part: split.loc[split["part"] == part, columns].reset_index(drop=True) for part in EVALUATED}
    frames = []
    for method, composition in cell.methods.items():
        for stage, members in enumerate(composition.stages, start=1):
            for part, rows in images.items():
                mean = np.mean([_probabilities(m, fits, part, len(rows)) for m in members], axis=0)
                told = {"dataset": dataset, "seed": seed, "method": method, "stage": stage, "split": part}
                shares = {f"p_{c}": of_class for c, of_class in enumerate(mean.astype(np.float32).T)}
                frames.append(pd.DataFrame({**told, **rows, **shares}))
    out = run.prediction(dataset, seed)
    with whole_file(out) as temporary:
        pd.concat(frames, ignore_index=True).to_parquet(temporary, index=False, compression="zstd")
    write_sums(sums_of(out), [out])


def probabilities_of(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return probabilities (n, C) of logits (n, C), in double precision."""
    probabilities: NDArray[np.float64] = softmax(logits.astype(np.float64), axis=1)
    return probabilities


def _probabilities(
    member: Mapping[str, Any], fits: dict[str, StoredFit], part: str, count: int
) -> NDArray[np.float64]:
    if "class_shares" in member:
        return np.tile(np.asarray(member["class_shares"], dtype=np.float64), (count, 1))
    return probabilities_of(fits[member["fit"]].logits(part))
