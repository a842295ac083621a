import numpy as np
import pytest
import torch

from weckd.config import AugmentationSettings
from weckd.seeds import generator
from weckd.training.batches import augment, draw_augmentations

NONE = AugmentationSettings(flip=False, rotation=0, shift=0, zoom=0, brightness=0, contrast=0)


def draws(settings, steps=3, batch=50):
    return draw_augmentations(steps, batch, settings, generator("augmentation", "test"))


def image():
    values = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return values.contiguous(memory_format=torch.channels_last)


def apply(matrix, colour=(0.0, 1.0)):
    return augment(image(), torch.tensor([matrix], dtype=torch.float32), torch.tensor([colour]))


def test_nothing_switched_on_changes_nothing():
    matrices, colours = draws(NONE)
    assert matrices.shape == (3, 50, 2, 3)
    assert np.array_equal(matrices, np.broadcast_to([[1, 0, 0], [0, 1, 0]], matrices.shape))
    assert np.array_equal(colours, np.broadcast_to([0, 1], colours.shape))
    assert torch.allclose(apply([[1, 0, 0], [0, 1, 0]]), image(), atol=1e-6)


def test_flip_mirrors_left_and_right():
    matrices, _ = draws(AugmentationSettings(True, 0, 0, 0, 0, 0))
    assert set(np.unique(matrices[..., 0, 0])) == {-1.0, 1.0}
    assert 0.3 < (matrices[..., 0, 0] < 0).mean() < 0.7
    assert torch.allclose(apply([[-1, 0, 0], [0, 1, 0]]), image().flip(3), atol=1e-6)


def test_shift_is_a_share_of_the_side():
    # One eighth of 8 pixels is one pixel: the content moves left and the border repeats.
    moved = apply([[1, 0, 2 / 8], [0, 1, 0]])
    assert torch.allclose(moved[..., :-1], image()[..., 1:], atol=1e-5)
    assert torch.allclose(moved[..., -1], image()[..., -1], atol=1e-5)
    matrices, _ = draws(AugmentationSettings(False, 0, 0.125, 0, 0, 0))
    assert np.abs(matrices[..., 2]).max() <= 0.25
    assert np.abs(matrices[..., 2]).max() > 0.2


def test_quarter_turn():
    turned = apply([[0, -1, 0], [1, 0, 0]])
    assert torch.allclose(turned, torch.rot90(image(), 1, (2, 3)), atol=1e-5)


def test_rotation_and_zoom_keep_within_their_half_widths():
    matrices, _ = draws(AugmentationSettings(False, 30, 0, 0.2, 0, 0), batch=500)
    scale = np.sqrt(matrices[..., 1, 0] ** 2 + matrices[..., 1, 1] ** 2)
    angle = np.rad2deg(np.arctan2(matrices[..., 1, 0], matrices[..., 1, 1]))
    assert 1 / 1.2 - 1e-6 <= scale.min() < 0.85
    assert 1.2 < scale.max() <= 1 / 0.8 + 1e-6
    assert 29 < np.abs(angle).max() <= 30 + 1e-4


def test_brightness_adds_and_contrast_stretches_about_the_mean():
    half = torch.full((1, 3, 4, 4), 0.5)
    half[..., 0] = 0.3  # mean .45
    identity = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])
    brighter = augment(half, identity, torch.tensor([[0.1, 1.0]]))
    assert brighter[0, 0, 0].tolist() == pytest.approx([0.4, 0.6, 0.6, 0.6])
    stretched = augment(half, identity, torch.tensor([[0.0, 2.0]]))
    assert stretched[0, 0, 0].tolist() == pytest.approx([0.15, 0.55, 0.55, 0.55])
    clipped = augment(half, identity, torch.tensor([[0.9, 1.0]]))
    assert float(clipped.max()) == 1.0
