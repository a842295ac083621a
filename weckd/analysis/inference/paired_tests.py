"""Two methods' answers to the same images, side by side, and four tests of their difference as sensitivity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from weckd.analysis.inference.reader_study import ROUNDING, Estimate, t_estimate
from weckd.errors import counted
from weckd.seeds import generator

DRAWS = 2000  # of the bootstrap and of the permutation
EXCHANGED = "the methods swap their answers to all images of a group in all seeds at once"


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


def cluster_variance(paired: Paired) -> float:
    """Return the two-way cluster-robust variance of the mean difference (Cameron, Gelbach & Miller 2011).

    With residuals e = D - mean over all k * n, and sums S over what a cluster holds:

        V = ( k/(k-1) sum_s S_s^2 + G/(G-1) sum_g S_g^2 - kG/(kG-1) sum_{s,g} S_{s,g}^2 ) / (k n)^2

    It is 0 where this is negative, and NaN with one seed or one group.
    """
    if not paired.crossed:
        return float("nan")
    sums = paired.group_sums - paired.difference.mean() * paired.group_sizes
    seeds, groups, both = (
        float((clusters**2).sum()) * len(clusters) / (len(clusters) - 1)
        for clusters in (sums.sum(axis=1), sums.sum(axis=0), sums.ravel())
    )
    variance = (seeds + groups - both) / paired.difference.size**2
    return variance if variance > ROUNDING**2 else 0.0


def cluster_ols(pairs: Sequence[Paired], level: float, null: float = 0.0) -> Estimate:
    """Return the mean difference over data sets by least squares, its variance robust to clusters of seeds and groups.

    V = sum V_j / J^2, by t with Welch-Satterthwaite df from k-1 a data set; with one data set, k - 1 df.
    """
    variances = np.array([cluster_variance(paired) for paired in pairs])
    seed_df = np.array([paired.n_seeds - 1 for paired in pairs])
    total = float(variances.sum())
    df = total**2 / float((variances**2 / seed_df).sum()) if total > 0 else float("nan")
    estimate = float(np.mean([paired.difference.mean() for paired in pairs]))
    return t_estimate(estimate, float(np.sqrt(total)) / len(pairs), df, level, null)


def crossed_bootstrap(pairs: Mapping[str, Paired]) -> NDArray[np.float64]:
    """Return the mean over data sets in each draw, (DRAWS,) (Owen 2007, "pigeonhole" bootstrap).

    A draw takes k of a data set's k seeds and G of its G groups, both with replacement, crosses them, and averages over
    the images so drawn. The draws depend on the data set's key, k and G alone: all claims share them. They are NaN
    where a data set has one seed or one group, because the bootstrap would take that part of the variance for 0.
    """
    means: NDArray[np.float64] = np.mean([_crossed_draws(*pair) for pair in pairs.items()], axis=0)
    return means


def _crossed_draws(key: str, paired: Paired) -> NDArray[np.float64]:
    if not paired.crossed:
        return np.full(DRAWS, np.nan)
    k, G = paired.group_sums.shape
    seeds, groups = _crossed_weights(key, k, G)
    sums = ((seeds @ paired.group_sums) * groups).sum(axis=1)  # of whole numbers
    means: NDArray[np.float64] = sums / (k * (groups @ paired.group_sizes))
    return means


@cache
def _crossed_weights(key: str, k: int, G: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return how often each draw has each seed, (DRAWS, k), and each group, (DRAWS, G)."""
    random = generator("crossed bootstrap", key)
    seeds, groups = np.empty((DRAWS, k), dtype=np.uint8), np.empty((DRAWS, G), dtype=np.uint8)
    for draw in range(DRAWS):
        seeds[draw] = np.bincount(random.integers(k, size=k), minlength=k)
        groups[draw] = np.bincount(random.integers(G, size=G), minlength=G)
    return seeds, groups


def percentile(draws: NDArray[np.float64], level: float, null: float = 0.0) -> tuple[float, float, float]:
    """Return the percentile interval, and p = 2 min(#{draws <= null} + 1, #{draws >= null} + 1) / (m + 1).

    p is at most 1, and NaN where the draws do not vary.
    """
    low, high = (float(value) for value in np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]))
    if not np.ptp(draws) > ROUNDING:
        return low, high, float("nan")
    beyond = min((draws <= null).sum(), (draws >= null).sum())
    return low, high, min(1.0, float(2 * (beyond + 1) / (len(draws) + 1)))


def label_permutation(pairs: Mapping[str, Paired]) -> float:
    """Return the two-sided p of no difference for any group, p = (b + 1) / (m + 1) with m = DRAWS.

    In a draw, each group of each data set keeps or swaps with probability 1/2 the two methods' answers to all
    its images in all seeds at once: this changes the sign of the group's sum. b draws have a mean over data
    sets at least as far from 0 as that observed. The trained models are fixed; the null is that the two methods'
    answers to a group are exchangeable.
    """
    observed = np.mean([paired.difference.mean() for paired in pairs.values()])
    draws = np.mean([_swapped_draws(*pair) for pair in pairs.items()], axis=0)
    as_far = int((np.abs(draws) >= abs(observed) - ROUNDING).sum())
    return (as_far + 1) / (DRAWS + 1)


def _swapped_draws(key: str, paired: Paired) -> NDArray[np.float64]:
    sums = paired.group_sums.sum(axis=0)  # whole numbers
    means: NDArray[np.float64] = _signs(key, len(sums)) @ sums / paired.difference.size
    return means


@cache
def _signs(key: str, G: int) -> NDArray[np.int8]:
    """Return the sign of each group in each draw, (DRAWS, G)."""
    random = generator("label permutation", key)
    return np.stack([np.array([-1, 1], dtype=np.int8)[random.integers(2, size=G)] for _ in range(DRAWS)])


def mid_p(only_a: int, only_b: int) -> float:
    """Return McNemar's two-sided mid-p of the numbers of images that only one of two models got right.

    With X ~ Binomial(m, 1/2) and m = only_a + only_b: the probability of a more uneven split than this one, plus
    half that of one just as uneven (Fagerland, Lydersen & Laake 2013). NaN where m = 0.
    """
    m, x = only_a + only_b, min(only_a, only_b)
    if m == 0:
        return float("nan")
    splits_like_it = 1 if only_a == only_b else 2  # x of m, and m - x of m
    return float(2 * binom.cdf(x - 1, m, 0.5) + splits_like_it / 2 * binom.pmf(x, m, 0.5))


def discordant(paired: Paired) -> tuple[tuple[int, int], ...]:
    """Return for each seed how many images only A and only B got right. Images count, not groups."""
    return tuple((int((row > 0).sum()), int((row < 0).sum())) for row in paired.difference)


def significant_seeds(pairs: Mapping[str, Paired], alpha: float) -> str:
    """Say in how many seeds the mid-p is below alpha, by data set, and in how many of those B is the better."""
    parts = []
    for key, paired in pairs.items():
        found = [counts for counts in discordant(paired) if mid_p(*counts) < alpha]
        against = sum(only_b > only_a for only_a, only_b in found)
        text = f"{len(found)} of {counted(paired.n_seeds, 'seed')} on {key}"
        parts.append(text + (f" ({against} of them against)" if against else ""))
    return f"significant in {'; '.join(parts)}"
