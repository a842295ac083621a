"""A method's words: `Fit`, one training of one network; `Loss`, what it may minimise; `Method`, what its fits give."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal, Self, get_args

from weckd.config import BackboneSettings
from weckd.files import digest

GATES = "weckd.training.gate:attach_gates"


@dataclass(frozen=True)
class Range:
    """Where tuning looks for a setting; the suite's choice, the paper's ranges are not public."""

    low: float
    high: float
    log: bool = False  # as many steps from 1 to 2 as from 2 to 4


Ranges = Mapping[str, Range]
"""By the name of a loss's field."""


@dataclass(frozen=True)
class Initial:
    """The seed's own initial state of the backbone; members other than 1 draw another random state."""

    member: int = 1


@dataclass(frozen=True)
class Loss:
    """What a fit minimises: cross-entropy; a subclass adds to it, with its settings."""

    objective: ClassVar[str] = "weckd.training.optimisation:Objective"
    """The class that computes it, made of a `weckd.training.optimisation.Setup`, as "module:class".

    It is imported only where something is trained. Its module, with those that it imports, is in the identity of the
    fits that use it, and of no other fit."""
    ranges: ClassVar[Ranges] = {}
    words: ClassVar[str] = ""  # what it is, in a few words, with its settings in braces
    taught: ClassVar[bool] = False  # by the fit's teachers
    shown: ClassVar[tuple[int, int]] = (
        1,
        0,
    )  # augmented views of each labelled and each unlabelled image of a step
    averaged: ClassVar[bool] = (
        False  # half of the views go through an average, which keeps nothing for gradients
    )
    not_for_two_classes: ClassVar[str] = ""  # why, where it is so
    teacher_views: ClassVar[int] = (
        1  # that a teacher is shown for each labelled image: its own, or another's too
    )
    weight_of_maps: ClassVar[str] = ""  # the field that asks networks for feature maps where it is not 0

    @property
    def code(self) -> tuple[str, ...]:
        """The class, and whatever else it names, as "module:function"."""
        return (self.objective,)

    @property
    def beside(self) -> Initial | None:
        """Where a second network starts that is trained beside the first, the field `peer`."""
        return vars(self).get("peer")

    @property
    def views(self) -> int:
        """Augmented views of a step, a labelled image; `ratio` says how many unlabelled images come with it."""
        return self.shown[0] + self.shown[1] * int(vars(self).get("ratio", 0))

    @property
    def learning_views(self) -> int:
        """Those of the views that a network which is trained sees."""
        return self.views // 2 if self.averaged else self.views

    def text(self) -> str:
        """Return in a few words what it adds to cross-entropy."""
        return self.words.format_map(vars(self))

    def tunable(self) -> dict[str, float]:
        """Return the committed value of each setting that is tuned."""
        return {name: getattr(self, name) for name in self.ranges}

    def least(self, name: str) -> float:
        """Return the least value that leaves a setting its meaning."""
        return 0.0

    def tuned(self, values: Mapping[str, float]) -> Self:
        """Return the loss with other values of settings that are tuned."""
        return replace(self, **values)


@dataclass(frozen=True)
class Fit:
    """One training of one network. Equal fits are trained once, whichever methods hold them."""

    parts: tuple[str, ...]  # parts of the split it learns from
    steps: int  # optimiser steps, one full learning-rate schedule
    start: "Initial | Fit" = Initial()
    teachers: "tuple[Fit | Initial, ...]" = ()  # trained networks, or untrained ones like its own
    loss: Loss = Loss()
    permute_labels: bool = False  # labels shuffled among the images it learns from
    gate: bool = False  # with learned spatial attention gates in the network
    unlabelled: tuple[str, ...] = ()  # parts of the split whose images it sees without their labels
    backbone: BackboneSettings | None = None  # None: the suite's
    learning_rate: float | None = None  # peak of the schedule; None: the suite's

    def __post_init__(self) -> None:
        """Refuse teachers, or unlabelled images, without a loss that uses them, and the reverse."""
        if self.loss.taught != bool(self.teachers):
            raise ValueError("a fit has teachers and a distillation loss, or neither")
        if bool(self.loss.shown[1]) != bool(self.unlabelled):
            raise ValueError("a fit has unlabelled images and a semi-supervised loss, or neither")
        if set(self.parts) & set(self.unlabelled):
            raise ValueError("a fit sees a part with its labels or without, not both")
        if isinstance(self.start, Fit) and self.start.backbone != self.backbone:
            raise ValueError("a fit starts from the weights of a network like its own")

    @property
    def steps_in_weights(self) -> int:
        """Optimiser steps in the weights that it ends with, those of its start included."""
        before = self.start.steps_in_weights if isinstance(self.start, Fit) else 0
        return before + self.steps

    @property
    def networks(self) -> int:
        """Networks that each step trains."""
        return 1 if self.loss.beside is None else 2

    @property
    def asks_for_maps(self) -> bool:
        """Whether its loss, or its gates, ask networks for feature maps."""
        return self.gate or bool(vars(self.loss).get(self.loss.weight_of_maps))

    @property
    def code(self) -> tuple[str, ...]:
        """The functions, as "module:function", that decide its result and not that of every fit."""
        return (*self.loss.code, *((GATES,) if self.gate else ()))

    def parents(self) -> tuple["Fit", ...]:
        """Return the fits whose weights this one needs."""
        return tuple(each for each in (self.start, *self.teachers) if isinstance(each, Fit))

    @property
    def taught_by(self) -> tuple["Fit", ...]:
        """For each teacher a fit whose network is like it: this one where the teacher is untrained."""
        return tuple(teacher if isinstance(teacher, Fit) else self for teacher in self.teachers)

    def lineage(self) -> tuple["Fit", ...]:
        """Return this fit and all that it depends on, parents before children, each once."""
        found: dict[Fit, None] = {}
        for parent in self.parents():
            found |= dict.fromkeys(parent.lineage())
        return (*found, self)

    def ingredients(self) -> dict[str, Any]:
        """Return all that this declaration says, with parents named by their digests."""

        def origin(each: Fit | Initial) -> Any:
            return digest(each.ingredients()) if isinstance(each, Fit) else {"member": each.member}

        return {
            "parts": list(self.parts),
            "steps": self.steps,
            "start": origin(self.start),
            "teachers": [origin(teacher) for teacher in self.teachers],
            "loss": {"kind": type(self.loss).__name__, **asdict(self.loss)} if self.loss != Loss() else None,
            "permute_labels": self.permute_labels,
            "gate": self.gate,
            "unlabelled": list(self.unlabelled),
            "backbone": asdict(self.backbone) if self.backbone else None,
            "learning_rate": self.learning_rate,
        }


@dataclass(frozen=True)
class ClassFrequencies:
    """A predictor without training: the class shares of the named parts, for every image."""

    parts: tuple[str, ...]


Member = Fit | ClassFrequencies
Role = Literal[
    "chain",
    "reading",
    "reference",
    "control",
    "rival",
    "semi-supervised",
    "panel",
    "curve",
    "bar",
    "check",
    "floor",
]


@dataclass(frozen=True)
class Method:
    """A named composition of fits."""

    name: str
    question: str  # what a reader learns from it
    role: Role
    stages: tuple[tuple[Member, ...], ...]
    """For each stage the members whose mean probabilities count; the last stage is the method's result."""

    def __post_init__(self) -> None:
        """Refuse a role that no table has a place for, before anything is trained."""
        if self.role not in get_args(Role):
            raise ValueError(f"method {self.name}: role {self.role!r} is none of {', '.join(get_args(Role))}")

    def fits(self) -> tuple[Fit, ...]:
        """Return all its fits, parents before children, each once."""
        members = [member for members in self.stages for member in members if isinstance(member, Fit)]
        return tuple(dict.fromkeys(fit for member in members for fit in member.lineage()))

    def deployed_steps(self) -> tuple[int, ...]:
        """Return for each network that predicts the optimiser steps in its weights."""
        return tuple(member.steps_in_weights for member in self.stages[-1] if isinstance(member, Fit))

    def steps(self) -> int:
        """Return the optimiser steps of all its networks."""
        return sum(fit.steps * fit.networks for fit in self.fits())
