"""Where the models of a finished chain look: their attention maps of the same test images, and what these say.

The maps are those that attention transfer compares (Zagoruyko and Komodakis 2017, see
`weckd.training.objectives.distillation`), of the deepest feature stage that it compares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import entr
from torch import Tensor, nn

from weckd.config import Suite
from weckd.data.splits import written_split
from weckd.errors import UserError
from weckd.files import sums_of, whole_file, write_sums
from weckd.manifests import read_manifest
from weckd.methods.catalogue import suite_methods
from weckd.methods.fits import Fit, Method
from weckd.run_files import RunFiles
from weckd.training.batches import CellData, cell_data, image_logits, load_prepared
from weckd.training.networks import Backbone, Networks, build_backbone, prepare_device, suite_networks
from weckd.training.objectives.distillation import attention_energy
from weckd.training.store import StoredFit, named_fit

EXAMPLES = 6
"""Test images at most whose maps are kept to be looked at."""


@dataclass(frozen=True)
class _Seed:
    """What one seed's models say of the test images, and the examples."""

    test: pd.DataFrame  # rows of the split file
    diverged: NDArray[np.bool_]  # (N,)
    sharpness: NDArray[np.float64]  # (N, n)
    agreement: NDArray[np.float64]  # (N, n)
    example_rows: NDArray[np.int64]  # (e,)
    example_images: NDArray[np.uint8]  # (e, H, W, 3)
    example_maps: NDArray[np.float64]  # (N, e, h, w)


def write_attention_maps(
    suite: Suite,
    run: RunFiles,
    dataset: str,
) -> None:
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

    Args:
        suite: the run's settings.
        run: its files: prepared images, splits, stored fits and the manifests that name them are read; the maps, and
            their sum beside them, are written.
        dataset: key of the data set.

    Raises:
        UserError: the suite has no chain, a split is not what was written, a manifest lacks its seed, or the store a
            model's weights; the test images differ between seeds; the images are too small for attention maps.
    """
    chain = _chain(suite)
    split_of = {seed: written_split(run.split(dataset, seed)) for seed in suite.seeds}
    stored = _stored_models(suite, run, dataset, chain.name)
    networks = suite_networks(suite, dataset, prepare_device())
    images = load_prepared(dataset, run.prepared(suite, dataset), networks.device)
    size = _map_size(_models(chain)[0], networks)
    seeds: list[_Seed] = []
    for seed in suite.seeds:
        data = cell_data(images, seed, split_of[seed], networks.classes)
        seeds.append(_look(chain, stored[seed], networks, data, split_of[seed], size))
        _refuse_other_images(run.splits(dataset), suite.seeds[0], seeds[0].test, seed, seeds[-1].test)
    first = seeds[0]
    arrays: dict[str, NDArray[Any]] = {
        "dataset": np.array(dataset),
        "method": np.array(chain.name),
        "seeds": np.array(suite.seeds, dtype=np.int64),
        "image_ids": first.test["image_id"].to_numpy(dtype=np.str_),
        "group_ids": first.test["group_id"].to_numpy(dtype=np.str_),
        "y": first.test["y"].to_numpy(dtype=np.int64),
        "map_size": np.array(size, dtype=np.int64),
        "diverged": np.stack([seed.diverged for seed in seeds]),
        "sharpness": np.stack([seed.sharpness for seed in seeds]).astype(np.float32),
        "agreement": np.stack([seed.agreement for seed in seeds]).astype(np.float32),
        "example_rows": first.example_rows,
        "example_images": first.example_images,
        "example_maps": first.example_maps.astype(np.float32),
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


class _AttentionMap(nn.Module):
    """A network of which only the attention map of one feature stage is asked for."""

    def __init__(self, network: Backbone, stage: int) -> None:
        super().__init__()
        self.network, self.stage = network, stage

    def forward(self, images: Tensor) -> Tensor:
        """Return maps (B, h, w) of images (B, 3, H, W) in [0, 1]."""
        _, (features,) = self.network.with_features(images, [self.stage])
        return attention_energy(features)


def _look(
    chain: Method,
    stored: Sequence[StoredFit],
    networks: Networks,
    data: CellData,
    split: pd.DataFrame,
    size: tuple[int, int],
) -> _Seed:
    """Return what a seed's models say of its test images; a model that diverged says nothing."""
    rows = data.parts["test"]
    test = split.iloc[rows]
    maps = np.full((len(stored), len(rows), *size), np.nan, dtype=np.float32)
    for number, (fit, found) in enumerate(zip(_models(chain), stored, strict=True)):
        if not found.diverged:
            maps[number] = _maps(fit, found, networks, data, rows)
    diverged = np.array([not np.isfinite(of_model).all() for of_model in maps])
    maps[diverged] = np.nan
    examples = np.unique(test["y"], return_index=True)[1][:EXAMPLES]
    return _Seed(
        test=test,
        diverged=diverged,
        sharpness=sharpness(maps),
        agreement=np.concatenate([np.full((1, len(rows)), np.nan), agreement(maps[1:], maps[:-1])]),
        example_rows=examples.astype(np.int64),
        example_images=data.images[torch.from_numpy(rows[examples]).to(data.images.device)].cpu().numpy(),
        example_maps=unit_maps(maps[:, examples]),
    )


def _maps(
    fit: Fit, stored: StoredFit, networks: Networks, data: CellData, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    state = {key: torch.from_numpy(value) for key, value in stored.weights().items()}
    (network,) = networks.teachers([fit], [state])
    module = _AttentionMap(network, networks.attention(fit)[-1])
    found: NDArray[np.float32] = (
        image_logits(module, data.images, torch.from_numpy(rows).to(data.images.device)).cpu().numpy()
    )
    return found


def _map_size(fit: Fit, networks: Networks) -> tuple[int, int]:
    """Return the size of the maps, which is the same whatever a network's weights are."""
    network = Backbone(build_backbone(networks.settings(fit).name, networks.classes)).eval()
    module = _AttentionMap(network, networks.attention(fit)[-1])
    with torch.inference_mode():
        shape = module(torch.zeros(1, 3, networks.image_size, networks.image_size)).shape
    return int(shape[1]), int(shape[2])


def _chain(suite: Suite) -> Method:
    chains = [method for method in suite_methods(suite) if method.role == "chain"]
    if not chains:
        raise UserError(f"suite {suite.run}: has no chain to look at; add weckd to its methods")
    return chains[0]


def _models(chain: Method) -> list[Fit]:
    """Return M1, M2, ...: each stage of the chain is one fit."""
    return [member for members in chain.stages for member in members if isinstance(member, Fit)]


def _stored_models(suite: Suite, run: RunFiles, dataset: str, method: str) -> dict[int, list[StoredFit]]:
    """Return the models of a method under each seed, as the manifests name them."""
    found: dict[int, list[StoredFit]] = {}
    for seed in suite.seeds:
        manifest = run.manifest_of(suite, dataset, seed)
        cell = read_manifest(manifest).get(seed)
        if cell is None or method not in cell.methods:
            raise UserError(f"{manifest}: no {method} of seed {seed}; delete it to have it made again")
        found[seed] = [
            named_fit(run.store, dataset, member["fit"], manifest, with_weights=True)
            for members in cell.methods[method].stages
            for member in members
        ]
    return found


def _refuse_other_images(
    splits: Path, first: int, expected: pd.DataFrame, seed: int, test: pd.DataFrame
) -> None:
    columns = ["image_id", "group_id", "y"]
    if not np.array_equal(expected[columns].to_numpy(), test[columns].to_numpy()):
        raise UserError(
            f"{splits}: the test images of seed{seed}.csv differ from those of seed{first}.csv; all seeds share one "
            "test set; delete both files and run again"
        )
