"""The unlabelled images of a fit: which stand in which batch, their views, and what a network says of them.

Everything is drawn from streams of its own, so that a fit without unlabelled images draws what it always did. No
label is in here, so none can be learnt from.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weckd.config import AugmentationSettings
from weckd.seeds import generator
from weckd.training.augmentation import augment, draw_augmentations
from weckd.training.batches import batch_order
from weckd.training.evaluation import image_logits
from weckd.training.objectives.base import Setup
from weckd.training.views import Views

Axes = tuple[str | int, ...]


@dataclass(frozen=True)
class Unlabelled:
    """Unlabelled images in batches, and further views of the labelled ones."""

    images: Tensor  # uint8 (N, H, W, 3), all of the cell, on the device
    rows: Tensor  # int64 (M,), the unlabelled ones
    positions: Tensor  # int64 (steps, m), positions in `rows`
    labelled_rows: Tensor  # int64 (steps, n), the labelled batches
    axes: Axes  # of the random streams: data set, seed, unlabelled parts, steps
    labelled_axes: Axes  # the same with the labelled parts
    augmentation: AugmentationSettings

    def weak(self, number: int) -> Views:
        """Return views under the suite's augmentation; each number (1 ..) has draws of its own."""
        return self._weak(self.rows[self.positions], generator("unlabelled-augmentation", *self.axes, number))

    def labelled_again(self) -> Views:
        """Return views of the labelled batches, other than those that every fit sees."""
        return self._weak(self.labelled_rows, generator("second-augmentation", *self.labelled_axes))

    def logits(self, network: nn.Module) -> Tensor:
        """Return what a network says of the unaugmented images, float32 (M, C); it is put in evaluation mode."""
        return image_logits(network, self.images, self.rows)

    def _weak(self, rows: Tensor, stream: np.random.Generator) -> Views:
        draws = draw_augmentations(rows.shape[0], rows.shape[1], self.augmentation, stream)
        return self.views(rows, augment, draws)

    def views(
        self, rows: Tensor, augmentation: Callable[..., Tensor], draws: tuple[NDArray[np.float32], ...]
    ) -> Views:
        """Return views of rows of images (steps, m) under an augmentation with its draws."""
        on_device = tuple(torch.from_numpy(values).to(self.images.device) for values in draws)
        return Views(self.images, rows, augmentation, on_device)


def draw_unlabelled(setup: Setup, ratio: int) -> Unlabelled:
    """Draw which unlabelled images stand in which batch, `ratio` for each labelled one.

    The streams are keyed by data set, seed, parts and steps, as those of the labelled batches, and never by method.
    """
    fit, data = setup.fit, setup.data
    axes, labelled_axes = (
        (data.dataset, data.seed, "+".join(parts), fit.steps) for parts in (fit.unlabelled, fit.parts)
    )
    rows = setup.unlabelled_rows
    steps, size = setup.labelled_rows.shape
    order = batch_order(len(rows), ratio * size, steps, generator("unlabelled-batches", *axes))
    return Unlabelled(
        data.images,
        torch.from_numpy(rows).to(data.images.device),
        torch.from_numpy(order).to(data.images.device),
        setup.labelled_rows,
        axes,
        labelled_axes,
        setup.augmentation,
    )
