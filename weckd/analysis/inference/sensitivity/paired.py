"""The answers of two methods on one data set, side by side."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Paired:
    """Right and wrong answers of methods A and B with the same k seeds, on the same n images in G groups."""

    a: NDArray[np.float64]  # (k, n), 1 right, 0 wrong
    b: NDArray[np.float64]  # (k, n)
    groups: NDArray[np.int64]  # (n,), 0..G-1

    @property
    def n_seeds(self) -> int:
        """k."""
        return len(self.a)

    @cached_property
    def group_sizes(self) -> NDArray[np.int64]:
        """Images in each group, (G,)."""
        return np.bincount(self.groups)

    @cached_property
    def difference(self) -> NDArray[np.float64]:
        """A minus B, (k, n): -1, 0 or 1."""
        return self.a - self.b

    @cached_property
    def group_sums(self) -> NDArray[np.float64]:
        """Sum over each group's images of A minus B, (k, G)."""
        return np.stack([np.bincount(self.groups, weights=row) for row in self.difference])

    @property
    def crossed(self) -> bool:
        """Say whether there are several seeds and several groups, so that both parts of the variance are known."""
        return self.n_seeds > 1 and len(self.group_sizes) > 1
