"""What can be tuned of a method, and the method with other values.

The paper tunes the learning rate, the distillation weight and the temperature factor (Optuna); where it looks for them
is not public. All ranges, and what is tuned of the rivals, are the suite's choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from weckd.methods.fits import Fit, Method, Role

UNTUNED_ROLES: tuple[Role, ...] = ("check", "floor")
"""Methods that check the pipeline are tuned by nobody."""
LEARNING_RATE = "learning_rate"
_RATE_FACTOR = 8.0
"""The learning rate is looked for from an eighth of the suite's to eight times as much (our choice)."""


@dataclass(frozen=True)
class Tunable:
    """One setting of a method and where it is looked for; all fits of the method share its value.

    Raises:
        ValueError: the committed value is not in the range.
    """

    name: str
    low: float
    high: float
    log: bool
    default: float  # the committed value, inside the range

    def __post_init__(self) -> None:
        """Refuse a range without the committed value: it is the first trial."""
        if not self.low <= self.default <= self.high:
            raise ValueError(f"{self.name}: {self.default} is not in {self.low} .. {self.high}")


def tunables_of(method: Method, learning_rate: float) -> tuple[Tunable, ...]:
    """Return what can be tuned of a method: the learning rate, and the settings of its losses.

    Checks of the pipeline and the floor have none. A range is widened where it does not hold the committed value,
    of the learning rate that of the suite.

    Raises:
        ValueError: two fits of the method differ in a setting, so that they share no value that could be tuned.
    """
    if method.role in UNTUNED_ROLES:
        return ()
    found: dict[str, Tunable] = {}
    for fit in method.fits():
        for tunable in _tunables(fit, learning_rate):
            if found.setdefault(tunable.name, tunable) != tunable:
                raise ValueError(
                    f"method {method.name}: its fits share no {tunable.name} that could be tuned"
                )
    return tuple(found.values())


def with_values(method: Method, values: Mapping[str, float]) -> Method:
    """Return the method with tuned values in all its fits, parents and teachers included.

    Raises:
        ValueError: a value is of no setting of the method.
    """
    known = [each.name for each in tunables_of(method, learning_rate=1.0)]  # the names are those at any rate
    for name in values:
        if name not in known:
            raise ValueError(
                f"method {method.name}: no setting {name!r}; known: {', '.join(known) or 'none'}"
            )

    @cache
    def tuned(fit: Fit) -> Fit:
        return replace(
            fit,
            start=any_tuned(fit.start),
            teachers=tuple(any_tuned(teacher) for teacher in fit.teachers),
            loss=fit.loss.tuned({name: values[name] for name in fit.loss.tunable() if name in values}),
            learning_rate=values.get(LEARNING_RATE, fit.learning_rate),
        )

    def any_tuned(each: Any) -> Any:
        return tuned(each) if isinstance(each, Fit) else each

    stages = tuple(tuple(any_tuned(member) for member in members) for members in method.stages)
    return replace(method, stages=stages)


def _tunables(fit: Fit, learning_rate: float) -> list[Tunable]:
    rate = fit.learning_rate or learning_rate
    tunables = [Tunable(LEARNING_RATE, rate / _RATE_FACTOR, rate * _RATE_FACTOR, log=True, default=rate)]
    for name, default in fit.loss.tunable().items():
        within = fit.loss.ranges[name]
        low = min(max(within.low, fit.loss.least(name)), default)
        tunables.append(Tunable(name, low, max(within.high, default), within.log, default))
    return tunables
