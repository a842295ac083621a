"""The distillation loss against hand-computed numbers and against timm's own implementation."""

import math

import pytest
import timm
import torch
import torch.nn.functional as F
from timm.task import LogitDistillationTask

from weckd.methods.losses import distillation_loss, divergence
from weckd.methods.recipe import Distillation

LN2, LN3, LN7 = math.log(2), math.log(3), math.log(7)

# Teacher probabilities at T = 1: (3/4, 1/4); (1/2, 1/4, 1/4); (1/2, 1/14 seven times); uniform student.
# KL = sum p_t ln(p_t / p_s), worked out by hand:
#   C = 2: .75 ln 1.5 + .25 ln .5     = .1308120
#   C = 3: .5 ln 1.5 + .5 ln .75      = .0588915
#   C = 8: .5 ln 4 + .5 ln (8 / 14)   = .4133392
TEACHERS = {2: [LN3, 0.0], 3: [LN2, 0.0, 0.0], 8: [LN7] + [0.0] * 7}
DIVERGENCES = {2: 0.1308120, 3: 0.0588915, 8: 0.4133392}


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_divergence_is_the_hand_computed_number(classes):
    teacher = torch.tensor([TEACHERS[classes]])
    student = torch.zeros(1, classes)
    assert divergence(student, teacher, 1.0).item() == pytest.approx(DIVERGENCES[classes], abs=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_divergence_sums_over_classes_averages_over_images_and_carries_t_squared(classes):
    # Logits times T give the same probabilities at temperature T, so the value is T^2 times the one at T = 1;
    # a second image on which both agree halves the mean. `nn.KLDivLoss()`'s default would divide by C again.
    teacher = torch.tensor([TEACHERS[classes], [0.0] * classes]) * 4
    student = torch.zeros(2, classes)
    assert divergence(student, teacher, 4.0).item() == pytest.approx(16 * DIVERGENCES[classes] / 2, abs=1e-5)


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_loss_is_the_stated_mixture(classes):
    # CE of a uniform student is ln C. L = (1 - alpha) ln C + alpha T^2 KL, T = 1, beta = 0.
    settings = Distillation(alpha=0.25, beta=0.0, temperature=(4.0, 1.0))
    loss = distillation_loss(
        torch.zeros(1, classes), torch.tensor([TEACHERS[classes]]), torch.tensor([1]), [], [], settings, 1.0
    )
    expected = 0.75 * math.log(classes) + 0.25 * DIVERGENCES[classes]
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_attention_term_enters_with_weight_beta():
    # One stage of 4x4: the student looks at one position, the teacher at another; ||Q_s - Q_t||^2 = 2.
    student_map, teacher_map = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    student_map[0, 0, 0, 0] = 3.0
    teacher_map[0, 0, 1, 1] = 5.0
    settings = Distillation(alpha=0.5, beta=10.0, temperature=(1.0, 1.0))
    loss = distillation_loss(
        torch.zeros(1, 2),
        torch.zeros(1, 2),
        torch.tensor([0]),
        [student_map],
        [teacher_map],
        settings,
        1.0,
    )
    assert loss.item() == pytest.approx(0.5 * LN2 + 10.0 * 2.0, abs=1e-5)


@pytest.mark.parametrize("classes", [2, 3, 8])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_agrees_with_timm(classes, temperature):
    torch.manual_seed(0)
    student = timm.create_model("test_resnet", num_classes=classes).eval()
    teacher = timm.create_model("test_resnet", num_classes=classes).eval()
    images, labels = torch.randn(5, 3, 32, 32), torch.randint(0, classes, (5,))
    task = LogitDistillationTask(
        student, teacher, task_loss_weight=0.3, temperature=temperature, verbose=False
    ).eval()
    theirs = task(images, labels)
    settings = Distillation(alpha=0.7, beta=0.0, temperature=(temperature, temperature))
    ours = distillation_loss(student(images), teacher(images), labels, [], [], settings, temperature)
    assert theirs["kd_loss"].item() > 0
    assert ours.item() == pytest.approx(
        theirs["task_loss"].item() * 0.3 + theirs["kd_loss"].item() * 0.7, rel=1e-5
    )


def test_gradients_reach_the_student_only():
    student = torch.randn(3, 4, requires_grad=True)
    teacher = torch.randn(3, 4, requires_grad=True)
    divergence(student, teacher, 2.0).backward()
    assert teacher.grad is None
    # d/dz_s of T^2 KL / B is T (sigma(z_s / T) - sigma(z_t / T)) / B.
    expected = 2.0 * (F.softmax(student / 2, dim=1) - F.softmax(teacher / 2, dim=1)) / 3
    assert torch.allclose(student.grad, expected.detach(), atol=1e-6)
