"""The losses with unlabelled images against hand-computed numbers and against plain NumPy."""

import math

import numpy as np
import pytest
import torch

from weckd.methods.losses import FixMatch, MeanTeacher
from weckd.training.objectives.semi_supervised import (
    average_decay,
    consistency,
    consistency_weight,
    fixmatch_loss,
    mean_teacher_loss,
    pseudo_label_loss,
    teacher_labels,
)

LN2, LN3, LN7, LN14 = math.log(2), math.log(3), math.log(7), math.log(14)

# Probabilities: (3/4, 1/4); (1/2, 1/4, 1/4); (1/2, 1/14 seven times).
TEACHERS = {2: [LN3, 0.0], 3: [LN2, 0.0, 0.0], 8: [LN7] + [0.0] * 7}
# Mean over C of (p - 1/C)^2 against a uniform student:
#   C = 2: (1/16 + 1/16) / 2            = 1/16
#   C = 3: (4/144 + 1/144 + 1/144) / 3  = 1/72
#   C = 8: (9/64 + 7 * 9/3136) / 8      = 9/448
DISTANCES = {2: 1 / 16, 3: 1 / 72, 8: 9 / 448}
MEAN_TEACHER = MeanTeacher(ratio=2, weight=100.0, rampup=0.25, decay=0.99, reach=0.1)
FIXMATCH = FixMatch(ratio=2, weight=3.0, threshold=0.95)

classes_each = pytest.mark.parametrize("classes", [2, 3, 8])


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def drawn(classes, *counts, seed=0):
    """Return logits of so many images each, float64, spread widely enough for some confident decisions."""
    rng = np.random.default_rng(seed)
    return [4 * rng.standard_normal((count, classes)) for count in counts]


@classes_each
def test_stand_ins_are_decisions_or_probabilities(classes):
    logits = torch.tensor([TEACHERS[classes], [0.0] * (classes - 1) + [1.0]])
    assert teacher_labels(logits, hard=True).tolist() == [0, classes - 1]
    soft = teacher_labels(logits, hard=False)
    first = {2: [0.75, 0.25], 3: [0.5, 0.25, 0.25], 8: [0.5] + [1 / 14] * 7}[classes]
    assert soft[0].tolist() == pytest.approx(first, abs=1e-6)
    assert soft.sum(1).tolist() == pytest.approx([1.0, 1.0])


@classes_each
def test_hard_pseudo_labels_by_hand(classes):
    # One labelled image, uniform: ln C. Two unlabelled: -ln p_0 = ln 4/3, ln 2, ln 2, and a uniform one: ln C.
    unlabelled = torch.tensor([TEACHERS[classes], [0.0] * classes])
    loss = pseudo_label_loss(torch.zeros(1, classes), torch.tensor([1]), unlabelled, torch.tensor([0, 1]))
    own = {2: math.log(4 / 3), 3: LN2, 8: LN2}[classes]
    assert loss.item() == pytest.approx(math.log(classes) + (own + math.log(classes)) / 2, abs=1e-6)


@classes_each
def test_soft_pseudo_labels_by_hand(classes):
    # Against uniform stand-ins: the mean of -ln p over C classes.
    unlabelled, stand_ins = torch.tensor([TEACHERS[classes]]), torch.full((1, classes), 1 / classes)
    loss = pseudo_label_loss(torch.zeros(3, classes), torch.tensor([1, 0, 1]), unlabelled, stand_ins)
    own = {2: (4 * LN2 - LN3) / 2, 3: 5 * LN2 / 3, 8: (LN2 + 7 * LN14) / 8}[classes]
    assert loss.item() == pytest.approx(math.log(classes) + own, abs=1e-6)


@classes_each
def test_consistency_is_the_mean_over_images_and_classes(classes):
    teacher = torch.tensor([TEACHERS[classes], [0.0] * classes])
    student = torch.zeros(2, classes)
    assert consistency(student[:1], teacher[:1]).item() == pytest.approx(DISTANCES[classes], abs=1e-7)
    assert consistency(student, teacher).item() == pytest.approx(DISTANCES[classes] / 2, abs=1e-7)


@classes_each
def test_consistency_is_zero_of_equal_sides_only_and_at_most_two_over_c(classes):
    one, other = torch.eye(classes)[:1] * 50, torch.eye(classes)[1:2] * 50
    assert consistency(one, one).item() == 0.0
    assert consistency(one, other).item() == pytest.approx(2 / classes)


@classes_each
def test_mean_teacher_by_hand(classes):
    # One labelled image (ln C, and consistent) and one unlabelled (distance D): ln C + 10 (0 + D) / 2.
    student, teacher = torch.zeros(2, classes), torch.tensor([[0.0] * classes, TEACHERS[classes]])
    loss = mean_teacher_loss(student, teacher, torch.tensor([1]), 10.0)
    assert loss.item() == pytest.approx(math.log(classes) + 10 * DISTANCES[classes] / 2, abs=1e-6)


@classes_each
def test_fixmatch_counts_confident_images_among_all(classes):
    # p = (24/25, rest) and (9/10, rest): one of two above 0.95; the strong views are uniform: 3 (ln C + 0) / 2.
    weak = torch.zeros(2, classes)
    weak[:, 1] = torch.tensor([24.0 * (classes - 1), 9.0 * (classes - 1)]).log()
    labelled, strong = torch.tensor([TEACHERS[classes]]), torch.zeros(2, classes)
    loss = fixmatch_loss(labelled, torch.tensor([0]), weak, strong, FIXMATCH)
    own = {2: math.log(4 / 3), 3: LN2, 8: LN2}[classes]
    assert loss.item() == pytest.approx(own + 3 * math.log(classes) / 2, abs=1e-6)


def test_fixmatch_takes_the_class_of_the_weak_view_and_a_probability_at_the_threshold():
    at_threshold = FixMatch(ratio=1, weight=1.0, threshold=0.5)  # (1/2, 1/2): the first class
    strong = torch.tensor([TEACHERS[2]])
    loss = fixmatch_loss(torch.zeros(1, 2), torch.tensor([0]), torch.zeros(1, 2), strong, at_threshold)
    assert loss.item() == pytest.approx(LN2 + math.log(4 / 3), abs=1e-6)


@classes_each
def test_all_agree_with_plain_numpy(classes):
    labelled, weak, strong = drawn(classes, 5, 12, 12)
    labels = np.arange(5) % classes
    tensors = [torch.from_numpy(values) for values in (labelled, weak, strong)]
    supervised = -np.log(softmax(labelled)[np.arange(5), labels]).mean()
    p, q = softmax(weak), softmax(strong)
    decisions = p.argmax(axis=1)
    hard = -np.log(q[np.arange(12), decisions])
    confident = p.max(axis=1) >= 0.95
    assert 0 < confident.sum() < 12
    given = torch.from_numpy(labels)
    assert pseudo_label_loss(
        tensors[0], given, tensors[2], teacher_labels(tensors[1], hard=True)
    ).item() == pytest.approx(supervised + hard.mean())
    assert pseudo_label_loss(
        tensors[0], given, tensors[2], teacher_labels(tensors[1], hard=False)
    ).item() == pytest.approx(supervised - (p * np.log(q)).sum(axis=1).mean())
    assert fixmatch_loss(*[tensors[0], given, *tensors[1:]], FIXMATCH).item() == pytest.approx(
        supervised + 3 * (hard * confident).sum() / 12
    )
    student, teacher = drawn(classes, 17, 17, seed=1)
    both = torch.from_numpy(student), torch.from_numpy(teacher)
    expected = -np.log(softmax(student)[np.arange(5), labels]).mean()
    expected += 7 * ((softmax(student) - softmax(teacher)) ** 2).sum() / (17 * classes)
    assert mean_teacher_loss(*both, given, 7.0).item() == pytest.approx(expected)


def test_gradients_reach_the_student_only():
    student, teacher = (torch.randn(4, 3, requires_grad=True) for _ in range(2))
    mean_teacher_loss(student, teacher, torch.tensor([0, 1]), 5.0).backward()
    assert teacher.grad is None
    assert bool((student.grad.abs().sum(dim=1) > 0).all())  # of unlabelled images too
    for hard in (True, False):
        assert not teacher_labels(torch.randn(4, 3, requires_grad=True), hard).requires_grad


def test_fixmatch_sends_no_gradient_to_the_weak_views_nor_to_doubtful_images():
    weak = torch.tensor([[9.0, 0.0, 0.0], [0.1, 0.0, 0.0]], requires_grad=True)
    labelled, strong = (torch.randn(2, 3, requires_grad=True) for _ in range(2))
    fixmatch_loss(labelled, torch.tensor([0, 1]), weak, strong, FIXMATCH).backward()
    assert weak.grad is None
    assert float(labelled.grad.abs().sum()) > 0
    assert (strong.grad.abs().sum(dim=1) > 0).tolist() == [True, False]


def test_consistency_rises_along_the_sigmoid_curve():
    # A quarter of 80 steps: t = 0, 1/2, 1, 1.
    found = [consistency_weight(step, 80, MEAN_TEACHER) for step in (0, 10, 20, 79)]
    assert found == pytest.approx([100 * math.exp(-5), 100 * math.exp(-1.25), 100.0, 100.0])
    assert consistency_weight(0, 2, MEAN_TEACHER) == pytest.approx(100 * math.exp(-5))


def test_average_begins_as_a_plain_mean():
    found = [average_decay(step, 10_000, MEAN_TEACHER) for step in (0, 1, 8)]
    assert found == pytest.approx([1 / 2, 2 / 3, 9 / 10])
    # The mean of 1, 2, 3, 4: each update with its decay.
    average = 1.0
    for step, value in enumerate((2.0, 3.0, 4.0)):
        decay = average_decay(step, 10_000, MEAN_TEACHER)
        average = decay * average + (1 - decay) * value
    assert average == pytest.approx(2.5)


def test_average_reaches_back_a_share_of_the_steps_at_most():
    assert average_decay(9_999, 10_000, MEAN_TEACHER) == 0.99
    assert average_decay(49, 50, MEAN_TEACHER) == 0.8  # five steps
    assert average_decay(4, 5, MEAN_TEACHER) == 0.0  # half a step: the student itself
