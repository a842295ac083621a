"""Which methods share a table, and why the others have tables of their own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from weckd.analysis.imported import IMPORTED
from weckd.config import Suite
from weckd.methods.catalogue import find_method
from weckd.methods.chain import suite_budget
from weckd.methods.fits import Method

PANEL = "panel"
"""The role of methods that may train other networks than the chain's."""


@dataclass(frozen=True)
class MethodGroup:
    """Methods that may be compared with one another, chosen by their roles (see `weckd.methods.fits.Role`)."""

    title: str
    suffix: str  # of a table's label, so that no two groups share one
    roles: tuple[str, ...]
    note: str  # sentence for captions


GROUPS = (
    MethodGroup(
        "labels of the chain",
        "",
        ("chain", "reading", "reference", "control", "rival"),
        "These methods learn from the labelled subsets alone; other methods have tables of their own.",
    ),
    MethodGroup(
        "with unlabelled images",
        "-unlabelled",
        ("semi-supervised",),
        "A block apart: these methods also see, without labels, the rest of the training part, images that no method "
        "on the labels of the chain sees.",
    ),
    MethodGroup(
        "supervised panel",
        "-panel",
        (PANEL,),
        "A block apart: these methods train networks of the panel, which may be better than the chain's, by "
        "cross-entropy alone on a share of the labels (the name's last number, percent); rows of less than 100 % have "
        "the equal budget, as many steps as the chain, rows of 100 % as many as full-converged, outside it.",
    ),
    MethodGroup(
        "at other labels and steps",
        "-curves",
        ("curve",),
        "A block apart: points of the curves, the chain and pooled on another share of the labels (the name's last "
        "number, percent of the training part) or at more steps (x3: three times as many).",
    ),
    MethodGroup(
        "bars and checks",
        "-bars",
        ("bar", "check", "floor"),
        "A block apart: bars learn from all labels of the training part, full-converged also for more steps than the "
        "equal budget; checks and floors show what is reached without a link between image and label.",
    ),
    MethodGroup(
        "made elsewhere",
        "-imported",
        (IMPORTED,),
        "A block apart: made elsewhere and imported; splits and test images were checked, the methods' labels, "
        "budget and tuning are not known to this suite. Not in the plan, so exploratory.",
    ),
)


def method_groups(suite: Suite) -> dict[MethodGroup, tuple[str, ...]]:
    """Return the blocks that the suite has methods for, in order, with these in the suite's order."""
    block_of = {role: group for group in GROUPS for role in group.roles}
    found: dict[MethodGroup, list[str]] = {group: [] for group in GROUPS}
    for method in suite.methods:
        found[block_of[suite.roles[method]]].append(method)
    first, *others = GROUPS
    said = replace(first, note=" ".join([first.note, *_longer(suite, found[first])]))
    return {
        group: tuple(methods)
        for group, methods in zip((said, *others), found.values(), strict=True)
        if methods
    }


def declared_methods(suite: Suite) -> tuple[Method, ...]:
    """Return the suite's methods, but for those made elsewhere."""
    budget = suite_budget(suite)
    return tuple(find_method(name)(budget) for name in suite.methods if suite.roles[name] != IMPORTED)


def _longer(suite: Suite, names: Sequence[str]) -> list[str]:
    """Return a sentence on those of some methods that have more steps than the equal budget, if there are any."""
    budget = suite_budget(suite)
    steps = {name: find_method(name)(budget).steps() for name in names}
    longer = [f"{name} {count}" for name, count in steps.items() if count > budget.total]
    return [f"More steps than the equal budget of {budget.total}: {', '.join(longer)}."] if longer else []
