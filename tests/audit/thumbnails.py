"""Thumbnails drawn by hand: unrelated ones, and turned copies."""

import numpy as np


def noise(seed):
    """Return an unrelated thumbnail (32, 32)."""
    return np.random.default_rng(seed).integers(0, 200, (32, 32), dtype=np.uint8)


def near(thumbnail, turn=0):
    """Return a turned copy of other pixels: correlation about 0.99."""
    grain = np.random.default_rng(99).integers(0, 30, (32, 32), dtype=np.uint8)
    return np.rot90(thumbnail, turn) + grain
