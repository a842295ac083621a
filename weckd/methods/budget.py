"""What a suite settles for all methods alike."""

from dataclasses import dataclass, replace

from weckd.config import BackboneSettings, DistillationSettings, Suite
from weckd.methods.losses import Distillation, Temperature


@dataclass(frozen=True)
class Budget:
    """Steps, subsets, losses and networks that every method is declared with."""

    steps: int  # S, optimiser steps a stage
    stages: int  # N, models in the chain
    converged_factor: int  # full-converged: this many times S
    losses: DistillationSettings
    subset_count: int  # disjoint subsets D1.. that the split holds, at least N
    stage_percent: float = 10.0  # of the training part, each subset
    backbone: BackboneSettings | None = None  # the suite's
    backbone_sizes: tuple[BackboneSettings, ...] = ()  # from small to large, the suite's among them
    panel: tuple[BackboneSettings, ...] = ()  # backbones of the supervised panel

    @property
    def subsets(self) -> tuple[str, ...]:
        """D1..DN."""
        return tuple(f"D{number}" for number in range(1, self.stages + 1))

    @property
    def training(self) -> tuple[str, ...]:
        """All parts of the training part."""
        return (*(f"D{number}" for number in range(1, self.subset_count + 1)), "rest")

    @property
    def total(self) -> int:
        """Optimiser steps of a method at the equal budget, N * S."""
        return self.stages * self.steps

    @property
    def annealed(self) -> Distillation:
        """The reference loss: temperature falls linearly over the steps."""
        losses = self.losses
        temperature = Temperature("linear", losses.temperature_max, losses.temperature_min)
        return Distillation(losses.alpha, losses.beta, temperature)

    @property
    def constant(self) -> Distillation:
        """The reference loss at a constant temperature."""
        value = self.losses.temperature_constant
        return replace(self.annealed, temperature=Temperature("constant", value, value))


def suite_budget(suite: Suite) -> Budget:
    """Return the budget that a suite sets for all its methods."""
    return Budget(
        suite.training.steps,
        suite.chain_length,
        suite.training.converged_factor,
        suite.distillation,
        suite.split.stages,
        100 * suite.split.stage,
        suite.backbone,
        suite.backbone_sizes,
        suite.panel.backbones,
    )
