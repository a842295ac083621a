"""Learned spatial attention gates (CBAM's spatial module, Woo et al. 2018, section 3) in a network's feature stages."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from weckd.errors import UserError

_KERNEL = 7  # as there


class SpatialGate(nn.Module):
    """Multiplies a feature map (B, C, H, W) by a map (B, 1, H, W) made of its channels' mean and maximum.

    Woo et al. 2018, equation 3, with twice the sigmoid and a convolution that starts at zero, so that the gate starts
    as the identity and a pretrained network is not disturbed (the suite's choice).
    """

    def __init__(self) -> None:
        """Start as the identity."""
        super().__init__()
        self.convolution = nn.Conv2d(2, 1, _KERNEL, padding=_KERNEL // 2)
        nn.init.zeros_(self.convolution.weight)
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]
        self.map: Tensor | None = None  # of the last forward pass

    def forward(self, features: Tensor) -> Tensor:
        """Return the gated features."""
        pooled = torch.cat([features.mean(dim=1, keepdim=True), features.amax(dim=1, keepdim=True)], dim=1)
        self.map = 2 * torch.sigmoid(self.convolution(pooled))
        return features * self.map


def attach_gates(network: nn.Module, stages: Sequence[int], image_size: int) -> None:
    """Add a gate behind each of the feature stages (indices into timm's `feature_info`), as `network.gates`.

    Raises:
        UserError: no module of the network gives a stage's map, so that there is no place for a gate.
    """
    modules = _stage_modules(network, stages, image_size)
    network.gates = nn.ModuleList(SpatialGate() for _ in stages)
    for gate, module in zip(network.gates, modules, strict=True):
        module.register_forward_hook(lambda _module, _inputs, output, gate=gate: gate(output))


def _stage_modules(network: nn.Module, stages: Sequence[int], image_size: int) -> list[nn.Module]:
    """Return for each feature stage the outermost module whose output is the stage's map.

    The names in timm's `feature_info` do not always tell: some are of a module that gives a list of maps, or of a layer
    within the next block.
    """
    outputs: list[tuple[nn.Module, Any]] = []
    watches = [
        module.register_forward_hook(lambda module, _inputs, output: outputs.append((module, output)))
        for module in network.modules()
    ]
    maps = _stage_maps(network, stages, image_size)
    for watch in watches:
        watch.remove()
    found: list[nn.Module] = []
    for position, stage_map in enumerate(maps):
        candidates = [module for module, output in reversed(outputs) if output is stage_map]
        # What follows the stage may pass its map on unchanged, and so has it for an output without deciding it.
        deciding = (m for m in candidates if _decides(m, network, stages, position, image_size))
        found.extend(islice(deciding, 1))
    if len(found) < len(maps):
        raise UserError(
            f"backbone.name: no module of this {type(network).__name__} gives the maps of its feature stages, so "
            "it can have no attention gates; use another backbone or leave out attention=gate"
        )
    return found


def _decides(
    module: nn.Module, network: nn.Module, stages: Sequence[int], position: int, image_size: int
) -> bool:
    """Tell whether what replaces a module's output becomes the map of the stage at `position`."""
    copies: list[Tensor] = []

    def copied(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        copies.append(output.clone())
        return copies[-1]

    watch = module.register_forward_hook(copied)
    stage_map = _stage_maps(network, stages, image_size)[position]
    watch.remove()
    return any(copy is stage_map for copy in copies)


@torch.inference_mode()
def _stage_maps(network: nn.Module, stages: Sequence[int], image_size: int) -> list[Tensor]:
    images = torch.zeros(1, 3, image_size, image_size)
    _, maps = network.eval().forward_intermediates(images, indices=list(stages))  # type: ignore[operator]
    return list(maps)


def with_gates(state: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """Return a network's state with that of `count` gates at their start."""
    gates = nn.ModuleList(SpatialGate() for _ in range(count))
    return {**state, **{f"gates.{key}": value for key, value in gates.state_dict().items()}}
