"""Files that somebody else may have made are read as data: what hides in them is refused, and never run.

Refused elsewhere: pickles among fetched weights (tests/data/fetch), archives that leave their folder
(tests/data/fetch/test_unpack.py), DICOM files that unfold without end (tests/data/test_dicom.py), hostile
names and values of the command line (tests/workflow/test_hostile_names.py).
"""

import hashlib
import io
import json
import os
import pickle
import shutil

import numpy as np
import pytest
import yaml
from attention_files import toy_arrays
from engine import TINY, snakemake
from PIL import EpsImagePlugin, Image
from small_suite import toy_suite
from trap import archive, bare_pickle, object_array, tagged, torch_file

from weckd.agreement.freeze import pack_records
from weckd.analysis.attention import load_attention
from weckd.analysis.results import read_published
from weckd.audit.pictures import pair_sheet
from weckd.audit.sets import load_set
from weckd.config import BackboneSettings
from weckd.data.catalogue import ClassEntry, Dataset, Download, RecordFile, find_dataset, load_catalogue
from weckd.data.decode import decode_image
from weckd.data.groups import write_groups
from weckd.data.prepare import Origin, prepare
from weckd.data.recorded import recorded_archives
from weckd.data.weights import recorded_weights
from weckd.errors import BadImageError, UserError
from weckd.files import file_digest, sums_of, write_json, write_sums
from weckd.run_files import RunFiles
from weckd.suite_file import resolve_suite
from weckd.tables.layout import read_layout
from weckd.training.store import StoredFit

PHANTOM = "phantom_brain_mri"
NO_PICKLES = "allow_pickle="


@pytest.fixture
def sprung(tmp_path):
    """Return the folder that a trap makes; it must not be there when the test is over."""
    place = tmp_path / "sprung"
    yield place
    assert not place.exists()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Return the folders of a prepared phantom and of its groups; tests must leave them as they are."""
    root = tmp_path_factory.mktemp("drawn")
    prepare(find_dataset(PHANTOM), None, 32, root / "prepared", jobs=1)
    write_groups(PHANTOM, root / "prepared", 0.97, root / "groups")
    return root


def test_each_trap_springs_where_a_file_is_read_carelessly(tmp_path):
    def load_array(content):
        np.load(io.BytesIO(content), allow_pickle=True)

    def load_archive(content):
        np.load(io.BytesIO(content), allow_pickle=True)["a"]

    def load_torch_file(content):
        import torch

        torch.load(io.BytesIO(content), weights_only=False)

    careless = (
        (pickle.loads, bare_pickle),
        (load_array, object_array),
        (load_archive, lambda place: archive({}, place, "a")),
        (load_torch_file, torch_file),
        (yaml.unsafe_load, tagged),
    )
    for number, (load, trap) in enumerate(careless):
        place = tmp_path / str(number)
        load(trap(place))
        assert place.is_dir(), trap


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"


@pytest.fixture
def planted(sprung, tmp_path, monkeypatch):
    """Put a Ghostscript first on PATH that springs, and return a class folder's file of PostScript."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gs").write_text(f"#!/bin/sh\nmkdir -p '{sprung}'\n")
    (tmp_path / "bin" / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # found once, and kept
    file = tmp_path / "o1.jpg"
    file.write_bytes(POSTSCRIPT)
    return file


def test_pillow_alone_gives_postscript_to_ghostscript_whatever_its_name(planted, sprung):
    with (
        Image.open(planted) as opened,
        pytest.raises(OSError, match=r"cannot identify|No such file|truncated"),
    ):
        opened.load()
    sprung.rmdir()


def test_postscript_is_refused_by_what_it_is_and_never_run(planted):
    with pytest.raises(BadImageError) as refused:
        decode_image(planted)
    assert str(refused.value) == (
        f"{planted}: PostScript, which is a program and is not run; convert it to PNG, or remove it"
    )


def load_prepared_images(root):
    import torch

    from weckd.training.batches import load_prepared

    load_prepared(PHANTOM, root / "prepared", torch.device("cpu"))


@pytest.mark.parametrize("trap", [object_array, bare_pickle])
@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("images.npy", load_prepared_images),
        ("images.npy", lambda root: pair_sheet(load_set(root / "prepared", root / "groups"))),
        ("thumbnails.npy", lambda root: load_set(root / "prepared", root / "groups")),
        ("thumbnails.npy", lambda root: write_groups(PHANTOM, root / "prepared", 0.97, root / "out")),
    ],
    ids=["training", "pairs of the audit", "audit", "groups"],
)
def test_prepared_images_are_never_unpickled(file, read, trap, drawn, sprung, tmp_path):
    root = shutil.copytree(drawn, tmp_path / "copy")
    (root / "prepared" / file).write_bytes(trap(sprung))
    facts = json.loads((root / "prepared" / "dataset.json").read_text())
    facts["files"][file] = file_digest(root / "prepared" / file)  # as who made the trap would
    write_json(root / "prepared" / "dataset.json", facts)
    with pytest.raises((ValueError, UserError), match=rf"{NO_PICKLES}|Python objects in dtype"):
        read(root)


@pytest.mark.parametrize("trap", [object_array, bare_pickle])
def test_logits_of_a_stored_fit_are_never_unpickled(trap, sprung, tmp_path):
    (tmp_path / "test.npy").write_bytes(trap(sprung))
    with pytest.raises(ValueError, match=NO_PICKLES):
        StoredFit(tmp_path, {}).logits("test")


def attention_file(run):
    file = RunFiles(run).attention("toy_three")
    file.parent.mkdir()
    return file


@pytest.mark.parametrize("name", ["sharpness", "example_maps"])
def test_attention_files_with_an_object_are_refused_by_name(name, sprung, tmp_path):
    file = attention_file(tmp_path)
    arrays = toy_arrays("toy_three")
    del arrays[name]
    file.write_bytes(archive(arrays, sprung, name))
    write_sums(sums_of(file), [file])
    with pytest.raises(UserError, match=f"{file}: not a readable file of attention maps .*{NO_PICKLES}"):
        load_attention(toy_suite(), RunFiles(tmp_path))


def test_attention_files_with_an_object_are_not_packed_into_a_reference(sprung, tmp_path):
    file = attention_file(tmp_path)
    file.write_bytes(archive({}, sprung, "sharpness"))
    with pytest.raises(ValueError, match=NO_PICKLES):
        pack_records(tmp_path, [file], tmp_path / "out.tar.xz")


def test_an_attention_file_that_is_a_pickle_is_refused_by_name(sprung, tmp_path):
    file = attention_file(tmp_path)
    file.write_bytes(bare_pickle(sprung))
    write_sums(sums_of(file), [file])
    with pytest.raises(UserError, match=f"{file}: not a readable file of attention maps .*{NO_PICKLES}"):
        load_attention(toy_suite(), RunFiles(tmp_path))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("train_labels", r"train_labels is object \(1,\), not one integer an image; correct it"),
        ("val_images", r"val_images is object \(1,\), not uint8 \(2, height, width\)"),
    ],
)
def test_medmnist_files_with_an_object_are_refused_by_name(name, told, sprung, tmp_path):
    cells = Dataset(
        key="cells",
        title="Cells",
        modality="microscopy",
        layout="medmnist-npz",
        groups="near-duplicates",
        classes=(ClassEntry("round", "round", label=0), ClassEntry("long", "long", label=1)),
        source="https://doi.org/10.0/0",
        download=Download(doi="10.0/0", files=(RecordFile("cells.npz", pixels=28),)),
    )
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = np.zeros((2, 28, 28, 3), np.uint8)
        arrays[f"{split}_labels"] = np.array([[0], [1]], np.uint8)
    del arrays[name]
    (tmp_path / "cells.npz").write_bytes(archive(arrays, sprung, name))
    with pytest.raises(UserError, match=f"cells.npz: {told}"):
        prepare(cells, Origin(tmp_path, {}), 28, tmp_path / "out", jobs=1)


@pytest.mark.parametrize("trap", [bare_pickle, torch_file])
def test_weights_of_a_stored_fit_are_never_unpickled(trap, sprung, tmp_path):
    from safetensors import SafetensorError

    (tmp_path / "weights.safetensors").write_bytes(trap(sprung))
    with pytest.raises(SafetensorError, match="Error while deserializing"):
        StoredFit(tmp_path, {}).weights()


@pytest.mark.parametrize("trap", [bare_pickle, torch_file])
def test_a_checkpoint_is_never_unpickled_even_where_its_name_has_its_digest(trap, sprung, tmp_path):
    from safetensors import SafetensorError

    from weckd.locks import StopRequest
    from weckd.training.job import Checkpoints, Progress

    content, identity = trap(sprung), "ab" * 32
    name = f"{identity[:20]}-00000001-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
    (tmp_path / name).write_bytes(content)
    kept = Checkpoints(tmp_path, identity, 60.0, StopRequest(), Progress("toy", 8))
    with pytest.raises(SafetensorError, match="Error while deserializing"):
        kept.resume(None)


@pytest.mark.parametrize("trap", [bare_pickle, torch_file])
def test_fetched_weights_are_never_unpickled_even_where_their_record_has_their_digest(trap, sprung, tmp_path):
    from safetensors import SafetensorError

    from weckd.training.networks import initial_state

    name, file = "test_resnet.r160_in1k", tmp_path / "test_resnet.r160_in1k.safetensors"
    file.write_bytes(trap(sprung))
    facts = {
        "weights": name,
        "file": str(file),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }
    (tmp_path / f"{name}.json").write_text(json.dumps(facts))
    with pytest.raises(SafetensorError, match="Error while deserializing"):
        initial_state(BackboneSettings("test_resnet", "r160_in1k"), "toy", 2, 1, 1, tmp_path)


@pytest.mark.parametrize("trap", [bare_pickle, torch_file])
def test_packaged_weights_are_read_as_weights_only(trap, sprung, tmp_path, monkeypatch):
    from weckd.training import networks

    file = tmp_path / "weights.pth"
    file.write_bytes(trap(sprung))
    monkeypatch.setattr(networks, "packaged_file", lambda name: file)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        networks.initial_state(BackboneSettings("test_resnet", "imagenet"), "toy", 2, 1, 1, tmp_path)


def a_plan(file):
    suite = file.with_name("suite.yaml")
    suite.write_text(TINY.read_text().replace("../../config/analysis.yaml", str(file)))
    resolve_suite([suite], {})


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (lambda file: resolve_suite([file], {}), "not valid YAML"),
        (a_plan, "not valid YAML"),
        (load_catalogue, "not valid YAML"),
        (read_layout, "not valid YAML"),
        (read_published, "not valid YAML"),
        (lambda file: recorded_archives(file, "ear_ohio"), "not valid YAML"),
        (lambda file: recorded_weights(file, "resnet50.a1_in1k"), "not valid YAML"),
    ],
    ids=["suite", "plan", "catalogue", "layout", "published", "datasets.lock", "weights.lock"],
)
def test_a_call_in_a_yaml_file_is_refused_with_the_files_name(read, told, sprung, tmp_path):
    file = tmp_path / "hostile.yaml"
    file.write_text(tagged(sprung))
    with pytest.raises(UserError, match=f"{file}: {told}.*python/object/apply:os.mkdir") as refused:
        read(file)
    assert isinstance(refused.value.__cause__, yaml.constructor.ConstructorError)


@pytest.mark.workflow
def test_the_engine_runs_no_call_in_a_suite_file(sprung, tmp_path):
    file = tmp_path / "hostile.yaml"
    file.write_text(tagged(sprung))
    done = snakemake(tmp_path, "--dry-run", configfile=file)
    assert done.returncode == 1
    assert "Config file is not valid JSON or YAML." in done.stdout


@pytest.mark.workflow
def test_the_workflow_refuses_a_call_on_its_command_line(sprung, tmp_path):
    done = snakemake(tmp_path, "--dry-run", "--config", tagged(sprung).replace(": ", "="))
    assert done.returncode == 1
    told = "--config suite: not valid YAML: the tag tag:yaml.org,2002:python/object/apply:os.mkdir is not read (line 1)"
    assert told in done.stdout
