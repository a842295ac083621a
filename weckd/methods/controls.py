"""The controls that decide what the chain's gain means, the supervised bars, and the checks of the pipeline.

Notation: S optimiser steps a stage, N stages, D1..DN disjoint subsets of the labels. Cross-entropy only where
no teacher is named.
"""

from dataclasses import replace

from weckd.methods.budget import Budget
from weckd.methods.chain import chain_fits, each_alone, single_fit
from weckd.methods.readings import REFERENCE, read_chain
from weckd.methods.recipe import ClassFrequencies, Fit, Initial, Method


def single(budget: Budget) -> Method:
    """Declare the paper's reference: D1 alone, which is M1."""
    return Method("single", "the paper's reference (M1)", "reference", ((single_fit(budget),),))


def single_long(budget: Budget) -> Method:
    """Declare D1 alone at the chain's budget of steps."""
    return Method("single-long", "is it just longer training?", "control", ((Fit(("D1",), budget.total),),))


def pooled(budget: Budget) -> Method:
    """Declare one network on the labels of all stages."""
    fit = Fit(budget.subsets, budget.total)
    return Method("pooled", "is it just more labels?", "control", ((fit,),))


def sequential(budget: Budget) -> Method:
    """Declare the chain without a teacher."""
    return Method("sequential", "is it the schedule?", "control", each_alone(chain_fits(budget, None)))


def ensemble(budget: Budget) -> Method:
    """Declare one network a subset, each from its own initial state; mean of the probabilities."""
    members = tuple(
        Fit((subset,), budget.steps, Initial(number)) for number, subset in enumerate(budget.subsets, start=1)
    )
    stages = tuple(members[:number] for number in range(1, budget.stages + 1))
    return Method("ensemble", "is it averaging?", "control", stages)


def one_step(budget: Budget) -> Method:
    """Declare M1 and then one student on all other labels."""
    first = single_fit(budget)
    second = Fit(budget.subsets[1:], (budget.stages - 1) * budget.steps, first, (first,), budget.constant)
    return Method("one-step", "does the chain beat one step?", "control", each_alone((first, second)))


def chain_plain(budget: Budget) -> Method:
    """Declare the chain at constant temperature and without attention transfer."""
    loss = replace(budget.constant, beta=0.0)
    return Method(
        "chain-plain",
        "do annealing and attention add anything?",
        "control",
        each_alone(chain_fits(budget, loss)),
    )


def chain_dense(budget: Budget) -> Method:
    """Declare the chain in which each model is taught by all before it (DGKD, Son et al. 2021)."""
    reading = replace(REFERENCE, teachers="all-earlier")
    return read_chain(budget, reading, "chain-dense", "does error pile up along a chain? (DGKD)", "control")


def attention_only(budget: Budget) -> Method:
    """Declare the chain with attention transfer and no divergence (Zagoruyko and Komodakis 2017)."""
    loss = replace(budget.annealed, alpha=0.0)
    return Method(
        "attention-only", "is it attention transfer alone?", "control", each_alone(chain_fits(budget, loss))
    )


def _born_again(budget: Budget, parts: tuple[str, ...], name: str, question: str) -> Method:
    """Declare self-distillation (Furlanello et al. 2018): generations from new random states, constant T."""
    fits = [Fit(parts, budget.steps)]
    for generation in range(2, budget.stages + 1):
        fits.append(Fit(parts, budget.steps, Initial(generation), (fits[-1],), budget.constant))
    return Method(name, question, "control", each_alone(tuple(fits)))


def born_again(budget: Budget) -> Method:
    """Declare self-distillation on D1."""
    return _born_again(budget, ("D1",), "born-again", "is it self-distillation on the same labels?")


def born_again_pooled(budget: Budget) -> Method:
    """Declare self-distillation on the labels of all stages."""
    return _born_again(
        budget, budget.subsets, "born-again-pooled", "is it self-distillation, with all the labels?"
    )


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
