"""The networks of a job: one module a role, in the mode that its role asks for."""

import pytest
import torch

from weckd.config import BackboneSettings
from weckd.errors import UserError
from weckd.training.backbone import initial_state
from weckd.training.gate import with_gates
from weckd.training.networks import Networks

BACKBONE = BackboneSettings("test_resnet", "random")
FIRST, SECOND = (initial_state(BACKBONE, 3, 1, member) for member in (1, 2))


@pytest.fixture
def networks():
    return Networks(BACKBONE, 3, 32, 0.3, torch.device("cpu"))


def holds(network, state):
    found = network.state_dict()
    return list(found) == list(state) and all(torch.equal(found[key], state[key]) for key in state)


def test_student_and_peer_are_two_networks_that_train(networks):
    student, peer = networks.student(FIRST, gate=False), networks.peer(SECOND, gate=False)
    assert student is not peer
    assert holds(student, FIRST)
    assert holds(peer, SECOND)
    for network in (student, peer):
        assert all(module.training for module in network.modules())
        assert all(parameter.requires_grad for parameter in network.parameters())


def test_every_teacher_is_a_network_of_its_own_without_training_or_gradients(networks):
    teachers = networks.teachers([SECOND, FIRST], gate=False)
    assert holds(teachers[0], SECOND)
    assert holds(teachers[1], FIRST)
    for teacher in teachers:
        assert not any(module.training for module in teacher.modules())
        assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_a_role_is_built_once_and_loaded_anew(networks):
    student = networks.student(FIRST, gate=False)
    student.eval()
    assert networks.student(SECOND, gate=False) is student
    assert holds(student, SECOND)
    assert student.training


def test_loading_copies(networks):
    before = {key: value.clone() for key, value in FIRST.items()}
    student = networks.student(FIRST, gate=False)
    with torch.no_grad():
        student.fc.weight.fill_(7.0)
    assert all(torch.equal(FIRST[key], before[key]) for key in before)


def test_networks_with_gates_are_others_than_those_without(networks):
    plain = networks.student(FIRST, gate=False)
    state = with_gates(FIRST, len(networks.attention))
    gated = networks.student(state, gate=True)
    assert gated is not plain
    assert holds(gated, state)
    assert holds(plain, FIRST)
    assert gated.training
    (teacher,) = networks.teachers([state], gate=True)
    assert len(teacher.gates) == 2
    assert not any(parameter.requires_grad for parameter in teacher.gates.parameters())


def test_a_state_without_gates_does_not_pass_for_one_with(networks):
    with pytest.raises(RuntimeError, match=r"Missing key.*gates\.0\.convolution\.weight"):
        networks.student(FIRST, gate=True)


def test_batchnorm_has_the_jobs_momentum(networks):
    network = networks.student(FIRST, gate=False)
    assert {m.momentum for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {0.3}


def test_attention_stages_and_normalisation_are_the_backbones(networks):
    assert networks.attention == [1, 2]  # maps 8x8 and 4x4 of 32 px
    assert networks.normalisation.mean == (0.5, 0.5, 0.5)


def test_images_too_small_for_attention_are_refused_when_it_is_asked_for():
    networks = Networks(BACKBONE, 3, 4, 0.3, torch.device("cpu"))
    networks.student(FIRST, gate=False)
    with pytest.raises(UserError, match="image_size: 4 px leaves this backbone no feature map of 4x4"):
        _ = networks.attention
