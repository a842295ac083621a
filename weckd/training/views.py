"""What the steps of a fit see: augmented views of the images of each batch, drawn before the first step."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from weckd.training.images import unit_images


@dataclass(frozen=True)
class Views:
    """One augmented view of every image of every batch."""

    images: Tensor  # uint8 (N, H, W, 3)
    rows: Tensor  # int64 (steps, B), rows of the images
    augment: Callable[..., Tensor]
    draws: tuple[Tensor, ...]  # (steps, B, ...), what `augment` takes beside the images

    def at(self, step: int) -> Tensor:
        """Return the views of a step, float (B, 3, H, W); each network normalises them itself."""
        return self.augment(unit_images(self.images[self.rows[step]]), *(draws[step] for draws in self.draws))
