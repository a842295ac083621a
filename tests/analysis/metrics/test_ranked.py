import numpy as np
import pytest

from weckd.analysis.metrics.confidence import bin_sums, shares
from weckd.seeds import generator


def test_shares_of_images_at_a_cut():
    confidence = np.array([[0.9, 0.5, 0.7, 0.6], [0.5, 0.9, 0.9, 0.9]], dtype=np.float32)
    # Half of four images: the two highest; then half of all, of which the three that tie have 2/3 each.
    assert shares(confidence, 0.5, 1.0) == pytest.approx(np.array([[1, 0, 1, 0], [0, 2 / 3, 2 / 3, 2 / 3]]))
    # From 1/8 to 3/8 of the images: half of the lowest and half of the next.
    assert shares(confidence, 0.125, 0.375)[0] == pytest.approx([0, 0.5, 0, 0.5])


def test_bins_are_the_shares_of_images():
    draw = generator("ranked test")
    confidence = draw.integers(5, 15, size=50).astype(np.float32) / 16
    values = draw.normal(size=50)
    expected = [
        (shares(confidence[None], start / 8, (start + 1) / 8)[0] * values).sum() for start in range(8)
    ]
    assert bin_sums(confidence, values, np.ones((1, 50)), 8)[0] == pytest.approx(expected)


def test_weights_are_copies():
    draw = generator("ranked test")
    confidence = draw.integers(5, 15, size=50).astype(np.float32) / 16
    values, weights = draw.normal(size=50), draw.integers(0, 4, size=(3, 50))
    found = bin_sums(confidence, values, weights.astype(np.float64), 7)
    for row, times in zip(found, weights, strict=True):
        repeated = np.repeat(np.arange(50), times)
        once = np.ones((1, len(repeated)))
        assert row == pytest.approx(bin_sums(confidence[repeated], values[repeated], once, 7)[0])
