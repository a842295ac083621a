"""Attention maps of a finished chain: numbers by hand, and the file of a small run."""

import dataclasses
import json
import math
import shutil
import tarfile
import zipfile
from functools import partial

import numpy as np
import pytest
import torch
from prepared_phantom import KEY, make_workplace

from weckd.cli import main
from weckd.config import suite_json
from weckd.data.splits import read_split
from weckd.errors import UserError
from weckd.files import refuse_unsound
from weckd.locks import StopRequest
from weckd.methods.catalogue import suite_methods
from weckd.run_files import batches
from weckd.training import attention_maps
from weckd.training.attention_file import joined, write_attention
from weckd.training.attention_maps import agreement, sharpness, unit_maps
from weckd.training.batches import outputs, unit_images
from weckd.training.job import train_batch
from weckd.training.networks import Networks, prepare_device
from weckd.training.objectives.distillation import attention_transfer
from weckd.training.store import find_fit, store_fit

HUGE = np.float32(1e20)
SEEDS = [1, 1001]  # the seeds that the prepared phantom is split for
CHAIN = {
    "methods": ["weckd", "single"],
    "seeds": SEEDS,
    "seeds_per_job": 1,
    "tuning": {"trials": 2, "seeds": [2]},
    "tuned": False,
    "analysis": {"families": [], "claims": []},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A small run of two seeds, a manifest each; tests only read it."""
    place = make_workplace(tmp_path_factory.mktemp("place"), **CHAIN)
    for seed in SEEDS:
        train_batch(place.suite, place.run, KEY, [seed], 60.0, StopRequest())
    return place


@pytest.fixture(scope="module")
def arrays(place):
    return written(place.suite, place.run)


def manifest_of(place, seed):
    return place.run.manifest(KEY, f"seeds{seed}-{seed}")


def written(suite, run):
    """Write the maps of a run; return what the file holds."""
    write_attention(suite, run, KEY)
    with np.load(run.attention(KEY), allow_pickle=False) as file:
        return dict(file)


def looked_at(suite, run):
    """Pack what the models say, of which the store has all that it shall have, and do the same."""
    for seeds in batches(suite).values():
        train_batch(suite, run, KEY, seeds, 60.0, StopRequest())
    return written(suite, run)


def identities(place, seed):
    """Return the identities of M1, M2, M3."""
    content = json.loads(manifest_of(place, seed).read_text())
    return [member["fit"] for (member,) in content["seeds"][str(seed)]["methods"]["weckd"]["stages"]]


def with_fits_changed(place, tmp_path, change):
    """Return a run in which `change(number, record, weights)` replaced seed 1001's models."""
    run = place.another(tmp_path)
    for seed in SEEDS:
        for number, identity in enumerate(identities(place, seed), start=1):
            fit = find_fit(place.run.store, KEY, identity, with_weights=True)
            logits = {part: fit.logits(part) for part in ("validation", "test")}
            record, weights = dict(fit.record), fit.weights()
            if seed == 1001:
                record, weights = change(number, record, weights)
            store_fit(run.store, KEY, identity, record, logits, np.empty((0, 2), np.float32), weights)
    return run


# By hand


def test_sharpness_goes_from_flat_to_one_point():
    flat, point = np.full((4, 4), 3.0), np.zeros((4, 4))
    point[1, 2] = 5.0
    half = np.array([[1.0, 1.0], [0.0, 0.0]])  # two of four: entropy log 2 of log 4
    uneven = np.array([[0.5, 0.25], [0.25, 0.0]])  # entropy 1.5 log 2 of 2 log 2
    assert sharpness(flat) == pytest.approx(0, abs=1e-12)
    assert sharpness(point) == 1
    assert sharpness(np.stack([half, uneven])).tolist() == pytest.approx([0.5, 0.25])
    assert sharpness(np.zeros((4, 4))) == pytest.approx(0, abs=1e-12)
    assert sharpness(100 * uneven) == pytest.approx(0.25)


def test_agreement_is_the_cosine():
    one, other = np.array([[3.0, 0.0], [4.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 0.0]])
    assert agreement(one, other) == pytest.approx(9 / 25)
    assert agreement(one, 7 * one) == pytest.approx(1)
    assert agreement(np.array([[1.0, 0], [0, 0]]), np.array([[0, 1.0], [1, 1]])) == 0
    assert agreement(np.zeros((2, 2)), one) == 0
    assert unit_maps(one).tolist() == [[0.6, 0.0], [0.8, 0.0]]


def test_what_is_not_a_number_stays_so():
    nothing = np.full((2, 2), np.nan)
    assert math.isnan(sharpness(nothing))
    assert math.isnan(agreement(nothing, np.ones((2, 2))))


def test_the_map_is_the_mean_over_channels_of_the_squared_activation():
    class Toy:
        """The features of stage s are the image times s + 1."""

        def with_features(self, images, stages):
            return images.mean(dim=(2, 3)), [images * (stage + 1) for stage in stages]

    images = torch.zeros(3, 2, 2, 3, dtype=torch.uint8)
    images[1, 0, 1] = torch.tensor([255, 0, 51])
    maps = outputs(partial(attention_maps._energy, Toy(), 1), images, torch.tensor([0, 1]))
    # ((2 * 1)^2 + 0 + (2 * 0.2)^2) / 3
    expected = torch.tensor([[[0, 0], [0, 0]], [[0, 4.16 / 3], [0, 0]]])
    assert torch.allclose(maps, expected)


# Of a small run


def test_weights_of_every_model_of_the_chain_are_in_the_store(place):
    for identity in identities(place, 1):
        assert find_fit(place.run.store, KEY, identity, with_weights=True) is not None


def test_the_images_are_those_of_the_split_in_its_order(place, arrays):
    split = read_split(place.run.split(KEY, 1))
    test = split[split["part"] == "test"]
    assert arrays["image_ids"].tolist() == test["image_id"].tolist()
    assert arrays["group_ids"].tolist() == test["group_id"].tolist()
    assert arrays["y"].tolist() == test["y"].tolist()
    assert (str(arrays["dataset"]), str(arrays["method"])) == (KEY, "weckd")
    assert arrays["seeds"].tolist() == SEEDS


def test_examples_are_the_first_test_image_of_each_class(place, arrays):
    rows = arrays["example_rows"]
    first = [arrays["y"].tolist().index(label) for label in range(3)]
    assert rows.tolist() == first
    index = (place.prepared / "index.csv").read_text().splitlines()[1:]
    places = {line.split(",")[0]: number for number, line in enumerate(index)}
    images = np.load(place.prepared / "images.npy")
    expected = images[[places[arrays["image_ids"][row]] for row in rows]]
    assert arrays["example_images"].dtype == np.uint8
    assert np.array_equal(arrays["example_images"], expected)


def test_at_most_six_examples(place, tmp_path, monkeypatch):
    monkeypatch.setattr(attention_maps, "EXAMPLES", 2)
    run = place.another(tmp_path, "../fits")
    assert looked_at(place.suite, run)["example_maps"].shape == (3, 2, 4, 4)


def test_agreement_is_what_attention_transfer_makes_small(place, arrays):
    # The training loss of the deepest stage alone: mean || Q_s - Q_t ||^2 = 2 - 2 * mean cosine.
    suite, test = place.suite, read_split(place.run.split(KEY, 1)).query("part == 'test'")
    index = (place.prepared / "index.csv").read_text().splitlines()[1:]
    names = [line.split(",")[0] for line in index]
    rows = [names.index(image) for image in test["image_id"]]
    batch = unit_images(torch.from_numpy(np.load(place.prepared / "images.npy")[rows]))
    device = prepare_device()  # of the training: a GPU's convolutions may have fewer digits than a CPU's
    networks = Networks(suite.backbone, 3, suite.image_size, 0.4, device)
    fits = [fit for (fit,) in suite_methods(suite)[0].stages]
    stored = [find_fit(place.run.store, KEY, name, with_weights=True) for name in identities(place, 1)]
    states = [{key: torch.from_numpy(value) for key, value in fit.weights().items()} for fit in stored]
    features = []
    for network in networks.teachers(fits, states):
        with torch.no_grad():
            logits, (deepest,) = network.with_features(batch.to(device), networks.attention(fits[0])[-1:])
        features.append(deepest.cpu())
    assert torch.allclose(logits.cpu(), torch.from_numpy(stored[2].logits("test")), atol=1e-4)
    for student in (1, 2):
        loss = attention_transfer([features[student]], [features[student - 1]]).item()
        assert arrays["agreement"][0, student].mean() == pytest.approx(1 - loss / 2, abs=1e-5)
    assert arrays["map_size"].tolist() == list(features[0].shape[2:]) == [4, 4]
    energy = features[2].square().mean(dim=1)[arrays["example_rows"]]
    flat = torch.nn.functional.normalize(energy.flatten(1), dim=1)
    assert np.allclose(arrays["example_maps"][2].reshape(3, 16), flat.numpy(), atol=1e-5)


def test_shapes_and_what_is_not_defined(arrays):
    n = len(arrays["y"])
    assert arrays["agreement"].shape == arrays["sharpness"].shape == (2, 3, n)
    assert np.isnan(arrays["agreement"][:, 0]).all()
    assert ((arrays["agreement"][:, 1:] > 0) & (arrays["agreement"][:, 1:] <= 1)).all()
    assert ((arrays["sharpness"] > 0) & (arrays["sharpness"] < 1)).all()
    assert not arrays["diverged"].any()
    assert (
        arrays["agreement"].dtype == arrays["sharpness"].dtype == arrays["example_maps"].dtype == np.float32
    )
    assert len(np.unique(arrays["sharpness"].mean(axis=2))) == 6  # no two models are the same


def test_two_runs_give_the_same_bytes_whatever_the_batches_of_seeds(place, arrays, tmp_path):
    run = place.another(tmp_path, "../fits")
    looked_at(dataclasses.replace(place.suite, seeds_per_job=2), run)
    assert [file.name for file in run.gathered(KEY, "").parent.glob("*.tar")] == ["seeds1-1001.tar"]
    assert run.attention(KEY).read_bytes() == place.run.attention(KEY).read_bytes()
    with zipfile.ZipFile(run.attention(KEY)) as file:
        assert {entry.date_time for entry in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_fit_that_diverged_has_no_numbers_and_leaves_the_others_alone(place, arrays, tmp_path):
    def diverge(number, record, weights):
        return ({**record, "status": "diverged"}, None) if number > 1 else (record, weights)

    found = looked_at(place.suite, with_fits_changed(place, tmp_path, diverge))
    assert found["diverged"].tolist() == [[False] * 3, [False, True, True]]
    assert np.isnan(found["sharpness"][1, 1:]).all()
    assert np.isnan(found["agreement"][1]).all()
    assert np.array_equal(found["sharpness"][1, 0], arrays["sharpness"][1, 0])
    assert np.array_equal(found["agreement"][0], arrays["agreement"][0], equal_nan=True)


def test_activations_that_overflow_count_as_diverged(place, tmp_path):
    def overflow(number, record, weights):
        return record, {key: value * HUGE if number == 2 else value for key, value in weights.items()}

    found = looked_at(place.suite, with_fits_changed(place, tmp_path, overflow))
    assert found["diverged"][1].tolist() == [False, True, False]
    assert np.isnan(found["agreement"][1]).all()  # M3 has no predecessor to agree with
    assert np.isfinite(found["sharpness"][1, 2]).all()


def test_a_model_whose_weights_are_gone_is_trained_again(place, arrays, tmp_path):
    run = with_fits_changed(
        place, tmp_path, lambda number, record, weights: (record, weights if number < 3 else None)
    )
    last = identities(place, 1001)[2]
    assert find_fit(run.store, KEY, last, with_weights=True) is None
    looked_at(place.suite, run)
    assert find_fit(run.store, KEY, last, with_weights=True) is not None
    assert run.attention(KEY).read_bytes() == place.run.attention(KEY).read_bytes()


def test_archives_say_the_same_whenever_they_are_packed_and_have_maps_only_of_a_chain_that_transfers_them(
    place, tmp_path
):
    run, plain = (place.another(tmp_path / name, "../fits") for name in ("a", "b"))
    train_batch(place.suite, run, KEY, [1], 60.0, StopRequest())
    packed = run.gathered(KEY, "seeds1-1")
    assert packed.read_bytes() == place.run.gathered(KEY, "seeds1-1").read_bytes()
    single = dataclasses.replace(place.suite, methods=("single",), roles={"single": "control"})
    train_batch(single, plain, KEY, [1], 60.0, StopRequest())
    names = []
    for each in (run, plain):
        with tarfile.open(each.gathered(KEY, "seeds1-1")) as archive:
            archive.extractall(each.folder, filter="data")
            names.append(archive.getnames())
        refuse_unsound(each.folder / "seed1.sums.json")
    assert names == [
        ["attention.npz", "seed1.parquet", "seed1.sums.json"],
        ["seed1.parquet", "seed1.sums.json"],
    ]


# Mistakes


@pytest.mark.parametrize("damaged", [False, True])
def test_an_archive_that_is_missing_or_damaged_is_told(damaged, place, tmp_path):
    run = place.another(tmp_path)
    file = run.gathered(KEY, "seeds1-1")
    if damaged:
        shutil.copytree(place.run.gathered(KEY, "").parent, file.parent)
        file.write_bytes(file.read_bytes()[:-1] + b"1")
    with pytest.raises(UserError) as told:
        written(place.suite, run)
    assert str(told.value).startswith(
        f"{file}: edited or damaged, its SHA-256 is "
        if damaged
        else f"{file}: seeds1-1.sums.json beside it does not tell what it was (FileNotFoundError("
    )
    assert not run.attention(KEY).exists()


def test_a_suite_without_a_chain_is_refused(place, tmp_path):
    suite = dataclasses.replace(place.suite, methods=("single",), roles={"single": "control"})
    with pytest.raises(UserError, match=r"has no chain that transfers attention; add weckd to its methods"):
        written(suite, place.another(tmp_path))


def test_seeds_with_other_test_images_are_refused(arrays, tmp_path):
    of_seeds = [{**arrays, "seeds": np.array([seed])} for seed in SEEDS]
    assert joined(of_seeds, tmp_path)["seeds"].tolist() == SEEDS
    of_seeds[1]["image_ids"] = arrays["image_ids"][::-1]
    with pytest.raises(UserError) as told:
        joined(of_seeds, tmp_path)
    assert str(told.value) == (
        f"{tmp_path}: the test images of seed1001.csv differ from those of seed1.csv; all seeds share one test set; "
        "delete both files and run again"
    )


def test_the_command_writes_the_same_file(place, arrays, tmp_path):
    run = place.another(tmp_path, "gathered")
    run.suite.write_text(suite_json(place.suite))
    assert main(["attention", "--run", str(run.folder), "--dataset", KEY]) == 0
    assert run.attention(KEY).read_bytes() == place.run.attention(KEY).read_bytes()
