"""Permutation of which method gave which answers."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from weckd.analysis.inference.reader_study import ROUNDING
from weckd.analysis.inference.sensitivity.paired import Paired
from weckd.seeds import generator

DRAWS = 2000
EXCHANGED = "the methods swap their answers to all images of a group in all seeds at once"


def label_permutation(pairs: Mapping[str, Paired]) -> float:
    """Return the two-sided p of no difference for any group, p = (b + 1) / (m + 1) with m = DRAWS.

    In a draw, each group of each data set keeps or swaps with probability 1/2 the two methods' answers to all
    its images in all seeds at once: this changes the sign of the group's sum. b draws have a mean over data
    sets at least as far from 0 as that observed. The trained models are fixed; the null is that the two methods'
    answers to a group are exchangeable.
    """
    observed = np.mean([paired.difference.mean() for paired in pairs.values()])
    draws = np.mean([_draws(key, paired) for key, paired in pairs.items()], axis=0)
    as_far = int((np.abs(draws) >= abs(observed) - ROUNDING).sum())
    return (as_far + 1) / (DRAWS + 1)


def _draws(key: str, paired: Paired) -> NDArray[np.float64]:
    random = generator("label permutation", key)
    parts = paired.group_sums.sum(axis=0) / paired.difference.size
    signs = np.array([-1.0, 1.0])
    return np.array([signs[random.integers(2, size=len(parts))] @ parts for _ in range(DRAWS)])
