"""Attention transfer against hand-computed numbers."""

import pytest
import torch
import torch.nn.functional as F
from torchdistill.losses.mid_level import ATLoss

from weckd.training.networks import attention_stages
from weckd.training.objectives.distillation import attention_energy, attention_transfer, average_pooled


def test_stages_are_the_two_deepest_of_at_least_4x4():
    sizes = [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)]
    assert attention_stages(sizes) == [1, 2]
    assert attention_stages([(112, 112), (56, 56), (28, 28), (14, 14), (7, 7)]) == [3, 4]
    assert attention_stages([(4, 3), (2, 2)]) == []


def test_energy_is_the_channel_mean_of_squares():
    features = torch.tensor([[[[1.0, 2.0], [0.0, 4.0]], [[3.0, 0.0], [0.0, 2.0]]]])
    assert attention_energy(features).tolist() == [[[5.0, 2.0], [0.0, 10.0]]]


def test_distance_is_the_hand_computed_number():
    # Energies (3, 4, 0, 0) -> Q = (.6, .8, 0, 0) and (0, 1, 0, 0): (.6)^2 + (.2)^2 = .40 for the first image,
    # 0 for the second; the batch mean is .20. Channels may differ.
    student = torch.zeros(2, 1, 2, 2)
    teacher = torch.zeros(2, 3, 2, 2)
    student[0, 0, 0] = torch.tensor([3.0, 4.0]).sqrt()
    teacher[0, :, 0, 1] = 7.0
    student[1, 0, 1, 1] = 2.0
    teacher[1, 0, 1, 1] = 9.0
    assert attention_transfer([student], [teacher]).item() == pytest.approx(0.20, abs=1e-6)
    assert attention_transfer([student, student], [teacher, teacher]).item() == pytest.approx(0.40, abs=1e-6)


@pytest.mark.parametrize(("channels", "sides"), [((3, 5), (4, 4)), ((8, 8), (6, 4))])
def test_agrees_with_torchdistill(channels, sides):
    # There the squared differences are averaged over positions too, as in the authors' code; here they are summed.
    torch.manual_seed(0)
    pairs = [tuple(torch.randn(7, channel, side, side) for channel in channels) for side in sides]
    student, teacher = ({str(n): {"output": pair[who]} for n, pair in enumerate(pairs)} for who in (0, 1))
    place = {n: {"path": n, "io": "output"} for n in student}
    theirs = ATLoss(
        {
            n: {"student": place[n], "teacher": place[n], "weight": side**2}
            for n, side in zip(place, sides, strict=True)
        }
    )
    ours = attention_transfer(*([pair[who] for pair in pairs] for who in (0, 1)))
    assert ours.item() == pytest.approx(theirs(student, teacher).item(), rel=1e-5)


def test_larger_map_is_average_pooled():
    # 4x4 energy of ones in its left half pools to (1, 0; 1, 0), which is the teacher's: distance 0.
    student = torch.zeros(1, 1, 4, 4)
    student[..., :2] = 1.0
    teacher = torch.tensor([[[[5.0, 0.0], [5.0, 0.0]]]])
    assert attention_transfer([student], [teacher]).item() == pytest.approx(0.0, abs=1e-6)
    # Against a map that looks at the upper left only: Q_s = (1, 0, 1, 0)/sqrt 2, Q_t = (1, 0, 0, 0): 2 - sqrt 2.
    corner = torch.tensor([[[[5.0, 0.0], [0.0, 0.0]]]])
    assert attention_transfer([student], [corner]).item() == pytest.approx(2 - 2**0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("sides", "size"), [((8, 8), (4, 4)), ((7, 5), (3, 4)), ((5, 6), (5, 2)), ((4, 4), (4, 4))]
)
def test_pooling_is_torchs_with_its_gradient(sides, size):
    torch.manual_seed(0)
    maps, weights = torch.rand(2, *sides, requires_grad=True), torch.rand(2, *size)
    ours, theirs = average_pooled(maps, size), F.adaptive_avg_pool2d(maps, size)
    torch.testing.assert_close(ours, theirs)
    gradients = [torch.autograd.grad((pooled * weights).sum(), maps)[0] for pooled in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def test_gradients_reach_the_student_only():
    student = torch.rand(2, 3, 4, 4, requires_grad=True)
    teacher = torch.rand(2, 3, 4, 4, requires_grad=True)
    attention_transfer([student], [teacher]).backward()
    assert teacher.grad is None
    assert float(student.grad.abs().sum()) > 0


def test_nothing_to_compare_is_refused():
    with pytest.raises(ValueError, match="at least one: 0 of the student, 0 of the teacher"):
        attention_transfer([], [])
