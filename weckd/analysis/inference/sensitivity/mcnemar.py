"""McNemar's test with the mid-p, of two trained models on the same images."""

from collections.abc import Mapping

from scipy.stats import binom

from weckd.analysis.inference.sensitivity.paired import Paired


def mid_p(only_a: int, only_b: int) -> float:
    """Return the two-sided mid-p of the numbers of images that only one of two models got right.

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
        found = [(only_a, only_b) for only_a, only_b in discordant(paired) if mid_p(only_a, only_b) < alpha]
        against = sum(only_b > only_a for only_a, only_b in found)
        text = f"{len(found)} of {paired.n_seeds} seeds on {key}"
        parts.append(text + (f" ({against} of them against)" if against else ""))
    return f"significant in {'; '.join(parts)}"
