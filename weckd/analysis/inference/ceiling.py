"""What the primary test assumes of seeds where both methods are right on nearly all images.

There the t test fails, and more seeds are no cure: a method that fails rarely and far looks perfect with 5 or 10 seeds
that happen to be good ones, so its gain is too high and its standard error too small; and the few images that are
missed decide the part of the variance that is due to images. At accuracies of .95 to .995, with one method steady
(seeds' SD 0.3 points) and one not (6 points), the t test found a difference where there was none in 10 to 41 % of
experiments, and *non-inferior* at a true loss of the whole margin in 9 to 33 % (nominal 2.5 %).

No test of the answers at hand tells a steady method from one whose failures were not drawn. So the standard error
does not fall below what seeds of SD `SEED_SD` would give. `NEAR` is the highest threshold, in whole points, with which
none of these settings went beyond 1.5 times the nominal level: benchmarks/levels.md.
"""

from weckd.analysis.metrics.scores import Scored

NEAR = 0.94
"""Share of right answers above which a method is near the ceiling."""
SEED_SD = 0.06
"""The SD over seeds that is taken for possible there: 6 points."""
NEAR_THE_CEILING = f"near the ceiling: seeds' SD at least {100 * SEED_SD:g} points"
"""In the name of the test of such a row."""


def least_seed_sd(scored: Scored) -> float:
    """Return the least standard deviation over seeds that a difference is tested with; 0 where not near the ceiling.

    A difference is near the ceiling where each of its methods' shares of right answers is above `NEAR`. The SD is that
    of a gain; of another contrast it is times the largest weight of a method.
    """
    if len(scored.levels) < 2 or min(level for _, level in scored.levels) <= NEAR:
        return 0.0
    return SEED_SD * max(abs(weight) for weight, _ in scored.levels)


def sentence(places: list[str]) -> str:
    """Return what was assumed on some data sets or means, for a caption; empty where there are none."""
    if not places:
        return ""
    return (
        f"Near the ceiling (both above {100 * NEAR:g} %; of a mean, on any of its data sets), where seeds are taken to "
        f"vary by at least {100 * SEED_SD:g} points (SD), since rare failures may not have been drawn: "
        f"{', '.join(dict.fromkeys(places))}."
    )
