"""Draws of groups with replacement, for metrics without influence values."""

import numpy as np
from numpy.typing import NDArray

from weckd.seeds import generator

DRAWS = 200


def image_weights(groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how often each image is drawn when G groups are drawn from G with replacement.

    The draws depend on G alone, so that all seeds and methods of a data set share them.

    Args:
        groups: (n,), 0..G-1.

    Returns:
        (DRAWS, n), whole numbers.
    """
    n_groups = int(groups.max()) + 1
    drawn = generator("group bootstrap", n_groups).integers(n_groups, size=(DRAWS, n_groups))
    times = np.stack([np.bincount(row, minlength=n_groups) for row in drawn])
    return times[:, groups].astype(np.float64)
