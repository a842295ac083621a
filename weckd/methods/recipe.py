"""A method's two words: `Fit`, one training of one network, and `Method`, what its fits give."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from weckd.files import digest

Temperature = tuple[float, float]
"""Temperature at the first and at the last step; linear in between, equal values mean constant."""


@dataclass(frozen=True)
class Initial:
    """The seed's own initial state of the backbone; members other than 1 draw another random state."""

    member: int = 1


@dataclass(frozen=True)
class Distillation:
    """The terms that a teacher adds to cross-entropy (see `weckd.methods.losses`)."""

    alpha: float  # weight of the temperature-scaled divergence; cross-entropy has 1 - alpha
    beta: float  # weight of attention transfer; 0 leaves it out
    temperature: Temperature


@dataclass(frozen=True)
class Fit:
    """One training of one network. Equal fits are trained once, whichever methods hold them."""

    parts: tuple[str, ...]  # parts of the split it learns from
    steps: int  # optimiser steps, one full learning-rate schedule
    start: "Initial | Fit" = Initial()
    teacher: "Fit | None" = None
    distillation: Distillation | None = None  # given exactly where a teacher is
    permute_labels: bool = False  # labels shuffled among the images it learns from

    def __post_init__(self) -> None:
        """Refuse a teacher without a loss and a loss without a teacher."""
        if (self.teacher is None) != (self.distillation is None):
            raise ValueError("a fit has a teacher and a distillation loss, or neither")

    def parents(self) -> tuple["Fit", ...]:
        """Return the fits whose weights this one needs."""
        start = (self.start,) if isinstance(self.start, Fit) else ()
        teacher = (self.teacher,) if self.teacher is not None else ()
        return (*start, *teacher)

    def ingredients(self) -> dict[str, Any]:
        """Return all that this declaration says, with parents named by their digests."""
        start: Any = self.start
        return {
            "parts": list(self.parts),
            "steps": self.steps,
            "start": digest(start.ingredients()) if isinstance(start, Fit) else {"member": start.member},
            "teacher": digest(self.teacher.ingredients()) if self.teacher else None,
            "distillation": asdict(self.distillation) if self.distillation else None,
            "permute_labels": self.permute_labels,
        }


@dataclass(frozen=True)
class ClassFrequencies:
    """A predictor without training: the class shares of the named parts, for every image."""

    parts: tuple[str, ...]


Member = Fit | ClassFrequencies


@dataclass(frozen=True)
class Method:
    """A named composition of fits."""

    name: str
    question: str  # what a reader learns from it
    role: Literal["chain", "reference", "control", "bar", "check", "floor"]
    stages: tuple[tuple[Member, ...], ...]
    """For each stage the members whose mean probabilities count; the last stage is the method's result."""

    def fits(self) -> tuple[Fit, ...]:
        """Return all its fits, parents before children, each once."""
        found: dict[Fit, None] = {}

        def visit(fit: Fit) -> None:
            for parent in fit.parents():
                visit(parent)
            found.setdefault(fit)

        for members in self.stages:
            for member in members:
                if isinstance(member, Fit):
                    visit(member)
        return tuple(found)

    def steps(self) -> int:
        """Return the optimiser steps of all its fits."""
        return sum(fit.steps for fit in self.fits())
