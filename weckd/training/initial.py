"""Initial states of backbones: random, or pretrained weights with a classifier drawn from the seed."""

from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from weckd.config import BackboneSettings
from weckd.data.weights import read_weights
from weckd.errors import UserError
from weckd.files import file_digest
from weckd.seeds import stream_seed
from weckd.training.backbone import build_backbone
from weckd.training.possible import packaged_file

State = dict[str, Tensor]


def initial_state(settings: BackboneSettings, classes: int, seed: int, member: int, weights: Path) -> State:
    """Return the seed's initial state of timm's network.

    Keyed by (seed, backbone, classes), members other than 1 also by member: the same for every data set
    with as many classes, and for every method.

    Args:
        settings: architecture and where its weights come from.
        classes: number of classes.
        seed: of the cell.
        member: which of several states.
        weights: folder of fetched weights, see `weckd.data.weights`.

    Raises:
        UserError: there is no such network, or its weights are not there or do not fit.
    """
    axes = (seed, settings.name, classes) if member == 1 else (seed, settings.name, classes, member)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed("init", *axes))
        if settings.fetched:
            network = _fetched_network(settings.fetched, classes, weights)
        else:
            network = build_backbone(settings.name, classes)
        if settings.init == "imagenet":
            _load_packaged_weights(network, settings.name)
        if settings.init != "random":
            _draw_small_head(network)
    return {key: value.clone() for key, value in network.state_dict().items()}


def weights_digest(settings: BackboneSettings, weights: Path) -> str | None:
    """Return the SHA-256 of the pretrained file, or None for a random start.

    Raises:
        UserError: the file is not there.
    """
    if settings.init == "random":
        return None
    if settings.fetched:
        return read_weights(weights, settings.fetched).sha256
    return file_digest(packaged_file(settings.name))


def _fetched_network(name: str, classes: int, weights: Path) -> nn.Module:
    """Return timm's network with the weights of a local file, all but the classifier's.

    timm brings the names in older files up to date, but only warns of what a file lacks; so it is checked here.

    Raises:
        UserError: the file is not there or does not fit.
    """
    file = read_weights(weights, name).path
    network: nn.Module = timm.create_model(
        name, pretrained=True, pretrained_cfg_overlay={"file": str(file)}, num_classes=classes
    )
    given = {_values(tensor) for tensor in load_file(file).values()}
    classifier = network.pretrained_cfg["classifier"]  # type: ignore[index]
    for key, value in network.state_dict().items():
        if value.is_floating_point() and not key.startswith(f"{classifier}.") and _values(value) not in given:
            raise UserError(f"{file}: holds no {key} of timm's {name}; remove it and fetch it again")
    return network


def _values(tensor: Tensor) -> bytes:
    """Return a tensor's values alone: bringing a file up to date may change a tensor's shape."""
    return tensor.float().contiguous().numpy().tobytes()


def _draw_small_head(network: nn.Module) -> None:
    """Draw the classifier from N(0, 0.01^2) with zero bias, as is usual for fine-tuning.

    timm's own draw for EfficientNets is scaled by the number of classes alone: with four of them the first
    logits spread over tens, and a divergence weighted by T^2 then drowns all else.
    """
    head = network.get_classifier()  # type: ignore[operator]
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)


def _load_packaged_weights(network: nn.Module, name: str) -> None:
    """Copy the packaged tensors in order; the classifier keeps its random state.

    Raises:
        UserError: the file's tensors do not fit the network.
    """
    file = packaged_file(name)
    packaged = list(torch.load(file, map_location="cpu", weights_only=True).values())
    state = network.state_dict()
    classifier = network.pretrained_cfg["classifier"]  # type: ignore[index]
    if len(packaged) != len(state):
        raise UserError(f"{file}: holds {len(packaged)} tensors, the network {len(state)}")
    for (key, value), tensor in zip(state.items(), packaged, strict=True):
        if key.startswith(f"{classifier}."):
            continue
        if value.shape != tensor.shape:
            raise UserError(f"{file}: shape {tuple(tensor.shape)} does not fit {key} {tuple(value.shape)}")
        value.copy_(tensor)
