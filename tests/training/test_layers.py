"""Layers exchanged for a CPU give torch's values and gradients, and the same bytes every time."""

import copy
from itertools import product

import pytest
import timm
import torch
from timm.layers import Conv2dSame
from torch import nn

from weckd.training.layers import Depthwise, ReLU6, exchange_layers
from weckd.training.networks import build_backbone, prepare_device

FAMILIES = {
    "tf_efficientnet_lite0": (48, 16 + 33),  # "same" padding, kernels of 3 and 5 columns, ReLU6
    "mobilenetv3_small_050": (64, 11),  # even padding, squeeze and excitation
    "convnext_atto": (64, 12),  # kernels of 7 columns, with biases
    "mixnet_s": (48, 43),  # kernels of 3 to 11 columns, a few channels each
}
"""Pixels a side, and how many layers are exchanged."""


def layers():
    """Return depthwise convolutions of every kind, and sizes of maps, with those that their weights do not fit on."""
    for kernel, stride, same, bias in product((1, 2, 3, 5, 7), (1, 2, 3), (False, True), (False, True)):
        for size in ((1, 1), (2, 2), (3, 2), (4, 5), (7, 9)):
            padding = 0 if same else kernel // 2
            if same or min(size) + 2 * padding >= kernel:
                yield kernel, stride, padding, same, bias, size


def seen(layer, maps):
    """Return a layer's result and the gradients of its maps and parameters."""
    maps = maps.clone().requires_grad_()
    result = layer(maps)
    weights = torch.cos(torch.arange(result.numel(), dtype=result.dtype)).view(result.shape)
    return result, *torch.autograd.grad(result, [maps, *layer.parameters()], weights)


@pytest.mark.parametrize(
    ("dtype", "within"), [(torch.double, 1e-13), (torch.float, 2e-5)]
)  # float: by oneDNN
def test_a_depthwise_convolution_has_torchs_values_and_gradients_at_every_shape(dtype, within):
    torch.manual_seed(0)
    for kernel, stride, padding, same, bias, size in layers():
        kind = Conv2dSame if same else nn.Conv2d
        given = kind(6, 6, kernel, stride, padding, groups=6, bias=bias, dtype=dtype)
        maps = torch.randn(3, 6, *size, dtype=dtype).to(memory_format=torch.channels_last)
        for found, expected in zip(seen(Depthwise(given), maps), seen(given, maps), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=within)
        with torch.no_grad():
            torch.testing.assert_close(Depthwise(given)(maps), given(maps), rtol=0, atol=within)


def test_only_the_gradients_that_are_asked_for_are_computed():
    layer = Depthwise(nn.Conv2d(4, 4, 5, padding=2, groups=4)).requires_grad_(False)
    maps = torch.randn(2, 4, 6, 6, requires_grad=True)
    layer(maps).sum().backward()
    assert maps.grad is not None
    assert layer.weight.grad is layer.bias.grad is None
    assert not layer(maps.detach()).requires_grad


def test_values_are_cut_off_in_place_with_the_bytes_of_torch():
    values = torch.tensor([-2.0, -0.0, 0.0, 1e-30, 3.0, 6.0, 7.0, float("nan")])
    results = []
    for layer in (nn.ReLU6(inplace=True), ReLU6()):
        given = values.clone().requires_grad_()
        overwritten = given * 1
        result = layer(overwritten)
        assert result.data_ptr() == overwritten.data_ptr()
        results.append((result, *torch.autograd.grad(result.sum(), given)))
    for found, expected in zip(*reversed(results), strict=True):
        assert found.detach().numpy().tobytes() == expected.detach().numpy().tobytes()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_has_the_same_parameters_and_but_for_rounding_the_same_gradients(name):
    size, count = FAMILIES[name]
    prepare_device()
    torch.manual_seed(0)
    given = build_backbone(name, 3).double()
    before = torch.random.get_rng_state()
    network = copy.deepcopy(given)
    exchange_layers(network)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert sum(isinstance(layer, Depthwise | ReLU6) for layer in network.modules()) == count
    assert [*network.state_dict()] == [*given.state_dict()]
    assert [*dict(network.named_parameters())] == [*dict(given.named_parameters())]

    images = torch.rand(4, 3, size, size, dtype=torch.double)
    results = [step(each, images) for each in (network, given)]
    assert [*results[0]] == [*results[1]]
    for key, found in results[0].items():
        torch.testing.assert_close(found, results[1][key], rtol=1e-7, atol=1e-9, msg=key)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(images), given.eval()(images), rtol=1e-9, atol=1e-11)


def step(network, images):
    """Return logits, feature maps and all gradients of a step, and the running statistics after it."""
    torch.manual_seed(0)
    network.train()
    last, maps = network.forward_intermediates(images)
    logits = network.forward_head(last)
    (logits.square().mean() + sum(each.square().mean() for each in maps)).backward()
    gradients = {key: value.grad for key, value in network.named_parameters() if value.grad is not None}
    return {"logits": logits, **dict(enumerate(maps)), **gradients, **dict(network.named_buffers())}


@pytest.mark.parametrize("name", ["resnet18", "test_resnet"])
def test_a_network_without_such_layers_stays_as_it_is(name):
    network = timm.create_model(name, num_classes=3)
    layers = [*network.modules()]
    exchange_layers(network)
    assert all(found is layer for found, layer in zip(network.modules(), layers, strict=True))


def test_the_same_step_gives_the_same_bytes():
    prepare_device()
    torch.manual_seed(0)
    images = torch.rand(4, 3, 48, 48)
    network = build_backbone("tf_efficientnet_lite0", 3)
    exchange_layers(network)
    first, second = (step(copy.deepcopy(network), images) for _ in range(2))
    for key, value in first.items():
        assert value.detach().numpy().tobytes() == second[key].detach().numpy().tobytes(), key
