"""Which images stand in which batch: an endless chain of shuffles, cut into batches."""

import numpy as np
from numpy.typing import NDArray


def batch_order(count: int, batch_size: int, steps: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return positions (steps, batch_size) into a subset of `count` images.

    Every image comes once before any comes again; a subset may be smaller than a batch.

    Raises:
        ValueError: the subset is empty.
    """
    if count < 1:
        raise ValueError("no batches from an empty subset")
    rounds = -(-steps * batch_size // count)
    chain = np.concatenate([generator.permutation(count) for _ in range(rounds)])
    return chain[: steps * batch_size].reshape(steps, batch_size).astype(np.int64)
