"""Matthews' correlation of predicted and true classes."""

import numpy as np

from weckd.analysis.metrics.scored import Predicted, Scored, from_influence


def mcc(predicted: Predicted) -> Scored:
    """Return the multiclass Matthews correlation, R_K of Gorodkin 2004, -1..1.

    With n images, c of them right, t_j of class j and p_j predicted as class j (the lowest class wins a tie):

        N   = c n - sum_j p_j t_j,      P = n^2 - sum_j p_j^2,      T = n^2 - sum_j t_j^2
        MCC = N / sqrt(P T)

    An image's influence is the derivative with respect to its weight, dN / sqrt(P T) - MCC / 2 (dP / P + dT / T).
    Where all predictions are of one class (P = 0), MCC and all influence are 0.
    """
    y, n_classes = predicted.y, predicted.probabilities.shape[2]
    n = len(y)
    chosen = predicted.probabilities.argmax(axis=2)  # (k, n)
    right = (chosen == y).astype(np.float64)
    n_right = right.sum(axis=1, keepdims=True)
    of_class = np.bincount(y, minlength=n_classes).astype(np.float64)
    as_class = np.stack([np.bincount(row, minlength=n_classes) for row in chosen]).astype(np.float64)

    above = n * n_right - (as_class * of_class).sum(axis=1, keepdims=True)  # N, (k, 1)
    predicted_spread = n**2 - (as_class**2).sum(axis=1, keepdims=True)  # P, (k, 1)
    true_spread = n**2 - (of_class**2).sum()  # T
    defined = predicted_spread > 0  # whole numbers
    predicted_spread = np.where(defined, predicted_spread, 1.0)
    root = np.sqrt(predicted_spread * true_spread)
    values = np.where(defined, above / root, 0.0)

    as_chosen = np.take_along_axis(as_class, chosen, axis=1)  # p of the class predicted for the image, (k, n)
    d_above = n * right + n_right - as_class[:, y] - of_class[chosen]
    half_d_spread = (n - as_chosen) / predicted_spread + (n - of_class[y]) / true_spread
    influence = np.where(defined, d_above / root - values * half_d_spread, 0.0)
    return from_influence(values[:, 0], influence, predicted.groups)
