"""MATLAB v7.3 files, one a slice: `cjdata/{image,label,PID}`, image int16 of a range of its own."""

import functools
import hashlib
import io
import itertools
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from weckd.data.catalogue import Dataset
from weckd.data.decode import Decoded, stretch_to_eight_bits
from weckd.data.layouts.class_folders import natural
from weckd.data.layouts.source import Listing, Sample, Source
from weckd.errors import BadImageError, UserError

_DAMAGED = "replace the file by an intact copy"


def list_matlab(dataset: Dataset, folder: Path) -> Listing:
    """Return the slices in natural order of their files' names; class and patient stand in the files themselves.

    Raises:
        UserError: the folder holds no such file, or two of one name.
    """
    files = sorted(folder.rglob("[0-9]*.mat"), key=lambda file: (natural(file), file))
    if not files:
        raise UserError(
            f"{folder}: holds no .mat file whose name is a number; unpack those of {dataset.source} there"
        )
    for first, second in itertools.pairwise(files):
        if first.name == second.name:
            raise UserError(f"{second}: stands for the same slice as {first}; remove one of them")
    sources = [
        Source(file.relative_to(folder).as_posix(), "", "", functools.partial(_read, dataset, file))
        for file in files
    ]
    return Listing(len(sources), None, iter(sources))


def _read(dataset: Dataset, file: Path) -> Sample:
    try:
        content = file.read_bytes()
        with h5py.File(io.BytesIO(content), "r") as opened:
            # MATLAB writes by columns, so an array's axes are read in reverse.
            values = np.asarray(opened["cjdata/image"]).T
            label = int(np.asarray(opened["cjdata/label"]).item())
            patient = "".join(chr(code) for code in np.asarray(opened["cjdata/PID"]).ravel().tolist()).strip(
                "\0 "
            )
    except KeyError as problem:
        raise BadImageError(file, f"lacks an entry of cjdata ({problem.args[0]})", _DAMAGED) from problem
    except (OSError, ValueError, TypeError) as problem:  # h5py's kinds on damaged files
        raise BadImageError(file, f"not a readable MATLAB v7.3 file ({problem})", _DAMAGED) from problem
    if values.ndim != 2 or 0 in values.shape:
        raise BadImageError(file, f"cjdata/image has the shape {values.shape}, not (height, width)", _DAMAGED)
    keys = {entry.label: entry.key for entry in dataset.classes}
    if label not in keys:
        raise UserError(
            f"{file}: label {label} is no class of {dataset.key} "
            f"({', '.join(f'{number} {key}' for number, key in keys.items())}); {_DAMAGED}"
        )
    if not patient:
        raise UserError(f"{file}: names no patient (cjdata/PID is empty); {_DAMAGED}")
    height, width = values.shape
    image = Image.fromarray(stretch_to_eight_bits(file, values)).convert("RGB")
    return Sample(Decoded(image, width, height, hashlib.sha256(content).hexdigest()), keys[label], patient)
