"""MATLAB v7.3 files, one a slice: `cjdata/{image,label,PID}`, image int16 of a range of its own."""

import functools
import hashlib
import io
import itertools
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weckd.data.catalogue import Dataset
from weckd.data.decode import PIXEL_LIMIT, Decoded, read_file, refuse_too_large, stretch_to_eight_bits
from weckd.data.file_kinds import recognised
from weckd.data.layouts import Listing, Sample, Source, slices
from weckd.data.layouts.class_folders import natural, writable_name
from weckd.errors import BadImageError, UserError

_DAMAGED = "replace the file by an intact copy"
_EXPECTED = {"image": "a grey image of numbers", "label": "a number", "PID": "the codes of a text"}


def list_matlab(dataset: Dataset, folder: Path) -> Listing:
    """Return the slices in natural order of their files' names; class and patient are in the files themselves.

    Raises:
        UserError: the folder holds no such file, two of one name, or a name that cannot be kept.
    """
    files = sorted(slices(folder), key=lambda file: (natural(file), file))
    if not files:
        raise UserError(
            f"{folder}: holds no .mat file whose name is a number; unpack those of {dataset.source} there"
        )
    for file in files:
        writable_name(file)
    for first, second in itertools.pairwise(files):
        if first.name == second.name:
            raise UserError(f"{second}: holds the same slice as {first}; remove one of them")
    sources = [
        Source(file.relative_to(folder).as_posix(), "", "", functools.partial(_read, dataset, file))
        for file in files
    ]
    return Listing(len(sources), None, iter(sources))


def _read(dataset: Dataset, file: Path) -> Sample:
    content = read_file(file)
    try:
        with h5py.File(io.BytesIO(content), "r") as opened:
            # MATLAB writes by columns, so an array's axes are read in reverse.
            values = _array(file, opened, "image", "iufb").T
            number = _array(file, opened, "label", "iuf").astype(float)
            codes = _array(file, opened, "PID", "iu")
    except (UserError, MemoryError):
        raise
    except KeyError as problem:
        raise BadImageError(file, f"lacks an entry of cjdata ({problem.args[0]})", _DAMAGED) from problem
    except Exception as problem:  # h5py's kinds on damaged files are many
        what, remedy = recognised(content) or (f"not a readable MATLAB v7.3 file ({problem})", _DAMAGED)
        raise BadImageError(file, what, remedy) from problem
    if values.ndim != 2 or 0 in values.shape:
        raise BadImageError(file, f"cjdata/image has the shape {values.shape}, not (height, width)", _DAMAGED)
    height, width = values.shape
    refuse_too_large(file, width, height)
    if number.size != 1 or not number.item().is_integer():
        told = f"cjdata/label is {number.ravel()[:9].tolist()}, not one whole number"
        raise BadImageError(file, told, _DAMAGED)
    label, keys = int(number.item()), {entry.label: entry.key for entry in dataset.classes}
    if label not in keys:
        known = ", ".join(f"{number} {key}" for number, key in keys.items())
        raise UserError(f"{file}: label {label} is no class of {dataset.key} ({known}); {_DAMAGED}")
    patient = codes.astype("<u2").tobytes().decode("utf-16-le", "replace").strip("\0 ")
    if not patient:
        raise UserError(f"{file}: names no patient (cjdata/PID is empty); {_DAMAGED}")
    if any(sign in patient for sign in "\r\ufffd"):
        raise BadImageError(file, f"cjdata/PID is {patient!a}, which is no text", _DAMAGED)
    image = Image.fromarray(stretch_to_eight_bits(file, values)).convert("RGB")
    return Sample(Decoded(image, width, height, hashlib.sha256(content).hexdigest()), keys[label], patient)


def _array(file: Path, opened: h5py.File, name: str, kinds: str) -> NDArray[Any]:
    """Return an entry of `cjdata` that lies in this file: HDF5 can take an array from any other, and from devices."""
    entry = opened[f"cjdata/{name}"]
    if not isinstance(entry, h5py.Dataset) or entry.external or entry.is_virtual:
        raise BadImageError(file, f"cjdata/{name} is no array of this file", _DAMAGED)
    if entry.dtype.kind not in kinds or entry.size is None or entry.size > PIXEL_LIMIT:
        told = f"cjdata/{name} is {entry.dtype} {entry.shape}, not {_EXPECTED[name]}"
        raise BadImageError(file, told, _DAMAGED)
    return np.asarray(entry)
