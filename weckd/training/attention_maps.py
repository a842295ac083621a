"""Where the models of a finished chain look: their attention maps of the same test images, and what these say.

The maps are those that attention transfer compares (Zagoruyko and Komodakis 2017, see
`weckd.training.objectives.distillation`), of the deepest feature stage that it compares.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import entr
from torch import Tensor

from weckd.config import Suite
from weckd.data.splits import written_split
from weckd.errors import UserError
from weckd.files import sums_of, whole_file, write_sums
from weckd.manifests import read_manifest
from weckd.methods.catalogue import suite_methods
from weckd.methods.fits import Fit
from weckd.run_files import RunFiles
from weckd.training.batches import CellData, cell_data, load_prepared, outputs
from weckd.training.networks import (
    Backbone,
    Networks,
    build_backbone,
    map_sizes,
    suite_networks,
    tensors,
)
from weckd.training.objectives.distillation import attention_energy
from weckd.training.store import StoredFit, named_fit

EXAMPLES = 6
"""Test images at most whose maps are kept to be looked at."""
_OF_AN_IMAGE = ["image_id", "group_id", "y"]


def write_attention_maps(suite: Suite, run: RunFiles, dataset: str) -> None:
    """Run the chain's models of every seed over a data set's test images, as they are; write what their maps say.

    The file is a compressed .npz without pickles, the same bytes for the same fits. With k seeds, N models, n test
    images in the order of the split files, and e of them as examples:

        dataset, method         text
        seeds                   int64 (k,)
        image_ids, group_ids    text (n,)
        y                       int64 (n,)
        map_size                int64 (2,): height and width of the maps
        diverged                bool (k, N): models without finite maps; all their numbers are NaN
        sharpness               float32 (k, N, n), see `sharpness`
        agreement               float32 (k, N, n), see `agreement`, with the model before; NaN for the first
        example_rows            int64 (e,): the first test image of each class, at most `EXAMPLES`
        example_images          uint8 (e, H, W, 3), as prepared
        example_maps            float32 (N, e, h, w): of the first seed, each of L2 norm 1

    Read are prepared images, splits, stored fits and the manifests that name them; a sum is written beside the file.

    Raises:
        UserError: the suite has no chain, a split is not what was written, a manifest lacks its seed, or the store a
            model's weights; the test images differ between seeds; the images are too small for attention maps.
    """
    chain = next((method for method in suite_methods(suite) if method.role == "chain"), None)
    if chain is None:
        raise UserError(f"suite {suite.run}: has no chain to look at; add weckd to its methods")
    models = chain.fits()  # M1, M2, ..: each stage of the chain is one fit
    split_of = {seed: written_split(run.split(dataset, seed)) for seed in suite.seeds}
    stored = {seed: _stored_models(suite, run, dataset, chain.name, seed) for seed in suite.seeds}
    networks = suite_networks(suite, dataset)
    images = load_prepared(dataset, run.prepared(suite, dataset), networks.device)
    plain, stage = build_backbone(suite.backbone.name, networks.classes), networks.attention(models[0])[-1]
    size = map_sizes(plain, suite.image_size)[stage]
    first = suite.seeds[0]
    tests = {seed: split[split["part"] == "test"] for seed, split in split_of.items()}
    test, n = tests[first], len(tests[first])
    shape = (len(stored), len(models), n)
    found = {name: np.full(shape, np.nan, dtype=np.float32) for name in ("sharpness", "agreement")}
    diverged = np.zeros(shape[:2], dtype=np.bool_)
    examples = np.unique(test["y"], return_index=True)[1][:EXAMPLES].astype(np.int64)
    for number, (seed, split) in enumerate(split_of.items()):
        if not np.array_equal(test[_OF_AN_IMAGE].to_numpy(), tests[seed][_OF_AN_IMAGE].to_numpy()):
            raise UserError(
                f"{run.splits(dataset)}: the test images of seed{seed}.csv differ from those of seed{first}.csv; all "
                "seeds share one test set; delete both files and run again"
            )
        data = cell_data(images, seed, split, networks.classes)
        maps = _maps(models, stored[seed], networks, data, size)
        diverged[number] = np.isnan(maps).any(axis=(1, 2, 3))
        found["sharpness"][number] = sharpness(maps)
        found["agreement"][number, 1:] = agreement(maps[1:], maps[:-1])
        if seed == first:
            rows = torch.as_tensor(data.parts["test"][examples], device=networks.device)
            shown = data.images[rows].cpu().numpy()
            shown_maps = unit_maps(maps[:, examples]).astype(np.float32)
    arrays: dict[str, NDArray[Any]] = {
        "dataset": np.array(dataset),
        "method": np.array(chain.name),
        "seeds": np.array(suite.seeds, dtype=np.int64),
        "image_ids": test["image_id"].to_numpy(dtype=np.str_),
        "group_ids": test["group_id"].to_numpy(dtype=np.str_),
        "y": test["y"].to_numpy(dtype=np.int64),
        "map_size": np.array(size, dtype=np.int64),
        "diverged": diverged,
        **found,
        "example_rows": examples,
        "example_images": shown,
        "example_maps": shown_maps,
    }
    out = run.attention(dataset)
    with whole_file(out) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    write_sums(sums_of(out), [out])


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


def _maps(
    models: Sequence[Fit],
    stored: Sequence[StoredFit],
    networks: Networks,
    data: CellData,
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Return maps (N, n, h, w) of a seed's test images; a model that diverged, or whose maps do, has none."""
    rows = data.parts["test"]
    maps = np.full((len(models), len(rows), *size), np.nan, dtype=np.float32)
    for of_model, fit, found in zip(maps, models, stored, strict=True):
        if not found.diverged:
            (network,) = networks.teachers([fit], [tensors(found.weights())])
            seen = (
                outputs(partial(_energy, network, networks.attention(fit)[-1]), data.images, rows)
                .cpu()
                .numpy()
            )
            of_model[:] = seen if np.isfinite(seen).all() else np.nan
    return maps


def _energy(network: Backbone, stage: int, images: Tensor) -> Tensor:
    """Return attention maps (B, h, w) of one feature stage, of images (B, 3, H, W) in [0, 1]."""
    _, (features,) = network.with_features(images, [stage])
    return attention_energy(features)


def _stored_models(suite: Suite, run: RunFiles, dataset: str, method: str, seed: int) -> list[StoredFit]:
    """Return the models of a method, as the manifest of a seed names them."""
    manifest = run.manifest_of(suite, dataset, seed)
    cell = read_manifest(manifest).get(seed)
    if cell is None or method not in cell.methods:
        raise UserError(f"{manifest}: no {method} of seed {seed}; delete it to have it made again")
    return [
        named_fit(run.store, dataset, member["fit"], manifest, with_weights=True)
        for members in cell.methods[method].stages
        for member in members
    ]
