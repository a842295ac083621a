"""All methods by name: the chain in its readings, controls and rivals, and the supervised panel."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from weckd.config import BackboneSettings, PanelSettings, Suite
from weckd.declared import near
from weckd.errors import UserError
from weckd.methods import controls
from weckd.methods.chain import REFERENCE, Budget, is_reading, parse_reading, read_chain, suite_budget
from weckd.methods.fits import Fit, Method

PANEL = "panel"
"""Stands for all methods of the panel in a suite's list of methods."""
_PANEL_NAME = re.compile(rf"{PANEL}-([a-z0-9_]+)-(\d+)")
_ALL = 100


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
    "decoupled": controls.decoupled,
    "mutual": controls.mutual,
    "snapshot": controls.snapshot,
    "pseudo-label": controls.pseudo_label,
    "noisy-student": controls.noisy_student,
    "mean-teacher": controls.mean_teacher,
    "fixmatch": controls.fixmatch,
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


def panel_names(panel: PanelSettings) -> tuple[str, ...]:
    """Return the names of the panel's methods, such as `panel-resnet50-30`: 30 % of the labels."""
    return tuple(f"{PANEL}-{backbone.name}-{share}" for backbone in panel.backbones for share in panel.labels)


def is_panel(name: str) -> bool:
    """Tell whether a method's name is that of one of the panel."""
    return _PANEL_NAME.fullmatch(name) is not None


def panel_method(budget: Budget, name: str) -> Method:
    """Declare one network on the first subsets, N*S steps, or on all labels for as many as `full-converged`.

    Raises:
        UserError: the suite's panel lacks the backbone, or no number of subsets makes up the share.
    """
    match = _PANEL_NAME.fullmatch(name)
    assert match is not None  # noqa: S101 - `find_method` asks `is_panel` first
    backbone, share = _backbone(budget, name, match[1]), int(match[2])
    parts = budget.training if share == _ALL else _subsets(budget, name, share)
    factor = budget.converged_factor if share == _ALL else budget.stages
    fit = Fit(parts, factor * budget.steps, backbone=backbone)
    return Method(name, f"{match[1]} on {share} % of the labels", "panel", ((fit,),))


def _backbone(budget: Budget, name: str, wanted: str) -> BackboneSettings | None:
    """Return the backbone's settings, or None where it is the suite's own, so that equal fits are one fit."""
    for backbone in budget.panel:
        if backbone.name == wanted:
            return None if backbone == budget.backbone else backbone
    known = ", ".join(backbone.name for backbone in budget.panel) or "none"
    raise UserError(f"method {name!r}: {wanted} is not in panel.backbones; there: {known}")


def _subsets(budget: Budget, name: str, share: int) -> tuple[str, ...]:
    count = round(share / budget.stage_percent)
    if not 1 <= count <= budget.subset_count or abs(count * budget.stage_percent - share) > 1e-6:
        shares = (budget.stage_percent * number for number in range(1, budget.subset_count + 1))
        whole = ", ".join(f"{each:g}" for each in shares if abs(each - round(each)) <= 1e-6)
        raise UserError(
            f"method {name!r}: {share} % of the labels is no number of subsets of {budget.stage_percent:g} %; "
            f"panel.labels can hold {whole}{' and ' if whole else ''}{_ALL}"
        )
    return tuple(f"D{number}" for number in range(1, count + 1))
