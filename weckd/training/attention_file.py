"""A data set's file of attention maps, joined of what its training jobs packed; needs neither torch nor pandas."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weckd.config import Suite
from weckd.errors import UserError
from weckd.files import refuse_changed, sums_of, whole_file, write_sums
from weckd.run_files import RunFiles, batches

Arrays = Mapping[str, NDArray[Any]]

MEMBER = "attention.npz"
"""The file's name in the archive of a training job."""
_OF_SEEDS = ("seeds", "diverged", "sharpness", "agreement")
_OF_IMAGES = ("image_ids", "group_ids", "y")


def write_attention(suite: Suite, run: RunFiles, dataset: str) -> None:
    """Write what the maps of the chain's models say of a data set's test images, over all seeds.

    The file is a compressed .npz without pickles, the same bytes for the same fits. With k seeds, N models, n test
    images in the order of the split files, and e of them as examples:

        dataset, method         text
        seeds                   int64 (k,)
        image_ids, group_ids    text (n,)
        y                       int64 (n,)
        map_size                int64 (2,): height and width of the maps
        diverged                bool (k, N): models without finite maps; all their numbers are NaN
        sharpness               float32 (k, N, n), see `weckd.training.attention_maps.sharpness`
        agreement               float32 (k, N, n), see `weckd.training.attention_maps.agreement`, with the model
                                before; NaN for the first
        example_rows            int64 (e,): the first test image of each class, of a few classes
        example_images          uint8 (e, H, W, 3), as prepared
        example_maps            float32 (N, e, h, w): of the first seed, each of L2 norm 1

    A sum is written beside it.

    Raises:
        UserError: the suite has no chain that transfers attention; an archive is missing, edited or damaged; the test
            images differ between seeds.
    """
    if not run.every_attention(suite):
        raise UserError(f"suite {suite.run}: has no chain that transfers attention; add weckd to its methods")
    found = [_packed(run.gathered(dataset, batch)) for batch in batches(suite)]
    out = run.attention(dataset)
    with whole_file(out) as temporary:
        write_arrays(temporary, joined(found, run.splits(dataset)))
    write_sums(sums_of(out), [out])


def joined(found: Sequence[Arrays], splits: Path) -> Arrays:
    """Return the arrays of a file of all seeds, of those of some seeds each; `splits` is the folder of their splits.

    Raises:
        UserError: the test images of two seeds differ.
    """
    first = found[0]
    for other in found[1:]:
        if not all(np.array_equal(first[name], other[name]) for name in _OF_IMAGES):
            raise UserError(
                f"{splits}: the test images of seed{other['seeds'][0]}.csv differ from those of "
                f"seed{first['seeds'][0]}.csv; all seeds share one test set; delete both files and run again"
            )
    return {
        name: np.concatenate([each[name] for each in found]) if name in _OF_SEEDS else first[name]
        for name in first
    }


def write_arrays(file: Path, arrays: Arrays) -> None:
    """Write arrays as a compressed .npz."""
    with file.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def _packed(gathered: Path) -> Arrays:
    """Return what a training job packed of its maps."""
    refuse_changed(gathered, sums_of(gathered))
    with tarfile.open(gathered) as archive, archive.extractfile(MEMBER) as member:  # type: ignore[union-attr]
        content = io.BytesIO(member.read())
    with np.load(content, allow_pickle=False) as opened:
        return dict(opened)
