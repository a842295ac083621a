"""The chain of a suite's budget: each reading, which fills what the paper leaves open, and its twins.

A twin is the chain but for one thing, without which its mechanism cannot do what is said of it.
"""

import itertools
import re
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_type_hints

from weckd.config import BackboneSettings, DistillationSettings, Suite
from weckd.errors import UserError, counted
from weckd.methods.fits import Fit, Initial, Loss, Method, Role
from weckd.methods.losses import Distillation, Mismatched, Temperature
from weckd.seeds import generator

LENGTHS = (1, 2, 3, 4, 5, 6)
CTKD_RANGE = (1.0, 21.0)
"""Bounds of a learned temperature: 1 and 1 + 20, the defaults of Li et al. 2023."""


@dataclass(frozen=True)
class Budget:
    """Steps, subsets, losses and networks that every method is declared with."""

    steps: int  # S, optimiser steps a stage
    stages: int  # N, models in the chain
    converged_factor: int  # full-converged: this many times S
    losses: DistillationSettings
    subset_count: int  # disjoint subsets D1.. that the split holds, at least N
    stage_percent: float = 10.0  # of the training part, each subset
    backbone: BackboneSettings | None = None  # the suite's
    backbone_sizes: tuple[BackboneSettings, ...] = ()  # from small to large, the suite's among them
    panel: tuple[BackboneSettings, ...] = ()  # backbones of the supervised panel
    halves: bool = False  # whether the split holds a half of each subset, H1..
    per_stage: float = 1.0  # subsets that a stage learns from: one, some, or 0.5 for half of one

    def parts(self, stage: int, letter: str = "D") -> tuple[str, ...]:
        """Return what of the split a stage learns from: Dk, as many subsets as `per_stage` says, or Hk."""
        if self.per_stage < 1:
            return (f"H{stage}",)
        last, count = stage * int(self.per_stage), int(self.per_stage)
        return tuple(f"{letter}{number}" for number in range(last - count + 1, last + 1))

    @property
    def subsets(self) -> tuple[str, ...]:
        """The parts of all stages: D1..DN, but for `per_stage`."""
        return tuple(part for stage in range(1, self.stages + 1) for part in self.parts(stage))

    @property
    def training(self) -> tuple[str, ...]:
        """All parts of the training part."""
        return (*(f"D{number}" for number in range(1, self.subset_count + 1)), "rest")

    @property
    def total(self) -> int:
        """Optimiser steps of a method at the equal budget, N * S."""
        return self.stages * self.steps

    @property
    def annealed(self) -> Distillation:
        """The reference loss: temperature falls linearly over the steps."""
        return read_loss(self.losses, REFERENCE)

    @property
    def constant(self) -> Distillation:
        """The reference loss at a constant temperature."""
        return read_loss(self.losses, Reading(temperature="constant"))


def suite_budget(suite: Suite) -> Budget:
    """Return the budget that a suite sets for all its methods."""
    return Budget(
        suite.training.steps,
        suite.chain_length,
        suite.training.converged_factor,
        suite.distillation,
        suite.split.stages,
        100 * suite.split.stage,
        suite.backbone,
        suite.backbone_sizes,
        suite.panel.backbones,
        suite.split.halves,
    )


def trial_budget(suite: Suite) -> Budget:
    """Return the budget of every method's trials: the suite's, of fewer steps where it says so."""
    steps = max(2, round(suite.tuning.share_of_steps * suite.training.steps))
    return replace(suite_budget(suite), steps=steps)


def single_fit(budget: Budget) -> Fit:
    """Return M1: D1 from the initial state."""
    return Fit(budget.parts(1), budget.steps)


def each_alone(fits: tuple[Fit, ...]) -> tuple[tuple[Fit, ...], ...]:
    """Make each fit a stage of its own."""
    return tuple((fit,) for fit in fits)


@dataclass(frozen=True)
class Point:
    """A point of the curves: the chain, or `pooled`, at other labels or steps than the suite's."""

    method: Literal["weckd", "pooled"]
    labels: int | None = None  # percent of the training part, all stages together; None: the suite's
    factor: int = 1  # times S steps a stage


_POINT = re.compile(r"(weckd|pooled)-(?:x([2-9])|([1-9]\d))")


def parse_point(name: str) -> Point | None:
    """Return the point that a name such as `weckd-60` (percent) or `pooled-x3` (times S) is of, if it is of one."""
    if not (match := _POINT.fullmatch(name)):
        return None
    method: Any = match[1]
    return Point(method, factor=int(match[2])) if match[2] else Point(method, int(match[3]))


def at_point(budget: Budget, point: Point, name: str) -> Budget:
    """Return the budget at a point of the curves.

    Raises:
        UserError: no number of the split's subsets, and no half of them, gives the labels.
    """
    if point.labels is None:
        return replace(budget, steps=point.factor * budget.steps)
    per_stage = round(point.labels / budget.stages / budget.stage_percent, 6)
    if per_stage == 1 or (per_stage != 0.5 and per_stage % 1):
        raise UserError(
            f"method {name!r}: {point.labels} % in all are {per_stage:g} times a subset for each of "
            f"{budget.stages} stages ({budget.stage_percent:g} %); name a share that gives each half a subset, or two "
            "or more"
        )
    if per_stage < 1 and not budget.halves:
        raise UserError(f"method {name!r}: needs halves of the subsets; set split.halves to true")
    refuse_lack_of_subsets(budget, name, int(per_stage * budget.stages))
    return replace(budget, per_stage=per_stage)


@dataclass(frozen=True)
class Reading:
    """One reading of the chain; the defaults are the reference reading, our choice and not the paper's."""

    start: Literal["warm", "fresh"] = "warm"
    teachers: Literal["previous", "all-earlier"] = "previous"
    temperature: Literal["linear", "constant", "cosine", "exponential", "learned"] = "linear"
    attention: Literal["transfer", "none", "gate"] = "transfer"
    mixing: Literal["convex", "additive"] = "convex"
    squared: Literal["yes", "no"] = "yes"
    subsets: Literal["disjoint", "overlapping"] = "disjoint"
    length: Literal[3, 1, 2, 4, 5, 6] = 3
    inference: Literal["last", "mean"] = "last"
    sizes: Literal["same", "growing", "shrinking"] = "same"


REFERENCE = Reading()
WHY_OPEN = {
    "start": "'refines the knowledge' (predecessor's weights) against 'multiple intermediate models' (fresh start)",
    "teachers": "each model learns from its predecessor; whether from earlier ones too (DGKD) is not said",
    "temperature": "'annealed over epochs' names no curve; learned is CTKD, constant the control",
    "attention": "'a spatial attention mechanism within the distillation' names no form",
    "mixing": "the weights of the two terms are not stated: (1 - alpha) CE + alpha KL, or CE + alpha KL",
    "squared": "whether the divergence is multiplied by T^2 is not stated",
    "subsets": "'30 % in total' implies disjoint subsets of 10 %; how they are drawn is not stated",
    "length": "three models are named; what another number would give is open",
    "inference": "the last model is the natural reading; the mean of all is the other",
    "sizes": "whether all models of the chain are of one size is not stated (needs start=fresh, backbone_sizes)",
}


def choices() -> dict[str, tuple[Any, ...]]:
    """Return the options of each choice, the reference first."""
    return {name: get_args(kind) for name, kind in get_type_hints(Reading).items()}


def reading_name(reading: Reading) -> str:
    """Return what differs from the reference, as `start=fresh,length=4`; the reference itself is `weckd`."""
    return ",".join(f"{name}={vars(reading)[name]}" for name in _changed(reading)) or "weckd"


def reading_question(reading: Reading) -> str:
    """Return what a reading asks, by what the reference has in its place: `is it start=warm?`."""
    replaced = (f"{name}={vars(REFERENCE)[name]}" for name in _changed(reading))
    return f"is it {', '.join(replaced)}?"


def _changed(reading: Reading) -> list[str]:
    """Return the choices that a reading makes differently from the reference."""
    return [name for name, value in vars(reading).items() if value != vars(REFERENCE)[name]]


def is_reading(name: str) -> bool:
    """Tell whether a method's name is that of a reading."""
    return "=" in name


def parse_reading(name: str) -> Reading:
    """Return the reading of a name that `reading_name` could give.

    Raises:
        UserError: a choice or an option is unknown, or the choices are not in their order.
    """
    options = choices()
    changes: dict[str, Any] = {}
    for change in name.split(","):
        choice, _, text = change.partition("=")
        if choice not in options:
            raise UserError(f"method {name!r}: no choice {choice!r}; known: {', '.join(options)}")
        found = [option for option in options[choice] if str(option) == text]
        if not found:
            known = ", ".join(str(option) for option in options[choice])
            raise UserError(f"method {name!r}: {choice} cannot be {text!r}; known: {known}")
        changes[choice] = found[0]
    reading = replace(REFERENCE, **changes)
    if reading_name(reading) != name:
        raise UserError(f"method {name!r}: write it as {reading_name(reading)!r}")
    return reading


def one_change_each() -> tuple[Reading, ...]:
    """Return every reading of one size that differs from the reference in one choice."""
    found = _choices_of_one_size().items()
    return tuple(replace(REFERENCE, **{name: option}) for name, options in found for option in options[1:])


def changes_of_size(budget: Budget) -> tuple[Reading, ...]:
    """Return the chains of growing and of shrinking networks for which the suite names enough sizes.

    No network can start from the weights of one of another size, so they begin afresh.
    """
    readings = (Reading(start="fresh", sizes="growing"), Reading(start="fresh", sizes="shrinking"))
    return tuple(r for r in readings if len(_sizes_from_here(budget, r)) >= budget.stages)


def every_combination() -> tuple[Reading, ...]:
    """Return the whole grid of distinct chains of two models or more of one size, the reference among them."""
    grid = (Reading(*options) for options in itertools.product(*_choices_of_one_size().values()))
    # With two models all earlier teachers are the predecessor.
    return tuple(r for r in grid if r.length > (2 if r.teachers == "all-earlier" else 1))


def _choices_of_one_size() -> dict[str, tuple[Any, ...]]:
    return {name: options for name, options in choices().items() if name != "sizes"}


def drawn_combinations(count: int, seed: int) -> tuple[Reading, ...]:
    """Return `count` readings that differ in two choices or more, drawn from the grid by a seed.

    Lengths other than three are left to the single changes, so that all drawn readings have the same labels.
    """
    single = {REFERENCE, *one_change_each()}
    rest = [r for r in every_combination() if r.length == REFERENCE.length and r not in single]
    order = generator("readings", seed).permutation(len(rest))
    return tuple(rest[position] for position in sorted(order[:count].tolist()))


def read_chain(
    budget: Budget, reading: Reading, name: str, question: str, role: Role, loss: Loss | None = None
) -> Method:
    """Declare the chain as it is read, with another loss than the reading's where one is given.

    Of the reference's length it has the suite's; another length has S steps and a subset of its own for each model.

    Raises:
        UserError: the split holds fewer subsets, or the suite names fewer sizes, than the chain needs.
    """
    length = budget.stages if reading.length == REFERENCE.length else reading.length
    refuse_lack_of_subsets(budget, name, length)
    letter, gate = ("D" if reading.subsets == "disjoint" else "E"), reading.attention == "gate"
    loss = loss or read_loss(budget.losses, reading)
    backbones = _backbones(budget, reading, length, name)
    fits = [Fit(budget.parts(1), budget.steps, gate=gate, backbone=backbones[0])]
    for number, backbone in enumerate(backbones[1:], start=2):
        start = fits[-1] if reading.start == "warm" else Initial()
        teachers = (tuple(fits) if reading.teachers == "all-earlier" else (fits[-1],)) if loss.taught else ()
        fits.append(
            Fit(
                budget.parts(number, letter),
                budget.steps,
                start,
                teachers,
                loss,
                gate=gate,
                backbone=backbone,
            )
        )
    if reading.inference == "mean":
        return Method(name, question, role, tuple(tuple(fits[:number]) for number in range(1, length + 1)))
    return Method(name, question, role, each_alone(tuple(fits)))


def chain_random(budget: Budget) -> Method:
    """Declare the chain in which an untrained network, the seed's initial state, teaches every model.

    Random control distillation (Mason-Williams et al. 2025, arXiv 2510.12615). Each model starts from the one before,
    as in the chain. A pretrained initial state has pretrained attention maps, and logits of an untrained classifier.
    """
    fits = [single_fit(budget)]
    for subset in budget.subsets[1:]:
        fits.append(Fit((subset,), budget.steps, fits[-1], (Initial(),), budget.annealed))
    return Method("chain-random", "is it what the teacher has learnt?", "control", each_alone(tuple(fits)))


def chain_shuffled(budget: Budget) -> Method:
    """Declare the chain whose teacher gives logits of another image of the same class."""
    return _mismatched(budget, "chain-shuffled", "is it more than an image's class?", "logits")


def attention_other(budget: Budget) -> Method:
    """Declare the chain whose teacher gives attention maps of another image of the same class."""
    return _mismatched(budget, "attention-other", "is it where the teacher looks?", "maps")


def _mismatched(budget: Budget, name: str, question: str, other: Literal["logits", "maps"]) -> Method:
    return read_chain(
        budget, REFERENCE, name, question, "control", Mismatched(**vars(budget.annealed), other=other)
    )


def temperature_rising(budget: Budget) -> Method:
    """Declare the chain whose temperature runs from its end to its beginning."""
    temperature = budget.annealed.temperature
    turned = replace(temperature, first=temperature.last, last=temperature.first)
    loss = replace(budget.annealed, temperature=turned)
    question = "is it that the temperature falls?"
    return read_chain(budget, REFERENCE, "temperature-rising", question, "control", loss)


def chain_fresh_long(budget: Budget) -> Method:
    """Declare the chain of fresh starts whose last model has N*S steps, as many as the warm chain's weights have had.

    All its models together have (2N - 1)*S, more than the equal budget, so it is no control (of which tables name the
    best) but a reading.
    """
    question = "is a fresh start worse, or shorter? (outside the equal budget)"
    fresh = read_chain(budget, Reading(start="fresh"), "chain-fresh-long", question, "reading")
    *earlier, last = fresh.fits()
    return replace(fresh, stages=each_alone((*earlier, replace(last, steps=budget.total))))


def refuse_lack_of_subsets(budget: Budget, name: str, count: int) -> None:
    """Refuse a method that learns from more subsets than the split holds.

    Raises:
        UserError: it does.
    """
    if count > budget.subset_count:
        raise UserError(
            f"method {name!r}: needs {count} subsets, the split holds {budget.subset_count}; "
            f"set split.stages to {count}"
        )


def _backbones(
    budget: Budget, reading: Reading, length: int, name: str
) -> tuple[BackboneSettings | None, ...]:
    """Return the network of each model; None for the suite's own."""
    if reading.sizes == "same":
        return (None,) * length
    if reading.start == "warm":
        raise UserError(
            f"method {name!r}: a network cannot start from the weights of one of another size; add start=fresh"
        )
    found = _sizes_from_here(budget, reading)
    if len(found) < length:
        wanted = "larger" if reading.sizes == "growing" else "smaller"
        raise UserError(
            f"method {name!r}: needs {counted(length - 1, 'network')} {wanted} than the suite's; backbone_sizes names "
            f"{max(len(found) - 1, 0)}"
        )
    return (None, *found[1:length])


def _sizes_from_here(budget: Budget, reading: Reading) -> tuple[BackboneSettings, ...]:
    """Return the suite's backbone and then the larger, or the smaller ones, step by step."""
    sizes = budget.backbone_sizes
    if budget.backbone not in sizes:
        return ()
    here = sizes.index(budget.backbone)
    return sizes[here:] if reading.sizes == "growing" else sizes[here::-1]


def read_loss(losses: DistillationSettings, reading: Reading) -> Distillation:
    """Return what teaches the chain as it is read, with a suite's settings."""
    ends = {"constant": (losses.temperature_constant,) * 2, "learned": CTKD_RANGE}.get(
        reading.temperature, (losses.temperature_max, losses.temperature_min)
    )
    beta = 0.0 if reading.attention == "none" else losses.beta
    temperature = Temperature(reading.temperature, *ends)
    return Distillation(losses.alpha, beta, temperature, reading.mixing, reading.squared == "yes")
