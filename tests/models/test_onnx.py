"""An exported network as an ONNX file: torch's logits, nothing of the machine, and refused where it cannot be made."""

import json
import shutil
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from prepared_phantom import KEY
from trained_phantom import export, logits_of, of_run

from weckd.cli import main
from weckd.errors import UserError
from weckd.files import file_digest
from weckd.locks import StopRequest
from weckd.models import export as module
from weckd.models.export import load_model
from weckd.models.folder import read_origin
from weckd.models.onnx_file import write_onnx
from weckd.models.predict import predict
from weckd.training.store import fit_folder

CPU = torch.device("cpu")


def run(folder, images):
    """Return what onnxruntime alone makes of prepared float32 (n, 3, S, S)."""
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": images})[0]


@pytest.mark.parametrize("batch_size", [1, 5])
def test_its_logits_are_torchs_for_any_number_of_images(batch_size, place, with_onnx):
    names = of_run(place.run, "weckd")["image_id"][:batch_size]
    index = list(np.loadtxt(place.prepared / "index.csv", dtype=str, delimiter=",", skiprows=1, usecols=0))
    pixels = np.load(place.prepared / "images.npy")[[index.index(name) for name in names]] / 255
    given = json.loads((with_onnx / "config.json").read_text())["pretrained_cfg"]
    images = ((pixels - given["mean"]) / given["std"]).transpose(0, 3, 1, 2).astype(np.float32)
    found, expected = run(with_onnx, images), logits_of(with_onnx, place, names)
    assert found.shape == (batch_size, 3)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max() + 1e-7)


def test_one_file_holds_all_and_nothing_of_the_machine_that_wrote_it(with_onnx):
    names = sorted(file.name for file in with_onnx.iterdir())
    assert names == ["README.md", "config.json", "model.onnx", "model.safetensors", "weckd.json"]
    content = (with_onnx / "model.onnx").read_bytes()
    assert b".py" not in content
    model = onnx.load(with_onnx / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    for value, name, shape in (
        (model.graph.input, "image", ["batch", 3, 32, 32]),
        (model.graph.output, "logits", ["batch", 3]),
    ):
        (only,) = value
        assert only.name == name
        assert [axis.dim_param or axis.dim_value for axis in only.type.tensor_type.shape.dim] == shape


def test_its_digest_versions_and_agreement_are_told(with_onnx, exported):
    origin, plain = read_origin(with_onnx), read_origin(exported)
    assert origin.files == {**plain.files, "model.onnx": file_digest(with_onnx / "model.onnx")}
    assert origin.versions["onnxruntime"] == onnxruntime.__version__
    assert plain.checked_onnx is None
    assert 0 < origin.checked_onnx.difference <= 1e-5 * origin.checked_onnx.scale
    assert origin.checked_onnx.scale == plain.checked.scale
    card, without = ((folder / "README.md").read_text() for folder in (with_onnx, exported))
    told = (
        "\nmodel.onnx is the same network for ONNX runtimes: input `image`, float32 (N, 3, 32, 32), normalised as "
        "above; output `logits`. Run by onnxruntime, it gave those logits of the test images to within "
    )
    assert told in card
    assert "onnx" not in without.lower()
    given = json.loads((with_onnx / "config.json").read_text())["pretrained_cfg"]
    mean, std = (f"({', '.join(map(str, given[name]))})" for name in ("mean", "std"))
    assert f"less the mean {mean} and divided by the standard deviation {std} of the channels." in card


def test_a_changed_file_is_refused(with_onnx, tmp_path):
    shutil.copytree(with_onnx, copy := tmp_path / "copy")
    content = bytearray((copy / "model.onnx").read_bytes())
    content[-1] ^= 1
    (copy / "model.onnx").write_bytes(content)
    with pytest.raises(UserError) as refused:
        predict(copy, [copy], tmp_path / "p.csv", batch_size=8)
    assert str(refused.value).startswith(f"{copy / 'model.onnx'}: edited or damaged, its SHA-256 is ")
    assert str(refused.value).endswith("; export it again with `weckd export`")


def test_one_that_gives_other_logits_is_not_exported(place, exported, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "write_onnx", lambda *_: None)
    monkeypatch.setattr(module, "onnx_network", lambda _, network: lambda images: network(images) + 0.01)
    with pytest.raises(UserError) as refused:
        export(place, tmp_path / "model", onnx=True)
    fit = fit_folder(place.run.store, KEY, read_origin(exported).fit)
    assert str(refused.value).startswith(
        f"{fit}: as onnxruntime runs its network, logits differ by 0.01 from the stored ones of up to "
    )
    assert str(refused.value).endswith("; nothing is exported; leave --onnx out")
    assert [*tmp_path.iterdir()] == []


def test_without_its_packages_it_is_refused_before_anything_is_trained(place, tmp_path, monkeypatch, capsys):
    for name in ("onnxscript", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(StopRequest, "listen", lambda _: None)
    monkeypatch.setattr(module, "find_network", None)
    what = [
        "export",
        "--run",
        place.run.folder,
        "--dataset",
        KEY,
        "--seed",
        1,
        "--out",
        tmp_path / "m",
        "--onnx",
    ]
    assert main([*map(str, what)]) == 1
    assert capsys.readouterr().err == (
        "weckd: --onnx: needs onnxscript, onnxruntime; install them with pip install -e '.[onnx]', or with all that "
        "the lock names: make setup; or leave --onnx out\n"
    )


def test_what_torch_cannot_write_is_told_in_one_message(tmp_path, monkeypatch, exported):
    def fail(*_, **__):
        raise torch.onnx.OnnxExporterError("No decomposition for aten.strange.\nmore")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(UserError) as refused:
        write_onnx(load_model(exported, CPU), 32, tmp_path / "model.onnx")
    assert str(refused.value) == (
        "--onnx: torch cannot write this network as ONNX (No decomposition for aten.strange); leave it out"
    )
