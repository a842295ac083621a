"""Deep mutual learning against hand-computed numbers."""

import math

import pytest
import torch
import torch.nn.functional as F

from weckd.training.objectives.rivals import mutual_loss

# p_1 uniform; p_2 = (3/4, 1/4); (1/2, 1/4, 1/4); (1/2, 1/14 seven times). The label is class 1.
#   CE of p_2: ln 4, ln 4, ln 14; CE of p_1: ln C.
#   KL(p_2 || p_1), the first network's: .1308120, .0588915, .4133392 (worked out in test_distillation.py)
#   KL(p_1 || p_2), the second's:
#     C = 2: .5 ln (2 / 3) + .5 ln 2         = .1438410
#     C = 3: 1/3 ln (2 / 3) + 2/3 ln (4 / 3) = .0566330
#     C = 8: 1/8 ln (1 / 4) + 7/8 ln (7 / 4) = .3163766
SECOND = {2: [3 / 4, 1 / 4], 3: [1 / 2, 1 / 4, 1 / 4], 8: [1 / 2] + [1 / 14] * 7}
ENTROPIES = {2: math.log(4), 3: math.log(4), 8: math.log(14)}
TO_FIRST = {2: 0.1308120, 3: 0.0588915, 8: 0.4133392}
TO_SECOND = {2: 0.1438410, 3: 0.0566330, 8: 0.3163766}


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_loss_is_the_hand_computed_number(classes):
    first, second = torch.zeros(1, classes), torch.tensor([SECOND[classes]]).log()
    labels = torch.tensor([1])
    expected = math.log(classes) + ENTROPIES[classes] + TO_FIRST[classes] + TO_SECOND[classes]
    assert mutual_loss(first, second, labels, 1.0).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_divergences_carry_t_squared_and_images_are_averaged(classes):
    # At T = 4 logits times 4 have the probabilities above; a second image on which both agree halves the divergences.
    second = 4 * torch.tensor([SECOND[classes], [1.0] * classes]).log()
    first, labels = torch.zeros(2, classes), torch.tensor([1, 0])
    entropies = F.cross_entropy(first, labels) + F.cross_entropy(second, labels)
    divergences = mutual_loss(first, second, labels, 4.0) - entropies
    expected = 16 * (TO_FIRST[classes] + TO_SECOND[classes]) / 2
    assert divergences.item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_each_divergence_moves_its_own_network_only(temperature):
    # d/dz_1 of CE and T^2 KL(p_2 || p_1), p_2 held still: (sigma(z_1) - y + T (sigma(z_1 / T) - sigma(z_2 / T))) / B.
    torch.manual_seed(0)
    first, second = (torch.randn(5, 4, requires_grad=True) for _ in range(2))
    labels = torch.tensor([0, 1, 2, 3, 0])
    mutual_loss(first, second, labels, temperature).backward()
    for own, other in ((first, second), (second, first)):
        taught = F.softmax(own / temperature, dim=1) - F.softmax(other / temperature, dim=1)
        expected = (F.softmax(own, dim=1) - F.one_hot(labels, 4) + temperature * taught) / 5
        torch.testing.assert_close(own.grad, expected.detach())


def test_the_two_networks_are_alike():
    torch.manual_seed(0)
    first, second, labels = torch.randn(6, 3), torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    assert mutual_loss(first, second, labels, 2.0).item() == pytest.approx(
        mutual_loss(second, first, labels, 2.0).item()
    )
