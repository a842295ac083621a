"""Accuracy when the least confident predictions are withheld."""

from weckd.analysis.metrics.means import correct
from weckd.analysis.metrics.ranked import shares
from weckd.analysis.metrics.scored import Predicted, Scored, from_influence

COVERAGE = 0.8
NEIGHBOURS = 0.1  # of the images, on either side of the cut


def accuracy_at_80(predicted: Predicted) -> Scored:
    """Return the accuracy of the 80 % of the images whose highest probability is highest (Geifman & El-Yaniv 2017).

    Images at the cut count by their share, as `ranked` says, so that exactly 0.8 n are covered. With q = 0.8, x_i = 1
    where image i is right, f_i the share of it that is covered, and a the accuracy at the cut, the influence is

        ( f_i (x_i - a) - q (value - a) ) / (q n)

    which is that of a mean above an estimated quantile: an image above the cut also pushes one like those at the cut
    out of the part that is covered. a is estimated from the neighbours of the cut in rank, 10 % of the images on
    either side: one image alone is right or wrong.
    """
    confidence = predicted.probabilities.max(axis=2)
    right = correct(predicted.probabilities, predicted.y)
    covered_images = COVERAGE * right.shape[1]
    cut = 1 - COVERAGE
    covered = shares(confidence, cut, 1.0)
    near = shares(confidence, cut - NEIGHBOURS, cut + NEIGHBOURS)
    values = (covered * right).sum(axis=1) / covered_images
    at_cut = ((near * right).sum(axis=1) / near.sum(axis=1))[:, None]
    influence = (covered * (right - at_cut) - COVERAGE * (values[:, None] - at_cut)) / covered_images
    return from_influence(values, influence, predicted.groups)
