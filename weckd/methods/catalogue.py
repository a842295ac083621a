"""The methods: the chain in its reference reading, and the controls that decide what its gain means.

Each function below declares one method as fits. To add one, write such a function and list it in `METHODS`.
Notation: S optimiser steps a stage, N stages, D1..DN disjoint subsets of the labels. Cross-entropy only where
no teacher is named.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace

from weckd.config import DistillationSettings, Suite
from weckd.errors import UserError
from weckd.methods.recipe import ClassFrequencies, Distillation, Fit, Initial, Method


@dataclass(frozen=True)
class Budget:
    """What a suite settles for all methods alike."""

    steps: int  # S, optimiser steps a stage
    stages: int  # N
    converged_factor: int  # full-converged: this many times S
    losses: DistillationSettings

    @property
    def subsets(self) -> tuple[str, ...]:
        """D1..DN."""
        return tuple(f"D{number}" for number in range(1, self.stages + 1))

    @property
    def training(self) -> tuple[str, ...]:
        """All parts of the training part."""
        return (*self.subsets, "rest")

    @property
    def total(self) -> int:
        """Optimiser steps of a method at the equal budget, N * S."""
        return self.stages * self.steps

    @property
    def annealed(self) -> Distillation:
        """The reference loss: temperature falls linearly over the steps."""
        losses = self.losses
        return Distillation(losses.alpha, losses.beta, (losses.temperature_max, losses.temperature_min))

    @property
    def constant(self) -> Distillation:
        """The reference loss at a constant temperature."""
        return replace(self.annealed, temperature=(self.losses.temperature_constant,) * 2)


def _single_fit(budget: Budget) -> Fit:
    return Fit(("D1",), budget.steps)


def _chain(budget: Budget, loss: Distillation | None) -> tuple[Fit, ...]:
    """Fits on D1, D2, ... where each starts from its predecessor and, with a loss, is taught by it."""
    fits = [_single_fit(budget)]
    for subset in budget.subsets[1:]:
        fits.append(Fit((subset,), budget.steps, fits[-1], fits[-1] if loss else None, loss))
    return tuple(fits)


def _alone(fits: tuple[Fit, ...]) -> tuple[tuple[Fit, ...], ...]:
    """Make each fit a stage of its own."""
    return tuple((fit,) for fit in fits)


def weckd(budget: Budget) -> Method:
    """Declare the chain: warm start, taught by the predecessor, temperature annealed, attention transfer."""
    return Method(
        "weckd",
        "the chain M1 -> M2 -> M3, reference reading",
        "chain",
        _alone(_chain(budget, budget.annealed)),
    )


def single(budget: Budget) -> Method:
    """Declare the paper's reference: D1 alone, which is M1."""
    return Method("single", "the paper's reference (M1)", "reference", ((_single_fit(budget),),))


def single_long(budget: Budget) -> Method:
    """Declare D1 alone at the chain's budget of steps."""
    return Method("single-long", "is it just longer training?", "control", ((Fit(("D1",), budget.total),),))


def pooled(budget: Budget) -> Method:
    """Declare one network on the labels of all stages."""
    fit = Fit(budget.subsets, budget.total)
    return Method("pooled", "is it just more labels?", "control", ((fit,),))


def sequential(budget: Budget) -> Method:
    """Declare the chain without a teacher."""
    return Method("sequential", "is it the schedule?", "control", _alone(_chain(budget, None)))


def ensemble(budget: Budget) -> Method:
    """Declare one network a subset, each from its own initial state; mean of the probabilities."""
    members = tuple(
        Fit((subset,), budget.steps, Initial(number)) for number, subset in enumerate(budget.subsets, start=1)
    )
    stages = tuple(members[:number] for number in range(1, budget.stages + 1))
    return Method("ensemble", "is it averaging?", "control", stages)


def one_step(budget: Budget) -> Method:
    """Declare M1 and then one student on all other labels."""
    first = _single_fit(budget)
    second = Fit(budget.subsets[1:], (budget.stages - 1) * budget.steps, first, first, budget.constant)
    return Method("one-step", "does the chain beat one step?", "control", _alone((first, second)))


def chain_plain(budget: Budget) -> Method:
    """Declare the chain at constant temperature and without attention transfer."""
    loss = replace(budget.constant, beta=0.0)
    return Method(
        "chain-plain", "do annealing and attention add anything?", "control", _alone(_chain(budget, loss))
    )


def born_again(budget: Budget) -> Method:
    """Declare self-distillation on D1 (Furlanello et al. 2018): generations from new random states."""
    fits = [_single_fit(budget)]
    for generation in range(2, budget.stages + 1):
        fits.append(Fit(("D1",), budget.steps, Initial(generation), fits[-1], budget.constant))
    return Method("born-again", "is it self-distillation on the same labels?", "control", _alone(tuple(fits)))


def full(budget: Budget) -> Method:
    """Declare all labels of the training part at the equal budget."""
    return Method("full", "more labels at the same budget", "bar", ((Fit(budget.training, budget.total),),))


def full_converged(budget: Budget) -> Method:
    """Declare all labels, enough steps to converge: a bar outside the equal budget."""
    fit = Fit(budget.training, budget.converged_factor * budget.steps)
    return Method("full-converged", "the supervised bar (outside the equal budget)", "bar", ((fit,),))


def permuted(budget: Budget) -> Method:
    """Declare `full` with its labels shuffled; must sit at chance."""
    fit = Fit(budget.training, budget.total, permute_labels=True)
    return Method("permuted", "do labels leak through the pipeline?", "check", ((fit,),))


def majority(budget: Budget) -> Method:
    """Declare the class shares of the training part; its decision is the most frequent class."""
    return Method("majority", "the floor", "floor", ((ClassFrequencies(budget.training),),))


METHODS: dict[str, Callable[[Budget], Method]] = {
    "weckd": weckd,
    "single": single,
    "single-long": single_long,
    "pooled": pooled,
    "sequential": sequential,
    "ensemble": ensemble,
    "one-step": one_step,
    "chain-plain": chain_plain,
    "born-again": born_again,
    "full": full,
    "full-converged": full_converged,
    "permuted": permuted,
    "majority": majority,
}


def find_method(name: str) -> Callable[[Budget], Method]:
    """Return the declaration called `name`.

    Raises:
        UserError: there is none; the message lists the known ones.
    """
    if name not in METHODS:
        close = difflib.get_close_matches(name, METHODS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UserError(f"no method {name!r}{hint} Known methods: {', '.join(METHODS)}")
    return METHODS[name]


def suite_budget(suite: Suite) -> Budget:
    """Return the budget that a suite sets for all its methods."""
    return Budget(
        suite.training.steps, suite.split.stages, suite.training.converged_factor, suite.distillation
    )


def suite_methods(suite: Suite) -> tuple[Method, ...]:
    """Return the suite's methods with their fits."""
    budget = suite_budget(suite)
    return tuple(find_method(name)(budget) for name in suite.methods)


def parent_fits(suite: Suite) -> frozenset[Fit]:
    """Return every fit that some method of the catalogue starts from or is taught by.

    Their weights are kept in the store, so that adding a method to a suite trains only what is new.
    """
    budget = suite_budget(suite)
    methods = [declare(budget) for declare in METHODS.values()]
    return frozenset(parent for method in methods for fit in method.fits() for parent in fit.parents())
