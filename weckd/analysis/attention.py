"""What the attention maps of the chain's models say: read, checked, and tested along the chain."""

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weckd.analysis.contrasts import Contrast, Result, combined, mean_result
from weckd.analysis.metrics.scores import mean_score
from weckd.config import Suite
from weckd.errors import UserError, named
from weckd.files import refuse_changed, sums_of
from weckd.places import independent, is_phantom, overall
from weckd.run_files import RunFiles

REMEDY = "delete the file and run the suite again"
TOLERANCE = 1e-5  # of float32 numbers between 0 and 1

QUANTITIES = ("sharpness", "agreement")
"""How concentrated a map is, 0 to 1; the cosine of a map with that of the model before, 0 to 1."""

# The kind of each array's type and its axes: k seeds, N models, n test images, e examples.
_ARRAYS = {
    "dataset": ("U", ""),
    "method": ("U", ""),
    "seeds": ("i", "k"),
    "image_ids": ("U", "n"),
    "group_ids": ("U", "n"),
    "y": ("i", "n"),
    "map_size": ("i", "2"),
    "diverged": ("b", "kN"),
    "sharpness": ("f", "kNn"),
    "agreement": ("f", "kNn"),
}
_EXAMPLES = {"example_rows": ("i", "e"), "example_images": ("u", "eHW3"), "example_maps": ("f", "Nehw")}


@dataclass(frozen=True)
class Examples:
    """Test images and what the first seed's models attend to in them."""

    labels: NDArray[np.int64]  # (e,)
    images: NDArray[np.uint8]  # (e, H, W, 3)
    maps: NDArray[np.float32]  # (N, e, h, w); NaN for a model that diverged


@dataclass(frozen=True)
class AttentionMaps:
    """What the maps of N models say of one data set's n test images in G groups, with k seeds."""

    dataset: str
    method: str  # whose models they are
    seeds: tuple[int, ...]
    groups: NDArray[np.int64]  # (n,), 0..G-1
    map_size: tuple[int, int]
    diverged: NDArray[np.bool_]  # (k, N)
    numbers: Mapping[str, NDArray[np.float64]]  # (k, N, n); agreement is NaN for the first model
    examples: Examples | None  # None where the records hold no images

    def missing(self, quantity: str, model: int) -> tuple[str, ...]:
        """Return by name the diverged models that keep a quantity of a model (1 .. N) from being known."""
        needed = (model - 1, model) if quantity == "agreement" else (model,)
        gone = {
            number: [x for x, lost in zip(self.seeds, self.diverged[:, number - 1], strict=True) if lost]
            for number in needed
        }
        return tuple(
            f"{self.dataset} {named('seed', seeds)} {self.method} stage {number} diverged"
            for number, seeds in gone.items()
            if seeds
        )


def load_attention(suite: Suite, run: RunFiles) -> dict[str, AttentionMaps]:
    """Read the maps of every data set of the suite that has a file of them (see `weckd.training.attention_maps`).

    A file may lack all of its examples, where images may not be passed on.

    Raises:
        UserError: a file is edited or damaged, or is not of this suite; the message says what to do.
    """
    files = {key: run.attention(key) for key in suite.datasets}
    return {key: _load(suite, key, file) for key, file in files.items() if file.exists()}


def has_chain(suite: Suite) -> bool:
    """Say whether the suite has a chain, whose models can be looked at."""
    return "chain" in (suite.roles[method] for method in suite.methods)


def evaluate_attention(
    suite: Suite, maps: Mapping[str, AttentionMaps], contrast: Contrast
) -> dict[str, Result]:
    """Return the study of a contrast on every data set of the suite and on their mean, or what is missing for it.

    Its terms name a quantity in place of a method, and a model in place of a stage.
    """
    results = {
        key: _evaluate(maps[key], contrast) if key in maps else Result(None, (f"{key} attention maps",))
        for key in suite.datasets
    }
    return {**results, overall(suite): mean_result(independent(suite), results)}


def _evaluate(maps: AttentionMaps, contrast: Contrast) -> Result:
    return combined(
        contrast,
        lambda term: maps.missing(term.method, term.stage),
        lambda term: mean_score(maps.numbers[term.method][:, term.stage - 1], maps.groups),
    )


def attention_frame(suite: Suite, maps: Mapping[str, AttentionMaps]) -> pd.DataFrame:
    """Return the long frame of a CSV: the means over test images, a row a data set, seed and stage."""
    rows: list[tuple[object, ...]] = []
    cells = product(suite.datasets, enumerate(suite.seeds), range(suite.chain_length))
    for key, (position, seed), model in cells if has_chain(suite) else ():
        found, of = maps.get(key), (suite.run, is_phantom(suite, key), key, seed, model + 1)
        numbers: tuple[object, ...] = (*[float("nan")] * len(QUANTITIES), pd.NA, pd.NA, "attention maps")
        if found:
            shown = (float(found.numbers[name][position, model].mean()) for name in QUANTITIES)
            gone = "diverged" if found.diverged[position, model] else ""
            numbers = (*shown, len(found.groups), int(found.groups.max()) + 1, gone)
        rows.append((*of, *numbers, suite.plan_hash))
    sizes = ["n_images", "n_groups", "missing"]
    columns = ["suite", "phantom", "dataset", "seed", "stage", *QUANTITIES, *sizes, "plan_hash"]
    return pd.DataFrame(rows, columns=columns)


def _load(suite: Suite, dataset: str, file: Path) -> AttentionMaps:
    refuse_changed(file, sums_of(file))
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays = dict(opened)
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as problem:
        raise UserError(f"{file}: not a readable file of attention maps ({problem}); {REMEDY}") from problem
    for wrong in _wrong(suite, dataset, arrays):
        raise UserError(f"{file}: {wrong}; {REMEDY}")
    examples = None
    if "example_rows" in arrays:
        labels = arrays["y"][arrays["example_rows"]]
        examples = Examples(labels, arrays["example_images"], arrays["example_maps"])
    return AttentionMaps(
        dataset=dataset,
        method=str(arrays["method"]),
        seeds=suite.seeds,
        groups=np.unique(arrays["group_ids"], return_inverse=True)[1],
        map_size=(int(arrays["map_size"][0]), int(arrays["map_size"][1])),
        diverged=arrays["diverged"],
        numbers={name: arrays[name].astype(np.float64) for name in QUANTITIES},
        examples=examples,
    )


def _wrong(suite: Suite, dataset: str, arrays: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """Yield what is wrong with a file: arrays that are missing (of its examples it has all or none), or not of the
    suite; types and shapes; labels that no class has, numbers outside 0 to 1, and gaps where no model diverged.
    """
    known = {**_ARRAYS, **(_EXAMPLES if arrays.keys() & _EXAMPLES.keys() else {})}
    for name in known:
        if name not in arrays:
            yield f"holds no {name}"
    for name, expected in (("dataset", dataset), ("seeds", list(suite.seeds))):
        if arrays[name].tolist() != expected:
            yield f"{name} is {arrays[name].tolist()}, must be {expected}"
    sizes = {
        "N": suite.chain_length,
        "2": 2,
        "3": 3,
    }  # of axes; the others are those of the first array with them
    for name, (kind, axes) in known.items():
        array = arrays[name]
        shape = tuple(sizes.get(axis, size) for axis, size in zip(axes, array.shape, strict=False))
        if array.dtype.kind != kind or array.ndim != len(axes) or array.shape != shape or 0 in shape:
            wanted = ", ".join(str(sizes.get(axis, axis)) for axis in axes)
            yield f"{name} is {array.dtype} {array.shape}, must be of kind {kind} and ({wanted})"
        sizes |= dict(zip(axes, array.shape, strict=True))
        if name == "map_size":
            sizes |= dict(zip("hw", array.tolist(), strict=True))
    gone, classes = arrays["diverged"], len(suite.facts[dataset].classes)
    pairs = np.concatenate([np.ones_like(gone[:, :1]), gone[:, 1:] | gone[:, :-1]], axis=1)
    for name, undefined in (("sharpness", gone), ("agreement", pairs)):
        values = arrays[name]
        outside = (values < -TOLERANCE) | (values > 1 + TOLERANCE)  # False where NaN
        if outside.any() or (np.isnan(values) != undefined[:, :, None]).any():
            yield f"{name} is not between 0 and 1 wherever no model diverged"
    for label in arrays["y"][(arrays["y"] < 0) | (arrays["y"] >= classes)]:
        yield f"y = {label} is outside 0..{classes - 1}"
    rows = arrays.get("example_rows", np.zeros(0))
    if ((rows < 0) | (rows >= len(arrays["y"]))).any():
        yield "example_rows names an image that is not there"
