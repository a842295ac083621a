"""The networks of a job: built once for each role, every fit loads its states into them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from weckd.config import BackboneSettings
from weckd.training.backbone import (
    Normalisation,
    State,
    attention_indices,
    build_backbone,
    normalisation,
    set_batchnorm_momentum,
)
from weckd.training.gate import attach_gates


@dataclass
class Networks:
    """Modules by role, built when they are first needed."""

    backbone: BackboneSettings
    classes: int
    image_size: int
    batchnorm_momentum: float
    device: torch.device
    _built: dict[tuple[str, bool], nn.Module] = field(default_factory=dict)
    _attention: list[int] | None = None

    @property
    def normalisation(self) -> Normalisation:
        """The input normalisation of the backbone."""
        return normalisation(self._module("student", gate=False))

    @property
    def attention(self) -> list[int]:
        """The feature stages that attention transfer compares, or whose maps are gated.

        Raises:
            UserError: the images are too small for any.
        """
        if self._attention is None:
            self._attention = attention_indices(self._module("student", gate=False), self.image_size)
        return self._attention

    def student(self, state: State, gate: bool) -> nn.Module:
        """Return the network to be trained, in training mode."""
        return self._loaded("student", state, gate).train()

    def peer(self, state: State, gate: bool) -> nn.Module:
        """Return the network that is trained beside the student, in training mode."""
        return self._loaded("peer", state, gate).train()

    def teachers(self, states: Sequence[State], gate: bool) -> list[nn.Module]:
        """Return one network a state, in evaluation mode and without gradients."""
        return [
            self._loaded(f"teacher {number}", state, gate).eval().requires_grad_(False)
            for number, state in enumerate(states, start=1)
        ]

    def _loaded(self, role: str, state: State, gate: bool) -> nn.Module:
        module = self._module(role, gate)
        module.load_state_dict(state)
        return module

    def _module(self, role: str, gate: bool) -> nn.Module:
        if (role, gate) not in self._built:
            network = build_backbone(self.backbone.name, self.classes)
            set_batchnorm_momentum(network, self.batchnorm_momentum)
            if gate:
                attach_gates(network, self.attention, self.image_size)
            self._built[role, gate] = network.to(self.device)
        return self._built[role, gate]
