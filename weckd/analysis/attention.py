"""What the attention maps of the chain's models say: read, checked, and tested along the chain."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weckd.analysis.contrasts import Result, mean_result
from weckd.analysis.inference.reader_study import two_way
from weckd.analysis.metrics.scored import weighted_sum
from weckd.analysis.metrics.scores import mean_score
from weckd.config import Suite
from weckd.errors import UserError, named
from weckd.files import refuse_changed, sums_of
from weckd.places import MACRO, independent, is_phantom

REMEDY = "delete the file and run the suite again"
TOLERANCE = 1e-5  # of float32 numbers between 0 and 1

Quantity = Literal["sharpness", "agreement"]
"""How concentrated a map is, 0 to 1; the cosine of a map with that of the model before, 0 to 1."""
QUANTITIES: tuple[Quantity, ...] = ("sharpness", "agreement")

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
    numbers: Mapping[Quantity, NDArray[np.float64]]  # (k, N, n); agreement is NaN for the first model
    examples: Examples | None  # None where the records hold no images

    def missing(self, quantity: Quantity, model: int) -> tuple[str, ...]:
        """Return by name the diverged models that keep a quantity of a model (1 .. N) from being known."""
        needed = (model - 1, model) if quantity == "agreement" else (model,)
        return tuple(name for number in needed for name in self._diverged(number))

    def _diverged(self, model: int) -> tuple[str, ...]:
        seeds = [seed for seed, gone in zip(self.seeds, self.diverged[:, model - 1], strict=True) if gone]
        if not seeds:
            return ()
        return (f"{self.dataset} {named('seed', seeds)} {self.method} stage {model} diverged",)


@dataclass(frozen=True)
class Term:
    """A quantity of one model (1 .. N) and its weight in a contrast."""

    weight: float
    quantity: Quantity
    model: int


def load_attention(suite: Suite, folder: Path) -> dict[str, AttentionMaps]:
    """Read `folder/<dataset>.npz` (see `weckd.training.attention_maps`) of every data set of the suite that has one.

    A file may lack all of its examples, where images may not be passed on.

    Raises:
        UserError: a file is edited or damaged, or is not of this suite; the message says what to do.
    """
    files = {key: folder / f"{key}.npz" for key in suite.datasets}
    return {key: _load(suite, key, file) for key, file in files.items() if file.exists()}


def has_chain(suite: Suite) -> bool:
    """Say whether the suite has a chain, whose models can be looked at."""
    return "chain" in (suite.roles[method] for method in suite.methods)


def evaluate_attention(
    suite: Suite, maps: Mapping[str, AttentionMaps], contrast: Sequence[Term]
) -> dict[str, Result]:
    """Return the study of a contrast on every data set of the suite and on their mean, or what is missing for it."""
    results = {key: _evaluate(key, maps.get(key), contrast) for key in suite.datasets}
    return {**results, MACRO: mean_result(independent(suite), results)}


def attention_frame(suite: Suite, maps: Mapping[str, AttentionMaps]) -> pd.DataFrame:
    """Return the long frame of a CSV: the means over test images, a row a data set, seed and stage."""
    rows = [
        _row(suite, maps.get(key), key, position, stage)
        for key in (suite.datasets if has_chain(suite) else ())
        for position in range(len(suite.seeds))
        for stage in range(1, suite.chain_length + 1)
    ]
    sizes = ["n_images", "n_groups", "missing"]
    columns = ["suite", "phantom", "dataset", "seed", "stage", *QUANTITIES, *sizes, "plan_hash"]
    return pd.DataFrame(rows, columns=columns)


def _row(
    suite: Suite, maps: AttentionMaps | None, dataset: str, position: int, stage: int
) -> tuple[object, ...]:
    of = (suite.run, is_phantom(suite, dataset), dataset, suite.seeds[position], stage)
    if maps is None:
        return (*of, float("nan"), float("nan"), pd.NA, pd.NA, "attention maps", suite.plan_hash)
    means = (float(maps.numbers[name][position, stage - 1].mean()) for name in QUANTITIES)
    gone = "diverged" if maps.diverged[position, stage - 1] else ""
    return (*of, *means, len(maps.groups), int(maps.groups.max()) + 1, gone, suite.plan_hash)


def _evaluate(dataset: str, maps: AttentionMaps | None, contrast: Sequence[Term]) -> Result:
    if maps is None:
        return Result(None, (f"{dataset} attention maps",))
    missing = {name: None for term in contrast for name in maps.missing(term.quantity, term.model)}
    if missing:
        return Result(None, tuple(missing))
    terms = [
        (term.weight, mean_score(maps.numbers[term.quantity][:, term.model - 1], maps.groups))
        for term in contrast
    ]
    return Result(two_way(weighted_sum(terms)))


def _load(suite: Suite, dataset: str, file: Path) -> AttentionMaps:
    refuse_changed(file, sums_of(file))
    arrays = _read(file)
    for name, expected in (("dataset", dataset), ("seeds", list(suite.seeds))):
        if arrays[name].tolist() != expected:
            raise UserError(f"{file}: {name} is {arrays[name].tolist()}, must be {expected}; {REMEDY}")
    _check_shapes(file, arrays, suite.chain_length)
    _check_numbers(file, arrays, len(suite.facts[dataset].classes))
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


def _read(file: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file, with all its examples or none."""
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays = dict(opened)
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as problem:
        raise UserError(f"{file}: not a readable file of attention maps ({problem}); {REMEDY}") from problem
    expected = [*_ARRAYS, *(_EXAMPLES if arrays.keys() & _EXAMPLES.keys() else ())]
    for name in expected:
        if name not in arrays:
            raise UserError(f"{file}: holds no {name}; {REMEDY}")
    return arrays


def _check_shapes(file: Path, arrays: Mapping[str, NDArray[Any]], models: int) -> None:
    sizes = {"N": models, "2": 2, "3": 3}  # of axes; the others are those of the first array that has them
    for name, (kind, axes) in {**_ARRAYS, **_EXAMPLES}.items():
        if name not in arrays:
            continue
        array = arrays[name]
        shape = tuple(sizes.get(axis, size) for axis, size in zip(axes, array.shape, strict=False))
        if array.dtype.kind != kind or array.ndim != len(axes) or array.shape != shape or 0 in shape:
            wanted = ", ".join(str(sizes.get(axis, axis)) for axis in axes)
            raise UserError(
                f"{file}: {name} is {array.dtype} {array.shape}, must be of kind {kind} and ({wanted}); {REMEDY}"
            )
        sizes |= dict(zip(axes, array.shape, strict=True))
        if name == "map_size":
            sizes |= dict(zip("hw", array.tolist(), strict=True))


def _check_numbers(file: Path, arrays: Mapping[str, NDArray[Any]], classes: int) -> None:
    """Refuse labels that no class has, numbers outside 0 to 1, and gaps where no model diverged."""
    gone = arrays["diverged"]
    pairs = np.concatenate([np.ones_like(gone[:, :1]), gone[:, 1:] | gone[:, :-1]], axis=1)
    for name, undefined in (("sharpness", gone), ("agreement", pairs)):
        values = arrays[name]
        outside = (values < -TOLERANCE) | (values > 1 + TOLERANCE)  # False where NaN
        if outside.any() or (np.isnan(values) != undefined[:, :, None]).any():
            raise UserError(f"{file}: {name} is not between 0 and 1 wherever no model diverged; {REMEDY}")
    outside = (arrays["y"] < 0) | (arrays["y"] >= classes)
    if outside.any():
        raise UserError(f"{file}: y = {arrays['y'][outside][0]} is outside 0..{classes - 1}; {REMEDY}")
    rows = arrays.get("example_rows", np.zeros(0))
    if ((rows < 0) | (rows >= len(arrays["y"]))).any():
        raise UserError(f"{file}: example_rows names an image that is not there; {REMEDY}")
