"""The distillation loss against hand-computed numbers and against timm's own implementation."""

import math
import warnings

import pytest
import timm
import torch
import torch.nn.functional as F
from timm.task import LogitDistillationTask

from weckd.methods.losses import Distillation, Temperature
from weckd.training.objectives.distillation import distillation_loss, divergence

ONE = Temperature("constant", 1.0, 1.0)
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
def test_the_default_reduction_would_be_c_times_too_small(classes):
    torch.manual_seed(classes)
    student, teacher = torch.randn(6, classes), torch.randn(6, classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch itself warns of this reduction
        default = torch.nn.KLDivLoss()(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1))
    assert divergence(student, teacher, 1.0).item() == pytest.approx(classes * default.item(), rel=1e-5)


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_t_squared_keeps_the_size_of_gradients_as_the_temperature_rises(classes):
    # Hinton et al. 2015, equation 4: for high T and logits of mean zero the gradient of T^2 KL is (z_s - z_t) / (C B),
    # whatever T is; without the factor it is 1 / T^2 of that.
    torch.manual_seed(classes)
    student, teacher = torch.randn(4, classes), torch.randn(4, classes)
    student, teacher = (z - z.mean(dim=1, keepdim=True) for z in (student, teacher))
    student.requires_grad_()
    limit = (student - teacher).detach() / (4 * classes)
    for temperature in (100.0, 1000.0):
        (kept,) = torch.autograd.grad(divergence(student, teacher, temperature), student)
        (lost,) = torch.autograd.grad(divergence(student, teacher, temperature, 1.0), student)
        torch.testing.assert_close(kept, limit, rtol=0.05, atol=1e-2)
        torch.testing.assert_close(lost * temperature**2, kept)


def test_the_temperature_learns_where_it_is_a_tensor():
    # The value is that of the same number, and its gradient that of the difference quotient.
    torch.manual_seed(0)
    student, teacher = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    temperature = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    loss = divergence(student, teacher, temperature)
    loss.backward()
    assert loss.item() == pytest.approx(divergence(student, teacher, 3.0).item())
    above, below = (divergence(student, teacher, 3.0 + step).item() for step in (1e-5, -1e-5))
    assert temperature.grad.item() == pytest.approx((above - below) / 2e-5, rel=1e-5)


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_loss_is_the_stated_mixture(classes):
    # CE of a uniform student is ln C. L = (1 - alpha) ln C + alpha T^2 KL, T = 1, beta = 0.
    settings = Distillation(alpha=0.25, beta=0.0, temperature=Temperature("linear", 4.0, 1.0))
    loss = distillation_loss(
        torch.zeros(1, classes),
        [torch.tensor([TEACHERS[classes]])],
        torch.tensor([1]),
        [],
        [[]],
        settings,
        1.0,
    )
    expected = 0.75 * math.log(classes) + 0.25 * DIVERGENCES[classes]
    assert loss.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 8])
@pytest.mark.parametrize(
    ("mixing", "squared", "weight", "factor"),
    [
        ("convex", True, 0.75, 16),
        ("additive", True, 1.0, 16),
        ("convex", False, 0.75, 1),
        ("additive", False, 1.0, 1),
    ],
)
def test_other_mixtures_have_their_own_weights(classes, mixing, squared, weight, factor):
    # Logits times 4 at T = 4: KL as at T = 1, T^2 = 16. L = weight ln C + alpha factor KL.
    settings = Distillation(0.25, 0.0, ONE, mixing, squared)
    teacher = [4 * torch.tensor([TEACHERS[classes]])]
    loss = distillation_loss(torch.zeros(1, classes), teacher, torch.tensor([1]), [], [[]], settings, 4.0)
    expected = weight * math.log(classes) + 0.25 * factor * DIVERGENCES[classes]
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_of_several_teachers_the_mean_counts():
    # The second teacher agrees with the student: half the divergence, and half the attention distance of 2.
    settings = Distillation(alpha=1.0, beta=1.0, temperature=ONE)
    one, other = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    one[0, 0, 0, 0], other[0, 0, 1, 1] = 3.0, 5.0
    loss = distillation_loss(
        torch.zeros(1, 3),
        [torch.tensor([TEACHERS[3]]), torch.zeros(1, 3)],
        torch.tensor([0]),
        [one],
        [[other], [one]],
        settings,
        1.0,
    )
    assert loss.item() == pytest.approx(DIVERGENCES[3] / 2 + 2.0 / 2, abs=1e-5)


def test_attention_term_enters_with_weight_beta():
    # One stage of 4x4: the student looks at one position, the teacher at another; ||Q_s - Q_t||^2 = 2.
    student_map, teacher_map = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    student_map[0, 0, 0, 0] = 3.0
    teacher_map[0, 0, 1, 1] = 5.0
    settings = Distillation(alpha=0.5, beta=10.0, temperature=ONE)
    loss = distillation_loss(
        torch.zeros(1, 2),
        [torch.zeros(1, 2)],
        torch.tensor([0]),
        [student_map],
        [[teacher_map]],
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
    settings = Distillation(
        alpha=0.7, beta=0.0, temperature=Temperature("constant", temperature, temperature)
    )
    ours = distillation_loss(student(images), [teacher(images)], labels, [], [[]], settings, temperature)
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
