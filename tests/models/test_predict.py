"""Predictions of an exported network for image files: those of the run for its own images, and what is refused."""

import json
import pickle
import socket

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from prepared_phantom import KEY, SEED
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from scipy.special import softmax
from trained_phantom import export, logits_of, of_run, without_temperature

from weckd.cli import main
from weckd.errors import UserError
from weckd.files import with_sum, write_json
from weckd.models import predict as module
from weckd.models.folder import read_origin
from weckd.models.predict import overlay, predict

CLASSES = ["effusion", "normal", "tube"]


@pytest.fixture(scope="module")
def files(place, tmp_path_factory):
    """A folder with the first 12 test images of the run as PNG files, and their stored predictions."""
    folder, stored = tmp_path_factory.mktemp("images"), of_run(place.run, "weckd")[:12]
    prepared = np.load(place.prepared / "images.npy")
    index = list(pd.read_csv(place.prepared / "index.csv")["image_id"])
    for number, name in enumerate(stored["image_id"]):
        Image.fromarray(prepared[index.index(name)]).save(folder / f"o{number}.png")
    return folder, stored


def table(model, given, out, **how):
    predict(model, given, out, **{"batch_size": 256, **how})
    return pd.read_csv(out)


def refused(model, given, out, **how):
    with pytest.raises(UserError) as told:
        table(model, given, out, **how)
    assert not out.exists()
    return str(told.value)


@pytest.mark.parametrize("batch_size", [256, 5])
def test_of_the_runs_own_images_they_are_the_stored_ones(batch_size, place, exported, files, tmp_path):
    folder, stored = files
    found = table(exported, [folder], tmp_path / "p.csv", batch_size=batch_size)
    assert found["file"].tolist() == [str(folder / f"o{number}.png") for number in range(12)]
    columns = [f"p_{name}" for name in CLASSES]
    assert found.columns.tolist() == [
        "file",
        "prediction",
        *columns,
        *(f"calibrated_{name}" for name in columns),
    ]
    values = found[columns].to_numpy()
    np.testing.assert_allclose(values, stored[["p_0", "p_1", "p_2"]], rtol=0, atol=2e-6)
    assert found["prediction"].tolist() == [CLASSES[number] for number in values.argmax(axis=1)]
    logits = logits_of(exported, place, stored["image_id"]) / read_origin(exported).temperature
    calibrated = found[[f"calibrated_{name}" for name in columns]]
    np.testing.assert_allclose(calibrated, softmax(logits, axis=1), rtol=0, atol=2e-6)
    plain = table(without_temperature(exported, tmp_path / "plain"), [folder], tmp_path / "q.csv")
    assert plain.columns.tolist() == ["file", "prediction", *columns]


def test_images_folders_and_tables_are_read_in_their_order_and_an_image_once(exported, files, tmp_path):
    folder, _ = files
    below = tmp_path / "images" / "below"
    below.mkdir(parents=True)
    for name in ("b10.png", "b9.png", "Thumbs.db"):
        (below / name).write_bytes((folder / "o1.png").read_bytes())
    (tmp_path / "list.csv").write_text("image;who\nimages/below/b10;x\nimages\\below\\b9.png;y\n")
    given = [folder / "o3.png", tmp_path / "images", tmp_path / "list.csv", folder / "o3.png"]
    found = table(exported, given, tmp_path / "p.csv")["file"].tolist()
    assert found == [str(file) for file in (folder / "o3.png", below / "b9.png", below / "b10.png")]
    assert table(exported, [tmp_path / "list.csv"], tmp_path / "q.csv")["file"].tolist() == found[:0:-1]


def test_files_of_a_folder_that_are_no_images_are_left_out_and_told(exported, files, tmp_path, capsys):
    image = (files[0] / "o1.png").read_bytes()
    (tmp_path / "below").mkdir()
    for name, content in (
        ("a.png", image),
        ("scan.7", image),
        ("LICENSE", b"MIT"),
        ("below/pred.csv", b"a,b"),
    ):
        (tmp_path / name).write_bytes(content)
    found = table(exported, [tmp_path], tmp_path.parent / "left.csv")["file"]
    assert found.tolist() == [str(tmp_path / "a.png"), str(tmp_path / "scan.7")]
    told = "[predict] 2 files that are no images were left out: LICENSE, below/pred.csv\n"
    assert capsys.readouterr().err == told
    for number in range(5):
        (tmp_path / f"note{number}.txt").touch()
    table(exported, [tmp_path], tmp_path.parent / "left.csv")
    told = (
        "[predict] 7 files that are no images were left out: LICENSE, below/pred.csv, note0.txt, note1.txt, "
    )
    assert capsys.readouterr().err == f"{told}note2.txt and 2 more\n"
    # What is named, or has an image's suffix, is refused; a DICOM file has none at times.
    told = refused(exported, [tmp_path / "LICENSE"], tmp_path / "p.csv")
    assert told.startswith(f"{tmp_path / 'LICENSE'}: not an image; ")
    (tmp_path / "IM0001").write_bytes(bytes(128) + b"DICM")
    assert str(tmp_path / "IM0001") in refused(exported, [tmp_path], tmp_path / "p.csv")
    (tmp_path / "IM0001").write_bytes(b"")
    (tmp_path / "b.heic").write_bytes(b"text")
    assert refused(exported, [tmp_path], tmp_path / "p.csv").startswith(
        f"{tmp_path / 'b.heic'}: not an image; "
    )
    only = tmp_path / "only"
    only.mkdir()
    (only / "LICENSE").touch()
    assert refused(exported, [only], tmp_path / "p.csv") == f"{only}: holds no image; name a folder that does"


def test_images_that_it_was_trained_on_and_rows_that_repeat_are_counted(
    place, exported, files, tmp_path, capsys
):
    split = pd.read_csv(place.run.split(KEY, SEED), dtype=str)
    names = list(pd.read_csv(place.prepared / "index.csv")["image_id"])
    for number, name in enumerate(split.loc[split["part"] == "D1", "image_id"][:2]):
        image = Image.fromarray(np.load(place.prepared / "images.npy")[names.index(name)])
        image.save(tmp_path / f"{number}.png")
        image.save(tmp_path / "same.png")
    what = [
        exported,
        tmp_path,
        files[0] / "o0.png",
        tmp_path / "0.png",
        "--out",
        tmp_path.parent / "again.csv",
    ]
    assert main(["predict", *map(str, what)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1:] == [
        "3 of 4 are images that it was trained on; being right on those says nothing of new ones",
        "1 of 4 have the pixels of an image in a row before",
    ]
    assert err == "[predict] 1 name of images that were named before; an image has one row\n"


def test_what_is_no_earlier_table_or_holds_other_maps_is_not_written_over(exported, files, tmp_path):
    image, labels, maps = tmp_path / "a.png", tmp_path / "labels.csv", tmp_path / "maps"
    image.write_bytes((files[0] / "o0.png").read_bytes())
    labels.write_text("image,label\na.png,tube\n")
    listing = tmp_path / "list.csv"
    listing.write_text("file,prediction,image\nx,y,a.png\n")
    for given, out in ((image, image), (tmp_path, labels), (listing, listing)):
        before = out.read_bytes()
        with pytest.raises(UserError) as told:
            table(exported, [given], out)
        assert str(told.value) == (
            f"--out {out}: is there, and no earlier table of predictions; choose another name"
        )
        assert out.read_bytes() == before
    table(exported, [image], tmp_path / "p.csv")
    table(exported, [image], tmp_path / "p.csv", maps=maps)
    assert [file.name for file in maps.iterdir()] == ["000001-a.png"]
    assert refused(exported, [image], tmp_path / "q.csv", maps=maps) == (
        f"--maps {maps}: is there, and not empty; choose another folder, or empty it"
    )
    image.write_bytes(b"text")
    (tmp_path / "new").mkdir()
    good = files[0] / "o0.png"
    refused(exported, [good, image], tmp_path / "q.csv", maps=tmp_path / "new", batch_size=1)
    assert not any((tmp_path / "new").iterdir())  # nothing of a prediction that failed


def test_files_of_any_size_and_kind_are_decoded_and_resized_as_in_training(exported, tmp_path):
    given = np.random.default_rng(0).integers(0, 256, (90, 60, 4), dtype=np.uint8)
    Image.fromarray(given).save(tmp_path / "transparent.png")
    black = Image.new("RGBA", (60, 90), (0, 0, 0, 255))
    plain = Image.alpha_composite(black, Image.fromarray(given)).convert("RGB")
    plain.resize((32, 32), Image.Resampling.BICUBIC).save(tmp_path / "by_hand.png")
    found = table(exported, [tmp_path], tmp_path.parent / "any.csv")
    by_hand, transparent = found.iloc[:, 2:].to_numpy()
    assert (by_hand == transparent).all()


def test_a_broken_image_stops_it_or_is_named_and_left_out(exported, files, tmp_path, capsys):
    folder, _ = files
    good, broken, tiny = folder / "o0.png", tmp_path / "broken.png", tmp_path / "tiny.png"
    broken.write_bytes(good.read_bytes()[:200])
    Image.new("RGB", (1, 1)).save(tiny)
    told = refused(exported, [good, broken, tiny], tmp_path / "p.csv")
    assert told.startswith(f"{broken}: cannot be decoded (")
    assert told.endswith("; replace it by an intact copy, or leave out what cannot be read with --skip-bad")
    small = f"{tiny}: 1x1 pixels show nothing (the least is 8 a side); replace it by the whole image"
    assert (
        refused(exported, [tiny], tmp_path / "p.csv")
        == f"{small}, or leave out what cannot be read with --skip-bad"
    )
    arguments = ["predict", exported, good, broken, tiny, "--skip-bad", "--out", tmp_path / "p.csv"]
    assert main([*map(str, arguments)]) == 0
    assert pd.read_csv(tmp_path / "p.csv")["file"].tolist() == [str(good)]
    out, err = capsys.readouterr()
    assert out.startswith(f"{tmp_path / 'p.csv'}: 1 image: 1 ")
    assert out.endswith("; 2 left out\n")
    assert f"[predict] left out: {small}\n" in err
    assert refused(exported, [tiny], tmp_path / "q.csv", skip_bad=True) == (
        f"none of 1 image can be read (the first: {small})"
    )


def test_of_several_frames_none_is_chosen(exported, tmp_path):
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid()
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.NumberOfFrames, header.Rows, header.Columns = 4, 16, 16
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 8, 8, 7, 0
    header.PixelData = bytes(range(256)) * 4
    file = tmp_path / "frames.dcm"
    header.save_as(file, implicit_vr=False, little_endian=True, enforce_file_format=True)
    assert refused(exported, [file], tmp_path / "p.csv") == (
        f"{file}: a DICOM file of 4 frames, of which none is chosen; save the frames that you need as PNG files, or "
        "leave out what cannot be read with --skip-bad"
    )


def test_what_names_no_image_is_told(exported, files, tmp_path):
    out = tmp_path / "p.csv"
    assert refused(exported, [], out) == (
        "IMAGES: no image is named; name files, folders, or tables with a column image"
    )
    gone = tmp_path / "gone.png"
    assert refused(exported, [gone], out) == (
        f"{gone}: no such file or folder; name images, folders of them, or a table"
    )
    (tmp_path / "empty").mkdir()
    assert refused(exported, [tmp_path / "empty"], out) == (
        f"{tmp_path / 'empty'}: holds no image; name a folder that does"
    )
    listing = tmp_path / "list.csv"
    listing.write_text("path,label\na.png,x\n")
    assert refused(exported, [listing], out) == (
        f"{listing}: has no column 'image', it has path, label; call the column of paths image"
    )
    listing.write_text("image\na.png\n")
    assert refused(exported, [listing], out) == (
        f"{listing}: has 1 row without a file in {tmp_path} (the first: a.png); complete the images, or remove those "
        "rows"
    )


def test_a_folder_that_is_no_export_or_was_changed_is_refused(exported, files, tmp_path):
    folder, _ = files
    out = tmp_path / "p.csv"
    assert refused(folder, [folder], out) == (
        f"{folder}: no exported model, it has no weckd.json; make one with `weckd export`"
    )
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in exported.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "README.md").write_text("mine now\n")  # which decides nothing
    assert len(table(copy, [folder / "o0.png"], tmp_path / "same.csv")) == 1
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    told = refused(copy, [folder], out)
    assert told.startswith(f"{copy / 'model.safetensors'}: edited or damaged, its SHA-256 is ")
    assert told.endswith("…; export it again with `weckd export`")
    (copy / "model.safetensors").unlink()
    assert refused(copy, [folder], out) == (
        f"{copy / 'model.safetensors'}: cannot be read (No such file or directory); export it again with `weckd export`"
    )
    content = json.loads((copy / "weckd.json").read_text())
    write_json(copy / "weckd.json", with_sum({**content, "format": 2}))
    assert refused(copy, [folder], out) == (
        f"{copy / 'weckd.json'}: not what `weckd export` wrote (format 2, this version reads 1); export it again with "
        "`weckd export`"
    )
    (copy / "weckd.json").write_text("{}")
    assert refused(copy, [folder], out) == (
        f"{copy / 'weckd.json'}: not what `weckd export` wrote (edited, its sum is another one); export it again with "
        "`weckd export`"
    )


def test_too_little_memory_is_told_with_a_smaller_batch(exported, files, tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    for name in ("outputs", "load_model"):
        with monkeypatch.context() as scarce:
            scarce.setattr(module, name, full)
            assert refused(exported, [files[0]], tmp_path / "p.csv", batch_size=64) == (
                "predictions of 64 images at a time need more memory than there is; try --batch-size 32"
            )


def test_progress_says_how_many_images_are_done(exported, files, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "_PROGRESS_SECONDS", 0.0)
    table(exported, [files[0]], tmp_path / "p.csv", batch_size=5)
    told = [line.partition(", about ")[0] for line in capsys.readouterr().err.splitlines()]
    assert told == ["[predict] 5/12 images", "[predict] 10/12 images"]


def test_nothing_is_unpickled_and_nothing_is_fetched(place, with_onnx, files, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("not allowed")

    for holder, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(holder, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert len(table(with_onnx, [files[0]], tmp_path / "p.csv")) == 12
    assert export(place, tmp_path / "model", onnx=True) == read_origin(with_onnx)


def test_overlays_are_numbered_as_the_rows_and_enlarged(exported, files, tmp_path):
    folder, _ = files
    table(exported, [folder], tmp_path / "p.csv", maps=tmp_path / "maps", batch_size=7)
    shown = sorted(file.name for file in (tmp_path / "maps").iterdir())
    assert shown == [f"{number + 1:06d}-o{number}.png" for number in range(12)]
    with Image.open(tmp_path / "maps" / shown[0]) as opened:
        assert (opened.size, opened.mode) == ((224, 224), "RGB")


def test_an_overlay_is_half_image_and_half_map_in_its_own_scale():
    values = np.zeros((4, 4), dtype=np.float32)
    values[0, 0] = 0.25  # the highest
    found = np.asarray(overlay(np.full((100, 100, 3), 200, dtype=np.uint8), values))
    assert found.shape == (300, 300, 3)
    assert found[0, 0].tolist() == [(200 + end) // 2 for end in (252, 255, 164)]  # inferno's brightest
    assert found[-1, -1].tolist() == [(200 + end) // 2 for end in (0, 0, 3)]  # its darkest
    flat = np.asarray(overlay(np.zeros((100, 100, 3), dtype=np.uint8), np.zeros((4, 4), dtype=np.float32)))
    assert flat.max() == 1
