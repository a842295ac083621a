"""Distillation from a teacher that is shown, for its logits or for its maps, another image of the same class."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weckd.methods.losses import Mismatched
from weckd.seeds import generator
from weckd.training.batches import Step
from weckd.training.networks import Backbone
from weckd.training.objectives.distillation import Distilled
from weckd.training.optimisation import Setup


class MismatchedDistilled(Distilled):
    """The chain's loss; every image has in every batch a partner of its class, which the teacher sees as well.

    Partners are from the fit's own subset, so no further label is used, and have the augmentation of the image that
    they stand for. They are drawn from a stream of their own, keyed as batches are.
    """

    capturable = True
    settings: Mismatched

    def __init__(self, setup: Setup) -> None:
        """Draw the partners."""
        super().__init__(setup)
        fit, data, labelled = setup.fit, setup.cell.data, setup.labelled
        rows = np.unique(np.concatenate([data.parts[part] for part in fit.parts]))
        choices = possible_partners(rows, data.labels, data.groups)
        self.counts = {"without_partner": sum(others.tolist() == [row] for row, others in choices.items())}
        stream = generator("partners", data.dataset, data.seed, "+".join(fit.parts), fit.steps)
        partners = drawn_partners(labelled.rows.cpu().numpy(), choices, stream)
        self.others = replace(labelled, rows=torch.from_numpy(partners).to(labelled.rows.device))

    def _taught(
        self, teacher: Backbone, step: Step, views: Tensor, stages: Sequence[int]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return logits and maps, one of them of the images' partners."""
        logits, maps = self._seen(teacher, views, stages)
        other_logits, other_maps = self._seen(teacher, self.others.at(step), stages)
        return (other_logits, maps) if self.settings.other == "logits" else (logits, other_maps)


def possible_partners(
    rows: NDArray[np.int64], labels: NDArray[np.int64], groups: NDArray[np.str_]
) -> dict[int, NDArray[np.int64]]:
    """Return for each of some rows (n,) those of its class that may take its place.

    They are of other groups, since an image of its own group may be nearly the same; where the class has one group,
    its other images; where it has one image, that.

    Args:
        rows: which of all images.
        labels: of all images.
        groups: of all images.
    """
    found = {}
    for row in rows.tolist():
        same = rows[labels[rows] == labels[row]]
        ranked = (same[groups[same] != groups[row]], same[same != row], same)
        found[row] = next(others for others in ranked if len(others))
    return found


def drawn_partners(
    shown: NDArray[np.int64], choices: dict[int, NDArray[np.int64]], generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return for each row in `shown` (steps, B) one of its choices, each as likely as any."""
    draws = generator.random(shown.shape)
    partners = np.empty_like(shown)
    for row, others in choices.items():
        here = shown == row
        partners[here] = others[(draws[here] * len(others)).astype(np.int64)]
    return partners
