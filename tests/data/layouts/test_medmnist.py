"""MedMNIST's .npz, with arrays as MedMNIST writes them: uint8 images, uint8 labels of shape (N, 1)."""

import hashlib
import zipfile

import numpy as np
import pytest

from weckd.data.catalogue import ClassEntry, Dataset, Download, RecordFile
from weckd.data.prepare import Origin, prepare
from weckd.data.prepared import read_index
from weckd.errors import UserError

FILE = "cells_28.npz"


def dataset(**changes):
    values = {
        "key": "cells",
        "title": "Cells",
        "modality": "microscopy",
        "layout": "medmnist-npz",
        "groups": "near-duplicates",
        "classes": (ClassEntry("round", "round", label=0), ClassEntry("long", "long", label=1)),
        "source": "https://doi.org/10.0/0",
        "download": Download(
            doi="10.0/0", files=(RecordFile(FILE, pixels=28), RecordFile("cells.npz", pixels=64))
        ),
    }
    return Dataset(**{**values, **changes})


def arrays(side=28, channels=(3,)):
    stream = np.random.default_rng(0)
    made = {}
    for split, labels in (("train", [0, 1, 1, 0]), ("val", [1, 0]), ("test", [0, 0, 1])):
        made[f"{split}_images"] = stream.integers(
            0, 256, (len(labels), side, side, *channels), dtype=np.uint8
        )
        made[f"{split}_labels"] = np.array(labels, dtype=np.uint8)[:, np.newaxis]
    return made


def prepared(tmp_path, content, save=np.savez_compressed, chosen=None):
    folder = tmp_path / "source"
    folder.mkdir(exist_ok=True)
    save(folder / FILE, **content)
    out = tmp_path / "out"
    prepare(chosen or dataset(), Origin(folder, {}), 28, out, jobs=2)
    return np.load(out / "images.npy"), read_index(out)


def refusal(tmp_path, content, **options):
    with pytest.raises(UserError) as refused:
        prepared(tmp_path, content, **options)
    assert not list((tmp_path / "out").glob("*")), "nothing was kept"
    return str(refused.value).removeprefix(f"{tmp_path}/source/{FILE}: ")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_labels_and_official_splits(tmp_path, save):
    content = arrays()
    images, index = prepared(tmp_path, content, save)
    assert np.array_equal(images, np.concatenate([content[f"{s}_images"] for s in ("train", "val", "test")]))
    assert index["image_id"].tolist() == [
        *("train/00000", "train/00001", "train/00002", "train/00003"),
        *("val/00000", "val/00001", "test/00000", "test/00001", "test/00002"),
    ]
    assert index["class"].tolist() == [
        "round",
        "long",
        "long",
        "round",
        "long",
        "round",
        "round",
        "round",
        "long",
    ]
    assert index["official_split"].tolist() == ["train"] * 4 + ["validation"] * 2 + ["test"] * 3
    assert index["file_sha256"][0] == hashlib.sha256(content["train_images"][0].tobytes()).hexdigest()


def test_grey_images_become_rgb(tmp_path):
    content = arrays(channels=())
    images, _ = prepared(tmp_path, content)
    assert np.array_equal(images[:4, ..., 0], content["train_images"])
    assert (images == images[..., :1]).all()


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError) as refused:
        prepare(dataset(), Origin(tmp_path, {}), 40, tmp_path / "out")
    assert str(refused.value) == (
        f"{tmp_path}/cells.npz: no such file; put cells.npz of https://doi.org/10.0/0 there"
    )


def test_a_missing_array_is_refused(tmp_path):
    content = arrays()
    del content["val_labels"]
    assert refusal(tmp_path, content) == "has no array val_labels; download it again"
    content = arrays()
    del content["val_images"]
    assert refusal(tmp_path, content) == "has no array val_images; download it again"


def test_a_label_outside_the_classes_is_refused(tmp_path):
    content = arrays()
    content["test_labels"][1] = 7
    assert refusal(tmp_path, content) == (
        "test_labels holds 7, which is no class of cells (0 round, 1 long); download it again"
    )


def test_arrays_of_another_kind_are_refused(tmp_path):
    content = arrays()
    content["val_images"] = content["val_images"].astype(float)
    assert refusal(tmp_path, content) == (
        "val_images is float64 (2, 28, 28, 3), not uint8 (2, height, width) or (2, height, width, 3); "
        "correct it where it is your own, or download it again"
    )
    content["val_images"] = arrays()["val_images"][:1]
    assert refusal(tmp_path, content).startswith("val_images is uint8 (1, 28, 28, 3), not uint8 (2, ")
    content = arrays()
    content["train_labels"] = np.eye(4, 2, dtype=np.uint8)
    assert refusal(tmp_path, content) == (
        "train_labels is uint8 (4, 2), not one integer an image; correct it where it is your own, or download it again"
    )
    content["train_labels"] = np.array(["0"] * 4)
    assert refusal(tmp_path, content).startswith("train_labels is <U1 (4,), not one integer")


def test_pickled_objects_are_never_loaded(tmp_path):
    content = arrays()
    content["train_labels"] = np.array([0, 1, 1, 0], dtype=object)
    assert refusal(tmp_path, content).startswith("train_labels is object (4,), not one integer")


def test_a_file_cut_short_or_changed_is_refused(tmp_path):
    prepared(tmp_path, arrays())
    file = tmp_path / "source" / FILE
    whole = file.read_bytes()
    for path in (tmp_path / "out").iterdir():
        path.unlink()

    def told():
        with pytest.raises(UserError) as refused:
            prepare(dataset(), Origin(file.parent, {}), 28, tmp_path / "out")
        assert not list((tmp_path / "out").glob("*"))
        return str(refused.value)

    file.write_bytes(whole[: len(whole) // 2])
    assert told() == f"{file}: not a readable .npz file (File is not a zip file); download it again"
    with zipfile.ZipFile(file, "w") as archive:  # stored, so that one changed byte breaks only the checksum
        for name, values in arrays().items():
            with archive.open(f"{name}.npy", "w") as stream:
                np.save(stream, values)
    changed = bytearray(file.read_bytes())
    place = changed.index(arrays()["test_images"][2].tobytes())
    changed[place + 100] ^= 1
    file.write_bytes(changed)
    assert told() == f"{file}: damaged (Bad CRC-32 for file 'test_images.npy'); download it again"


def test_counts_are_checked_before_any_image_is_read(tmp_path):
    chosen = dataset(
        classes=(ClassEntry("round", "round", label=0, count=5), ClassEntry("long", "long", label=1, count=9))
    )
    content = arrays()
    del content["train_images"]  # would be told if images were read
    assert refusal(tmp_path, content, chosen=chosen) == (
        f"{tmp_path}/source: class long has 4 images, the catalogue says 9; "
        "complete the folder (what cannot be read may stay, skip_bad=true leaves it out), or set its `count` in the "
        "catalogue to 4"
    )


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("train_labels", np.array(1, np.uint8), "train_labels is uint8 (), not one integer an image"),
        ("train_labels", np.ones(4, bool), "train_labels is bool (4,), not one integer an image"),
        ("train_labels", np.ones((2, 2), np.uint8), "train_labels is uint8 (2, 2), not one integer an image"),
        ("val_images", np.zeros((2, 0, 28, 3), np.uint8), "val_images holds images of 28x0 pixels"),
    ],
)
def test_arrays_of_an_odd_shape_are_refused(tmp_path, name, values, told):
    assert refusal(tmp_path, {**arrays(), name: values}) == (
        f"{told}; correct it where it is your own, or download it again"
    )


def test_an_array_stored_by_columns_is_refused_with_the_remedy(tmp_path):
    content = arrays()
    content["val_images"] = np.asfortranarray(content["val_images"])
    assert refusal(tmp_path, content) == (
        "an array in it is stored by columns; save numpy.ascontiguousarray of it"
    )


def headed(file, name, header):
    """Replace an array's header, whose text says its shape."""
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    old = members[f"{name}.npy"]
    length = int.from_bytes(old[8:10], "little")
    members[f"{name}.npy"] = old[:8] + len(header).to_bytes(2, "little") + header + old[10 + length :]
    with zipfile.ZipFile(file, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"(5,)", "train_labels ends before its last label; download it again"),
        (
            b"(2000000000,)",
            "train_labels is uint8 (2000000000,), more than 1,000,000,000 bytes; "
            "correct it where it is your own, or download it again",
        ),
        (b"(-1,)", "an array in it has the shape (-1,); download it again"),
    ],
)
def test_a_header_that_lies_is_refused_before_the_memory_is_taken(tmp_path, header, told):
    (tmp_path / "source").mkdir()
    file = tmp_path / "source" / FILE
    np.savez(file, **arrays())
    headed(file, "train_labels", b"{'descr': '|u1', 'fortran_order': False, 'shape': " + header + b"}\n")
    with pytest.raises(UserError) as refused:
        prepare(dataset(), Origin(file.parent, {}), 28, tmp_path / "out")
    assert str(refused.value) == f"{file}: {told}"


def test_a_header_nested_beyond_measure_is_refused(tmp_path):
    (tmp_path / "source").mkdir()
    file = tmp_path / "source" / FILE
    np.savez(file, **arrays())
    headed(file, "train_labels", b"(" * 5000 + b")" * 4000 + b"\n")
    with pytest.raises(UserError, match=f"{file}: an array in it cannot be read .*; download it again"):
        prepare(dataset(), Origin(file.parent, {}), 28, tmp_path / "out")


def test_a_pointer_or_an_encrypted_archive_is_told_as_what_it_is(tmp_path):
    def told():
        with pytest.raises(UserError) as refused:
            prepare(dataset(), Origin(tmp_path, {}), 28, tmp_path / "out")
        return str(refused.value).removeprefix(f"{tmp_path / FILE}: ")

    (tmp_path / FILE).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n")
    assert told() == "a pointer in the place of the file itself; get the file with `git lfs pull`"
    np.savez(tmp_path / FILE, **arrays())
    content = bytearray((tmp_path / FILE).read_bytes())
    content[
        content.rindex(b"PK\1\2", 0, content.index(b"train_labels.npy", content.index(b"PK\1\2"))) + 8
    ] |= 1
    content[content.rindex(b"PK\3\4", 0, content.index(b"train_labels.npy")) + 6] |= 1
    (tmp_path / FILE).write_bytes(content)
    assert told() == (
        "not a readable .npz file (File 'train_labels.npy' is encrypted, password required for extraction); "
        "download it again"
    )


def test_images_of_too_many_pixels_are_refused_before_one_is_read(tmp_path):
    (tmp_path / "source").mkdir()
    file = tmp_path / "source" / FILE
    np.savez(file, **arrays())
    headed(file, "train_images", b"{'descr': '|u1', 'fortran_order': False, 'shape': (4, 20000, 20000, 3)}\n")
    with pytest.raises(UserError) as refused:
        prepare(dataset(), Origin(file.parent, {}), 28, tmp_path / "out")
    assert str(refused.value) == (
        f"{file}: too large to decode (20000x20000 pixels, the limit is 80,000,000); replace it by a smaller copy"
    )
