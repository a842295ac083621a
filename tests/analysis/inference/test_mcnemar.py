import itertools
import math

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from weckd.analysis.inference.paired_tests import Paired, discordant, mid_p, significant_seeds


def test_published_examples():
    # Fagerland, Lydersen & Laake 2013, example of Bentur et al.: 1 against 7. (2 * 1 + 8) / 2^8 = 0.039.
    assert mid_p(1, 7) == pytest.approx(10 / 256)
    # 1 against 12: (2 * 1 + 13) / 2^13.
    assert mid_p(12, 1) == pytest.approx(15 / 8192)


@pytest.mark.parametrize("m", range(1, 11))
def test_all_outcomes_counted(m):
    """Every image that only one got right is a fair coin: more uneven outcomes, and half of those just as uneven."""
    heads = np.array([sum(coins) for coins in itertools.product((0, 1), repeat=m)])
    for x in range(m + 1):
        uneven, seen = np.abs(2 * heads - m), abs(2 * x - m)
        expected = (uneven > seen).mean() + 0.5 * (uneven == seen).mean()
        assert mid_p(x, m - x) == pytest.approx(expected)


def test_below_the_exact_p_of_statsmodels_by_the_probability_of_the_split():
    for x, y in ((3, 9), (20, 31), (0, 6)):
        exact = mcnemar([[0, x], [y, 0]], exact=True).pvalue
        assert mid_p(x, y) == pytest.approx(exact - math.comb(x + y, x) / 2 ** (x + y))


def test_no_image_that_only_one_got_right():
    assert math.isnan(mid_p(0, 0))


def pair(splits, n=40):
    """One seed a split: A alone right on the first images, B alone on the last, both on the rest."""
    a, b = np.ones((len(splits), n)), np.ones((len(splits), n))
    for seed, (only_a, only_b) in enumerate(splits):
        b[seed, :only_a] = 0
        a[seed, n - only_b :] = 0
    return Paired(a, b, np.zeros(n, dtype=np.int64))


def test_discordant_images_of_each_seed():
    assert discordant(pair([(7, 1), (0, 0), (3, 9)])) == ((7, 1), (0, 0), (3, 9))


def test_significant_seeds_are_counted_by_data_set():
    pairs = {"ear": pair([(7, 1), (6, 1), (12, 1), (1, 7), (0, 0)]), "brain": pair([(3, 2)] * 5)}
    assert mid_p(6, 1) == pytest.approx(9 / 128)
    assert significant_seeds(pairs, 0.05) == (
        "significant in 3 of 5 seeds on ear (1 of them against); 0 of 5 seeds on brain"
    )
    assert significant_seeds(pairs, 0.10).startswith("significant in 4 of 5 seeds on ear")
