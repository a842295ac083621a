"""Decoupled distillation against hand-computed numbers, its own identity and a plain formula."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from weckd.methods.losses import Decoupled
from weckd.training.objectives.distillation import divergence
from weckd.training.objectives.rivals import decoupled_loss

# Teacher probabilities, label 0; uniform student. Target against the others (1/2, 1/2), the student's (1/C, 1 - 1/C):
#   C = 3: (1/2, 3/8, 1/8)           TCKD = .5 ln 1.5 + .5 ln .75      = .0588915
#   C = 8: (1/2, 1/4, 1/24 six times) TCKD = .5 ln 4   + .5 ln (4 / 7)  = .4133392
# Among the others alone (3/4, 1/4) and (1/2, 1/12 six times), the student's 1/2 and 1/7 each:
#   C = 3: NCKD = .75 ln 1.5 + .25 ln .5   = .1308120
#   C = 8: NCKD = .5 ln 3.5 + .5 ln (7/12) = .3568832
TEACHERS = {3: [1 / 2, 3 / 8, 1 / 8], 8: [1 / 2, 1 / 4] + [1 / 24] * 6}
TARGET_TERMS = {3: 0.0588915, 8: 0.4133392}
OTHERS_TERMS = {3: 0.1308120, 8: 0.3568832}


def weights(target, others, temperature=1.0):
    return Decoupled(target, others, temperature, warmup=0.0)


def loss_of(teacher, settings, ramp=1.0):
    """Return the loss of a uniform student; its cross-entropy is ln C."""
    labels = torch.zeros(len(teacher), dtype=torch.int64)
    return decoupled_loss(torch.zeros_like(teacher), teacher, labels, settings, ramp).item()


@pytest.mark.parametrize("classes", [3, 8])
def test_each_term_is_the_hand_computed_number(classes):
    teacher = torch.tensor([TEACHERS[classes]]).log()
    assert loss_of(teacher, weights(0, 0)) == pytest.approx(math.log(classes), abs=1e-6)
    target, others = TARGET_TERMS[classes], OTHERS_TERMS[classes]
    assert loss_of(teacher, weights(1, 0)) == pytest.approx(math.log(classes) + target, abs=1e-6)
    assert loss_of(teacher, weights(0, 1)) == pytest.approx(math.log(classes) + others, abs=1e-6)


@pytest.mark.parametrize("classes", [3, 8])
def test_weights_t_squared_and_ramp_multiply_and_images_are_averaged(classes):
    # Logits times 4 at T = 4 have the probabilities above; the second image, on which both agree, halves the mean:
    # L = ln C + ramp 16 (2 TCKD + 3 NCKD) / 2.
    teacher = 4 * torch.tensor([TEACHERS[classes], [1.0] * classes]).log()
    terms = 2 * TARGET_TERMS[classes] + 3 * OTHERS_TERMS[classes]
    for ramp in (0.0, 0.25, 1.0):
        expected = math.log(classes) + ramp * 16 * terms / 2
        assert loss_of(teacher, weights(2, 3, 4.0), ramp) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("classes", [3, 8])
def test_the_divergence_is_the_target_term_and_its_share_of_the_others(classes):
    # Zhao et al. 2022, equation 6: KL = TCKD + (1 - p_t[y]) NCKD, image by image.
    torch.manual_seed(classes)
    student, teacher = 3 * torch.randn(20, classes), 3 * torch.randn(20, classes)
    labels = torch.randint(0, classes, (20,))
    for image in range(20):
        one = slice(image, image + 1)
        base, target, others = (
            decoupled_loss(student[one], teacher[one], labels[one], weights(*pair, 2.0), 1.0).item()
            for pair in ((0, 0), (1, 0), (0, 1))
        )
        unlike = 1 - F.softmax(teacher[image] / 2, dim=0)[labels[image]].item()
        expected = divergence(student[one], teacher[one], 2.0).item()
        assert target - base + unlike * (others - base) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def plain_formula(student, teacher, labels, target_weight, others_weight, temperature):
    """Return the loss from the probabilities as they stand in the paper, in double precision, image by image."""
    total = 0.0
    for own, other, label in zip(student, teacher, labels, strict=True):
        p_s, p_t = (np.exp(z / temperature) / np.exp(z / temperature).sum() for z in (own, other))
        b_s, b_t = (np.array([p[label], 1 - p[label]]) for p in (p_s, p_t))
        h_s, h_t = (np.delete(p, label) / (1 - p[label]) for p in (p_s, p_t))
        target, others = (b_t * np.log(b_t / b_s)).sum(), (h_t * np.log(h_t / h_s)).sum()
        entropy = np.log(np.exp(own).sum()) - own[label]
        total += entropy + temperature**2 * (target_weight * target + others_weight * others)
    return total / len(labels)


@pytest.mark.parametrize("classes", [3, 5, 8])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_agrees_with_the_plain_formula(classes, temperature):
    generator = np.random.default_rng(classes)
    student, teacher = generator.normal(0, 3, (2, 32, classes))
    labels = generator.integers(0, classes, 32)
    ours = decoupled_loss(
        *(torch.from_numpy(values) for values in (student, teacher, labels)), weights(1, 8, temperature), 1.0
    )
    assert ours.item() == pytest.approx(plain_formula(student, teacher, labels, 1, 8, temperature), rel=1e-9)


def test_a_teacher_that_is_certain_leaves_the_loss_finite():
    student = torch.tensor([[0.0, 5.0, -5.0]], requires_grad=True)
    loss = decoupled_loss(student, torch.tensor([[900.0, 0.0, 0.0]]), torch.tensor([0]), weights(1, 8), 1.0)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(student.grad).all()


def test_gradients_reach_the_student_only():
    student, teacher = (torch.randn(4, 3, requires_grad=True) for _ in range(2))
    decoupled_loss(student, teacher, torch.tensor([0, 1, 2, 0]), weights(1, 8, 4.0), 1.0).backward()
    assert teacher.grad is None
    assert float(student.grad.abs().sum()) > 0


def test_two_classes_are_refused():
    # With one other class its softmax is 1 for both networks: the second term would be zero unseen.
    with pytest.raises(ValueError, match="needs three classes: with two, its second term is always zero"):
        loss_of(torch.randn(4, 2), weights(1, 8))
