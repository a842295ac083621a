import numpy as np
import pytest

from weckd.analysis.inference.paired_tests import Paired
from weckd.seeds import generator


@pytest.fixture(scope="session")
def random_pair():
    """Make a pair with seed, group and image effects, in uneven groups: half of them of one image."""

    def make(name, k=5, n_groups=40, better=0.0):
        draw = generator("random pair", name)
        groups = np.repeat(np.arange(n_groups), np.where(np.arange(n_groups) % 2, 3, 1))
        shared = draw.normal(size=(1, n_groups))[:, groups]

        def answers(shift):
            interaction = 0.7 * draw.normal(size=(1, n_groups))[:, groups]
            seeds = 0.4 * draw.normal(size=(k, 1))
            return (shared + interaction + seeds + draw.normal(size=(k, len(groups))) + shift > 0) * 1.0

        return Paired(answers(better), answers(0.0), draw.permutation(groups))

    return make


@pytest.fixture(scope="session")
def three_pairs(random_pair):
    return {key: random_pair(key, better=0.4) for key in ("ear", "blood", "brain")}
