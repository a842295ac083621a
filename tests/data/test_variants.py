"""The search for suspected variants, on drawn images among which variants are planted."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import affine_transform, gaussian_filter

from weckd.data.variants import suspected_variants

SIDE = 96


def noise(seed, width):
    drawn_noise = np.random.default_rng(seed).normal(size=(SIDE, SIDE, 3))
    return gaussian_filter(drawn_noise, (width, width, 0), mode="wrap")


def drawn(seed, alike=1.0):
    """Return an image (96, 96, 3) of soft blots and fine grain; the grain correlates so with that of the seed alone."""
    blots, grain = noise(seed, 8), noise(seed, 1.5)
    grain = alike * grain + np.sqrt(1 - alike**2) * noise(seed + 1000, 1.5)
    image = blots / blots.std() + 0.7 * grain / grain.std()
    return np.clip(128 + 40 * image, 0, 255).astype(np.uint8)


def varied(image, turn, zoom=1.0, shift=(0, 0), mirrored=False):
    """Return the image turned by degrees about its middle, zoomed, shifted by pixels; black beyond it."""
    angle = np.deg2rad(turn)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    matrix = matrix @ np.diag([1, -1 if mirrored else 1])
    middle = (np.array(image.shape[:2]) - 1) / 2
    offset = middle + np.array(shift) - matrix @ middle
    layers = [affine_transform(image[..., c], matrix, offset, order=1) for c in range(3)]
    return np.stack(layers, axis=2)


def found(images, groups=None, shapes=None):
    count = len(images)
    shapes = np.full((count, 2), 1.0) if shapes is None else np.array(shapes, dtype=np.float64)
    groups = np.arange(count) if groups is None else np.array(groups)
    return suspected_variants(np.stack(images), shapes, groups)


OTHERS = [drawn(seed) for seed in range(100, 120)]


def test_planted_variants_are_found_with_their_source_and_each_other_and_nothing_else_is():
    source, second = drawn(1), drawn(2)
    planted = [
        varied(source, 37, zoom=1.2, shift=(4, -6)),
        varied(source, 200, mirrored=True),
        varied(second, 71, shift=(-8, 3)) // 8 * 7 + 20,  # and paler
    ]
    pairs = found([source, second, *OTHERS, *planted])
    assert pairs.rows.tolist() == [[0, 22], [0, 23], [1, 24], [22, 23]]
    assert pairs.correlations.min() > 0.9


@pytest.mark.parametrize(("alike", "suspected"), [(0.8, []), (0.97, [[0, 1]])])
def test_images_that_are_alike_in_large_are_suspected_only_where_their_fine_detail_is_alike(alike, suspected):
    assert found([drawn(1), drawn(1, alike), *OTHERS]).rows.tolist() == suspected


def test_no_pair_is_sought_within_a_group():
    source = drawn(1)
    images = [source, varied(source, 37), varied(source, 140), *OTHERS]
    others = list(range(10, 10 + len(OTHERS)))
    assert found(images, [0, 0, 1, *others]).rows.tolist() == [[0, 2], [1, 2]]
    assert found(images, [0, 0, 0, *others]).rows.tolist() == []


def test_images_that_were_squeezed_are_compared_in_their_true_proportions():
    wide = np.concatenate([drawn(1), drawn(2)[:, :32]], axis=1)  # 128 x 96
    squeezed = [
        np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        for image in (wide, varied(wide, 90))
    ]
    images = [*squeezed, *OTHERS]
    assert found(images, shapes=[(128, 96)] * 2 + [(96, 96)] * len(OTHERS)).rows.tolist() == [[0, 1]]
    assert found(images).rows.tolist() == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_images_and_images_of_one_shade_are_no_variants(count):
    assert found(
        [np.full((SIDE, SIDE, 3), 40 * number, dtype=np.uint8) for number in range(count)]
    ).rows.shape == (0, 2)
    assert found(OTHERS[:count]).rows.tolist() == []


@pytest.mark.parametrize("size", [48, 200])
def test_images_of_any_size_are_searched(size):
    images = [
        np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))
        for image in (OTHERS[0], varied(OTHERS[0], 100, zoom=1.1), *OTHERS[1:])
    ]
    assert found(images).rows.tolist() == [[0, 1]]
