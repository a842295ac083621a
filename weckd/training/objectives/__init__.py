"""What a fit minimises, one module a family; a declaration's loss says which."""

from collections.abc import Sequence

from weckd.methods.losses.semi_supervised import teacher_labels
from weckd.methods.recipe import (
    Decoupled,
    Distillation,
    Fit,
    LogitLoss,
    MeanTeacher,
    Mutual,
    PseudoLabels,
    SemiSupervised,
)
from weckd.training.backbone import Backbone
from weckd.training.initial import State
from weckd.training.networks import Networks
from weckd.training.objectives.base import Averaging, Objective
from weckd.training.objectives.distilled import DecoupledDistilled, Distilled, LogitDistilled
from weckd.training.objectives.fixmatch import FixMatched
from weckd.training.objectives.mean_teacher import TaughtByAverage
from weckd.training.objectives.mutual import MutuallyTaught
from weckd.training.objectives.pseudo_labels import PseudoLabelled
from weckd.training.objectives.supervised import Supervised
from weckd.training.unlabelled import Unlabelled

__all__ = ["Averaging", "Objective", "make_objective"]


def make_objective(
    fit: Fit,
    networks: Networks,
    student: Backbone,
    teachers: Sequence[State],
    peer: State | None,
    unlabelled: Unlabelled | None,
) -> Objective:
    """Return the objective that a fit declares.

    Args:
        fit: the declaration.
        networks: modules to load teachers and peer into.
        student: the network to be trained.
        teachers: states of the fit's teachers.
        peer: first state of the peer, where the loss names one.
        unlabelled: the fit's unlabelled images, where it declares any.
    """
    if isinstance(fit.loss, SemiSupervised):
        assert unlabelled is not None  # noqa: S101 - a fit has such a loss exactly where it has such images
        return _semi_supervised(fit, fit.loss, networks, student, teachers, unlabelled)
    if isinstance(fit.loss, Distillation):
        taught_by = networks.teachers(fit.teachers, teachers)
        stages = _compared_stages(fit, networks, attention=fit.loss.beta > 0)
        return Distilled(student, taught_by, fit.loss, fit.steps, stages, fit.gate)
    if isinstance(fit.loss, Decoupled):
        return DecoupledDistilled(student, networks.teachers(fit.teachers, teachers)[0], fit.loss, fit.steps)
    if isinstance(fit.loss, LogitLoss):
        return LogitDistilled(student, networks.teachers(fit.teachers, teachers)[0], fit.loss)
    if isinstance(fit.loss, Mutual):
        assert peer is not None  # noqa: S101 - the job draws one wherever the loss names it
        return MutuallyTaught(student, networks.peer(fit, peer), fit.loss.temperature)
    return Supervised(student)


def _compared_stages(fit: Fit, networks: Networks, *, attention: bool) -> list[list[int]]:
    """Return the stages whose maps are compared, of the student and of each teacher: as many of each, the deepest."""
    members = (fit, *fit.teachers)
    if not attention:
        return [[] for _ in members]
    stages = [networks.attention(member) for member in members]
    count = min(len(found) for found in stages)
    return [found[-count:] for found in stages]


def _semi_supervised(
    fit: Fit,
    loss: SemiSupervised,
    networks: Networks,
    student: Backbone,
    teachers: Sequence[State],
    unlabelled: Unlabelled,
) -> Objective:
    if isinstance(loss, PseudoLabels):
        teacher = networks.teachers(fit.teachers, teachers)[0]
        decided = teacher_labels(unlabelled.logits(teacher), loss.hard)
        views = unlabelled.strong() if loss.strong else unlabelled.weak(1)
        return PseudoLabelled(student, views, unlabelled.positions, decided)
    if isinstance(loss, MeanTeacher):
        average = networks.teachers([fit], [student.network.state_dict()])[0]
        return TaughtByAverage(
            student,
            average,
            loss,
            fit.steps,
            unlabelled.weak(1),
            unlabelled.weak(2),
            unlabelled.labelled_again(),
        )
    return FixMatched(student, loss, unlabelled.weak(1), unlabelled.strong())
