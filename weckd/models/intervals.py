"""Scores of one network with intervals over groups of images: nothing is said of other seeds."""

import math

import numpy as np
from scipy.stats import t

from weckd.analysis.metrics.scores import Scored
from weckd.models.folder import Score

LEVEL = 0.95


def one_network(scored: Scored, most: float = 1.0) -> Score:
    """Return a score, from 0 to `most`, of one network with its interval over G groups of test images.

    The interval is that of Student's t with G - 1 degrees of freedom on the variance between groups, cut at 0 and
    `most`. Where all groups say the same, a share of 1 (or 0) has the exact bound of Clopper and Pearson, for as many
    images as there are groups; any other score, and one group, have no interval.
    """
    (value,), groups = scored.values.tolist(), scored.n_groups
    if groups < 2:
        return Score(value, None, None)
    variance = float(np.var(scored.cases[0], ddof=1))
    if variance > 0:
        half = float(t.ppf((1 + LEVEL) / 2, groups - 1)) * math.sqrt(variance)
        return Score(value, max(0.0, value - half), min(most, value + half))
    bound = ((1 - LEVEL) / 2) ** (1 / groups)
    if value == 1:
        return Score(value, bound, 1.0)
    return Score(value, 0.0, 1 - bound) if value == 0 else Score(value, None, None)


def of_groups(patients: bool) -> str:
    """Return what groups of images are, where the source names patients and where it does not."""
    return f"{'patients, and ' if patients else ''}near-duplicates of each other"


def in_percent(score: Score) -> str:
    """Return a share in percent with its interval: 81.3 [74.0, 88.5]."""
    if score.low is None or score.high is None:
        return f"{100 * score.value:.1f} (no interval)"
    return f"{100 * score.value:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]"
