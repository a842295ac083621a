"""The temperature over a fit: each schedule at its start, middle and end, and the one that is learned."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from toy_cell import setup_of

from weckd.methods.losses import Distillation, Temperature
from weckd.training.objectives.distillation import (
    CURRICULUM_SHARE,
    Distilled,
    LearnedTemperature,
    reversal_strength,
    temperature_at,
)

CTKD = Temperature("learned", 1.0, 21.0)


def at(learned, step, steps):
    """Return a learned temperature as a step of a fit has it."""
    return learned(torch.tensor(reversal_strength(step, steps)))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        # Five steps, T from 4 to 1, at 0, 1/4, 1/2, 3/4 and 1 of the way.
        ("constant", [4, 4, 4, 4, 4]),
        ("linear", [4, 3.25, 2.5, 1.75, 1]),  # 4 - 3 d
        ("cosine", [4, 2.5 + 1.5 * 0.5**0.5, 2.5, 2.5 - 1.5 * 0.5**0.5, 1]),  # 1 + 3 (1 + cos(pi d)) / 2
        ("exponential", [4, 2 * 2**0.5, 2, 2**0.5, 1]),  # 4 (1/4)^d
    ],
)
def test_schedules_take_their_values_at_start_middle_and_end(schedule, expected):
    found = [temperature_at(step, 5, Temperature(schedule, 4.0, 1.0)) for step in range(5)]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "exponential"])
def test_a_fit_of_one_step_has_the_first_temperature(schedule):
    assert temperature_at(0, 1, Temperature(schedule, 4.0, 1.0)) == 4.0


def test_exponential_falls_by_the_same_factor_each_step():
    values = [temperature_at(step, 7, Temperature("exponential", 8.0, 0.5)) for step in range(7)]
    assert [after / before for before, after in pairwise(values)] == pytest.approx([16 ** (-1 / 6)] * 6)


def test_a_learned_temperature_has_no_schedule():
    with pytest.raises(ValueError, match="a learned temperature has no schedule"):
        temperature_at(0, 5, CTKD)


def test_a_learned_temperature_starts_in_the_middle_and_stays_between_its_bounds():
    learned = LearnedTemperature(CTKD)
    assert at(learned, 0, 240).item() == 11.0  # 1 + 20 sigmoid(0)
    for theta, expected in ((math.log(3), 16.0), (-math.log(3), 6.0), (50.0, 21.0), (-50.0, 1.0)):
        nn.init.constant_(learned.theta, theta)
        assert at(learned, 0, 240).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("step", "strength"), [(0, 0.0), (5, 0.5), (10 / 3, 0.25), (20 / 3, 0.75), (10, 1.0), (239, 1.0)]
)
def test_its_gradient_is_reversed_and_grows_along_a_cosine(step, strength):
    # dT / dtheta = 20 * 1/4 at theta = 0, turned round; of 240 steps the first 10 raise it by (1 - cos(pi d)) / 2:
    # at a third of them (1 - 1/2) / 2, at a half 1/2, at two thirds (1 + 1/2) / 2.
    assert CURRICULUM_SHARE * 240 == 10
    learned = LearnedTemperature(CTKD)
    at(learned, step, 240).backward()
    assert learned.theta.grad.item() == pytest.approx(-5 * strength)


def test_in_a_fit_shorter_than_its_curriculum_only_the_first_step_is_without_gradient():
    learned = LearnedTemperature(CTKD)
    for step, expected in ((0, 0.0), (1, -5.0)):
        learned.theta.grad = None
        at(learned, step, 6).backward()
        assert learned.theta.grad.item() == expected


def test_in_training_it_moves_against_the_student():
    # With the student held still the divergence can change by the temperature alone, and it rises.
    torch.manual_seed(0)
    student, teacher = (nn.Sequential(nn.Flatten(), nn.Linear(12, 3)) for _ in range(2))
    objective = Distilled(setup_of(student, Distillation(1.0, 0.0, CTKD), 100, [teacher]))
    assert objective.trained == [student, objective.learned]
    views, labels = 40 * torch.randn(8, 3, 2, 2), torch.randint(0, 3, (8,))
    optimiser = torch.optim.AdamW(objective.learned.parameters(), lr=0.05)
    losses = []
    for step in range(10, 60):
        loss = objective.loss(step, views, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses == sorted(losses)
    assert losses[-1] > losses[0]
    assert abs(at(objective.learned, 60, 100).item() - 11.0) > 1.0
