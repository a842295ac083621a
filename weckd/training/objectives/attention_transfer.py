"""Attention transfer (Zagoruyko and Komodakis 2017), the suite's reading of the paper's spatial attention.

What is compared are feature maps, or the maps of learned gates (`weckd.training.gate`): maps of one channel.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def attention_energy(features: Tensor) -> Tensor:
    """Return the mean over channels of the squared activation: (B, C, H, W) -> (B, H, W)."""
    return features.square().mean(dim=1)


def attention_transfer(student_features: Sequence[Tensor], teacher_features: Sequence[Tensor]) -> Tensor:
    """Return the sum over stages of the batch mean of || Q_s - Q_t ||^2, summed over positions.

    Q is a stage's attention energy, flattened and L2-normalised per image. Where the two maps differ in
    size, the larger is average-pooled to the smaller. Gradients flow to the student alone.

    Args:
        student_features: maps (B, C_l, H_l, W_l), one a stage; channels may differ from the teacher's.
        teacher_features: the teacher's maps, same order.

    Raises:
        ValueError: the two have no stage, or not the same number of stages.
    """
    if not student_features or len(student_features) != len(teacher_features):
        raise ValueError(
            f"attention transfer compares equal numbers of stages, at least one: "
            f"{len(student_features)} of the student, {len(teacher_features)} of the teacher"
        )
    distances = []
    for student, teacher in zip(student_features, teacher_features, strict=True):
        energies = [attention_energy(student), attention_energy(teacher.detach())]
        size = (min(e.shape[1] for e in energies), min(e.shape[2] for e in energies))
        maps = [F.normalize(average_pooled(e, size).flatten(1), dim=1) for e in energies]
        distances.append((maps[0] - maps[1]).square().sum(dim=1).mean())
    return torch.stack(distances).sum()


def average_pooled(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return maps (B, H, W) average-pooled to (B, *size), as `adaptive_avg_pool2d` does it.

    By two products of matrices: torch has no deterministic gradient of adaptive pooling on a GPU.
    """
    if maps.shape[1:] == size:
        return maps
    down, across = (_shares(length, cells, maps) for length, cells in zip(maps.shape[1:], size, strict=True))
    return down @ maps @ across.T


def _shares(length: int, cells: int, like: Tensor) -> Tensor:
    """Return (cells, length): the share of each position in each cell's mean; neighbouring cells may overlap."""
    cell = torch.arange(cells, device=like.device)[:, None]
    position = torch.arange(length, device=like.device)
    inside = (position >= cell * length // cells) & (position < -(-(cell + 1) * length // cells))
    return inside.to(like.dtype) / inside.sum(dim=1, keepdim=True)
