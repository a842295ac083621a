"""The optimiser's steps: their schedule by hand, and what a state holds."""

import math

import pytest
import torch
from torch import nn
from toy_cell import TRAINING, setup_of

from weckd.training.optimisation import Objective, RunningFit, learning_rates

VIEWS, LABELS = torch.eye(3), torch.tensor([0, 1, 0])


def by_hand(steps, peak, warmup):
    """Return the one-cycle schedule: half a cosine from peak / 25 to peak, another to peak / 250,000."""
    top = warmup * steps - 1

    def between(first, last, share):
        return last + (first - last) / 2 * (1 + math.cos(math.pi * share))

    return [
        between(peak / 25, peak, step / top)
        if step <= top
        else between(peak, peak / 250_000, (step - top) / (steps - 1 - top))
        for step in range(steps)
    ]


@pytest.mark.parametrize(("steps", "peak", "warmup"), [(10, 0.1, 0.3), (16, 0.008, 0.25), (7, 1.0, 0.5)])
def test_learning_rates_are_those_of_the_formula(steps, peak, warmup):
    rates = learning_rates(steps, peak, warmup)
    assert rates == pytest.approx(by_hand(steps, peak, warmup), rel=1e-9)
    assert max(rates) <= peak


@pytest.mark.parametrize(("steps", "warmup"), [(2, 0.5), (4, 0.25), (20, 0.05), (100, 0.01)])
def test_a_warm_up_of_one_step_begins_at_the_peak(steps, warmup):
    rates = learning_rates(steps, 0.1, warmup)
    assert rates[0] == pytest.approx(0.1, rel=1e-12)
    assert rates[-1] == pytest.approx(0.1 / 25 / 10_000, rel=1e-6)
    assert rates == sorted(rates, reverse=True)
    assert len(rates) == steps


def a_fit(layer):
    return RunningFit(Objective(setup_of(layer)), 4, 0.1, TRAINING)


def test_each_step_is_made_with_its_own_rate_and_its_loss_is_kept():
    fit = a_fit(nn.Linear(3, 2))
    rates = []
    fit.optimiser.register_step_pre_hook(lambda *_: rates.append(fit.optimiser.param_groups[0]["lr"].item()))
    for _ in range(4):
        fit.step(VIEWS, LABELS)
    assert rates == fit.rates
    assert fit.done == 4
    assert (fit.losses > 0).all()
    assert fit.failed_step() is None


def test_the_first_loss_that_is_not_finite_is_found():
    fit = a_fit(nn.Linear(3, 2))
    for step in range(4):
        fit.step(VIEWS * (math.inf if step >= 2 else 1), LABELS)
    assert fit.failed_step() == 2


def test_a_state_goes_into_another_fit_whatever_its_layout_of_memory():
    torch.manual_seed(0)
    first = a_fit(
        nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))
    )
    views = torch.randn(3, 3, 3, 3)
    for _ in range(2):
        first.step(views, LABELS)
    state = {key: value.clone().contiguous() for key, value in first.state().items()}
    other = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))
    second = a_fit(other.to(memory_format=torch.channels_last))
    second.load(state)
    for fit in (first, second):
        fit.step(views, LABELS)
    assert second.done == 3
    assert second.losses[:2].tolist() == first.losses[:2].tolist()
    for left, right in zip(first.state().items(), second.state().items(), strict=True):
        assert left[0] == right[0]
        torch.testing.assert_close(left[1], right[1], rtol=1e-4, atol=1e-5)


def test_the_state_of_another_fit_is_refused():
    state = a_fit(nn.Linear(3, 2)).state()
    with pytest.raises(RuntimeError, match="size mismatch"):
        a_fit(nn.Linear(3, 5)).load(state)
