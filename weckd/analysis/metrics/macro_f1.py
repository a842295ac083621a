"""The unweighted mean of the classes' F1."""

from weckd.analysis.metrics.per_class import f1
from weckd.analysis.metrics.scored import Predicted, Scored, weighted_sum


def macro_f1(predicted: Predicted) -> Scored:
    """Return the mean over the C classes of F1; a class that is never predicted has F1 = 0 and no influence."""
    n_classes = predicted.probabilities.shape[2]
    return weighted_sum([(1 / n_classes, f1(predicted, label)) for label in range(n_classes)])
