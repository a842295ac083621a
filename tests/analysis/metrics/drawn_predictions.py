"""Predictions for the tests of metrics: drawn at random, with ties, or written out by hand."""

import dataclasses

import numpy as np

from weckd.analysis.metrics.scores import Predicted, Validation
from weckd.seeds import generator


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def drawn(n_classes, k=3, n=60, n_groups=12):
    """Twentieths, so that confidences tie, none of them 0; every class and group has an image.

    Better than chance; images are as difficult for one seed as for another.
    """
    draw = generator("drawn predictions", n_classes, k, n)
    y = np.concatenate([np.arange(n_classes), draw.integers(n_classes, size=n - n_classes)])
    groups = np.concatenate([np.arange(n_groups), draw.integers(n_groups, size=n - n_groups)])
    logits = 1.2 * np.eye(n_classes)[y] + 1.5 * draw.normal(size=(n, n_classes))
    test, validation = (_coarse(draw, logits + 0.5 * draw.normal(size=(k, n, n_classes))) for _ in range(2))
    return Predicted(test, y, groups, tuple(Validation(one, y) for one in validation))


def each_image_a_group(predicted):
    return dataclasses.replace(predicted, groups=np.arange(len(predicted.y)))


def certain(classes, y, groups=None):
    """Predictions with probability 1 for the classes given, one row a seed."""
    y = np.asarray(y)
    probabilities = np.eye(int(y.max()) + 1, dtype=np.float32)[np.asarray(classes)]
    return Predicted(probabilities, y, np.arange(len(y)) if groups is None else np.asarray(groups), ())


def two_class(confidence, right):
    """One seed, all images of class 0: the probability of the class chosen, and whether that is class 0."""
    high, right = np.asarray(confidence), np.asarray(right, dtype=bool)
    first = np.where(right, high, 1 - high)
    probabilities = np.stack([first, 1 - first], axis=1)[None].astype(np.float32)
    return Predicted(probabilities, np.zeros(len(high), dtype=np.int64), np.arange(len(high)), ())


def influence(scored):
    """The influence of every image, where each is a group of its own."""
    return scored.cases / np.sqrt(scored.n_images)


def derivative(metric, n, step=1e-4):
    """The numerical derivative of metric(weights) with respect to the weight of each of n images, at 1."""
    moved = step * np.eye(n)
    return np.array([(metric(1 + row) - metric(1 - row)) / (2 * step) for row in moved])


def _coarse(draw, logits):
    n_classes = logits.shape[-1]
    counts = draw.multinomial(20 - n_classes, softmax(logits)) + 1
    return (counts / 20).astype(np.float32)
