"""A fit's loss in a few words, for lists."""

from weckd.methods.recipe import (
    Decoupled,
    Distillation,
    FixMatch,
    LogitLoss,
    Loss,
    MeanTeacher,
    Mutual,
    PseudoLabels,
    Temperature,
)


def loss_text(loss: Loss, teachers: list[str]) -> str:
    """Return what a loss adds to cross-entropy; `teachers` are the names of the fit's teachers."""
    if isinstance(loss, MeanTeacher):
        return f"consistent with its own average (weight {loss.weight:g}, decay {loss.decay:g})"
    if isinstance(loss, FixMatch):
        return f"decisions of {loss.threshold:g} and more as labels of strong views (weight {loss.weight:g})"
    if isinstance(loss, Mutual):
        return f"beside a peer from init, member {loss.peer.member} (T {loss.temperature:g})"
    return f"taught by {' and '.join(teachers)} ({_teaching_text(loss)})"


def _teaching_text(loss: Distillation | Decoupled | LogitLoss | PseudoLabels) -> str:
    if isinstance(loss, PseudoLabels):
        stand_ins = "decisions" if loss.hard else "probabilities"
        return f"{stand_ins} as labels{', strong views' if loss.strong else ''}"
    if isinstance(loss, LogitLoss):
        return loss.function.rpartition(":")[2]
    if isinstance(loss, Decoupled):
        return f"decoupled {loss.target:g} : {loss.others:g}, T {loss.temperature:g}"
    parts = [
        _temperature_text(loss.temperature),
        "" if loss.alpha else "no divergence",
        f"beta {loss.beta:g}" if loss.beta else "no attention",
        "" if loss.mixing == "convex" else "CE + alpha KL",
        "" if loss.squared else "without T^2",
    ]
    return ", ".join(filter(None, parts))


def _temperature_text(shown: Temperature) -> str:
    if shown.schedule == "constant":
        return f"T {shown.first:g}"
    if shown.schedule == "learned":
        return f"T learned in {shown.first:g} .. {shown.last:g}"
    curve = "" if shown.schedule == "linear" else f" {shown.schedule}"
    return f"T {shown.first:g} -> {shown.last:g}{curve}"
