"""All methods by name: the chain in its readings, controls, rivals, the supervised bars and panel, and checks.

Controls decide what the chain's gain means. Rivals learn from the same labels by another way of distilling or of
averaging; the semi-supervised ones, which the tables keep apart, also see the unlabelled rest of the training part. The
panel is any backbone on a share of the labels, by cross-entropy alone.

Notation: S optimiser steps a stage, N stages, D1..DN disjoint subsets of the labels. Cross-entropy only where no
teacher is named.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from weckd.config import BackboneSettings, PanelSettings, Suite
from weckd.declared import near
from weckd.errors import UserError
from weckd.methods.chain import (
    REFERENCE,
    Budget,
    Point,
    at_point,
    attention_other,
    chain_fresh_long,
    chain_random,
    chain_shuffled,
    each_alone,
    is_reading,
    parse_point,
    parse_reading,
    read_chain,
    reading_question,
    refuse_lack_of_subsets,
    single_fit,
    suite_budget,
    temperature_rising,
)
from weckd.methods.fits import ClassFrequencies, Fit, Initial, Loss, Method
from weckd.methods.losses import Decoupled, FixMatch, MeanTeacher, Mutual, PseudoLabels

PANEL = "panel"
"""Stands for all methods of the panel in a suite's list of methods."""
_PANEL_NAME = re.compile(rf"{PANEL}-([a-z0-9_]+)-(\d+)")
_ALL = 100
_OF_THE_REST = "what would the unlabelled rest buy?"
UNLABELLED_RATIO = 2
"""Unlabelled images a labelled one in each batch of the semi-supervised rivals: 30 % to 70 % of the training part
are about as one to two, so both go round at one pace. (FixMatch has 7, Noisy Student 14 or more; ours is smaller, as
the steps are few and equal.)"""


def weckd(budget: Budget) -> Method:
    """Declare the chain: warm start, taught by the predecessor, temperature annealed, attention transfer."""
    question = "M1 -> M2 -> M3, each from the last one's weights, taught by it (reference reading)"
    return read_chain(budget, REFERENCE, "weckd", question, "chain")


def single(budget: Budget) -> Method:
    """Declare the baseline: D1 alone, which is M1."""
    return Method("single", "the baseline: M1 alone", "reference", ((single_fit(budget),),))


def single_long(budget: Budget) -> Method:
    """Declare D1 alone at the chain's budget of steps."""
    return Method("single-long", "is it just longer training?", "control", ((Fit(("D1",), budget.total),),))


def pooled(budget: Budget) -> Method:
    """Declare one network on the labels of all stages."""
    fit = Fit(budget.subsets, budget.total)
    return Method("pooled", "is it just more labels?", "control", ((fit,),))


def sequential(budget: Budget) -> Method:
    """Declare the chain without a teacher."""
    return read_chain(budget, REFERENCE, "sequential", "is it the schedule?", "control", Loss())


def ensemble(budget: Budget) -> Method:
    """Declare one network a subset, each from its own initial state; mean of the probabilities."""
    members = tuple(
        Fit((subset,), budget.steps, Initial(number)) for number, subset in enumerate(budget.subsets, start=1)
    )
    stages = tuple(members[:number] for number in range(1, budget.stages + 1))
    return Method("ensemble", "is it averaging?", "control", stages)


def one_step(budget: Budget) -> Method:
    """Declare M1 and then one student on all other labels."""
    first = single_fit(budget)
    second = Fit(budget.subsets[1:], (budget.stages - 1) * budget.steps, first, (first,), budget.constant)
    return Method("one-step", "does the chain beat one step?", "control", each_alone((first, second)))


def chain_plain(budget: Budget) -> Method:
    """Declare the chain at constant temperature and without attention transfer."""
    loss = replace(budget.constant, beta=0.0)
    question = "do annealing and attention add anything?"
    return read_chain(budget, REFERENCE, "chain-plain", question, "control", loss)


def chain_dense(budget: Budget) -> Method:
    """Declare the chain in which each model is taught by all before it (DGKD, Son et al. 2021)."""
    reading = replace(REFERENCE, teachers="all-earlier")
    return read_chain(budget, reading, "chain-dense", "does error pile up along a chain? (DGKD)", "control")


def attention_only(budget: Budget) -> Method:
    """Declare the chain with attention transfer and no divergence (Zagoruyko and Komodakis 2017)."""
    loss = replace(budget.annealed, alpha=0.0)
    return read_chain(budget, REFERENCE, "attention-only", "is it attention transfer alone?", "control", loss)


def _born_again(budget: Budget, parts: tuple[str, ...], name: str, question: str) -> Method:
    """Declare self-distillation (Furlanello et al. 2018): generations from new random states, constant T."""
    fits = [Fit(parts, budget.steps)]
    for generation in range(2, budget.stages + 1):
        fits.append(Fit(parts, budget.steps, Initial(generation), (fits[-1],), budget.constant))
    return Method(name, question, "control", each_alone(tuple(fits)))


def born_again(budget: Budget) -> Method:
    """Declare self-distillation on D1."""
    return _born_again(budget, ("D1",), "born-again", "is it self-distillation on the same labels?")


def born_again_pooled(budget: Budget) -> Method:
    """Declare self-distillation on the labels of all stages."""
    return _born_again(
        budget, budget.subsets, "born-again-pooled", "is it self-distillation, with all the labels?"
    )


def full(budget: Budget) -> Method:
    """Declare all labels of the training part at the equal budget."""
    return Method("full", "more labels at the same budget", "bar", ((Fit(budget.training, budget.total),),))


def full_converged(budget: Budget) -> Method:
    """Declare all labels, enough steps to converge: a bar outside the equal budget."""
    fit = Fit(budget.training, budget.converged_factor * budget.steps)
    return Method("full-converged", "the supervised bar (outside the equal budget)", "bar", ((fit,),))


def permuted(budget: Budget) -> Method:
    """Declare `full` with its labels shuffled; must sit at chance."""
    fit = Fit(budget.training, budget.total, permute_labels=True)
    return Method("permuted", "do labels leak through the pipeline?", "check", ((fit,),))


def majority(budget: Budget) -> Method:
    """Declare the class shares of the training part; its decision is the most frequent class."""
    return Method("majority", "the floor", "floor", ((ClassFrequencies(budget.training),),))


def decoupled(budget: Budget) -> Method:
    """Declare one step of decoupled distillation (DKD, Zhao et al. 2022), at the authors' weights 1 and 8, T = 4.

    The weight of the non-target term is the authors' for CIFAR-100; their warm-up is 20 of 240 epochs.
    """
    first = single_fit(budget)
    loss = Decoupled(target=1.0, others=8.0, temperature=4.0, warmup=20 / 240)
    second = Fit(budget.subsets[1:], (budget.stages - 1) * budget.steps, first, (first,), loss)
    return Method("decoupled", "DKD in place of one step", "rival", each_alone((first, second)))


def mutual(budget: Budget) -> Method:
    """Declare deep mutual learning (Zhang et al. 2018): two peers on the labels of all stages, T = 1.

    Both are trained at each step, so each has half of the equal budget of steps. The first is the result.
    """
    fit = Fit(budget.subsets, budget.total // 2, loss=Mutual(Initial(2), temperature=1.0))
    return Method("mutual", "two peers instead of a chain (DML)", "rival", ((fit,),))


def snapshot(budget: Budget) -> Method:
    """Declare a snapshot ensemble (Huang et al. 2017): N cycles of S steps on the labels of all stages.

    Each cycle starts from the end of the last, with a learning-rate schedule of its own; mean of the probabilities.
    """
    fits = [Fit(budget.subsets, budget.steps)]
    for _ in range(1, budget.stages):
        fits.append(Fit(budget.subsets, budget.steps, fits[-1]))
    stages = tuple(tuple(fits[:number]) for number in range(1, budget.stages + 1))
    return Method("snapshot", "an ensemble at one model's budget", "rival", stages)


def pseudo_label(budget: Budget) -> Method:
    """Declare pseudo-labels (Lee 2013): a model on all stages' labels, then a student that takes its decisions too.

    Lee's one network relabels at every step and lets the term rise to weight 3; here, ours, the teacher has S steps,
    its labels stay, the term weighs 1, and the student starts afresh with (N-1)*S steps.
    """
    teacher = Fit(budget.subsets, budget.steps)
    loss = PseudoLabels(hard=True, strong=False, ratio=UNLABELLED_RATIO)
    student = _with_rest(budget, (budget.stages - 1) * budget.steps, loss, teacher)
    stages = each_alone((teacher, student))
    return Method("pseudo-label", f"{_OF_THE_REST} (pseudo-labels)", "semi-supervised", stages)


def noisy_student(budget: Budget) -> Method:
    """Declare Noisy Student (Xie et al. 2020): N generations of S steps, each student the next one's teacher.

    As there: soft pseudo-labels of a teacher without noise, a student from the initial state, as large as its teacher,
    with noise. Ours: the noise is strong augmentation of the unlabelled images alone (there of all images, with
    dropout and stochastic depth), and no pseudo-label is left out or repeated (there by confidence and class).
    """
    fits = [Fit(budget.subsets, budget.steps)]
    loss = PseudoLabels(hard=False, strong=True, ratio=UNLABELLED_RATIO)
    for _ in range(1, budget.stages):
        fits.append(_with_rest(budget, budget.steps, loss, fits[-1]))
    stages = each_alone(tuple(fits))
    return Method("noisy-student", f"{_OF_THE_REST} (Noisy Student)", "semi-supervised", stages)


def mean_teacher(budget: Budget) -> Method:
    """Declare Mean Teacher (Tarvainen and Valpola 2017); the result is the average of the student's weights.

    Weight 100 of the mean squared difference, risen after 40 000 of 150 000 steps, and decay 0.99 are the authors'
    (theirs is 0.999 after the rise). Ours: the average reaches back a tenth of the steps at most, since in
    fits of less than 1 000 steps 0.99 would keep the first, untrained weights.
    """
    loss = MeanTeacher(UNLABELLED_RATIO, weight=100.0, rampup=40_000 / 150_000, decay=0.99, reach=0.1)
    stages = ((_with_rest(budget, budget.total, loss),),)
    return Method("mean-teacher", f"{_OF_THE_REST} (Mean Teacher)", "semi-supervised", stages)


def fixmatch(budget: Budget) -> Method:
    """Declare FixMatch (Sohn et al. 2020) at the authors' threshold 0.95 and weight 1.

    Ours: the ratio, the strong augmentation (see `weckd.training.objectives.unlabelled`) and that the result is the
    network itself, where the authors evaluate an average of its weights.
    """
    loss = FixMatch(UNLABELLED_RATIO, weight=1.0, threshold=0.95)
    stages = ((_with_rest(budget, budget.total, loss),),)
    return Method("fixmatch", f"{_OF_THE_REST} (FixMatch)", "semi-supervised", stages)


def _with_rest(budget: Budget, steps: int, loss: Loss, *teachers: Fit) -> Fit:
    """Return a fit on all stages' labels that sees, without theirs, the rest of the training part."""
    rest = tuple(part for part in budget.training if part not in budget.subsets)
    return Fit(budget.subsets, steps, teachers=teachers, loss=loss, unlabelled=rest)


_DECLARED: tuple[Callable[[Budget], Method], ...] = (
    *(weckd, single, single_long, pooled, sequential, ensemble, one_step, chain_plain, chain_dense),
    *(chain_random, chain_shuffled, attention_other, temperature_rising, chain_fresh_long),
    *(attention_only, born_again, born_again_pooled, decoupled, mutual, snapshot),
    *(pseudo_label, noisy_student, mean_teacher, fixmatch, full, full_converged, permuted, majority),
)
METHODS = {declare.__name__.replace("_", "-"): declare for declare in _DECLARED}
"""What declares each method, by its name; listed in this order."""


def find_method(name: str) -> Callable[[Budget], Method]:
    """Return the declaration called `name`, or that of a reading such as `start=fresh,length=4`.

    `pooled-4` is `pooled` on four subsets, the label-matched control of a chain of that length; for the points of the
    curves, such as `weckd-60` and `pooled-x3`, see `weckd.methods.chain.parse_point`.

    Raises:
        UserError: there is none; the message lists the known ones.
    """
    if match := re.fullmatch(r"pooled-([1-6])", name):
        return lambda budget: _pooled_on(budget, int(match[1]), name)
    if point := parse_point(name):
        return lambda budget: _at_point(budget, point, name)
    if is_panel(name):
        return lambda budget: panel_method(budget, name)
    if is_reading(name):
        reading = parse_reading(name)
        return lambda budget: read_chain(budget, reading, name, reading_question(reading), "reading")
    if name not in METHODS:
        raise UserError(
            f"no method {name!r}{near(name, list(METHODS))} Known methods: {', '.join(METHODS)}, panel"
        )
    return METHODS[name]


def _pooled_on(budget: Budget, count: int, name: str) -> Method:
    refuse_lack_of_subsets(budget, name, count)
    return replace(pooled(replace(budget, stages=count)), name=name)


def _at_point(budget: Budget, point: Point, name: str) -> Method:
    where = (
        f"{point.factor} times S steps a stage" if point.labels is None else f"{point.labels} % of the labels"
    )
    declared = METHODS[point.method](at_point(budget, point, name))
    return replace(declared, name=name, question=f"{point.method} at {where}", role="curve")


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

    Kept is what some fit starts from or is taught by, so that adding a method to a suite trains only what is new;
    every model of the chain, whose attention maps are looked at; and the last stage of what the suite keeps.
    """
    budget = suite_budget(suite)
    known = [*(declare(budget) for declare in METHODS.values()), *methods]
    parents = {parent for method in known for fit in method.fits() for parent in fit.parents()}
    last = {each for method in methods if method.name in suite.keep_weights for each in method.stages[-1]}
    chain = {fit for method in known if method.role == "chain" for fit in method.fits()}
    return frozenset(parents | chain | {each for each in last if isinstance(each, Fit)})


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
