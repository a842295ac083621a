import itertools
import math

import numpy as np
import pytest

from weckd.analysis.inference.paired_tests import DRAWS, Paired, label_permutation


def exact(pairs):
    """Swap the two methods' answers in every set of groups, and count the means as far from 0 as that observed."""

    def mean(swapped_groups):
        means = []
        for paired, swapped in zip(pairs, swapped_groups, strict=True):
            swap = np.isin(paired.groups, swapped)
            a, b = np.where(swap, paired.b, paired.a), np.where(swap, paired.a, paired.b)
            means.append(a.mean() - b.mean())
        return abs(np.mean(means))

    def subsets(paired):
        groups = range(paired.groups.max() + 1)
        return [s for size in range(len(groups) + 1) for s in itertools.combinations(groups, size)]

    found = [mean(choice) for choice in itertools.product(*(subsets(paired) for paired in pairs))]
    return np.mean(np.array(found) >= mean([()] * len(pairs)) - 1e-9)


def test_close_to_the_exact_enumeration(random_pair):
    for better in (0.0, 0.5, 1.0):
        paired = random_pair("few groups", n_groups=9, better=better)
        p = exact([paired])
        assert label_permutation({"x": paired}) == pytest.approx(
            p, abs=4 * math.sqrt(p * (1 - p) / DRAWS) + 1e-3
        )


def test_close_to_the_exact_enumeration_over_two_data_sets(random_pair):
    pairs = [random_pair("first", n_groups=5, better=0.5), random_pair("second", n_groups=6, better=0.5)]
    p = exact(pairs)
    assert 0.01 < p < 0.5
    found = label_permutation(dict(zip("xy", pairs, strict=True)))
    assert found == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / DRAWS) + 1e-3)


def test_seeds_and_images_of_a_group_swap_together():
    # One group holds all the difference: both swaps are as far from 0, whatever the seeds and images in it.
    paired = Paired(np.ones((5, 6)), np.zeros((5, 6)), np.zeros(6, dtype=np.int64))
    assert label_permutation({"x": paired}) == 1
    # Six groups of one image: 2 of 64 swaps are as far.
    single = Paired(paired.a, paired.b, np.arange(6))
    assert label_permutation({"x": single}) == pytest.approx(2 / 64, abs=0.016)


def test_never_zero():
    paired = Paired(np.ones((2, 40)), np.zeros((2, 40)), np.arange(40))
    assert label_permutation({"x": paired}) == 1 / 2001


def test_same_every_time_and_either_way_round(three_pairs):
    p = label_permutation(three_pairs)
    swapped = {key: Paired(paired.b, paired.a, paired.groups) for key, paired in three_pairs.items()}
    assert 0 < p < 1
    assert label_permutation(three_pairs) == label_permutation(swapped) == p
