"""Spatial attention gates: the identity at first, on the maps that timm names, in every family of networks."""

import math

import pytest
import torch
from torch import nn

from weckd.errors import UserError
from weckd.training.gate import SpatialGate, attach_gates, with_gates
from weckd.training.networks import attention_indices, build_backbone
from weckd.training.objectives.distillation import attention_transfer

FAMILIES = {
    "test_resnet": 32,
    "resnet18": 64,
    "tf_efficientnet_lite0": 64,
    "mobilenetv3_small_050": 64,
    "vgg11_bn": 64,
    "densenet121": 64,
    "convnext_atto": 64,
    "ghostnet_050": 64,  # the stage that follows passes the map on unchanged
    "hrnet_w18_small": 64,  # timm names a module that gives a list of maps
}


@pytest.mark.parametrize("name", FAMILIES)
def test_gates_begin_as_the_identity_on_the_two_deepest_maps_that_timm_names_and_rule_what_follows(name):
    size = FAMILIES[name]
    torch.manual_seed(0)
    network, images = build_backbone(name, 3).eval(), torch.randn(2, 3, size, size)
    stages = attention_indices(network, size)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    logits, features = given(network, images, stages)
    attach_gates(network, stages, size)
    network.load_state_dict(with_gates(state, len(stages)))

    assert torch.equal(given(network.eval(), images, stages)[0], logits)
    maps = [gate.map for gate in network.gates]
    assert [gate_map.shape for gate_map in maps] == [(2, 1, *m.shape[2:]) for m in features]
    assert [gate_map.shape[2] for gate_map in maps] == [8, 4]
    assert all(bool((gate_map == 1).all()) for gate_map in maps)

    parameters = [p for gate in network.gates for p in gate.convolution.parameters()]
    gradients = torch.autograd.grad(network(images).square().sum(), parameters)
    assert len(gradients) == 2 * 2
    assert all(float(gradient.abs().sum()) > 0 for gradient in gradients)

    network.gates[1].convolution.bias.data.fill_(1.0)  # the deepest gate's map is now 2 sigmoid(1) all over
    gated_logits, gated_features = given(network, images, stages)
    assert torch.equal(gated_features[0], features[0])
    torch.testing.assert_close(gated_features[1], features[1] * 2 / (1 + math.exp(-1)))
    assert not torch.equal(gated_logits, logits)


@torch.no_grad()
def given(network, images, stages):
    """Return logits, and the feature maps of the stages."""
    return network(images), network.forward_intermediates(images, indices=stages)[1]


def test_gate_is_the_hand_computed_number():
    # Two channels of one pixel, 3 and 1: mean 2, maximum 3. Weights 1/2 and -1/3 and bias ln 3:
    # 1 - 1 + ln 3 -> sigmoid 3/4 -> the map is 3/2, the features 9/2 and 3/2.
    gate = SpatialGate()
    gate.convolution.weight.data[0, :, 3, 3] = torch.tensor([1 / 2, -1 / 3])
    gate.convolution.bias.data[0] = math.log(3)
    gated = gate(torch.tensor([3.0, 1.0]).reshape(1, 2, 1, 1))
    assert gate.map.item() == pytest.approx(1.5)
    assert gated.flatten().tolist() == pytest.approx([4.5, 1.5])


def test_a_gate_looks_seven_pixels_wide():
    # Padding keeps the size: a window of ones over a lone pixel reaches three positions to each side.
    gate = SpatialGate()
    gate.convolution.weight.data[0, 0] = 1.0
    features = torch.zeros(1, 1, 9, 9)
    features[0, 0, 4, 4] = 100.0
    gate(features)
    expected = torch.ones(9, 9)
    expected[1:8, 1:8] = 2.0
    assert torch.equal(gate.map[0, 0], expected)


def test_transfer_of_gate_maps_is_the_hand_computed_number():
    # On 4x4, a map of ones: Q = 1/4 at each of 16 positions. A map of 2 at one position and 0 elsewhere: Q = 1 there.
    # (1 - 1/4)^2 + 15 (1/4)^2 = 24/16.
    flat, peaked = torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    peaked[0, 0, 2, 1] = 2.0
    assert attention_transfer([flat], [peaked]).item() == pytest.approx(1.5)
    assert attention_transfer([flat, flat], [peaked, flat]).item() == pytest.approx(1.5)


def test_state_with_gates_is_the_networks_own_and_that_of_identities():
    state = with_gates({"w": torch.tensor([3.0])}, 2)
    assert list(state) == [
        "w",
        *(f"gates.{number}.convolution.{name}" for number in (0, 1) for name in ("weight", "bias")),
    ]
    assert state["gates.0.convolution.weight"].shape == (1, 2, 7, 7)
    assert not any(value.any() for key, value in state.items() if key != "w")


class Nameless(nn.Module):
    """A network whose maps are no module's output."""

    def forward_intermediates(self, images, indices):
        return images, [images * number for number in indices]


def test_a_network_without_a_place_for_gates_is_refused_by_name():
    with pytest.raises(
        UserError, match=r"backbone.name: no module of this Nameless gives the maps .* no attention gates"
    ):
        attach_gates(Nameless(), [1, 2], 4)
