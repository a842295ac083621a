"""The networks of a job: one module a role, in the mode that its role asks for."""

from pathlib import Path

import pytest
import torch
from toy_cell import BACKBONE, toy_state

from weckd.config import BackboneSettings
from weckd.errors import UserError
from weckd.methods.fits import Fit
from weckd.training.gate import with_gates
from weckd.training.layers import Depthwise
from weckd.training.networks import Networks, initial_state

LARGER = BackboneSettings("resnet10t", "random")
FIRST, SECOND = toy_state(1), toy_state(2)
PLAIN, GATED = Fit(("D1",), 6), Fit(("D1",), 6, gate=True)
OTHER = Fit(("D1",), 6, backbone=LARGER)


@pytest.fixture
def networks():
    return Networks(BACKBONE, 3, 32, 0.3, torch.device("cpu"))


def holds(network, state):
    found = network.network.state_dict()
    return list(found) == list(state) and all(torch.equal(found[key], state[key]) for key in state)


def test_student_and_peer_are_two_networks_that_train(networks):
    student, peer = networks.student(PLAIN, FIRST), networks.student(PLAIN, SECOND, role="peer")
    assert student is not peer
    assert holds(student, FIRST)
    assert holds(peer, SECOND)
    for network in (student, peer):
        assert all(module.training for module in network.modules())
        assert all(parameter.requires_grad for parameter in network.parameters())


def test_every_teacher_is_a_network_of_its_own_without_training_or_gradients(networks):
    teachers = networks.teachers([PLAIN, PLAIN], [SECOND, FIRST])
    assert holds(teachers[0], SECOND)
    assert holds(teachers[1], FIRST)
    for teacher in teachers:
        assert not any(module.training for module in teacher.modules())
        assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_a_role_is_built_once_and_loaded_anew(networks):
    student = networks.student(PLAIN, FIRST)
    student.eval()
    assert networks.student(PLAIN, SECOND) is student
    assert holds(student, SECOND)
    assert student.training


def test_loading_copies(networks):
    before = {key: value.clone() for key, value in FIRST.items()}
    student = networks.student(PLAIN, FIRST)
    with torch.no_grad():
        student.network.fc.weight.fill_(7.0)
    assert all(torch.equal(FIRST[key], before[key]) for key in before)


def test_networks_with_gates_are_others_than_those_without(networks):
    plain = networks.student(PLAIN, FIRST)
    state = with_gates(FIRST, len(networks.attention(PLAIN)))
    gated = networks.student(GATED, state)
    assert gated is not plain
    assert holds(gated, state)
    assert holds(plain, FIRST)
    assert gated.training
    (teacher,) = networks.teachers([GATED], [state])
    assert len(teacher.gates) == 2
    assert not any(parameter.requires_grad for parameter in teacher.gates.parameters())


def test_a_state_without_gates_does_not_pass_for_one_with(networks):
    with pytest.raises(RuntimeError, match=r"Missing key.*gates\.0\.convolution\.weight"):
        networks.student(GATED, FIRST)


def test_batchnorm_has_the_jobs_momentum(networks):
    network = networks.student(PLAIN, FIRST)
    assert {m.momentum for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {0.3}


def test_attention_stages_are_the_backbones(networks):
    assert networks.attention(PLAIN) == networks.attention(GATED) == [1, 2]  # maps 8x8 and 4x4 of 32 px
    assert networks.attention(OTHER) == [1, 2]  # of 64 and 128 channels, there 32 and 48


def test_a_fit_that_names_a_backbone_has_a_network_of_that_kind(networks):
    state = initial_state(LARGER, "toy", 3, 1, 1, Path())
    plain, other = networks.student(PLAIN, FIRST), networks.student(OTHER, state)
    assert plain is not other
    assert holds(other, state)
    assert holds(plain, FIRST)
    assert other.network.pretrained_cfg["architecture"] == "resnet10t"
    teachers = networks.teachers([OTHER, PLAIN], [state, FIRST])
    assert holds(teachers[0], state)
    assert holds(teachers[1], FIRST)


def test_layers_are_exchanged_on_a_cpu_in_every_role_unless_told_and_hold_the_same_state():
    lite = BackboneSettings("tf_efficientnet_lite0", "random")
    fit = Fit(("D1",), 6, gate=True, backbone=lite)
    state = initial_state(lite, "toy", 3, 1, 1, Path())
    for exchange, count in ((True, 16), (False, 0)):
        networks = Networks(BACKBONE, 3, 64, 0.3, torch.device("cpu"), exchange)
        gated = with_gates(state, len(networks.attention(fit)))
        for network in (networks.student(fit, gated), *networks.teachers([fit], [gated])):
            assert sum(isinstance(layer, Depthwise) for layer in network.modules()) == count
            assert holds(network, gated)
            network(torch.rand(2, 3, 64, 64))
            assert [tuple(gate.map.shape[2:]) for gate in network.gates] == [(8, 8), (4, 4)]


def test_images_too_small_for_attention_are_refused_when_it_is_asked_for():
    networks = Networks(BACKBONE, 3, 4, 0.3, torch.device("cpu"))
    networks.student(PLAIN, FIRST)
    with pytest.raises(UserError, match="image_size: 4 px leaves test_resnet no feature map of 4x4"):
        networks.attention(PLAIN)
