"""How well the probability of a class ranks its images above all others."""

import numpy as np
from scipy.stats import rankdata

from weckd.analysis.metrics.scored import Predicted, Scored, from_influence


def macro_auroc(predicted: Predicted) -> Scored:
    """Return the mean over the C classes of the area under the ROC curve of the class against all others.

    The area is the share of pairs (one image of the class, one of another) in which the first has the higher
    probability of the class; a tie counts half (mid-ranks). With V_i the share of image i's own pairs that it wins,
    its influence is (V_i - area) / (images of the class), or of the others (DeLong et al. 1988).
    """
    y, (k, n, n_classes) = predicted.y, predicted.probabilities.shape
    values, influence = np.zeros(k), np.zeros((k, n))
    for label in range(n_classes):
        scores = predicted.probabilities[:, :, label]
        true = y == label
        of_class, others = int(true.sum()), int((~true).sum())
        ranks = rankdata(scores, axis=1)
        won = np.empty((k, n))
        won[:, true] = (ranks[:, true] - rankdata(scores[:, true], axis=1)) / others
        won[:, ~true] = 1 - (ranks[:, ~true] - rankdata(scores[:, ~true], axis=1)) / of_class
        area = won[:, true].mean(axis=1)
        values += area / n_classes
        influence += (won - area[:, None]) / (n_classes * np.where(true, of_class, others))
    return from_influence(values, influence, predicted.groups)
