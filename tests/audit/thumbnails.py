"""Thumbnails drawn by hand: unrelated ones, turned copies, and soft ones that may be turned by any angle."""

import numpy as np
from scipy.ndimage import gaussian_filter, rotate


def noise(seed):
    """Return an unrelated thumbnail (32, 32)."""
    return np.random.default_rng(seed).integers(0, 200, (32, 32), dtype=np.uint8)


def near(thumbnail, turn=0):
    """Return a turned copy of other pixels: correlation about 0.99."""
    grain = np.random.default_rng(99).integers(0, 30, (32, 32), dtype=np.uint8)
    return np.rot90(thumbnail, turn) + grain


def soft(seed, turn=0):
    """Return an unrelated thumbnail of blots (32, 32), turned by degrees."""
    blots = gaussian_filter(np.random.default_rng(seed).normal(size=(32, 32)), 1.2)
    drawn = np.clip(128 + 45 * blots / blots.std(), 0, 255)
    return rotate(drawn, turn, reshape=False, order=1).astype(np.uint8)
