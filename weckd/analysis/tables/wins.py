"""On how many data sets a gain is significant."""

from collections.abc import Sequence

from weckd.analysis.gains import Gain

COUNT = "wins / ties / losses"


def wins_ties_losses(alpha: float, gains: Sequence[Gain]) -> str:
    """Return on how many data sets the gain is significantly beyond its null, neither, significantly below it.

    By the adjusted p, which is below alpha where the interval, adjusted alike, holds no null.
    """
    significant = [item for item in gains if item.p_adjusted < alpha and item.study is not None]
    wins = sum(item.study.estimate > item.comparison.null for item in significant if item.study)
    missing = sum(item.study is None for item in gains)
    counts = f"{wins} / {len(gains) - len(significant) - missing} / {len(significant) - wins}"
    return f"{counts}, {missing} missing" if missing else counts
