"""The pieces that chains are declared of."""

from weckd.methods.budget import Budget
from weckd.methods.losses import Distillation
from weckd.methods.recipe import Fit


def single_fit(budget: Budget) -> Fit:
    """Return M1: D1 from the initial state."""
    return Fit(("D1",), budget.steps)


def chain_fits(budget: Budget, loss: Distillation | None) -> tuple[Fit, ...]:
    """Return fits on D1, D2, ... where each starts from its predecessor and, with a loss, is taught by it."""
    fits = [single_fit(budget)]
    for subset in budget.subsets[1:]:
        fits.append(Fit((subset,), budget.steps, fits[-1], (fits[-1],) if loss else (), loss))
    return tuple(fits)


def each_alone(fits: tuple[Fit, ...]) -> tuple[tuple[Fit, ...], ...]:
    """Make each fit a stage of its own."""
    return tuple((fit,) for fit in fits)
