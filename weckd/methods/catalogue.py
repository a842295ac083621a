"""All methods by name: the chain in its reference reading, its other readings, controls and rivals."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from weckd.config import Suite
from weckd.declared import near
from weckd.errors import UserError
from weckd.methods import controls, rivals, semi_supervised
from weckd.methods.budget import Budget, suite_budget
from weckd.methods.panel import is_panel, panel_method
from weckd.methods.readings import REFERENCE, is_reading, parse_reading, read_chain
from weckd.methods.recipe import Fit, Method


def weckd(budget: Budget) -> Method:
    """Declare the chain: warm start, taught by the predecessor, temperature annealed, attention transfer."""
    return read_chain(budget, REFERENCE, "weckd", "the chain M1 -> M2 -> M3, reference reading", "chain")


METHODS: dict[str, Callable[[Budget], Method]] = {
    "weckd": weckd,
    "single": controls.single,
    "single-long": controls.single_long,
    "pooled": controls.pooled,
    "sequential": controls.sequential,
    "ensemble": controls.ensemble,
    "one-step": controls.one_step,
    "chain-plain": controls.chain_plain,
    "chain-dense": controls.chain_dense,
    "attention-only": controls.attention_only,
    "born-again": controls.born_again,
    "born-again-pooled": controls.born_again_pooled,
    "decoupled": rivals.decoupled,
    "mutual": rivals.mutual,
    "snapshot": rivals.snapshot,
    "pseudo-label": semi_supervised.pseudo_label,
    "noisy-student": semi_supervised.noisy_student,
    "mean-teacher": semi_supervised.mean_teacher,
    "fixmatch": semi_supervised.fixmatch,
    "full": controls.full,
    "full-converged": controls.full_converged,
    "permuted": controls.permuted,
    "majority": controls.majority,
}


def find_method(name: str) -> Callable[[Budget], Method]:
    """Return the declaration called `name`, or that of a reading such as `start=fresh,length=4`.

    `pooled-4` is `pooled` on four subsets, the label-matched control of a chain of that length.

    Raises:
        UserError: there is none; the message lists the known ones.
    """
    if match := re.fullmatch(r"pooled-([1-6])", name):
        return lambda budget: _pooled_on(budget, int(match[1]), name)
    if is_panel(name):
        return lambda budget: panel_method(budget, name)
    if is_reading(name):
        reading = parse_reading(name)
        return lambda budget: read_chain(budget, reading, name, f"the chain, read with {name}", "reading")
    if name not in METHODS:
        raise UserError(
            f"no method {name!r}{near(name, list(METHODS))} Known methods: {', '.join(METHODS)}, panel"
        )
    return METHODS[name]


def _pooled_on(budget: Budget, count: int, name: str) -> Method:
    if count > budget.subset_count:
        raise UserError(
            f"method {name!r}: needs {count} subsets, the split holds {budget.subset_count}; "
            f"set split.stages to {count}"
        )
    return replace(controls.pooled(replace(budget, stages=count)), name=name)


def suite_methods(suite: Suite) -> tuple[Method, ...]:
    """Return the suite's methods with their fits."""
    budget = suite_budget(suite)
    return tuple(find_method(name)(budget) for name in suite.methods)


def fetched_weights(suite: Suite) -> tuple[str, ...]:
    """Return timm's names of the pretrained weights that the suite's fits begin with and that have to be fetched."""
    fits = (fit for method in suite_methods(suite) for fit in method.fits())
    names = ((fit.backbone or suite.backbone).fetched for fit in fits)
    return tuple(sorted({name for name in names if name is not None}))


def kept_fits(suite: Suite, methods: Sequence[Method]) -> frozenset[Fit]:
    """Return the fits whose weights the store keeps, of every method of the catalogue and of those given.

    Kept is what some fit starts from or is taught by, so that adding a method to a suite trains only what is new; and
    every model of the chain, whose attention maps are looked at.
    """
    budget = suite_budget(suite)
    known = [*(declare(budget) for declare in METHODS.values()), *methods]
    parents = {parent for method in known for fit in method.fits() for parent in fit.parents()}
    return frozenset(parents | {fit for method in known if method.role == "chain" for fit in method.fits()})
