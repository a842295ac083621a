"""The losses that fits may declare: their settings, where tuning looks for these, and what makes them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from weckd.methods.fits import Initial, Loss, Range, Ranges

Schedule = Literal["constant", "linear", "cosine", "exponential", "learned"]


@dataclass(frozen=True)
class Temperature:
    """The distillation temperature over the steps of a fit (see `weckd.training.objectives.distillation`)."""

    schedule: Schedule
    first: float  # of "learned": the lower bound
    last: float  # of "constant": the same; of "learned": the upper bound

    @property
    def highest(self) -> float:
        """The highest of all steps, with which it begins, or ends where it rises."""
        return max(self.first, self.last)

    def text(self) -> str:
        """Return it in a few words."""
        if self.schedule == "constant":
            return f"T {self.first:g}"
        if self.schedule == "learned":
            return f"T learned in {self.first:g} .. {self.last:g}"
        curve = "" if self.schedule == "linear" else f" {self.schedule}"
        return f"T {self.first:g} -> {self.last:g}{curve}"


@dataclass(frozen=True)
class Distillation(Loss):
    """The terms that teachers add to cross-entropy (see `weckd.training.objectives.distillation`)."""

    objective = "weckd.training.objectives.distillation:Distilled"
    taught = True
    weight_of_maps = "beta"
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

    def text(self) -> str:
        """Return in a few words what differs between readings."""
        parts = [
            self.temperature.text(),
            "" if self.alpha else "no divergence",
            f"beta {self.beta:g}" if self.beta else "no attention",
            "" if self.mixing == "convex" else "CE + alpha KL",
            "" if self.squared else "without T^2",
        ]
        return ", ".join(filter(None, parts))

    def tunable(self) -> dict[str, float]:
        """Return what is tuned: of a teacher that is followed in its attention alone, if at all, the weight of that."""
        if not self.alpha:
            return {"beta": self.beta} if self.beta else {}
        scheduled = self.temperature.schedule != "learned"
        return {"alpha": self.alpha, **({"temperature": self.temperature.highest} if scheduled else {})}

    def least(self, name: str) -> float:
        """Return the least value of a setting: a temperature that falls, or rises, must do so."""
        moves = name == "temperature" and self.temperature.schedule != "constant"
        return min(self.temperature.first, self.temperature.last) if moves else 0.0

    def tuned(self, values: Mapping[str, float]) -> Self:
        """Return it with other values; the temperature's is its highest, or that of all steps."""
        others = {name: value for name, value in values.items() if name != "temperature"}
        old = self.temperature
        highest = values.get("temperature", old.highest)
        constant, rises = old.schedule == "constant", old.first < old.last
        first = old.first if rises else highest
        last = highest if constant or rises else old.last
        return replace(self, temperature=replace(old, first=first, last=last), **others)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Mismatched(Distillation):
    """The same, with logits or maps of a teacher that is shown another image (see `objectives.mismatched`)."""

    objective = "weckd.training.objectives.mismatched:MismatchedDistilled"
    teacher_views = 2
    other: Literal["logits", "maps"] = "logits"  # what the teacher says of another image of the same class

    def text(self) -> str:
        """Return in a few words what differs between readings, and what is of another image."""
        return f"{super().text()}, {self.other} of another image"


@dataclass(frozen=True)
class Decoupled(Loss):
    """Decoupled knowledge distillation (see `weckd.training.objectives.rivals`)."""

    objective = "weckd.training.objectives.rivals:DecoupledDistilled"
    taught = True
    words = "decoupled {target:g} : {others:g}, T {temperature:g}"
    ranges: ClassVar[Ranges] = {
        "others": Range(1.0, 16.0, log=True),
        "temperature": Range(1.0, 10.0, log=True),
    }
    not_for_two_classes = "with two classes the second term of decoupled distillation is always zero"
    target: float  # weight of the divergence of target against all others
    others: float  # weight of the divergence among the others
    temperature: float
    warmup: float  # share of the steps over which both weights rise from zero


@dataclass(frozen=True)
class LogitLoss(Loss):
    """A loss of the student's and one teacher's logits, and the labels; a subclass adds its settings.

    The function is called with student logits (B, C), teacher logits (B, C), labels (B,) and the settings, of which it
    has the fields alone, and returns a scalar (see docs/add-a-method.md).
    """

    objective = "weckd.training.objectives.rivals:OfLogits"
    taught = True
    function: ClassVar[str]  # "module:function"

    @property
    def code(self) -> tuple[str, ...]:
        """The objective and the function."""
        return (self.objective, self.function)

    def text(self) -> str:
        """Return the function's name."""
        return self.function.rpartition(":")[2]


@dataclass(frozen=True)
class Mutual(Loss):
    """Deep mutual learning with a peer that is trained beside it (see `weckd.training.objectives.rivals`)."""

    objective = "weckd.training.objectives.rivals:MutuallyTaught"
    words = "beside a peer from init, member {peer.member} (T {temperature:g})"
    ranges: ClassVar[Ranges] = {"temperature": Range(1.0, 10.0, log=True)}
    shown = (2, 0)
    peer: Initial  # where the peer starts
    temperature: float


@dataclass(frozen=True)
class PseudoLabels(Loss):
    """A teacher's predictions take the place of the labels of unlabelled images (see `objectives.semi_supervised`)."""

    objective = "weckd.training.objectives.semi_supervised:PseudoLabelled"
    taught = True
    shown = (1, 1)
    hard: bool  # the teacher's decision, or its probabilities
    strong: bool  # unlabelled images are seen strongly augmented
    ratio: int  # unlabelled images a labelled one, in each batch

    def text(self) -> str:
        """Return in a few words what takes the place of labels."""
        return f"{'decisions' if self.hard else 'probabilities'} as labels{', strong views' if self.strong else ''}"


@dataclass(frozen=True)
class MeanTeacher(Loss):
    """Consistency with an average of the student's own weights (see `objectives.semi_supervised`)."""

    objective = "weckd.training.objectives.semi_supervised:TaughtByAverage"
    words = "consistent with its own average (weight {weight:g}, decay {decay:g})"
    ranges: ClassVar[Ranges] = {"weight": Range(1.0, 1000.0, log=True)}
    shown = (2, 2)  # one for the student, another for the average
    averaged = True
    ratio: int  # unlabelled images a labelled one, in each batch
    weight: float  # of the consistency, once it has risen
    rampup: float  # share of the steps over which it rises
    decay: float  # of the average
    reach: float  # share of the steps that the average reaches back at most


@dataclass(frozen=True)
class FixMatch(Loss):
    """Confident decisions on a weak view are the labels of a strong one (see `objectives.semi_supervised`)."""

    objective = "weckd.training.objectives.semi_supervised:FixMatched"
    words = "decisions of {threshold:g} and more as labels of strong views (weight {weight:g})"
    ranges: ClassVar[Ranges] = {"weight": Range(0.1, 10.0, log=True), "threshold": Range(0.5, 0.99)}
    shown = (1, 2)  # a weak and a strong one of each unlabelled image
    ratio: int  # unlabelled images a labelled one, in each batch
    weight: float  # of the unlabelled term
    threshold: float  # least probability of a confident decision
