"""Backbones from timm: the network with its input normalisation, its feature maps and attention stages."""

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import timm
import torch
from torch import Tensor, nn

from weckd.data.fetch.weights import registered_weights
from weckd.errors import UserError
from weckd.training.memory import out_of_memory
from weckd.training.possible import no_maps, no_stages

SMALLEST_MAP = 4
"""Pixels a side below which a map is not compared: a 1x1 map, normalised, is a constant."""


class Backbone(nn.Module):
    """A timm network that is fed its own normalisation: it takes images in [0, 1].

    Teacher and student may have been made for different means and deviations; the views of a step are the same for
    both, and each network turns them into its own input.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module) -> None:
        """Take over a timm network, with the mean and deviation that its weights were made for."""
        super().__init__()
        self.network = network
        settings = network.pretrained_cfg
        for name in ("mean", "std"):
            value = torch.tensor(settings[name])[:, None, None]  # type: ignore[index]
            self.register_buffer(name, value, persistent=False)

    @property
    def gates(self) -> nn.ModuleList:
        """The network's attention gates, where it has any (see `weckd.training.gate`)."""
        gates: nn.ModuleList = self.network.gates  # type: ignore[assignment]
        return gates

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, C) of images (B, 3, H, W) in [0, 1]."""
        logits: Tensor = self.network(self._normalised(images))
        return logits

    def with_features(self, images: Tensor, stages: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Return logits (B, C) and the feature maps of `stages`, from one forward pass."""
        last, features = self.network.forward_intermediates(  # type: ignore[operator]
            self._normalised(images), indices=list(stages)
        )
        return self.network.forward_head(last), features  # type: ignore[operator]

    def _normalised(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


def build_backbone(name: str, classes: int) -> nn.Module:
    """Return a timm network with a classifier for `classes` classes; weights from torch's generator.

    Args:
        name: of the architecture, or with the tag of weights whose normalisation it shall have.
        classes: number of classes.

    Raises:
        UserError: timm has no such network, or no such weights of it.
    """
    architecture, tag = name.partition(".")[::2]
    known = timm.list_models()
    if architecture not in known:
        close = difflib.get_close_matches(architecture, known, n=5)
        near = f"near names: {', '.join(close)}" if close else "timm.list_models() lists all"
        raise UserError(f"backbone.name: timm has no network {architecture!r}; {near}")
    if tag:
        registered_weights(name)
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def set_batchnorm_momentum(network: nn.Module, momentum: float) -> None:
    """Set the weight of a new batch in the running statistics of every BatchNorm layer."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = momentum


def attention_stages(map_sizes: Sequence[tuple[int, int]], count: int = 2) -> list[int]:
    """Return the indices of the `count` deepest stages whose maps are at least 4x4, shallow to deep.

    Args:
        map_sizes: (height, width) of each feature stage, shallow to deep.
        count: how many stages to compare.
    """
    usable = [index for index, size in enumerate(map_sizes) if min(size) >= SMALLEST_MAP]
    return usable[-count:]


def map_sizes(network: nn.Module, image_size: int) -> list[tuple[int, int]]:
    """Return height and width of the maps of a timm network's feature stages, shallow to deep; none where it has none.

    Raises:
        UserError: the network takes no images of this size.
    """
    if not hasattr(network, "forward_intermediates"):
        return []
    device = next(network.parameters()).device
    training = network.training
    with torch.inference_mode(), takes_images(network, image_size):
        network.eval()
        _, maps = network.forward_intermediates(torch.zeros(1, 3, image_size, image_size, device=device))  # type: ignore[operator]
    network.train(training)
    return [(int(m.shape[2]), int(m.shape[3])) for m in maps if m.ndim == 4]


@contextmanager
def takes_images(network: nn.Module, image_size: int) -> Iterator[None]:
    """Turn a pass that a network cannot make in a block into a message.

    Raises:
        UserError: it takes no images of this size.
    """
    try:
        yield
    except (AssertionError, ValueError, IndexError, RuntimeError) as problem:
        if out_of_memory(problem):
            raise
        why = (str(problem).splitlines() or [type(problem).__name__])[0].rstrip(".")
        raise UserError(
            f"image_size: {_architecture(network)} takes no images of {image_size} px ({why}); "
            "use another image_size or backbone"
        ) from problem


def attention_indices(network: nn.Module, image_size: int) -> list[int]:
    """Return the feature stages of a timm network whose attention maps are compared at this image size.

    Raises:
        UserError: it has no feature stage, or none with maps of at least 4x4, or takes no such images.
    """
    sizes = map_sizes(network, image_size)
    indices = attention_stages(sizes)
    if not indices:
        name = _architecture(network)
        raise UserError(no_maps(name, image_size) if sizes else no_stages(name))
    return indices


def _architecture(network: nn.Module) -> str:
    return str(network.pretrained_cfg["architecture"])  # type: ignore[index]
