"""Backbones: their input, feature maps and BatchNorm."""

import pytest
import torch

from weckd.errors import UserError
from weckd.training.networks import Backbone, attention_indices, build_backbone, set_batchnorm_momentum


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("tf_efficientnet_lite0", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("resnet10t", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("vit_tiny_patch16_224.augreg_in21k", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("test_resnet.r160_in1k", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ],
)
def test_each_network_is_fed_its_own_normalisation(name, mean, std):
    timms = build_backbone(name, 2).eval()
    images = torch.rand(2, 3, *timms.pretrained_cfg["input_size"][1:])
    own = (images - torch.tensor(mean).reshape(1, 3, 1, 1)) / torch.tensor(std).reshape(1, 3, 1, 1)
    network = Backbone(timms).eval()
    with torch.no_grad():
        assert torch.equal(network(images), timms(own))
        assert not torch.equal(network(images), timms(images))
        logits, _ = network.with_features(images, [0])
    assert torch.equal(logits, network(images))


def test_normalisation_is_no_part_of_the_state():
    network = build_backbone("test_resnet", 2)
    assert list(Backbone(network).network.state_dict()) == list(network.state_dict())
    assert len(Backbone(network).state_dict()) == len(network.state_dict())


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
    with pytest.raises(UserError, match=r"image_size: 4 px leaves test_resnet no feature map of 4x4"):
        attention_indices(network, 4)


def test_networks_without_feature_maps_or_for_other_images_are_refused_by_name(monkeypatch):
    network = build_backbone("vit_tiny_patch16_224", 2)
    with pytest.raises(UserError) as refused:
        attention_indices(network, 32)
    assert str(refused.value) == (
        "image_size: vit_tiny_patch16_224 takes no images of 32 px (Input height (32) doesn't match model (224)); "
        "use another image_size or backbone"
    )
    monkeypatch.delattr(type(network), "forward_intermediates")
    with pytest.raises(UserError) as refused:
        attention_indices(network, 224)
    assert str(refused.value) == (
        "backbone.name: vit_tiny_patch16_224 gives no feature maps, which attention transfer compares; "
        "use another backbone or set distillation.beta to 0"
    )


def test_features_and_logits_come_from_one_pass():
    network = Backbone(build_backbone("test_resnet", 2)).eval()
    images = torch.rand(2, 3, 32, 32)
    logits, features = network.with_features(images, [1, 2])
    assert torch.equal(logits, network(images))
    assert [tuple(f.shape) for f in features] == [(2, 32, 8, 8), (2, 48, 4, 4)]


def test_a_network_that_timm_lacks_is_refused_with_near_names():
    with pytest.raises(
        UserError, match=r"^backbone.name: timm has no network 'test_resnett'; near names: test_resnet, "
    ):
        build_backbone("test_resnett", 2)
    with pytest.raises(
        UserError, match=r"^backbone.name: timm has no network 'q'; timm.list_models\(\) lists all$"
    ):
        build_backbone("q", 2)
    with pytest.raises(
        UserError, match=r"^backbone.init: timm has no weights 'test_resnet.mine'; use other weights"
    ):
        build_backbone("test_resnet.mine", 2)
