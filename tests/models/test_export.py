"""An exported network is the one that the run's predictions are of, read by timm alone; and says what it is."""

import dataclasses
import hashlib
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from prepared_phantom import KEY, SEED
from safetensors.numpy import save_file
from safetensors.torch import save_model
from scipy.special import log_softmax, softmax
from scipy.stats import t
from timm.data import create_transform, resolve_data_config
from trained_phantom import export, finish, logits_of, of_run, trained, weights

from weckd.agreement.freeze import freeze_run
from weckd.cli import main
from weckd.config import BackboneSettings
from weckd.errors import UserError
from weckd.files import file_digest, with_sum, write_json
from weckd.locks import StopRequest
from weckd.models import export as module
from weckd.models.card import card_text
from weckd.models.export import timm_config
from weckd.models.find import find_network
from weckd.models.folder import Score, read_origin
from weckd.training.networks import build_backbone
from weckd.training.store import fit_folder
from weckd.tuning.chosen import Chosen, write_chosen

COLUMNS = ["p_0", "p_1", "p_2"]


def probabilities(folder, place, images):
    return softmax(logits_of(folder, place, images).astype(np.float64), axis=1)


@pytest.mark.parametrize("method", ["weckd", "single", "pooled"])
def test_timm_alone_gives_the_stored_predictions(method, place, tmp_path):
    origin = export(place, tmp_path / "model", method)
    stored = of_run(place.run, method)
    found = probabilities(tmp_path / "model", place, stored["image_id"])
    np.testing.assert_allclose(found, stored[COLUMNS], rtol=0, atol=1e-6)
    assert (origin.checked.difference, origin.fit) == (0.0, origin.fit_of_run)


@pytest.mark.parametrize("backbone", ["test_convnext", "test_efficientnet"])
def test_networks_of_other_families_too_whose_layers_were_exchanged_in_training(backbone, tmp_path):
    network = {"name": backbone, "init": "random"}
    place = trained(tmp_path, backbone=network, methods=["single"], training={"steps": 4, "batch_size": 8})
    origin = export(place, tmp_path / "model", "single")
    stored = of_run(place.run, "single")
    logits = logits_of(tmp_path / "model", place, stored["image_id"])
    np.testing.assert_allclose(softmax(logits, axis=1), stored[COLUMNS], rtol=0, atol=1e-5)
    assert origin.checked.difference <= 1e-4 * origin.checked.scale
    assert type(timm.create_model(f"local-dir:{tmp_path / 'model'}")) is type(timm.create_model(backbone))


@pytest.mark.parametrize(("name", "size"), [("test_vit", 160), ("crossvit_tiny_240", 64)])
def test_a_network_of_a_fixed_size_is_the_one_that_was_trained_at_another_size_too(name, size, tmp_path):
    trained_one = build_backbone(name, 3).eval()
    found = SimpleNamespace(backbone=BackboneSettings(name, "random"))
    (tmp_path / "config.json").write_text(json.dumps(timm_config(found, ("a", "b", "c"), size)))
    save_model(trained_one, str(tmp_path / "model.safetensors"))
    model = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    assert tuple(resolve_data_config({}, model=model)["input_size"]) == (3, size, size)
    images = torch.rand(2, 3, size, size)
    with torch.inference_mode():
        # Where memory lies otherwise, the last digits are others.
        torch.testing.assert_close(model(images), trained_one(images), rtol=0, atol=1e-6)


def test_timm_prepares_an_image_as_the_suite_does(exported):
    model = timm.create_model(f"local-dir:{exported}", pretrained=True)
    assert model.pretrained_cfg["label_names"] == ["effusion", "normal", "tube"]
    given = resolve_data_config({}, model=model)
    assert given["input_size"] == [3, 32, 32]
    pixels = np.random.default_rng(0).integers(0, 256, (50, 90, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    found = create_transform(**given)(image)
    small = np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC), dtype=np.float32) / 255
    mean, std = (np.array(given[name], dtype=np.float32) for name in ("mean", "std"))
    np.testing.assert_allclose(found.numpy(), ((small - mean) / std).transpose(2, 0, 1), atol=1e-6)


def test_it_tells_its_run_fit_digests_and_scores(place, exported):
    origin = read_origin(exported)
    manifest = json.loads(place.run.manifest(KEY, "seeds1-1").read_text())["seeds"]["1"]
    identity = manifest["methods"]["weckd"]["stages"][-1][0]["fit"]
    assert (origin.run, origin.plan_hash) == (place.suite.run, place.suite.plan_hash)
    assert (origin.dataset, origin.method, origin.stage, origin.seed) == (KEY, "weckd", 3, SEED)
    assert (origin.fit, origin.fit_of_run, origin.image_size) == (identity, identity, 32)
    assert origin.fingerprint == manifest["cell"]["fingerprint"]
    assert origin.split == file_digest(place.run.split(KEY, SEED))
    assert origin.files == {
        name: file_digest(exported / name) for name in ("model.safetensors", "config.json")
    }
    stored = of_run(place.run, "weckd")
    right = (stored[COLUMNS].to_numpy().argmax(axis=1) == stored["y"]).to_numpy().astype(float)
    of_group = pd.Series(right - right.mean()).groupby(stored["group_id"]).sum()
    count = len(of_group)
    half = t.ppf(0.975, count - 1) * np.sqrt(count / (count - 1) * (of_group**2).sum()) / len(stored)
    assert (origin.tested.images, origin.tested.groups) == (len(stored), count)
    found = origin.tested.accuracy
    np.testing.assert_allclose(
        [found.value, found.low, found.high], right.mean() + half * np.array([0, -1, 1])
    )
    by_class = pd.Series(right).groupby(stored["y"]).mean().tolist()
    assert [*origin.tested.of_class.values()] == pytest.approx(by_class)
    assert origin.tested.balanced_accuracy.value == pytest.approx(np.mean(by_class))
    split = pd.read_csv(place.run.split(KEY, SEED), dtype=str).set_index("image_id")["part"]
    images = np.load(place.prepared / "images.npy")
    names = pd.read_csv(place.prepared / "index.csv")["image_id"]
    pixels = pd.Series([hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in images], index=names)
    for part, names in {
        "training": ("D1", "D2", "D3"),
        "validation": ("validation",),
        "test": ("test",),
    }.items():
        assert origin.seen[part] == tuple(sorted({*pixels[split.index[split.isin(names)]]}))


def test_the_temperature_is_that_of_the_least_loss_on_validation_images(place, exported):
    origin = read_origin(exported)
    fit = fit_folder(place.run.store, KEY, origin.fit)
    split = pd.read_csv(place.run.split(KEY, SEED))
    y = split.loc[split["part"] == "validation", "y"].to_numpy()
    logits = np.load(fit / "validation.npy").astype(np.float64)

    def loss(temperature):
        return -log_softmax(logits / temperature, axis=1)[np.arange(len(y)), y].mean()

    best = loss(origin.temperature)
    assert all(best <= loss(origin.temperature * factor) for factor in (0.5, 0.97, 1.03, 2))


def test_the_card_says_of_what_it_was_made_how_good_it_is_and_what_for_not(place, exported):
    text = (exported / "README.md").read_text(encoding="utf-8")
    origin = read_origin(exported)
    score = origin.tested.accuracy
    manifest = json.loads(place.run.manifest(KEY, "seeds1-1").read_text())["seeds"]["1"]
    labels, parts = manifest["methods"]["weckd"]["labels"], manifest["images_of_part"]
    training = sum(parts[part] for part in ("D1", "D2", "D3", "rest"))
    split = pd.read_csv(place.run.split(KEY, SEED))
    shares = split.loc[split["part"] == "test", "class"].value_counts(normalize=True)
    most, share = shares.index[0], shares.iloc[0]
    for line in (
        "# Phantom of OtoMatch: weckd, seed 1",
        "**Not for diagnosis.** ",
        "| licence | MIT (drawn by this suite) |",
        f"- {labels} labels of the {training} of the training part; 12 optimiser steps in all, on 8 images each; it "
        "starts from weights drawn at random.",
        f"- Plan of the run {origin.plan_hash}; fit {origin.fit[:20]}.\n",
        f"| accuracy | {100 * score.value:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}] |",
        f"On {origin.tested.images} test images in {origin.tested.groups} groups, none of which it was trained on",
        "- The images were drawn by the suite: it knows nothing of real ones.",
        "- It is one of 1 seed, ",
        f"| images | {parts['D1']} + {parts['D2']} + {parts['D3']} of the 3 stages, ",
        "Groups\n(near-duplicates of each other) are together in one part.",
        f"| accuracy of always answering {most}, the most frequent class of them | {100 * share:.1f} |\n",
        "gave the logits that this network had on\nthe test images when it was trained to the byte (cpu ",
        "arXiv 2510.14668",
    ):
        assert line in text, line
    assert "left out" not in text


def test_the_card_of_a_control_says_that_its_method_is_a_question(place, tmp_path):
    export(place, tmp_path / "model", "pooled")
    text = (tmp_path / "model" / "README.md").read_text()
    assert "\n- `pooled`: trained to ask: is it just more labels? Model 1 of 1.\n" in text


def test_the_card_names_classes_that_the_run_left_out_and_patients_where_there_are_some(place, exported):
    found = find_network(place.suite, place.run, KEY, "weckd", SEED, None, StopRequest())
    prepared = json.loads((exported / "config.json").read_text())["pretrained_cfg"]
    suite = dataclasses.replace(place.suite, exclude_classes={KEY: ("plug", "wax")})
    origin, facts = read_origin(exported), json.loads((place.prepared / "dataset.json").read_text())
    text = card_text(suite, origin, found, facts, prepared, 0, patients=True)
    images = next(line for line in text.splitlines() if line.startswith("| images |"))
    assert f"{images}\n| classes that the run left out | plug, wax |\n\n" in text
    assert "Groups\n(patients, and near-duplicates of each other) are together in one part." in text


@pytest.fixture
def audited(place, tmp_path):
    """Return the run as one on real images, whose audit suspects 5 pairs, and the 3 test images that these are of."""
    facts = {KEY: dataclasses.replace(place.suite.facts[KEY], phantom=False)}
    run = place.another(tmp_path, "manifests", "predictions")
    run.store.symlink_to(place.run.store)
    ids = pd.read_csv(run.split(KEY, SEED), dtype=str).groupby("part")["image_id"].apply(list)
    tests, learnt = ids["test"], ids["D1"][0]
    pairs = [
        (KEY, "suspected", tests[0], learnt),
        (KEY, "suspected", ids["validation"][0], tests[-1]),
        (KEY, "suspected", tests[-1], ids["D3"][0]),
        (KEY, "suspected", tests[1], ids["rest"][0]),  # which no fit of the chain is shown
        (KEY, "suspected", tests[2], tests[3]),
        (KEY, "near", tests[4], learnt),
        ("another", "suspected", tests[5], learnt),
    ]
    run.audit.mkdir()
    frame = pd.DataFrame(pairs, columns=["dataset", "kind", "image_a", "image_b"])
    frame.to_csv(run.audit / "pairs.csv", index=False)
    return dataclasses.replace(place, suite=dataclasses.replace(place.suite, facts=facts), run=run), [0, -1]


def test_test_images_that_may_be_variants_of_what_it_learnt_from_are_counted_and_left_out_beside(
    audited, exported, tmp_path
):
    place, suspected = audited
    origin = export(place, tmp_path / "model")
    stored = of_run(place.run, "weckd")
    right = (stored[COLUMNS].to_numpy().argmax(axis=1) == stored["y"]).to_numpy()
    kept = np.delete(right, suspected)
    assert (origin.tested.suspected, origin.tested.copies) == (2, 0)
    assert origin.tested.accuracy == read_origin(exported).tested.accuracy
    assert origin.tested.accuracy_without.value == pytest.approx(kept.mean())
    assert origin.tested.accuracy_without.value != origin.tested.accuracy.value
    card = (tmp_path / "model" / "README.md").read_text()
    assert (
        f"The test part was drawn by group.\nThe run's audit suspects that 2 of {len(right)} test images are variants "
        "(turned by any angle, mirrored, shifted or zoomed) of images that it was trained or calibrated on; "
        "audit/pairs.csv of the run lists them.\nOf such images the accuracy may be too high.\n" in card
    )
    assert f"| accuracy without suspected variants | {100 * kept.mean():.1f} [" in card
    file = place.run.audit / "pairs.csv"
    file.write_text("dataset,kind,image_a,image_b\n")
    origin = export(place, tmp_path / "model")
    assert (origin.tested.suspected, origin.tested.accuracy_without) == (0, None)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "The run's audit suspects no test image to be a variant (turned " in card
    assert "accuracy without" not in card
    file.write_text("other\n")
    with pytest.raises(UserError) as refused:
        export(place, tmp_path / "model")
    assert str(refused.value) == (
        f"{file}: does not tell suspected variants ('dataset'); make it again with snakemake"
    )
    file.unlink()
    assert export(place, tmp_path / "model").tested.suspected is None
    assert (
        ") of one photograph may be in several parts: the run has no audit.\n"
        in (tmp_path / "model" / "README.md").read_text()
    )


def test_copies_in_an_official_test_part_are_told(place, exported):
    split = pd.read_csv(place.run.split(KEY, SEED), dtype=str)
    tests = split.index[split["part"] == "test"]
    split.loc[tests[:3], "group_id"] = "g0001-cut"
    assert module._copies(split, {"test": tests.to_numpy()}).tolist() == [True] * 3 + [False] * (
        len(tests) - 3
    )
    found = find_network(place.suite, place.run, KEY, "weckd", SEED, None, StopRequest())
    prepared = json.loads((exported / "config.json").read_text())["pretrained_cfg"]
    official = dataclasses.replace(place.suite.split, protocol="official")
    suite = dataclasses.replace(place.suite, split=official)
    origin, facts = read_origin(exported), json.loads((place.prepared / "dataset.json").read_text())
    tested = dataclasses.replace(origin.tested, copies=3, accuracy_without=Score(0.5, 0.25, 0.75))
    origin = dataclasses.replace(origin, tested=tested)
    text = card_text(suite, origin, found, facts, prepared, 0, patients=False)
    assert (
        "are together in one part, but where the source's own test part cuts them. The test part is the source's own.\n"
        f"Of its {tested.images} images 3 have a copy, identical or near, among those for training.\n"
        "Of such images the accuracy may be too high.\n" in text
    )
    assert f"On {tested.images} test images in {tested.groups} groups; of this seed alone:" in text
    assert "| accuracy without copies | 50.0 [25.0, 75.0] |\n" in text


def test_the_same_network_gives_the_same_folder(place, exported, tmp_path):
    export(place, tmp_path / "model")
    names = ["README.md", "config.json", "model.safetensors", "weckd.json"]
    assert sorted(file.name for file in exported.iterdir()) == names
    for name in names:
        assert (tmp_path / "model" / name).read_bytes() == (exported / name).read_bytes()
    export(place, tmp_path / "model")  # over an earlier one


def test_weights_that_the_suite_keeps_are_in_the_store_and_others_are_not(place):
    manifest = json.loads(place.run.manifest(KEY, "seeds1-1").read_text())["seeds"]["1"]["methods"]

    def kept(method):
        (last,) = manifest[method]["stages"][-1]
        return (fit_folder(place.run.store, KEY, last["fit"]) / "weights.safetensors").exists()

    assert (kept("pooled"), kept("weckd"), kept("attention=gate")) == (True, True, False)


def test_what_was_not_kept_is_trained_again_to_the_byte(place, exported, tmp_path, capsys):
    run = place.another(tmp_path, "manifests", "predictions")  # which has an empty store
    origin = export(place, tmp_path / "model", run=run)
    assert capsys.readouterr().err.startswith(
        f"[export] weckd of {KEY}, seed 1: its weights were not kept, so that it is trained again\n"
    )
    assert origin == read_origin(exported)
    assert not [*run.results.glob(".export.*")]


def test_from_a_frozen_reference_too(place, exported, tmp_path, monkeypatch):
    run = place.another(tmp_path, "manifests", "predictions", "suite.json")
    run.tables.mkdir()
    (run.tables / "main.md").write_text("a table\n")
    freeze_run(run.folder, tmp_path / "results" / "reference" / "toy", None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(StopRequest, "listen", lambda _: None)
    what = ["export", "--run", "results/reference/toy", "--dataset", KEY, "--seed", "1", "--out", "model"]
    assert main(what) == 0
    assert read_origin(tmp_path / "model") == read_origin(exported)
    assert [file.name for file in run.results.iterdir() if file.name.startswith(".ref")] == []


def test_tuned_settings_are_those_of_the_manifest(tmp_path):
    place = trained(tmp_path / "one", methods=["single"])
    suite = dataclasses.replace(place.suite, tuned=True)
    values = ({"learning_rate": 0.002}, {"learning_rate": 0.004})
    run = place.another(tmp_path / "two", "suite.json")
    chosen = Chosen(KEY, "single", 2, (1001,), *values, 1, 0.5, 0.4, 8, 64)
    write_chosen(chosen, run.tuned(KEY, "single"))
    finish(suite, run)
    first = export(dataclasses.replace(place, suite=suite, run=run), tmp_path / "first", "single")
    shutil.rmtree(run.store)
    shutil.rmtree(run.folder / "tuned" / KEY)
    again = export(dataclasses.replace(place, suite=suite, run=run), tmp_path / "again", "single")
    assert first == again
    assert first.fit != export(place, tmp_path / "untuned", "single").fit


def test_trained_again_by_other_code_it_says_so_and_has_the_scores_of_its_own(place, tmp_path):
    run = place.another(tmp_path, "predictions")
    manifest = json.loads(place.run.manifest(KEY, "seeds1-1").read_text())
    identity = manifest["seeds"]["1"]["methods"]["single"]["stages"][-1][0]["fit"]
    other = json.loads(json.dumps(manifest).replace(identity, "0" * 64))
    write_json(run.manifest(KEY, "seeds1-1"), with_sum(other))
    origin = export(place, tmp_path / "model", "single", run=run)
    assert (origin.fit, origin.fit_of_run) == (identity, "0" * 64)
    card = (tmp_path / "model" / "README.md").read_text()
    images = origin.tested.images
    assert (
        "- Trained again, with another device, version or code than the run (00000000000000000000): it predicts the "
        f"class of the run's stored predictions for {images} of {images} test images." in card
    )


@pytest.mark.parametrize(
    ("method", "told"),
    [
        (
            "ensemble",
            "is the mean of 3 networks, and one folder holds one network; name a method of one, such as single or "
            "weckd",
        ),
        (
            "attention=gate",
            "has attention gates in its network, which timm's networks have not; name a method without attention=gate",
        ),
        ("majority", "has no network, it predicts the classes' shares; name another method"),
        (
            "full",
            "the run has no such method; known: weckd, single, pooled, ensemble, attention=gate, majority",
        ),
    ],
)
def test_what_is_not_one_network_of_timms_is_refused_by_name(method, told, place, tmp_path):
    with pytest.raises(UserError) as refused:
        export(place, tmp_path / "model", method)
    assert str(refused.value) == f"--method {method}: {told}"
    assert not (tmp_path / "model").exists()


def test_a_network_that_diverged_is_none(place, tmp_path):
    run = place.another(tmp_path, "predictions")
    manifest = json.loads(place.run.manifest(KEY, "seeds1-1").read_text())
    for fit in manifest["seeds"]["1"]["fits"].values():
        fit["status"] = "diverged"
    write_json(run.manifest(KEY, "seeds1-1"), with_sum(manifest))
    with pytest.raises(UserError) as refused:
        export(place, tmp_path / "model", "single", run=run)
    assert (
        str(refused.value)
        == f"single of {KEY}, seed 1: diverged, so that no network is left; name another seed"
    )


def test_a_folder_of_something_else_is_left_alone(place, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UserError) as refused:
        export(place, tmp_path)
    assert (
        str(refused.value)
        == f"{tmp_path}: there is something that is no exported model; choose another folder"
    )


def test_other_images_than_those_it_was_trained_on_are_refused(place, tmp_path):
    run = place.another(tmp_path, "manifests", "predictions")
    run.store.symlink_to(place.run.store)
    shutil.copytree(place.run.data.resolve(), tmp_path / "copy")
    run.data.unlink()
    (tmp_path / "copy").rename(run.data)
    prepared = run.prepared(place.suite, KEY)
    facts = json.loads((prepared / "dataset.json").read_text())
    images = np.load(prepared / "images.npy")
    images[0, 0, 0, 0] ^= 1
    np.save(prepared / "images.npy", images)
    found = hashlib.sha256(images.tobytes() + (prepared / "index.csv").read_bytes()).hexdigest()
    (prepared / "dataset.json").write_text(json.dumps({**facts, "fingerprint": found}))
    with pytest.raises(UserError) as refused:
        export(place, tmp_path / "model", run=run)
    assert str(refused.value) == (
        f"{prepared}: not the images that weckd was trained on; remove that folder and name the data set's own images "
        "with --data-root"
    )


def test_weights_that_give_other_logits_are_not_exported(place, exported, tmp_path):
    run = place.another(tmp_path, "manifests", "predictions")
    shutil.copytree(place.run.store, run.store)
    fit = fit_folder(run.store, KEY, read_origin(exported).fit)
    state = weights(exported)
    state["fc.bias"] = state["fc.bias"] + np.float32(0.01)
    save_file(state, fit / "weights.safetensors")
    record = json.loads((fit / "record.json").read_text())
    record["files"]["weights.safetensors"] = file_digest(fit / "weights.safetensors")
    write_json(fit / "record.json", with_sum(record))
    with pytest.raises(UserError) as refused:
        export(place, tmp_path / "model", run=run)
    assert str(refused.value).startswith(
        f"{fit}: as timm reads its network, logits differ by 0.01 from the stored ones of"
    )
    assert not (tmp_path / "model").exists()


def test_too_little_memory_is_told(place, tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, "outputs", full)
    with pytest.raises(UserError) as refused:
        export(place, tmp_path / "model")
    assert str(refused.value) == (
        "predictions of the test images need more memory than there is; use a machine or a GPU with more"
    )
    assert [*tmp_path.iterdir()] == []


def test_a_run_without_the_method_is_told_before_anything_is_read(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(StopRequest, "listen", lambda _: None)
    what = ["export", "--run", str(tmp_path), "--dataset", KEY, "--seed", "1", "--out", str(tmp_path / "m")]
    assert main(what) == 1
    assert capsys.readouterr().err.startswith(f"weckd: {tmp_path}: no run; ")
