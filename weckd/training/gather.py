"""What a training job's cells say, packed into gathered/<dataset>/<batch>.tar; needs no torch.

In it are seed<k>.parquet and its sum for each seed, and attention.npz where the suite's chain transfers attention.
"""

import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from weckd.files import sums_of, whole_file, write_sums
from weckd.manifests import TrainedCell
from weckd.training.attention_file import MEMBER, write_arrays
from weckd.training.store import EVALUATED, StoredFit


def write_gathered(
    out: Path, predictions: Mapping[int, pd.DataFrame], attention: Mapping[str, NDArray[Any]]
) -> None:
    """Pack the predictions of each seed and what the attention maps say, if anything; the same bytes for the same.

    Sums go into the archive, to be laid beside the predictions: whoever reads these compares them, so that an edit
    reaches no table. Another is written beside the archive.

    Raises:
        UserError: it cannot be written, as on a full disk.
    """
    with whole_file(out) as temporary:
        folder = temporary.parent  # which is removed with all that is left in it
        for seed, frame in predictions.items():
            file = folder / f"seed{seed}.parquet"
            frame.to_parquet(file, index=False, compression="zstd")
            write_sums(sums_of(file), [file])
        if attention:
            write_arrays(folder / MEMBER, attention)
        with tarfile.open(temporary, "w") as archive:
            for file in sorted({*folder.iterdir()} - {temporary}):
                entry = tarfile.TarInfo(file.name)  # no time, no owner
                entry.size = file.stat().st_size
                with file.open("rb") as content:
                    archive.addfile(entry, content)
    write_sums(sums_of(out), [out])


def cell_predictions(cell: TrainedCell, split: pd.DataFrame, fits: Mapping[str, StoredFit]) -> pd.DataFrame:
    """Return the long predictions of one cell: a row a method, by name, stage, split and image.

    Columns: dataset, seed, method, stage (1 ..), split (validation, test), image_id, group_id, y,
    p_0 .. p_{C-1} (float32; NaN where a fit diverged). `fits` has the cell's by identity.
    """
    columns = ["image_id", "group_id", "y"]
    images = {part: split.loc[split["part"] == part, columns].reset_index(drop=True) for part in EVALUATED}
    frames = []
    for method, composition in sorted(cell.methods.items()):
        for stage, members in enumerate(composition.stages, start=1):
            for part, rows in images.items():
                mean = np.mean([_probabilities(m, fits, part, len(rows)) for m in members], axis=0)
                told = {
                    **{"dataset": cell.dataset, "seed": cell.seed, "method": method},
                    **{"stage": stage, "split": part},
                }
                shares = {f"p_{c}": of_class for c, of_class in enumerate(mean.astype(np.float32).T)}
                frames.append(pd.DataFrame({**told, **rows, **shares}))
    return pd.concat(frames, ignore_index=True)


def probabilities_of(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Return probabilities (n, C) of logits (n, C), in double precision."""
    probabilities: NDArray[np.float64] = softmax(logits.astype(np.float64), axis=1)
    return probabilities


def _probabilities(
    member: Mapping[str, Any], fits: Mapping[str, StoredFit], part: str, count: int
) -> NDArray[np.float64]:
    if "class_shares" in member:
        return np.tile(np.asarray(member["class_shares"], dtype=np.float64), (count, 1))
    return probabilities_of(fits[member["fit"]].logits(part))
