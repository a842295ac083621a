"""Rivals that learn from the same labels by another way of distilling or of averaging."""

from weckd.methods.budget import Budget
from weckd.methods.chain import each_alone, single_fit
from weckd.methods.losses import Decoupled, Mutual
from weckd.methods.recipe import Fit, Initial, Method


def decoupled(budget: Budget) -> Method:
    """Declare one step of decoupled distillation (DKD, Zhao et al. 2022), at the authors' weights 1 and 8, T = 4.

    The weight of the non-target term is the authors' for CIFAR-100; their warm-up is 20 of 240 epochs.
    """
    first = single_fit(budget)
    loss = Decoupled(target=1.0, others=8.0, temperature=4.0, warmup=20 / 240)
    second = Fit(budget.subsets[1:], (budget.stages - 1) * budget.steps, first, (first,), loss)
    return Method("decoupled", "DKD in place of one step", "rival", each_alone((first, second)))


def mutual(budget: Budget) -> Method:
    """Declare deep mutual learning (Zhang et al. 2018): two peers on the labels of all stages, T = 1.

    Both are trained at each step, so each has half of the equal budget of steps. The first is the result.
    """
    fit = Fit(budget.subsets, budget.total // 2, loss=Mutual(Initial(2), temperature=1.0))
    return Method("mutual", "two peers instead of a chain (DML)", "rival", ((fit,),))


def snapshot(budget: Budget) -> Method:
    """Declare a snapshot ensemble (Huang et al. 2017): N cycles of S steps on the labels of all stages.

    Each cycle starts from the end of the last, with a learning-rate schedule of its own; mean of the probabilities.
    """
    fits = [Fit(budget.subsets, budget.steps)]
    for _ in range(1, budget.stages):
        fits.append(Fit(budget.subsets, budget.steps, fits[-1]))
    stages = tuple(tuple(fits[:number]) for number in range(1, budget.stages + 1))
    return Method("snapshot", "an ensemble at one model's budget", "rival", stages)
