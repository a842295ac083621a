"""A step that torch cannot make deterministic is told as one message, with what to change; other errors pass."""

import pytest
import torch
from prepared_phantom import KEY, SEED, make_workplace
from toy_cell import M1, run, toy_data

from weckd.config import BackboneSettings
from weckd.errors import UserError
from weckd.locks import StopRequest
from weckd.planning.cost import suite_speeds
from weckd.training import captured, trials
from weckd.training.job import train_batch
from weckd.training.limits import deterministic
from weckd.training.optimisation import RunningFit

VGG = BackboneSettings("vgg16_bn", "random")
ON_A_CARD = (
    "adaptive_avg_pool2d_backward_cuda does not have a deterministic implementation, but you set "
    "'torch.use_deterministic_algorithms(True)'. You can turn off determinism just for this operation"
)
REMEDY = "use another backbone, or the CPU with CUDA_VISIBLE_DEVICES=''"
OF_THE_PHANTOM = (
    "backbone.name: a training step of test_resnet at 32 px uses put_, of which torch has no deterministic form on "
    f"this device; {REMEDY}"
)


def put(*_, **__):
    """Do what has no deterministic form on a CPU."""
    torch.zeros(3).put_(torch.tensor([0]), torch.ones(1))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_workplace(tmp_path_factory.mktemp("place"), methods=["single"], tuned=False)


def in_a_job(place, run):
    train_batch(place.suite, run, KEY, [SEED], 60.0, StopRequest())


def in_a_search(place, run):
    trials.tune_method(place.suite, run, KEY, "single")


def told(begin, *arguments):
    with pytest.raises(UserError) as refused:
        begin(*arguments)
    return str(refused.value)


@pytest.mark.parametrize("begin", [in_a_job, in_a_search])
def test_a_fit_names_its_network_and_the_operation(begin, place, tmp_path, monkeypatch):
    monkeypatch.setattr(RunningFit, "step", put)
    assert told(begin, place, place.another(tmp_path)) == OF_THE_PHANTOM


def test_so_does_a_plan(place, monkeypatch):
    monkeypatch.setattr("weckd.planning.cost.F.cross_entropy", put)
    assert told(suite_speeds, place.suite) == OF_THE_PHANTOM


def refuse(problem):
    with deterministic(VGG, 64):
        raise problem


def test_images_of_the_networks_own_size_are_advised_where_maps_are_pooled_up():
    assert told(refuse, RuntimeError(ON_A_CARD)) == (
        "backbone.name: a training step of vgg16_bn at 64 px uses adaptive_avg_pool2d_backward_cuda, of which torch "
        f"has no deterministic form on this device; try image_size: 224 or larger, or {REMEDY}"
    )
    with pytest.raises(UserError, match=f"on this device; {REMEDY}$"), deterministic(VGG, 224):
        raise RuntimeError(ON_A_CARD)


def test_a_capture_is_not_blamed_for_it(networks, capturing, monkeypatch):
    def capture(*_):
        raise RuntimeError(ON_A_CARD)

    monkeypatch.setattr(captured, "_capture", capture)
    with pytest.raises(
        UserError, match=r"^training\.cuda_graph: the steps of this fit cannot be captured"
    ) as blamed:
        run(M1, toy_data(12, 12, networks.device), networks, training=capturing)
    assert told(refuse, blamed.value).startswith(
        "backbone.name: a training step of vgg16_bn at 64 px uses adaptive_"
    )


@pytest.mark.parametrize(
    "problem", [RuntimeError("shapes differ"), UserError("suite: no such file"), ValueError("x")]
)
def test_other_errors_pass(problem):
    with pytest.raises(type(problem)) as passed:
        refuse(problem)
    assert passed.value is problem
