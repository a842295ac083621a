"""An exported network on labelled images of another source: scores by hand, and what of it was seen before."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from prepared_phantom import KEY, SEED
from scipy.special import log_softmax
from trained_phantom import logits_of, of_run, without_temperature

from weckd.cli import main
from weckd.errors import UserError
from weckd.models import evaluate as module
from weckd.models.evaluate import evaluate
from weckd.models.folder import read_origin

ENTRY = """\
mine:
  title: Mine
  modality: otoscopy
  layout: csv
  groups: given
  licence: CC0
  source: here
  citation: none
  table: {{file: labels.csv, image: path, label: {label}, patient: who}}
  classes:
{classes}
"""
UNKNOWN = (
    "copies of other pixels are not found, and count as new images. results/data/phantom_ear_ohio-32px has not the "
    "images that it was trained on; name their folder with --trained-on FOLDER, or evaluate from the folder of the run"
)
HOW = {"catalogue": None, "mapping": (), "trained_on": None, "skip_bad": False, "batch_size": 256}


def entry(root, classes, label="kind"):
    lines = (f"    - {{key: {key}, title: {key}, label: {key}}}" for key in classes)
    file = root / f"{'-'.join(classes)}-{label}.yaml"  # a file that was read is not read again
    file.write_text(ENTRY.format(classes="\n".join(lines), label=label))
    return file


@pytest.fixture(scope="module")
def prepared(place):
    """Return the phantom's images and a function from their names to their rows."""
    names = list(pd.read_csv(place.prepared / "index.csv")["image_id"])
    images = np.load(place.prepared / "images.npy")
    return lambda wanted: images[[names.index(name) for name in wanted]]


def save(root, images, kinds, patients):
    """Write images as PNG files with their table, as data set `mine`."""
    folder = root / "root" / "mine"
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:03d}.png")
    paths = [f"{number:03d}.png" for number in range(len(images))]
    pd.DataFrame({"path": paths, "kind": kinds, "who": patients}).to_csv(folder / "labels.csv", index=False)


@pytest.fixture
def other(tmp_path, place, exported, prepared):
    """60 test images of the run, of which the network knows nothing but their hashes; two images a patient."""
    stored = of_run(place.run, "weckd")[::2].reset_index(drop=True)
    classes = read_origin(exported).classes
    kinds = [classes[y] for y in stored["y"]]
    save(tmp_path, prepared(stored["image_id"]), kinds, [f"p{number // 2}" for number in range(60)])
    return stored, logits_of(exported, place, stored["image_id"])


def found(folder, root, catalogue, **changes):
    how = {**HOW, "catalogue": catalogue, "data_root": root / "root", **changes}
    text = evaluate(folder, "mine", root / "out", **how)
    assert (root / "out" / "evaluation.md").read_text() == text
    return json.loads((root / "out" / "evaluation.json").read_text()), text


def test_scores_and_confusion_are_those_by_hand(other, exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no results/data is
    stored, logits = other
    y, predicted = stored["y"].to_numpy(), logits.argmax(axis=1)
    values, text = found(exported, tmp_path, entry(tmp_path, ["effusion", "normal", "tube"]))
    assert values["images"] == 60
    assert values["groups"] == len({*pd.read_csv(tmp_path / "out" / "predictions.csv")["group_id"]}) <= 30
    scores = values["scores"]
    assert scores["accuracy"]["value"] == pytest.approx((predicted == y).mean())
    assert scores["balanced accuracy"]["value"] == pytest.approx(
        np.mean([(predicted[y == label] == label).mean() for label in range(3)])
    )
    assert scores["NLL"]["value"] == pytest.approx(
        -log_softmax(logits, axis=1)[np.arange(60), y].mean(), rel=1e-5
    )
    scaled = log_softmax(logits / read_origin(exported).temperature, axis=1)
    assert values["calibrated"]["NLL"]["value"] == pytest.approx(-scaled[np.arange(60), y].mean(), rel=1e-5)
    matrix = pd.DataFrame(values["confusion"]).T.to_numpy()
    assert (
        matrix.tolist()
        == pd.crosstab(y, predicted).reindex(columns=range(3), fill_value=0).to_numpy().tolist()
    )
    assert scores["accuracy"]["low"] < scores["accuracy"]["value"] < scores["accuracy"]["high"]
    assert (values["not_known"], values["not_there"], values["left_out"]) == ({}, [], 0)
    assert values["exact"] == {"training": 0, "validation": 0, "test": 60}
    assert values["near"] == "unknown"
    assert text.splitlines()[2] == f"**Overlap by near-duplicates is unknown**: {UNKNOWN}."
    assert "From its test part it learnt nothing: copies of that alone count.\n\n| its part |" in text
    assert "| training | 0 | unknown |" in text
    assert "left out: 0 images by the same pixels; others are unknown.\n" in text
    most = np.bincount(y).max()
    assert (values["most_frequent"], values["always_most_frequent"]) == (
        ["effusion", "normal", "tube"][np.bincount(y).argmax()],
        pytest.approx(most / 60),
    )
    always = f"| accuracy of always answering {values['most_frequent']}, the most frequent class here | "
    assert f"{always}{100 * most / 60:.1f} |" in text
    assert "over groups (patients, and near-duplicates of each other):" in text


def test_without_a_temperature_nothing_is_calibrated(other, exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = without_temperature(exported, tmp_path / "plain")
    values, text = found(folder, tmp_path, entry(tmp_path, ["effusion", "normal", "tube"]))
    assert values["calibrated"] == {}
    assert [line[-5:] for line in text.splitlines() if line.startswith("| NLL |")] == ["| - |"]


def test_what_it_was_trained_on_is_found_and_left_out_with_its_group(
    place, exported, prepared, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    split = pd.read_csv(place.run.split(KEY, SEED), dtype=str)
    train = split[split["part"] == "D2"].drop_duplicates("group_id").iloc[:3]
    test = split[split["part"] == "test"].drop_duplicates("group_id").iloc[::4][:20]
    images = prepared([*train["image_id"], *test["image_id"]])
    images[1] = images[1][:, ::-1]  # mirrored: other pixels
    kinds = [*train["class"], *test["class"]]
    # The first test image is of the patient of the first training image.
    save(tmp_path, images, kinds, ["a", "b", "c", "a", *(f"p{number}" for number in range(19))])
    catalogue = entry(tmp_path, ["effusion", "normal", "tube"])
    values, _ = found(exported, tmp_path, catalogue)
    assert (values["exact"]["training"], values["near"], values["left_out"]) == (2, "unknown", 3)
    values, text = found(exported, tmp_path, catalogue, trained_on=place.prepared)
    assert (values["exact"]["training"], values["near"]["training"], values["left_out"]) == (2, 1, 4)
    assert values["images"] == 19
    assert values["accuracy_of_all"]["value"] != values["scores"]["accuracy"]["value"]
    assert "| training | 2 | 1 |" in text
    assert "unknown" not in text
    assert "- In a group with an image that it was trained or calibrated on, left out: 4 images." in text
    counts = pd.read_csv(tmp_path / "out" / "predictions.csv").set_index("image_id")["counts"]
    assert sorted(counts.index[~counts]) == ["000.png", "001.png", "002.png", "003.png"]


def test_classes_of_one_side_alone_are_named_and_counted_and_others_mapped(
    other, exported, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    stored, logits = other
    table = tmp_path / "root" / "mine" / "labels.csv"
    renamed = {"effusion": "fluid", "tube": "grommet"}
    pd.read_csv(table).replace({"kind": renamed}).to_csv(table, index=False)
    catalogue = entry(tmp_path, ["fluid", "normal", "grommet"])
    y, predicted = stored["y"].to_numpy(), logits.argmax(axis=1)
    values, text = found(exported, tmp_path, catalogue, mapping=["fluid=effusion"])
    assert values["confusion"].keys() == {"effusion", "normal"}
    known = y != 2
    assert values["not_known"] == {"grommet": int((~known).sum())}
    assert values["not_there"] == ["tube"]
    assert values["scores"]["accuracy"]["value"] == pytest.approx((predicted == y)[known].mean())
    assert f"- Classes that the network does not have, left out: grommet ({(~known).sum()} images)." in text
    assert "- Classes of the network without an image here: tube." in text
    assert values["mapped"] == {"fluid": "effusion"}
    assert "- Classes called otherwise, by --map: fluid = effusion.\n" in text
    row = " | ".join(str(((y == 0) & (predicted == label)).sum()) for label in range(3))
    assert f"| effusion (by --map: fluid) | {row} |\n" in text
    assert "**By --map" not in text
    values, text = found(exported, tmp_path, catalogue, mapping=["normal=effusion"])
    assert values["confusion"].keys() == {"effusion"}
    assert "\n**By --map, normal counts as effusion, though the network has a class normal.**\n" in text
    told = "--map fluid=water: the network has no class 'water'; its classes are effusion, normal, tube"
    for mapping, message in (
        ("fluid=water", told),
        (
            "water=normal",
            "--map water=normal: mine has no class 'water'; its classes are fluid, normal, grommet",
        ),
        (
            "fluid",
            "--map fluid: must be THEIRS=OURS; mine has fluid, normal, grommet; the network has effusion, normal, tube",
        ),
        ("fluid=tube", "--map fluid=tube: fluid is effusion already; leave one out"),
    ):
        with pytest.raises(UserError) as refused:
            found(exported, tmp_path, catalogue, mapping=["fluid=effusion", mapping])
        assert str(refused.value) == message


def test_images_that_are_broken_or_too_small_stop_it_or_are_named_left_out_and_counted(
    other, exported, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    stored, logits = other
    place, catalogue = tmp_path / "root" / "mine", entry(tmp_path, ["effusion", "normal", "tube"])
    Image.new("RGB", (1, 1)).save(place / "003.png")
    small = "003.png: 1x1 pixels show nothing (the least is 8 a side)"
    with pytest.raises(UserError) as refused:
        found(exported, tmp_path, catalogue)
    assert str(refused.value) == (
        f"mine: {small}; replace it by the whole image, or leave out what cannot be read with --skip-bad"
    )
    (place / "010.png").write_bytes((place / "010.png").read_bytes()[:200])
    with pytest.raises(UserError) as refused:
        found(exported, tmp_path, catalogue)
    assert str(refused.value).endswith("intact copy, or leave out what cannot be read with --skip-bad")
    values, text = found(exported, tmp_path, catalogue, skip_bad=True)
    assert (values["bad"], values["images"]) == (["010.png", "003.png"], 58)
    assert "\n- Cannot be read, left out: 2 images (010.png, 003.png).\n" in text
    told = capsys.readouterr().err
    assert f"[evaluate] left out: {small}\n" in told
    assert "[evaluate] left out: 010.png: cannot be decoded (" in told
    others = np.delete(np.arange(60), [3, 10])
    right = logits.argmax(axis=1) == stored["y"]
    assert values["scores"]["accuracy"]["value"] == pytest.approx(right[others].mean())
    assert pd.read_csv(tmp_path / "out" / "predictions.csv")["image_id"].tolist() == [
        f"{number:03d}.png" for number in others
    ]
    for number in range(60):
        Image.new("RGB", (1, 1), (number, 0, 0)).save(place / f"{number:03d}.png")
    with pytest.raises(UserError) as refused:
        found(exported, tmp_path, catalogue, skip_bad=True)
    assert str(refused.value) == "mine: none of 60 images can be read; replace it by the whole image"


def test_too_little_memory_is_told_with_a_smaller_batch(other, exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    for name in ("outputs", "load_model"):
        with monkeypatch.context() as scarce, pytest.raises(UserError) as refused:
            scarce.setattr(module, name, full)
            found(exported, tmp_path, entry(tmp_path, ["effusion", "normal", "tube"]))
        assert str(refused.value) == (
            "predictions of 256 images at a time need more memory than there is; try --batch-size 128"
        )


def test_what_cannot_be_evaluated_is_told_by_name(other, place, exported, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    classes = ["effusion", "normal", "tube"]
    arguments = [
        "evaluate",
        exported,
        "--data",
        "mine",
        "--data-root",
        tmp_path / "root",
        "--out",
        tmp_path / "out",
    ]

    def told(catalogue, *more):
        assert main([*map(str, [*arguments, "--catalogue", catalogue, *more])]) == 1
        return capsys.readouterr().err.splitlines()[-1]

    table = tmp_path / "root" / "mine" / "labels.csv"
    assert told(entry(tmp_path, classes, label="diagnosis")) == (
        f"weckd: {table}: has no column 'diagnosis'; it has path, kind, who; correct table.label in the catalogue"
    )
    assert told(entry(tmp_path, ["dry", "wet"])) == (
        "weckd: mine: none of its classes (dry, wet) is one of the network's (effusion, normal, tube); say which is "
        "which with --map THEIRS=OURS"
    )
    assert told(entry(tmp_path, classes), "--trained-on", tmp_path / "root") == (
        f"weckd: --trained-on {tmp_path / 'root'}: holds no prepared images; name the folder of those that it was "
        "trained on, as results/data/phantom_ear_ohio-32px of the run's folder"
    )
    table.write_text("path,kind,who\n")
    assert told(entry(tmp_path, classes)) == (
        f"weckd: {table}: holds no row below its head; put a row for each image there"
    )
    empty = tmp_path / "no-export"
    empty.mkdir()
    arguments[1] = empty
    assert told(entry(tmp_path, classes)) == (
        f"weckd: {empty}: no exported model, it has no weckd.json; make one with `weckd export`"
    )
    arguments[1] = exported
    (tmp_path / "root" / "mine").rename(tmp_path / "away")
    assert told(entry(tmp_path, classes)) == (
        f"weckd: --data-root: {tmp_path / 'root' / 'mine'}: no such folder; put Mine there (here) or correct "
        "--data-root"
    )
    del arguments[4:6]
    assert told(entry(tmp_path, classes)) == (
        "weckd: mine: needs its images in a local folder; name the folder that holds mine/ with --data-root FOLDER"
    )
    assert main([*map(str, arguments)]) == 1
    assert capsys.readouterr().err.endswith("one of your own is read from a file: --catalogue FILE\n")
    assert not (tmp_path / "out").exists()


def test_a_data_set_of_the_networks_own_source_is_refused_where_near_duplicates_are_unknown(
    exported, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    made_of_it = tmp_path / "derived.yaml"
    text = entry(tmp_path, ["effusion", "normal", "tube"]).read_text()
    made_of_it.write_text(text.replace("  title: Mine\n", f"  title: Mine\n  derived_from: [{KEY}]\n", 1))
    for key, catalogue in ((KEY, None), ("mine", made_of_it)):
        with pytest.raises(UserError) as refused:
            evaluate(exported, key, tmp_path / "out", **{**HOW, "catalogue": catalogue, "data_root": None})
        assert str(refused.value) == (
            f"{key}: has images of the source of {KEY}, which the network was trained on, and near-duplicates of those "
            f"cannot be looked for: {UNKNOWN.partition('. ')[2]}"
        )


def test_a_folder_of_something_else_is_left_alone(other, exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    catalogue, out = entry(tmp_path, ["effusion", "normal", "tube"]), tmp_path / "out"
    found(exported, tmp_path, catalogue)
    before = (out / "evaluation.json").read_bytes()
    found(exported, tmp_path, catalogue)  # an earlier evaluation is replaced
    assert (out / "evaluation.json").read_bytes() == before
    (out / "notes.txt").write_text("mine")
    told = f"{out}: there is something that is no evaluation; choose another folder"
    refused = pytest.raises(UserError, match=f"^{re.escape(told)}$")
    with refused:
        found(exported, tmp_path, catalogue)
    for file in out.iterdir():
        file.unlink()
    (out / "predictions.csv").write_text("file,prediction\n")  # as `weckd predict` may have written it
    with refused:
        found(exported, tmp_path, catalogue)


def test_of_nothing_but_what_it_was_trained_on_there_are_no_scores(
    place, exported, prepared, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    split = pd.read_csv(place.run.split(KEY, SEED), dtype=str)
    train = split[split["part"] == "D1"]
    save(tmp_path, prepared(train["image_id"]), train["class"].tolist(), train["group_id"].tolist())
    with pytest.raises(UserError) as refused:
        found(exported, tmp_path, entry(tmp_path, ["effusion", "normal", "tube"]))
    assert str(refused.value) == (
        "mine: no image is left: all that have a class of the network's are in a group with one that it was trained on"
        "; name images that it has not seen"
    )
