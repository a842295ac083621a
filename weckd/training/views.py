"""What the steps of a fit see: augmented views of the images of each batch, drawn before the first step."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from weckd.training.backbone import Normalisation
from weckd.training.images import normalised, unit_images


@dataclass(frozen=True)
class Views:
    """One augmented view of every image of every batch."""

    images: Tensor  # uint8 (N, H, W, 3)
    rows: Tensor  # int64 (steps, B), rows of the images
    augment: Callable[..., Tensor]
    draws: tuple[Tensor, ...]  # (steps, B, ...), what `augment` takes beside the images
    normalisation: Normalisation

    def at(self, step: int) -> Tensor:
        """Return the views of a step, normalised float (B, 3, H, W)."""
        images = unit_images(self.images[self.rows[step]])
        return normalised(self.augment(images, *(draws[step] for draws in self.draws)), self.normalisation)
