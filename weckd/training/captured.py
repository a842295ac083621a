"""A fit's steps on a GPU as one CUDA graph, captured once and replayed: one launch a step in place of thousands.

A graph holds addresses. Whatever changes from step to step lies on the device, in tensors that stay where they are:
batches, draws, rates and weights in tables, which are read by the number of the step; parameters, buffers, moments and
losses, into which a checkpoint is copied.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from weckd.errors import UserError
from weckd.training.batches import Views, of_step
from weckd.training.limits import out_of_memory
from weckd.training.optimisation import Objective, RunningFit

WARM_UP = 3
"""Steps before a capture, as torch advises: libraries make handles and workspaces in the first ones."""


def is_capturable(objective: Objective) -> bool:
    """Return whether the steps can be captured: on a GPU, where the objective's own class says so."""
    return vars(type(objective)).get("capturable", False) and next(objective.student.parameters()).is_cuda


def captured_step(fit: RunningFit, views: Views, labels: Tensor) -> Callable[[], None]:
    """Return what makes the next step of a fit, as often as it is called; the fit itself stays as it is.

    Args:
        fit: at any step.
        views: of all steps.
        labels: int64 (steps, B).

    Raises:
        UserError: the network or the loss does something that a graph cannot hold.
    """
    number = torch.zeros(1, dtype=torch.int64, device=labels.device)

    def step() -> None:
        fit.make(number, views.at(number), of_step(labels, number))

    before = {key: value.clone() for key, value in fit.state().items()}
    try:
        replay = _capture(step, fit.optimiser)
    except RuntimeError as problem:
        if out_of_memory(problem):
            raise
        raise UserError(
            f"training.cuda_graph: the steps of this fit cannot be captured ({str(problem).partition(chr(10))[0]}); "
            "set it to false"
        ) from problem
    fit.load(before)

    def next_step() -> None:
        number.fill_(fit.done)
        replay()
        fit.done += 1

    return next_step


def _capture(step: Callable[[], None], optimiser: torch.optim.Optimizer) -> Callable[[], None]:
    """Return what makes a step again: on a GPU, from its graph."""
    stream, current = _stream(), torch.cuda.current_stream()
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step()
    current.wait_stream(stream)
    for group in optimiser.param_groups:
        group["capturable"] = True  # a fused step is the same either way
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        step()
    return graph.replay


@cache
def _stream() -> torch.cuda.Stream:
    """Return one stream for all warm-ups and captures: gradients flow on that which a parameter was first used on."""
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]
