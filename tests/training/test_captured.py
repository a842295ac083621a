"""Captured steps give the bytes of eager ones; what cannot be captured is stepped eagerly, or refused."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from toy_cell import (
    FITS,
    M1,
    M2,
    STEPS,
    TRAINING,
    first_state,
    run,
    same_bytes,
    toy_data,
    toy_setup,
    toy_state,
)

from weckd.errors import UserError
from weckd.methods.fits import Fit, Initial
from weckd.methods.losses import Mismatched, PseudoLabels, Temperature
from weckd.training import captured
from weckd.training.batches import of_step
from weckd.training.captured import captured_step, is_capturable
from weckd.training.objectives.distillation import Distilled
from weckd.training.objectives.rivals import OfLogits
from weckd.training.optimisation import Objective, RunningFit, make_objective


def at(schedule, last):
    return replace(M2, loss=replace(M2.loss, temperature=Temperature(schedule, 4.0, last)))


EACH = {
    **FITS,
    "two teachers": replace(M2, teachers=(M1, Fit(("D1",), STEPS, Initial(2)))),
    "constant": at("constant", 4.0),
    "cosine": at("cosine", 1.0),
    "exponential": at("exponential", 1.0),
    "another's maps": replace(M2, loss=Mismatched(**vars(M2.loss), other="maps")),
    "decisions": replace(FITS["pseudo-labels"], loss=PseudoLabels(True, False, 2)),
}
each_fit = pytest.mark.parametrize("fit", EACH.values(), ids=EACH)


@pytest.fixture(scope="module")
def data(networks):
    return toy_data(12, 12, networks.device)


def running(fit, data, networks):
    """Return a fit before its first step, and its batches."""
    states = [first_state(fit, 2)] * len(fit.teachers)
    student = networks.student(fit, first_state(fit))
    setup, *batches = toy_setup(fit, data, networks, student, states, toy_state(2))
    return RunningFit(make_objective(setup), fit.steps, 0.004, TRAINING), *batches


@each_fit
def test_captured_steps_give_the_bytes_of_eager_ones(fit, data, networks, capturing):
    eager, found = run(fit, data, networks), run(fit, data, networks, training=capturing)
    assert same_bytes(eager, found)
    assert found.record["cuda_graph"] is True
    assert "cuda_graph" not in eager.record


def test_a_network_that_draws_draws_the_same(data, networks, capturing, monkeypatch):
    monkeypatch.setattr(networks.student(M1, toy_state()).network, "drop_rate", 0.5)
    assert same_bytes(run(M1, data, networks), run(M1, data, networks, training=capturing))


UNCAPTURABLE = {
    "_local_scalar_dense": "a value that Python asks for",
    "is_nonzero": "the same",
    "lift_fresh": "a value that Python gives",
    "nonzero": "a shape that follows from values",
    "masked_select": "the same",
    "scatter_add": "the gradient of gather: made deterministic on a GPU, it copies strides from the host",
}


class AskedFor(TorchDispatchMode):
    """Keeps what a graph cannot hold."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        by_mask = name == "index" and any(each is not None and each.dtype == torch.bool for each in args[1])
        if by_mask or name in UNCAPTURABLE:
            self.found.add(name)
        return func(*args, **(kwargs or {}))


@each_fit
def test_a_step_asks_the_device_for_no_value(fit, data, networks):
    going, views, labels = running(fit, data, networks)
    number = torch.tensor([3], device=networks.device)
    with AskedFor() as asked:
        going.make(number, views.at(number), of_step(labels, number))
    assert asked.found == set()


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (lambda x: float(x[0]), "_local_scalar_dense"),
        (lambda x: x[x > 0], "index"),
        (lambda x: x * torch.tensor(2.0), "lift_fresh"),
        (lambda x: x.requires_grad_().gather(0, torch.tensor([1])).sum().backward(), "scatter_add"),
    ],
)
def test_what_a_graph_cannot_hold_is_noticed(ask, name):
    values = torch.ones(3)
    with AskedFor() as asked:
        ask(values)
    assert name in asked.found


@each_fit
def test_steps_and_checkpoints_leave_every_tensor_where_it_is(fit, data, networks, capturing):
    going, views, labels = running(fit, data, networks)

    def places():
        held = {key: each.data_ptr() for key, each in going.state().items() if not key.startswith("random")}
        return {**held, "losses": going.losses.data_ptr()}

    before = places()
    step = captured_step(going, views, labels)
    step()
    kept = {key: value.clone() for key, value in going.state().items()}
    step()
    going.load(kept)
    assert going.done == 1
    assert going.losses[1:].tolist() == [0.0] * (STEPS - 1)
    assert all(torch.equal(value, kept[key]) for key, value in going.state().items())
    assert places() == before


def test_a_capture_leaves_the_fit_as_it_was(data, networks, capturing):
    going, views, labels = running(M2, data, networks)
    going.step(views.at(0), labels[0])
    before = {key: value.clone() for key, value in going.state().items()}
    captured_step(going, views, labels)
    assert going.done == 1
    after = going.state()
    assert after.keys() == before.keys()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def of_kind(kind, on_gpu=True):
    """Return an objective of a class, whose student lies on a GPU or not."""
    made = kind.__new__(kind)
    made.student = SimpleNamespace(parameters=lambda: iter([SimpleNamespace(is_cuda=on_gpu)]))
    return made


class Unsaid(Distilled):
    """A user's class, which says nothing of being captured."""


def test_captured_is_on_a_gpu_what_says_so_of_itself():
    assert is_capturable(of_kind(Objective))
    assert is_capturable(of_kind(Distilled))
    assert not is_capturable(of_kind(Distilled, on_gpu=False))
    assert not is_capturable(of_kind(Unsaid))
    assert not is_capturable(of_kind(OfLogits))


def test_every_objective_of_the_package_says_whether_it_can_be_captured():
    kinds = [Objective]
    for kind in kinds:
        kinds += [each for each in kind.__subclasses__() if each.__module__.startswith("weckd.")]
    assert len(kinds) >= 8
    assert {kind.__name__ for kind in kinds if not vars(kind)["capturable"]} == {"OfLogits"}


def test_on_a_cpu_the_setting_changes_no_byte(data, networks):
    asked = run(M2, data, networks, training=replace(TRAINING, cuda_graph=True))
    assert same_bytes(run(M2, data, networks), asked)
    assert ("cuda_graph" in asked.record) == (networks.device.type == "cuda")


def failing(problem):
    def capture(_step, _optimiser):
        raise problem

    return capture


def test_what_cannot_be_captured_is_told_with_the_setting_to_change(data, networks, capturing, monkeypatch):
    problem = RuntimeError("CUDA error: operation not permitted when stream is capturing\nCUDA kernel errors")
    monkeypatch.setattr(captured, "_capture", failing(problem))
    with pytest.raises(UserError) as told:
        run(M1, data, networks, training=capturing)
    assert str(told.value) == (
        "training.cuda_graph: the steps of this fit cannot be captured (CUDA error: operation not permitted when "
        "stream is capturing); set it to false"
    )


def test_a_lack_of_memory_at_a_capture_is_told_as_such(data, networks, capturing, monkeypatch):
    monkeypatch.setattr(captured, "_capture", failing(torch.OutOfMemoryError("CUDA out of memory")))
    with pytest.raises(UserError, match=r"^toy, seed 1: steps on 8 images need more memory than there is"):
        run(M1, data, networks, training=capturing)
