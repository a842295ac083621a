"""The networks of a job: built once for each role and backbone, every fit loads its states into them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from weckd.config import BackboneSettings
from weckd.methods.recipe import Fit
from weckd.training.backbone import Backbone, attention_indices, build_backbone, set_batchnorm_momentum
from weckd.training.gate import attach_gates
from weckd.training.initial import State


@dataclass
class Networks:
    """Modules by role, built when they are first needed."""

    backbone: BackboneSettings  # of fits that name none
    classes: int
    image_size: int
    batchnorm_momentum: float
    device: torch.device
    _built: dict[tuple[str, BackboneSettings, bool], Backbone] = field(default_factory=dict)
    _attention: dict[BackboneSettings, list[int]] = field(default_factory=dict)

    def settings(self, fit: Fit) -> BackboneSettings:
        """Return the backbone of a fit's network."""
        return fit.backbone or self.backbone

    def attention(self, fit: Fit) -> list[int]:
        """Return the feature stages that attention transfer compares, or whose maps are gated, in a fit's network.

        Raises:
            UserError: the images are too small for any.
        """
        settings = self.settings(fit)
        if settings not in self._attention:
            plain = self._module("student", settings, gate=False)
            self._attention[settings] = attention_indices(plain.network, self.image_size)
        return self._attention[settings]

    def student(self, fit: Fit, state: State) -> Backbone:
        """Return the network to be trained, in training mode."""
        return self._loaded("student", fit, state).train()

    def peer(self, fit: Fit, state: State) -> Backbone:
        """Return the network that is trained beside the student, in training mode."""
        return self._loaded("peer", fit, state).train()

    def teachers(self, fits: Sequence[Fit], states: Sequence[State]) -> list[Backbone]:
        """Return one network for each fit's state, in evaluation mode and without gradients."""
        return [
            self._loaded(f"teacher {number}", fit, state).eval().requires_grad_(False)
            for number, (fit, state) in enumerate(zip(fits, states, strict=True), start=1)
        ]

    def _loaded(self, role: str, fit: Fit, state: State) -> Backbone:
        if fit.gate:
            self.attention(fit)  # looked up in a network without gates, before one with them is built
        module = self._module(role, self.settings(fit), fit.gate)
        module.network.load_state_dict(state)
        return module

    def _module(self, role: str, settings: BackboneSettings, gate: bool) -> Backbone:
        if (role, settings, gate) not in self._built:
            network = build_backbone(settings.fetched or settings.name, self.classes)
            set_batchnorm_momentum(network, self.batchnorm_momentum)
            if gate:
                attach_gates(network, self._attention[settings], self.image_size)
            self._built[role, settings, gate] = Backbone(network).to(self.device)
        return self._built[role, settings, gate]
