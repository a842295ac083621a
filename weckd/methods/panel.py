"""The supervised panel: any backbone on a share of the labels, by cross-entropy alone."""

import re

from weckd.config import BackboneSettings, PanelSettings
from weckd.errors import UserError
from weckd.methods.budget import Budget
from weckd.methods.recipe import Fit, Method

PANEL = "panel"
"""Stands for all methods of the panel in a suite's list of methods."""

_NAME = re.compile(rf"{PANEL}-([a-z0-9_]+)-(\d+)")
_ALL = 100


def panel_names(panel: PanelSettings) -> tuple[str, ...]:
    """Return the names of the panel's methods, such as `panel-resnet50-30`: 30 % of the labels."""
    return tuple(f"{PANEL}-{backbone.name}-{share}" for backbone in panel.backbones for share in panel.labels)


def is_panel(name: str) -> bool:
    """Tell whether a method's name is that of one of the panel."""
    return _NAME.fullmatch(name) is not None


def panel_method(budget: Budget, name: str) -> Method:
    """Declare one network on the first subsets, N*S steps, or on all labels for as many as `full-converged`.

    Raises:
        UserError: the suite's panel lacks the backbone, or no number of subsets makes up the share.
    """
    match = _NAME.fullmatch(name)
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
