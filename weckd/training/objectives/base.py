"""What a fit minimises: a loss of each step's views, over the networks that it trains."""

from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from weckd.training.backbone import Backbone


class Objective(Protocol):
    """The loss of a fit. It holds all networks that the loss needs, and whatever it carries from step to step."""

    @property
    def trained(self) -> list[nn.Module]:
        """Modules whose parameters the optimiser moves; the student is the first."""

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar loss of a step (0 ..) on views (B, 3, H, W) with labels (B,)."""


@runtime_checkable
class Averaging(Objective, Protocol):
    """An objective whose result is an average of the student instead of the student."""

    average: Backbone

    def after_step(self, step: int) -> None:
        """Bring the average up to date, after the optimiser's step (0 ..)."""
