"""Strong augmentation: how strong, and what each of its parts does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from weckd.config import AugmentationSettings
from weckd.seeds import generator
from weckd.training.objectives.unlabelled import (
    STRENGTHS,
    augment_strongly,
    draw_strong_augmentations,
    strengthened,
)

WEAK = AugmentationSettings(flip=True, rotation=5, shift=0.05, zoom=0, brightness=0.1, contrast=0.1)
IDENTITY = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])
UNCHANGED = torch.tensor([[0.0, 1.0]])
FAR_AWAY = [9.0, 9.0]  # centre of a square outside the image


def apply(image, saturation=1.0, centre=FAR_AWAY):
    return augment_strongly(image, IDENTITY, UNCHANGED, torch.tensor([[saturation, *centre]]))


def test_it_is_wider_than_the_suites_own_and_keeps_its_flips():
    assert strengthened(WEAK) == replace(STRENGTHS, flip=True)
    assert strengthened(replace(WEAK, flip=False, rotation=180)) == replace(STRENGTHS, rotation=180)


def test_draws_stay_within_their_ranges():
    draws = draw_strong_augmentations(4, 500, WEAK, generator("strong", "test"))
    matrices, colours, others = draws
    assert [values.shape for values in draws] == [(4, 500, 2, 3), (4, 500, 2), (4, 500, 3)]
    angle = np.rad2deg(np.arctan2(matrices[..., 1, 0], matrices[..., 1, 1]))
    assert 29 < np.abs(angle).max() <= 30 + 1e-3
    assert 0.29 < np.abs(colours[..., 0]).max() <= 0.3
    assert 0.5 <= others[..., 0].min() < 0.51
    assert 1.49 < others[..., 0].max() <= 1.5
    assert 0 <= others[..., 1:].min() < 0.01
    assert 0.99 < others[..., 1:].max() <= 1


def test_square_is_half_the_side_grey_and_clipped_by_the_border():
    image = torch.ones(1, 3, 8, 8)
    middle = apply(image, centre=[0.5, 0.5])
    assert bool((middle[0, :, 2:6, 2:6] == 0.5).all())
    assert float((middle == 0.5).float().mean()) == 0.25
    corner = apply(image, centre=[1.0, 0.0])  # across, down: the upper right
    assert bool((corner[0, :, :2, 6:] == 0.5).all())
    assert int((corner == 0.5).sum()) == 3 * 4


def test_saturation_moves_colours_from_and_towards_grey():
    image = torch.tensor([0.2, 0.4, 0.6])[None, :, None, None].expand(1, 3, 4, 4)
    assert apply(image)[0, :, 0, 0].tolist() == pytest.approx([0.2, 0.4, 0.6])
    assert apply(image, saturation=0.5)[0, :, 0, 0].tolist() == pytest.approx([0.3, 0.4, 0.5])
    assert apply(image, saturation=1.5)[0, :, 0, 0].tolist() == pytest.approx([0.1, 0.4, 0.7])


def test_values_stay_in_range():
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = augment_strongly(image, IDENTITY, torch.tensor([[0.3, 1.5]]), torch.tensor([[1.5, 0.5, 0.5]]))
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
