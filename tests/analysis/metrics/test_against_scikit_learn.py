"""Values and influence against scikit-learn; the influence is the derivative of its metrics by a sample weight."""

import numpy as np
import pytest
from drawn_predictions import derivative, drawn, each_image_a_group, influence
from sklearn import metrics as sklearn_metrics

from weckd.analysis.metrics.confidence import brier, nll
from weckd.analysis.metrics.scores import f1, macro_auroc, macro_f1, mcc, precision, recall


def sklearn_macro_f1(y, p, w=None):
    return sklearn_metrics.f1_score(y, p.argmax(axis=1), average="macro", sample_weight=w)


def sklearn_mcc(y, p, w=None):
    return sklearn_metrics.matthews_corrcoef(y, p.argmax(axis=1), sample_weight=w)


def sklearn_macro_auroc(y, p, w=None):
    if p.shape[1] == 2:
        return sklearn_metrics.roc_auc_score(y, p[:, 1], sample_weight=w)
    return sklearn_metrics.roc_auc_score(y, p, multi_class="ovr", average="macro", sample_weight=w)


def sklearn_brier(y, p, w=None):
    one_hot = np.eye(p.shape[1])[y]
    return p.shape[1] * sklearn_metrics.mean_squared_error(one_hot, p, sample_weight=w)


def sklearn_nll(y, p, w=None):
    return sklearn_metrics.log_loss(y, p / p.sum(axis=1, keepdims=True), sample_weight=w)


OURS_AND_THEIRS = {
    "macro_f1": (macro_f1, sklearn_macro_f1),
    "mcc": (mcc, sklearn_mcc),
    "macro_auroc": (macro_auroc, sklearn_macro_auroc),
    "brier": (brier, sklearn_brier),
    "nll": (nll, sklearn_nll),
}


@pytest.mark.parametrize("name", OURS_AND_THEIRS)
@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_values(name, n_classes):
    ours, theirs = OURS_AND_THEIRS[name]
    predicted = drawn(n_classes)
    expected = [theirs(predicted.y, p.astype(np.float64)) for p in predicted.probabilities]
    assert ours(predicted).values == pytest.approx(expected, rel=1e-6)
    assert len(set(expected)) == 3


@pytest.mark.parametrize("name", OURS_AND_THEIRS)
@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_influence_is_the_derivative(name, n_classes):
    ours, theirs = OURS_AND_THEIRS[name]
    predicted = each_image_a_group(drawn(n_classes, k=2, n=30))
    second = predicted.probabilities[1].astype(np.float64)
    expected = derivative(lambda weights: theirs(predicted.y, second, weights), 30)
    assert influence(ours(predicted))[1] == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_each_class(n_classes):
    predicted = each_image_a_group(drawn(n_classes, k=2, n=30))
    first = predicted.probabilities[0].argmax(axis=1)

    def theirs(w=None):
        return np.array(
            sklearn_metrics.precision_recall_fscore_support(
                predicted.y, first, sample_weight=w, zero_division=0
            )[:3]
        )

    ours = [[score(predicted, label) for label in range(n_classes)] for score in (precision, recall, f1)]
    assert np.array([[one.values[0] for one in row] for row in ours]) == pytest.approx(theirs(), rel=1e-12)
    moved = derivative(theirs, 30)  # (n, 3, C)
    found = np.array([[influence(one)[0] for one in row] for row in ours])
    assert found == pytest.approx(np.moveaxis(moved, 0, 2), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", ["macro_f1", "mcc"])
def test_a_class_that_is_never_predicted(name):
    predicted = each_image_a_group(drawn(3, k=2, n=30))
    predicted.probabilities[:, :, 2] = 0
    ours, theirs = OURS_AND_THEIRS[name]
    scored = ours(predicted)
    assert scored.values == pytest.approx([theirs(predicted.y, p) for p in predicted.probabilities])
    first = predicted.probabilities[0]
    expected = derivative(lambda weights: theirs(predicted.y, first, weights), 30)
    assert influence(scored)[0] == pytest.approx(expected, rel=1e-5, abs=1e-8)
