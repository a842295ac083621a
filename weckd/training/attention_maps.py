"""Where the models of a finished chain look: their attention maps of the same test images, and what these say.

The maps are those that attention transfer compares (Zagoruyko and Komodakis 2017, see
`weckd.training.objectives.distillation`), of the deepest feature stage that it compares.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import entr
from torch import Tensor

from weckd.methods.fits import Fit, Method
from weckd.training.attention_file import Arrays
from weckd.training.batches import outputs
from weckd.training.networks import Backbone, build_backbone, map_sizes, tensors
from weckd.training.objectives.distillation import attention_energy
from weckd.training.optimisation import Cell
from weckd.training.store import StoredFit

EXAMPLES = 6
"""Test images at most whose maps are kept to be looked at."""


def cell_attention(chain: Method, stored: Mapping[Fit, StoredFit], cell: Cell, split: pd.DataFrame) -> Arrays:
    """Run the chain's models of one seed over its test images, as they are; return what their maps say.

    The arrays are those of `weckd.training.attention_file.write_attention`, of this seed alone.

    Raises:
        UserError: the images are too small for attention maps.
    """
    data, models = cell.data, chain.fits()  # M1, M2, ..: each stage of the chain is one fit
    test = split[split["part"] == "test"]
    maps = _maps(stored, models, cell)
    y = test["y"].to_numpy(dtype=np.int64)
    examples = np.unique(y, return_index=True)[1][:EXAMPLES].astype(np.int64)
    rows = torch.as_tensor(data.parts["test"][examples], device=data.images.device)
    agreements = np.full(maps.shape[:2], np.nan)
    agreements[1:] = agreement(maps[1:], maps[:-1])
    return {
        "dataset": np.array(data.dataset),
        "method": np.array(chain.name),
        "seeds": np.array([data.seed], dtype=np.int64),
        "image_ids": test["image_id"].to_numpy(dtype=np.str_),
        "group_ids": test["group_id"].to_numpy(dtype=np.str_),
        "y": y,
        "map_size": np.array(maps.shape[2:], dtype=np.int64),
        "diverged": np.array([np.isnan(of_model).any() for of_model in maps])[None],
        "sharpness": sharpness(maps).astype(np.float32)[None],
        "agreement": agreements.astype(np.float32)[None],
        "example_rows": examples,
        "example_images": data.images[rows].cpu().numpy(),
        "example_maps": unit_maps(maps[:, examples]).astype(np.float32),
    }


def sharpness(maps: NDArray[Any]) -> NDArray[np.float64]:
    """Return one minus the normalised entropy of maps (..., h, w), read as distributions over their positions.

    With p = map / sum(map): 1 + sum(p log p) / log(h w), from 0 (flat) to 1 (one point). A map that is zero everywhere
    is flat.
    """
    flat = maps.reshape(*maps.shape[:-2], -1).astype(np.float64)
    total = flat.sum(axis=-1, keepdims=True)
    shares = np.divide(flat, total, out=np.full_like(flat, 1 / flat.shape[-1]), where=total != 0)
    found: NDArray[np.float64] = 1 - entr(shares).sum(axis=-1) / np.log(flat.shape[-1])
    return found


def agreement(maps: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    """Return the cosine of the angle between maps (..., h, w) and others; they are not negative, so it is 0 to 1.

    Of the L2-normalised maps Q that attention transfer compares, || Q - Q' ||^2 = 2 - 2 cosine. A map that is zero
    everywhere agrees with none.
    """
    found: NDArray[np.float64] = (unit_maps(maps) * unit_maps(others)).sum(axis=(-2, -1))
    return found


def unit_maps(maps: NDArray[Any]) -> NDArray[np.float64]:
    """Return maps (..., h, w) of L2 norm 1; a map that is zero everywhere stays so."""
    values = maps.astype(np.float64)
    norms = np.sqrt((values**2).sum(axis=(-2, -1), keepdims=True))
    found: NDArray[np.float64] = np.divide(values, norms, out=np.zeros_like(values), where=norms != 0)
    return found


def _maps(stored: Mapping[Fit, StoredFit], models: Sequence[Fit], cell: Cell) -> NDArray[np.float32]:
    """Return maps (N, n, h, w) of a seed's test images; a model that diverged, or whose maps do, has none."""
    data, networks = cell.data, cell.networks
    rows, stages = data.parts["test"], [networks.attention(fit)[-1] for fit in models]
    seen: dict[int, NDArray[np.float32]] = {}
    for number, (fit, stage) in enumerate(zip(models, stages, strict=True)):
        if not stored[fit].diverged:
            (network,) = networks.teachers([fit], [tensors(stored[fit].weights())])
            seen[number] = outputs(partial(_energy, network, stage), data.images, rows).cpu().numpy()
    size = next((found.shape[1:] for found in seen.values()), None)
    if size is None:
        plain = build_backbone(networks.settings(models[0]).name, data.classes)
        size = map_sizes(plain, networks.image_size)[stages[0]]
    maps = np.full((len(models), len(rows), *size), np.nan, dtype=np.float32)
    for number, found in seen.items():
        if np.isfinite(found).all():
            maps[number] = found
    return maps


def _energy(network: Backbone, stage: int, images: Tensor) -> Tensor:
    """Return attention maps (B, h, w) of one feature stage, of images (B, 3, H, W) in [0, 1]."""
    _, (features,) = network.with_features(images, [stage])
    return attention_energy(features)
