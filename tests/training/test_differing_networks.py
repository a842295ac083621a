"""Fits whose student and teacher are different networks: each is fed its own input, and maps are paired from below."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_cell import BACKBONE, TRAINING, cell_of, toy_data, toy_networks, toy_setup, toy_state

from weckd.config import BackboneSettings
from weckd.methods.fits import Fit
from weckd.methods.losses import Distillation, PseudoLabels, Temperature
from weckd.training.batches import unit_images
from weckd.training.fit import run_fit
from weckd.training.gate import with_gates
from weckd.training.networks import Networks, initial_state
from weckd.training.objectives.distillation import _compared_stages, attention_transfer, distillation_loss
from weckd.training.optimisation import Given, make_objective

# timm's means and deviations of the two are 0.5 each, and ImageNet's.
OTHER = BackboneSettings("resnet10t", "random")
MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
LOSS = Distillation(0.5, 1.0, Temperature("constant", 4.0, 4.0))
M1 = Fit(("D1",), 6, backbone=OTHER)
TAUGHT = Fit(("D2",), 6, teachers=(M1,), loss=LOSS)
PAPERS = ("resnet50", "densenet121", "efficientnet_b0", "mobilenetv3_large_100", "convnext_tiny", "vgg16_bn")


@pytest.fixture(scope="module")
def data(networks):
    return toy_data(12, 12, networks.device)


@pytest.fixture(scope="module")
def teacher_state():
    state = initial_state(OTHER, "toy", 3, 1, 1, Path())
    return {key: value * 30 if key == "fc.weight" else value for key, value in state.items()}


@torch.no_grad()
def test_a_teacher_is_fed_its_own_normalisation_of_the_students_views(networks, data, teacher_state):
    student = networks.student(TAUGHT, toy_state()).eval()
    objective = make_objective(toy_setup(TAUGHT, data, networks, student, [teacher_state])[0])
    views, labels = unit_images(data.images[:6]), torch.from_numpy(data.labels[:6]).to(networks.device)
    (teacher,) = objective.teachers
    timms_student, timms_teacher = objective.student.network, teacher.network

    def expected(teacher_input):
        own, own_maps = timms_student.forward_intermediates((views - 0.5) / 0.5, indices=[1, 2])
        last, maps = timms_teacher.forward_intermediates(teacher_input, indices=[1, 2])
        logits = timms_student.forward_head(own), [timms_teacher.forward_head(last)]
        return distillation_loss(*logits, labels, own_maps, [maps], LOSS, 4.0).item()

    found = objective.loss(0, views, labels).item()
    assert found == pytest.approx(expected((views - MEAN.to(views)) / STD.to(views)), rel=1e-6)
    # The trap: the teacher is fed the student's input.
    assert found != pytest.approx(expected((views - 0.5) / 0.5), rel=1e-2)


def test_stand_ins_for_labels_come_from_the_teachers_own_input(networks, data, teacher_state):
    loss = PseudoLabels(hard=False, strong=False, ratio=1)
    fit = Fit(("D1",), 6, teachers=(replace(M1, parts=("D2",)),), loss=loss, unlabelled=("rest",))
    setup, *_ = toy_setup(fit, data, networks, networks.student(fit, toy_state()), [teacher_state])
    objective = make_objective(setup)
    (teacher,) = networks.teachers(fit.teachers, [teacher_state])
    images = unit_images(data.images[data.parts["rest"]])
    with torch.no_grad():
        right = teacher.network((images - MEAN.to(images)) / STD.to(images)).softmax(1)
        trap = teacher.network((images - 0.5) / 0.5).softmax(1)
    torch.testing.assert_close(objective.stand_ins, right)
    assert not torch.allclose(objective.stand_ins, trap, atol=1e-3)


def test_as_many_maps_of_each_are_compared_from_the_deepest(networks):
    # At small sizes one network may have a single map of 4x4, the other two.
    apart = toy_networks(networks.device)
    apart._attention = {BACKBONE: [1, 2], OTHER: [3]}
    assert _compared_stages(TAUGHT, apart, attention=True) == [[2], [3]]
    assert _compared_stages(replace(M1, teachers=(TAUGHT,), loss=LOSS), apart, attention=True) == [[3], [2]]
    assert _compared_stages(TAUGHT, networks, attention=False) == [[], []]


def test_gates_of_differing_networks_are_compared_from_the_deepest(networks, data):
    gated = replace(M1, gate=True)
    fit = Fit(("D2",), 6, teachers=(gated,), loss=LOSS, gate=True)
    states = [with_gates(state, 2) for state in (toy_state(), initial_state(OTHER, "toy", 3, 1, 1, Path()))]
    setup, *_ = toy_setup(fit, data, networks, networks.student(fit, states[0]), states[1:])
    objective = make_objective(setup)
    objective.teachers[0].gates[1].convolution.weight.data.fill_(1.0)
    views, labels = unit_images(data.images[:6]), torch.from_numpy(data.labels[:6]).to(networks.device)
    both = objective.loss(0, views, labels).item()
    objective.stages = [[1], [1]]  # the deepest gate alone, which is the one that differs
    assert objective.loss(0, views, labels).item() == pytest.approx(both, rel=1e-4)


def test_a_chain_of_growing_networks_learns(networks, data):
    fits = [Fit(("D1", "D2"), 30)]
    fits.append(Fit(("rest",), 30, teachers=(fits[0],), loss=LOSS, backbone=OTHER))
    states = [toy_state(), initial_state(OTHER, "toy", 3, 1, 1, Path())]
    first = run(fits[0], data, networks, states[0], [])
    second = run(fits[1], data, networks, states[1], [first.state])
    assert (second.logits["test"].argmax(1) == data.labels[48:]).mean() > 0.9
    assert second.state["fc.weight"].shape == (3, 512)


@pytest.mark.parametrize("name", PAPERS)
def test_the_chain_runs_on_each_backbone_of_the_papers_suite(name, data):
    if name == "vgg16_bn" and data.images.is_cuda:  # it pools smaller maps up, not deterministically on a GPU
        data = replace(data, images=data.images.repeat_interleave(7, 1).repeat_interleave(7, 2))
    settings = BackboneSettings(name, "random")
    networks = Networks(settings, 3, data.images.shape[1], 0.1, data.images.device)
    m1 = Fit(("D1",), 1)
    m2 = Fit(("D2",), 1, m1, (m1,), LOSS)
    state = initial_state(settings, "toy", 3, 1, 1, Path())
    teacher = {key: value.roll(1, 0) if value.ndim > 1 else value for key, value in state.items()}
    result = run(m2, data, networks, state, [teacher])
    assert result.record["status"] == "finished"
    assert np.isfinite(result.logits["test"]).all()
    # The maps that timm's feature interface gives are part of the loss.
    stages = networks.attention(m2)
    assert len(stages) == 2
    network, (taught_by,) = networks.student(m2, state).eval(), networks.teachers([m1], [teacher])
    images = unit_images(data.images[:4])
    with torch.no_grad():
        distance = attention_transfer(*(n.with_features(images, stages)[1] for n in (network, taught_by)))
    assert float(distance) > 1e-6


def run(fit, data, networks, start, teachers):
    training = replace(TRAINING, batch_size=4) if fit.steps == 1 else TRAINING
    cell = cell_of(data, networks, evaluated=("test",), training=training)
    return run_fit(fit, cell, Given(start, teachers))
