"""A method's words: `Fit`, one training of one network; the losses it may use; `Method`, what its fits give."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, get_args

from weckd.config import BackboneSettings
from weckd.files import digest

Schedule = Literal["constant", "linear", "cosine", "exponential", "learned"]


@dataclass(frozen=True)
class Range:
    """Where tuning looks for a setting; the suite's choice, the paper's ranges are not public."""

    low: float
    high: float
    log: bool = False  # as many steps from 1 to 2 as from 2 to 4


Ranges = Mapping[str, Range]
"""By the name of a loss's field."""


@dataclass(frozen=True)
class Temperature:
    """The distillation temperature over the steps of a fit (see `weckd.methods.temperature`)."""

    schedule: Schedule
    first: float  # of "learned": the lower bound
    last: float  # of "constant": the same; of "learned": the upper bound


@dataclass(frozen=True)
class Initial:
    """The seed's own initial state of the backbone; members other than 1 draw another random state."""

    member: int = 1


@dataclass(frozen=True)
class Distillation:
    """The terms that teachers add to cross-entropy (see `weckd.methods.losses.distillation`)."""

    # The paper tunes the distillation weight and the temperature factor. Without divergence the weight is beta.
    ranges: ClassVar[Ranges] = {
        "alpha": Range(0.05, 0.95),
        "beta": Range(0.1, 10.0, log=True),
        "temperature": Range(1.0, 10.0, log=True),
    }
    alpha: float  # weight of the temperature-scaled divergence
    beta: float  # weight of attention transfer; 0 leaves it out
    temperature: Temperature
    mixing: Literal["convex", "additive"] = "convex"  # cross-entropy weighs 1 - alpha, or 1
    squared: bool = True  # the divergence is multiplied by T^2


@dataclass(frozen=True)
class Decoupled:
    """Decoupled knowledge distillation (see `weckd.methods.losses.decoupled`)."""

    ranges: ClassVar[Ranges] = {
        "others": Range(1.0, 16.0, log=True),
        "temperature": Range(1.0, 10.0, log=True),
    }
    target: float  # weight of the divergence of target against all others
    others: float  # weight of the divergence among the others
    temperature: float
    warmup: float  # share of the steps over which both weights rise from zero


@dataclass(frozen=True)
class LogitLoss:
    """A loss of the student's and one teacher's logits, and the labels; a subclass adds its settings.

    The function is called with student logits (B, C), teacher logits (B, C), labels (B,) and the settings, and
    returns a scalar (see docs/add-a-method.md).
    """

    function: ClassVar[str]  # "module:function", imported only where something is trained
    ranges: ClassVar[Ranges] = {}


@dataclass(frozen=True)
class Mutual:
    """Deep mutual learning with a peer that is trained beside it (see `weckd.methods.losses.mutual`)."""

    ranges: ClassVar[Ranges] = {"temperature": Range(1.0, 10.0, log=True)}
    peer: Initial  # where the peer starts
    temperature: float


@dataclass(frozen=True)
class PseudoLabels:
    """A teacher's predictions stand in for the labels of unlabelled images (see `losses.semi_supervised`)."""

    ranges: ClassVar[Ranges] = {}
    hard: bool  # the teacher's decision, or its probabilities
    strong: bool  # unlabelled images are seen strongly augmented
    ratio: int  # unlabelled images a labelled one, in each batch

    @property
    def views(self) -> int:
        """Augmented views of a step, a labelled image."""
        return 1 + self.ratio


@dataclass(frozen=True)
class MeanTeacher:
    """Consistency with an average of the student's own weights (see `losses.semi_supervised`)."""

    ranges: ClassVar[Ranges] = {"weight": Range(1.0, 1000.0, log=True)}
    ratio: int  # unlabelled images a labelled one, in each batch
    weight: float  # of the consistency, once it has risen
    rampup: float  # share of the steps over which it rises
    decay: float  # of the average
    reach: float  # share of the steps that the average reaches back at most

    @property
    def views(self) -> int:
        """Augmented views of a step, a labelled image: one for the student, another for the average."""
        return 2 * (1 + self.ratio)


@dataclass(frozen=True)
class FixMatch:
    """Confident decisions on a weak view are the labels of a strong one (see `losses.semi_supervised`)."""

    ranges: ClassVar[Ranges] = {"weight": Range(0.1, 10.0, log=True), "threshold": Range(0.5, 0.99)}
    ratio: int  # unlabelled images a labelled one, in each batch
    weight: float  # of the unlabelled term
    threshold: float  # least probability of a confident decision

    @property
    def views(self) -> int:
        """Augmented views of a step, a labelled image: a weak and a strong one of each unlabelled image."""
        return 1 + 2 * self.ratio


SemiSupervised = PseudoLabels | MeanTeacher | FixMatch
Loss = Distillation | Decoupled | LogitLoss | Mutual | SemiSupervised


@dataclass(frozen=True)
class Fit:
    """One training of one network. Equal fits are trained once, whichever methods hold them."""

    parts: tuple[str, ...]  # parts of the split it learns from
    steps: int  # optimiser steps, one full learning-rate schedule
    start: "Initial | Fit" = Initial()
    teachers: "tuple[Fit, ...]" = ()
    loss: Loss | None = None  # None: cross-entropy
    permute_labels: bool = False  # labels shuffled among the images it learns from
    gate: bool = False  # with learned spatial attention gates in the network
    unlabelled: tuple[str, ...] = ()  # parts of the split whose images it sees without their labels
    backbone: BackboneSettings | None = None  # None: the suite's
    learning_rate: float | None = None  # peak of the schedule; None: the suite's

    def __post_init__(self) -> None:
        """Refuse teachers, or unlabelled images, without a loss that uses them, and the reverse."""
        if isinstance(self.loss, Distillation | Decoupled | LogitLoss | PseudoLabels) != bool(self.teachers):
            raise ValueError("a fit has teachers and a distillation loss, or neither")
        if isinstance(self.loss, SemiSupervised) != bool(self.unlabelled):
            raise ValueError("a fit has unlabelled images and a semi-supervised loss, or neither")
        if set(self.parts) & set(self.unlabelled):
            raise ValueError("a fit sees a part with its labels or without, not both")
        if isinstance(self.start, Fit) and self.start.backbone != self.backbone:
            raise ValueError("a fit starts from the weights of a network like its own")

    @property
    def networks(self) -> int:
        """Networks that each step trains."""
        return 2 if isinstance(self.loss, Mutual) else 1

    @property
    def views(self) -> int:
        """Augmented views that each step shows, for each image of its labelled batch."""
        return self.loss.views if isinstance(self.loss, SemiSupervised) else self.networks

    def parents(self) -> tuple["Fit", ...]:
        """Return the fits whose weights this one needs."""
        start = (self.start,) if isinstance(self.start, Fit) else ()
        return (*start, *self.teachers)

    def lineage(self) -> tuple["Fit", ...]:
        """Return this fit and all that it stands on, parents before children, each once."""
        found: dict[Fit, None] = {}
        for parent in self.parents():
            found |= dict.fromkeys(parent.lineage())
        return (*found, self)

    def ingredients(self) -> dict[str, Any]:
        """Return all that this declaration says, with parents named by their digests."""
        start: Any = self.start
        loss = {"kind": type(self.loss).__name__, **asdict(self.loss)} if self.loss else None
        return {
            "parts": list(self.parts),
            "steps": self.steps,
            "start": digest(start.ingredients()) if isinstance(start, Fit) else {"member": start.member},
            "teachers": [digest(teacher.ingredients()) for teacher in self.teachers],
            "loss": loss,
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
    "chain", "reading", "reference", "control", "rival", "semi-supervised", "panel", "bar", "check", "floor"
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

    def steps(self) -> int:
        """Return the optimiser steps of all its networks."""
        return sum(fit.steps * fit.networks for fit in self.fits())
