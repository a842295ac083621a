"""MATLAB v7.3 files as the brain tumour set has them: `cjdata`, arrays by columns, the patient as UTF-16 codes."""

import os

import h5py
import numpy as np
import pytest

from weckd.data.catalogue import ClassEntry, Dataset
from weckd.data.prepare import Origin, prepare
from weckd.data.prepared import read_index
from weckd.errors import UserError

DATASET = Dataset(
    key="heads",
    title="Heads",
    modality="MRI",
    layout="matlab-v73",
    groups="given",
    classes=(ClassEntry("meningioma", "meningioma", label=1), ClassEntry("glioma", "glioma", label=2)),
    source="https://doi.org/10.0/0",
)


def save(file, image, label=1, patient="100360", without=""):
    """Write a slice as MATLAB does: a 512-byte header of its own before the HDF5 data, scalars as 1x1 doubles."""
    file.parent.mkdir(parents=True, exist_ok=True)
    entries = {
        "image": np.asarray(image, dtype=np.int16).T,
        "label": np.array([[float(label)]]),
        "PID": np.array([[ord(letter)] for letter in patient], dtype=np.uint16),
        "tumorBorder": np.zeros((1, 8)),
    }
    with h5py.File(file, "w", userblock_size=512) as opened:
        for name, values in entries.items():
            if name != without:
                opened[f"cjdata/{name}"] = values
    content = bytearray(file.read_bytes())
    content[:32] = b"MATLAB 7.3 MAT-file, Platform: P"
    file.write_bytes(content)


def picture(low=0, high=1000):
    """Return (8, 4) values from low to high that rise downwards."""
    return np.linspace(low, high, 8)[:, np.newaxis] * np.ones(4)


@pytest.fixture
def folder(tmp_path):
    """Return a folder of five slices of three patients, in two folders as two archives would leave them."""
    save(tmp_path / "s" / "a" / "2.mat", picture(), 1, "100360")
    save(tmp_path / "s" / "a" / "10.mat", picture(-50, 12000), 2, "MR040241B")
    save(tmp_path / "s" / "b" / "11.mat", picture(), 2, "MR040241B")
    save(tmp_path / "s" / "b" / "12.mat", picture(), 1, "MR040241B")
    save(tmp_path / "s" / "b" / "13.mat", picture(), 1, "7")
    (tmp_path / "s" / "cvind.mat").write_bytes(b"indices of the folds, not a slice")
    return tmp_path / "s"


def refusal(folder, **options):
    out = folder.parent / "out"
    with pytest.raises(UserError) as refused:
        prepare(DATASET, Origin(folder, {}), 8, out, **options)
    assert not list(out.glob("*"))
    return str(refused.value).removesuffix(", or leave out what cannot be read with skip_bad=true")


def test_slices_patients_and_classes(folder, tmp_path):
    prepare(DATASET, Origin(folder, {}), 8, tmp_path / "out", jobs=2)
    index = read_index(tmp_path / "out")
    assert index["image_id"].tolist() == ["a/2.mat", "a/10.mat", "b/11.mat", "b/12.mat", "b/13.mat"]
    assert index["class"].tolist() == ["meningioma", "glioma", "glioma", "meningioma", "meningioma"]
    # One patient has slices of two classes: allowed, and reported by the audit.
    assert index["given_group"].tolist() == ["100360", "MR040241B", "MR040241B", "MR040241B", "7"]
    assert index[["width", "height"]].iloc[0].tolist() == ["4", "8"]


def test_values_of_any_range_are_stretched_and_stand_upright(folder, tmp_path):
    prepare(DATASET, Origin(folder, {}), 8, tmp_path / "out")
    images = np.load(tmp_path / "out" / "images.npy")
    expected = np.rint(np.linspace(0, 255, 8))  # dark above, bright below
    for image in images[:2]:
        assert np.abs(image[:, 4, 0].astype(int) - expected).max() <= 1
    assert (images == images[..., :1]).all()


def test_a_label_outside_the_classes_is_refused(folder):
    save(folder / "b" / "14.mat", picture(), 3)
    assert refusal(folder, skip_bad=True) == (
        f"{folder}/b/14.mat: label 3 is no class of heads (1 meningioma, 2 glioma); replace the file by an intact copy"
    )


def test_a_slice_without_a_patient_is_refused(folder):
    save(folder / "b" / "14.mat", picture(), patient="")
    assert refusal(folder) == (
        f"{folder}/b/14.mat: names no patient (cjdata/PID is empty); replace the file by an intact copy"
    )


@pytest.mark.parametrize("key", ["image", "label", "PID"])
def test_a_file_that_lacks_an_entry_is_refused(folder, key):
    save(folder / "b" / "14.mat", picture(), without=key)
    told = refusal(folder)
    assert told.startswith(f"{folder}/b/14.mat: lacks an entry of cjdata (")
    assert key in told


def test_a_file_of_another_kind_is_refused_or_left_out(folder, tmp_path):
    (folder / "b" / "14.mat").write_bytes(b"MATLAB 7.3 MAT-file")
    told = refusal(folder)
    assert told.startswith(f"{folder}/b/14.mat: not a readable MATLAB v7.3 file (")
    assert told.endswith("); replace the file by an intact copy")
    prepare(DATASET, Origin(folder, {}), 8, tmp_path / "kept", skip_bad=True)
    assert len(read_index(tmp_path / "kept")) == 5
    assert read_index(tmp_path / "kept", left_out=True)["image_id"].tolist() == ["b/14.mat"]


def test_an_image_of_the_wrong_shape_is_refused(folder):
    save(folder / "b" / "14.mat", np.zeros((2, 3, 4)))
    assert "cjdata/image has the shape (2, 3, 4), not (height, width)" in refusal(folder)


def test_a_slice_that_memory_is_too_small_for_is_not_left_out_as_a_bad_one(folder, monkeypatch):
    array = "weckd.data.layouts.matlab._array"
    monkeypatch.setattr(array, lambda *_arguments: (_ for _ in ()).throw(MemoryError))
    assert "there is not enough memory to read" in refusal(folder, skip_bad=True)


def test_two_files_of_one_slice_are_refused(folder):
    save(folder / "b" / "2.mat", picture())
    assert refusal(folder) == (
        f"{folder}/b/2.mat: holds the same slice as {folder}/a/2.mat; remove one of them"
    )


def test_a_folder_without_slices_is_refused(tmp_path):
    (tmp_path / "s").mkdir()
    assert refusal(tmp_path / "s") == (
        f"{tmp_path}/s: holds no .mat file whose name is a number; unpack those of https://doi.org/10.0/0 there"
    )


def test_a_class_without_slices_is_refused_before_anything_is_kept(tmp_path):
    save(tmp_path / "s" / "1.mat", picture())
    assert refusal(tmp_path / "s") == f"{tmp_path}/s: class glioma has no image; complete the folder"


def damage(file, **entries):
    """Replace entries of a slice."""
    save(file, picture())
    with h5py.File(file, "r+") as opened:
        for name, value in entries.items():
            del opened[f"cjdata/{name}"]
            opened[f"cjdata/{name}"] = value


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (
            {"image": np.full((4, 8), np.nan)},
            "32 of its 32 pixels are NaN or infinite; replace it by a sound copy",
        ),
        ({"label": np.array([[np.nan]])}, "cjdata/label is [nan], not one whole number"),
        ({"label": np.array([[1.7]])}, "cjdata/label is [1.7], not one whole number"),
        ({"label": np.array([[1.0], [2.0]])}, "cjdata/label is [1.0, 2.0], not one whole number"),
        ({"label": "glioma"}, "cjdata/label is object (), not a number"),
        (
            {"image": np.zeros((4, 8), complex)},
            "cjdata/image is complex128 (4, 8), not a grey image of numbers",
        ),
        ({"PID": np.array([[100.0]])}, "cjdata/PID is float64 (1, 1), not the codes of a text"),
        ({"PID": np.array([[0xD800]], np.uint16)}, r"cjdata/PID is '\ufffd', which is no text"),
        ({"PID": np.array([[65], [13], [66]], np.uint16)}, r"cjdata/PID is 'A\rB', which is no text"),
        ({"label": h5py.ExternalLink("/etc/passwd", "/x")}, None),
    ],
)
def test_entries_of_another_kind_are_refused_with_the_reason(folder, tmp_path, entries, told):
    file = folder / "b" / "14.mat"
    damage(file, **entries)
    if told is None:
        assert refusal(folder).startswith(f"{file}: lacks an entry of cjdata (")
    else:
        remedy = "" if ";" in told else "; replace the file by an intact copy"
        assert refusal(folder) == f"{file}: {told}{remedy}"
    prepare(DATASET, Origin(folder, {}), 8, tmp_path / "kept", skip_bad=True)
    assert read_index(tmp_path / "kept", left_out=True)["image_id"].tolist() == ["b/14.mat"]


def test_an_image_that_is_read_out_of_another_file_is_refused(folder, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(32)))
    file = folder / "b" / "14.mat"
    save(file, picture(), without="image")
    with h5py.File(file, "r+") as opened:
        opened.create_dataset("cjdata/image", (4, 8), np.uint8, external=[(str(secret), 0, 32)])
    told = f"{file}: cjdata/image is no array of this file; replace the file by an intact copy"
    assert refusal(folder) == told
    save(file, picture(), without="image")
    with h5py.File(file, "r+") as opened:
        layout = h5py.VirtualLayout((4, 8), np.uint8)
        layout[:] = h5py.VirtualSource(str(secret), "image", (4, 8))
        opened.create_virtual_dataset("cjdata/image", layout)
    assert refusal(folder) == told


def test_an_array_that_would_fill_the_memory_is_refused_unread(folder):
    file = folder / "b" / "14.mat"
    save(file, picture(), without="image")
    with h5py.File(file, "r+") as opened:
        opened.create_dataset("cjdata/image", (10**6, 10**6), np.int16, chunks=(1000, 1000))
    assert refusal(folder) == (
        f"{file}: cjdata/image is int16 (1000000, 1000000), not a grey image of numbers; "
        "replace the file by an intact copy"
    )


def test_a_file_of_an_old_version_or_a_pointer_is_told_as_what_it_is(folder):
    file = folder / "b" / "14.mat"
    file.write_bytes(b"MATLAB 5.0 MAT-file, Platform: PCWIN")
    assert refusal(folder) == f"{file}: a MATLAB file of an old version; save it with -v7.3 in MATLAB"
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert refusal(folder) == (
        f"{file}: a pointer in the place of the file itself; get the file with `git lfs pull`"
    )


def test_a_pipe_in_a_slices_place_is_not_opened(folder):
    os.mkfifo(folder / "b" / "14.mat")
    assert refusal(folder) == f"{folder}/b/14.mat: a pipe, not a file; remove it"


def test_capital_extensions_are_slices_and_clutter_is_none(folder, tmp_path):
    (folder / "b" / "13.mat").rename(folder / "b" / "13.MAT")
    (folder / "@eaDir" / "2.mat").mkdir(parents=True)
    prepare(DATASET, Origin(folder, {}), 8, tmp_path / "out")
    assert read_index(tmp_path / "out")["image_id"].tolist()[-1] == "b/13.MAT"


def test_a_class_whose_slices_are_all_broken_is_not_left_out_as_a_whole(folder):
    for name in ("a/10.mat", "b/11.mat"):
        (folder / name).write_bytes(b"")
    told = refusal(folder, skip_bad=True)
    assert told.startswith(f"{folder}: no image of class glioma can be read (the first: a/10.mat: ")
    assert told.endswith("); replace them by intact copies")


def test_a_slice_that_is_a_line_of_pixels_is_refused(folder):
    damage(folder / "b" / "14.mat", image=np.zeros((1_000_001, 1), np.uint8))
    assert refusal(folder) == (
        f"{folder}/b/14.mat: too long to decode (1000001x1 pixels, the limit of a side is 1,000,000); "
        "replace it by a smaller copy"
    )
