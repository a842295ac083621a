import errno
import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from weckd.data import prepare as prepare_module
from weckd.data.catalogue import ClassEntry, Dataset, SourceFolder
from weckd.data.prepare import Origin, prepare
from weckd.data.prepared import PREPARED_FILES, read_index
from weckd.errors import UserError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
OTHERWISE = ", or leave out what cannot be read with skip_bad=true"


def dataset(**changes):
    values = {
        "key": "mine",
        "title": "My images",
        "modality": "otoscopy",
        "layout": "class-folders",
        "groups": "near-duplicates",
        "classes": (ClassEntry("normal", "normal", "Normal"), ClassEntry("tube", "tube", "A tube")),
        "folders": (SourceFolder("", ""),),
        "licence": "CC BY 4.0",
        "source": "https://doi.org/10.0/0",
    }
    return Dataset(**{**values, **changes})


def save(file, colour=RED, size=(8, 6)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(file, format="PNG")


@pytest.fixture
def folder(tmp_path):
    """Return data_root/mine with two classes of images."""
    for name, colour in (("Normal/o2.png", RED), ("Normal/o10.png", GREEN), ("A tube/x.png", BLUE)):
        save(tmp_path / "root" / "mine" / name, colour)
    return tmp_path / "root" / "mine"


def prepared(folder, out, chosen=None, size=4, **options):
    prepare(chosen or dataset(), Origin(folder, {}), size, out, **options)
    index = pd.read_csv(out / "index.csv", dtype=str, keep_default_na=False)
    return np.load(out / "images.npy"), np.load(out / "thumbnails.npy"), index


def refusal(folder, chosen=None, **options):
    out = folder.parent.parent / "out"
    with pytest.raises(UserError) as refused:
        prepare(chosen or dataset(), Origin(folder, {}), 4, out, **options)
    assert not out.exists() or not list(out.iterdir())
    return str(refused.value)


def test_an_image_that_memory_is_too_small_for_is_not_left_out_as_a_bad_one(folder, monkeypatch):
    monkeypatch.setattr("weckd.data.decode._rgb", lambda *_arguments: (_ for _ in ()).throw(MemoryError))
    assert refusal(folder, skip_bad=True) == (
        "mine: there is not enough memory to read Normal/o2.png; "
        "give the job more, or remove the image if all others are read"
    )


def test_arrays_index_and_facts(folder, tmp_path):
    images, thumbnails, index = prepared(folder, tmp_path / "out")
    assert (images.dtype, images.shape) == (np.uint8, (3, 4, 4, 3))
    assert (thumbnails.dtype, thumbnails.shape) == (np.uint8, (3, 32, 32))
    assert images[:, 0, 0].tolist() == [list(RED), list(GREEN), list(BLUE)]
    # Luma of ITU-R 601: 0.299 R + 0.587 G + 0.114 B.
    assert thumbnails[:, 0, 0].tolist() == [76, 150, 29]
    assert index.drop(columns=["file_sha256", "pixel_sha256"]).to_csv(index=False) == (
        "image_id,class,given_group,official_split,width,height,problem\n"
        "Normal/o2.png,normal,,,8,6,\nNormal/o10.png,normal,,,8,6,\nA tube/x.png,tube,,,8,6,\n"
    )
    files = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in index["image_id"]]
    assert index["file_sha256"].tolist() == files
    pixels = [hashlib.sha256(b"8x6:" + bytes(colour) * 48).hexdigest() for colour in (RED, GREEN, BLUE)]
    assert index["pixel_sha256"].tolist() == pixels
    facts = json.loads((tmp_path / "out" / "dataset.json").read_text())
    text = (tmp_path / "out" / "index.csv").read_bytes()
    assert facts == {
        "key": "mine",
        "title": "My images",
        "modality": "otoscopy",
        "phantom": False,
        "derived_from": [],
        "licence": "CC BY 4.0",
        "source": "https://doi.org/10.0/0",
        "citation": "",
        "classes": ["normal", "tube"],
        "image_size": 4,
        "n_images": 3,
        "n_left_out": 0,
        "archives": {},
        "files": {
            name: hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest()
            for name in ("images.npy", "thumbnails.npy", "index.csv")
        },
        "fingerprint": hashlib.sha256(images.tobytes() + text).hexdigest(),
    }


@pytest.mark.parametrize("jobs", [2, 5])
def test_jobs_change_no_byte(folder, tmp_path, jobs):
    noise = np.random.default_rng(0).integers(0, 256, (9, 30, 30, 3), dtype=np.uint8)
    for number, image in enumerate(noise):
        Image.fromarray(image).save(folder / "Normal" / f"n{number}.png")
    prepared(folder, tmp_path / "one")
    prepared(folder, tmp_path / "many", jobs=jobs)
    for file in (tmp_path / "one" / name for name in PREPARED_FILES):
        assert file.read_bytes() == (tmp_path / "many" / file.name).read_bytes()


def test_preparing_again_gives_the_same_bytes(folder, tmp_path):
    contents = []
    for out in (tmp_path / "one", tmp_path / "two", tmp_path / "two"):
        prepared(folder, out)
        contents.append({name: (out / name).read_bytes() for name in PREPARED_FILES})
        assert {file.name for file in out.iterdir()} == {*PREPARED_FILES, "seen.json"}
    assert contents[0] == contents[1] == contents[2]


def test_arrays_are_as_numpy_writes_them(folder, tmp_path):
    images, _, _ = prepared(folder, tmp_path / "out")
    np.save(tmp_path / "plain.npy", images)
    assert (tmp_path / "out" / "images.npy").read_bytes() == (tmp_path / "plain.npy").read_bytes()


def test_thumbnails_do_not_depend_on_the_image_size(folder, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "Normal" / "noise.png")
    small, large = (prepared(folder, tmp_path / str(size), size=size)[1] for size in (4, 40))
    assert np.array_equal(small, large)


def test_the_whole_image_is_squashed(folder, tmp_path):
    wide = np.zeros((10, 40, 3), dtype=np.uint8)
    wide[:, :20] = 255  # left half white
    Image.fromarray(wide).save(folder / "Normal" / "wide.png")
    images, thumbnails, index = prepared(folder, tmp_path / "out", size=8)
    row = index.index[index["image_id"] == "Normal/wide.png"][0]
    assert (images[row, :, 0] == 255).all()
    assert (images[row, :, -1] == 0).all()
    assert (thumbnails[row, :, :16] == 255).all()
    assert (thumbnails[row, :, 16:] == 0).all()


def test_files_stand_in_natural_order(folder, tmp_path):
    for name in ("o1.png", "o02.png", "O3.png", "o².png", "10.png", "9.png"):
        save(folder / "Normal" / name)
    _, _, index = prepared(folder, tmp_path / "out")
    names = [image_id.removeprefix("Normal/") for image_id in index["image_id"][:-1]]
    assert names == ["O3.png", "o1.png", "o02.png", "o2.png", "o10.png", "o².png", "9.png", "10.png"]


def test_official_splits_stand_train_first_within_a_class(tmp_path):
    chosen = dataset(folders=(SourceFolder("Training", "train"), SourceFolder("Testing", "test")))
    for part in ("Testing", "Training"):
        for name in ("Normal", "A tube"):
            save(tmp_path / "root" / "mine" / part / name / "1.png")
    _, _, index = prepared(tmp_path / "root" / "mine", tmp_path / "train first", chosen)
    assert index["image_id"].tolist() == [
        "Training/Normal/1.png",
        "Testing/Normal/1.png",
        "Training/A tube/1.png",
        "Testing/A tube/1.png",
    ]
    assert index["official_split"].tolist() == ["train", "test", "train", "test"]
    save(tmp_path / "root" / "mine" / "Validation" / "Normal" / "1.png")
    assert refusal(tmp_path / "root" / "mine", chosen).endswith(
        "Validation: not a folder of mine, which has Testing, Training; remove it, or add it to the catalogue"
    )


def test_what_operating_systems_leave_is_passed_over(folder, tmp_path):
    names = ("Normal/Thumbs.db", "Normal/thumbs.db", "Normal/._o2.png", "Normal/Icon\r", ".DS_Store")
    for name in (*names, "__MACOSX/x", ".cache/x", "Normal/@eaDir/o2.png", "#recycle/x", "$RECYCLE.BIN/x"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    (folder / "LICENSE").write_text("text beside the class folders")
    assert len(prepared(folder, tmp_path / "out")[2]) == 3


def test_progress_is_told_in_lines(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(prepare_module, "_PROGRESS_SECONDS", 0.0)
    prepared(folder, tmp_path / "out")
    assert capsys.readouterr().err.splitlines() == [
        "[mine] 1/3 images decoded",
        "[mine] 2/3 images decoded",
        "[mine] 3/3 images decoded",
    ]


def test_missing_and_unknown_folders_are_refused(folder):
    assert refusal(folder.parent / "none") == (
        f"{folder.parent}/none: no such folder; My images belongs there (https://doi.org/10.0/0)"
    )
    nested = dataset(folders=(SourceFolder("Training", "train"),))
    (folder / "Training").mkdir()
    for name in ("Normal", "A tube"):
        (folder / name).rename(folder / "Training" / name)
    (folder / "Training" / "Effusion").mkdir()
    assert refusal(folder, nested) == (
        f"{folder}/Training/Effusion: not a folder of mine, which has A tube, Normal; "
        "remove it, or add it to the catalogue"
    )
    (folder / "Training" / "Effusion").rmdir()
    (folder / "Training").rename(folder / ".away")
    assert refusal(folder, nested) == f"{folder}/Training: no such folder; mine keeps class folders there"


def test_missing_empty_and_nested_class_folders_are_refused(folder):
    save(folder / "Normal" / "sub" / "o3.png")
    assert refusal(folder) == (
        f"{folder}/Normal/sub: a folder, not a file; the images of class normal must lie directly in Normal"
    )
    (folder / "Normal" / "sub" / "o3.png").unlink()
    (folder / "Normal" / "sub").rmdir()
    (folder / "A tube" / "x.png").unlink()
    assert refusal(folder) == f"{folder}/A tube: holds no image; put those of class tube there"
    (folder / "A tube").rmdir()
    assert refusal(folder) == (
        f"{folder}/A tube: no such folder; class tube of mine belongs there. mine holds Normal"
    )
    classes = (
        ClassEntry("normal", "normal", "Normal"),
        ClassEntry("tube", "t", "Tubes", unverified=("folder",)),
    )
    assert refusal(folder, dataset(classes=classes)) == (
        f"{folder}/Tubes: no such folder; class tube of mine belongs there (its spelling was not checked at the "
        "source). mine holds Normal"
    )


@pytest.mark.parametrize("name", ["Normal ", "Norma\u0301l", "normal"])
def test_a_folder_whose_name_looks_like_a_class_is_shown_letter_by_letter(folder, name):
    wanted = {"Norma\u0301l": "Norm\xe1l"}.get(name, "Normal")
    (folder / "Normal").rename(folder / name)
    classes = (ClassEntry("normal", "normal", wanted), ClassEntry("tube", "tube", "A tube"))
    assert refusal(folder, dataset(classes=classes)) == (
        f"{folder}/{name}: not a folder of mine, which has A tube, {wanted} ({name!a} is not {wanted!a}: rename it); "
        "remove it, or add it to the catalogue"
    )


def test_one_folder_is_not_two_classes_or_two_splits(folder):
    (folder / "A tube" / "x.png").unlink()
    (folder / "A tube").rmdir()
    (folder / "A tube").symlink_to("Normal")
    told = "remove the link, and put its own images there"
    assert refusal(folder) == f"{folder}/A tube: the same folder as {folder}/Normal; {told}"
    (folder / "A tube").unlink()
    save(folder / "A tube" / "x.png", BLUE)
    whole = folder.parent / "whole"
    whole.mkdir()
    folder.rename(whole / "train")
    (whole / "test").symlink_to("train")
    folders = (SourceFolder("train", "train"), SourceFolder("test", "test"))
    assert refusal(whole, dataset(folders=folders)) == (
        f"{whole}/test/Normal: the same folder as {whole}/train/Normal; {told}"
    )


@pytest.mark.parametrize(
    ("count", "remedy"),
    [
        (1, "remove files that do not belong there"),
        (3, "complete the folder (what cannot be read may stay, skip_bad=true leaves it out)"),
    ],
)
def test_a_count_that_differs_is_refused(folder, count, remedy):
    chosen = dataset(
        classes=(
            ClassEntry("normal", "normal", "Normal", count=count),
            ClassEntry("tube", "tube", "A tube", count=1),
        )
    )
    assert refusal(folder, chosen) == (
        f"{folder}: class normal has 2 images, the catalogue says {count}; {remedy}, or set its `count` in the "
        "catalogue to 2"
    )


def test_a_bad_image_that_is_removed_as_told_needs_another_count_which_both_refusals_say(folder):
    file = folder / "Normal" / "o3.png"
    file.write_text("hello")
    counts = (ClassEntry("normal", "normal", "Normal", count=3), ClassEntry("tube", "tube", "A tube"))
    chosen = dataset(classes=counts)
    assert refusal(folder, chosen) == (
        f"{file}: not an image; remove it, and its row where a table lists it{OTHERWISE}; where it is removed, "
        "`count` of its class in the catalogue must be one less"
    )
    prepared(folder, folder.parent / "skipped", chosen, skip_bad=True)
    file.unlink()
    assert refusal(folder, chosen).endswith(
        ": class normal has 2 images, the catalogue says 3; complete the folder (what cannot be read may stay, "
        "skip_bad=true leaves it out), or set its `count` in the catalogue to 2"
    )
    one_less = (ClassEntry("normal", "normal", "Normal", count=2), counts[1])
    prepared(folder, folder.parent / "removed", dataset(classes=one_less))


def test_a_count_that_was_never_verified_only_warns(folder, tmp_path, capsys):
    entry = ClassEntry("normal", "normal", "Normal", count=7, unverified=("count",))
    prepared(folder, tmp_path / "out", dataset(classes=(entry, ClassEntry("tube", "tube", "A tube"))))
    assert capsys.readouterr().err == (
        f"[mine] {folder}: class normal has 2 images, the catalogue says 7 (a count not checked at the source)\n"
    )


def test_bad_images_are_left_out_on_demand_and_listed(folder, tmp_path):
    (folder / "Normal" / "o1.png").write_bytes(b"")
    (folder / "A tube" / "y.png").write_text("hello")
    images, thumbnails, index = prepared(folder, tmp_path / "out", skip_bad=True)
    assert (len(images), len(thumbnails)) == (3, 3)
    assert images[:, 0, 0].tolist() == [list(RED), list(GREEN), list(BLUE)]
    assert index[["image_id", "class", "problem"]].to_csv(index=False) == (
        "image_id,class,problem\nNormal/o1.png,normal,the file is empty\nNormal/o2.png,normal,\n"
        "Normal/o10.png,normal,\nA tube/x.png,tube,\nA tube/y.png,tube,not an image\n"
    )
    facts = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert (facts["n_images"], facts["n_left_out"]) == (3, 2)
    assert read_index(tmp_path / "out")["image_id"].tolist() == [
        "Normal/o2.png",
        "Normal/o10.png",
        "A tube/x.png",
    ]
    assert read_index(tmp_path / "out", left_out=True)["image_id"].tolist() == [
        "Normal/o1.png",
        "A tube/y.png",
    ]
    np.save(tmp_path / "plain.npy", images)  # the header tells the number that was kept
    assert (tmp_path / "out" / "images.npy").read_bytes() == (tmp_path / "plain.npy").read_bytes()


def test_a_refusal_leaves_what_was_made_before(folder, tmp_path):
    prepared(folder, tmp_path / "out")
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    (folder / "A tube" / "y.png").write_bytes(b"")
    with pytest.raises(UserError, match="the file is empty"):
        prepare(dataset(), Origin(folder, {}), 4, tmp_path / "out")
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before


def test_a_disk_that_is_too_small_is_refused_before_anything_is_decoded(folder, tmp_path, monkeypatch):
    usage = SimpleNamespace(free=3 * (4 * 4 * 3 + 32 * 32) - 1)
    monkeypatch.setattr("weckd.files.shutil.disk_usage", lambda place: usage)
    out = tmp_path / "out"
    with pytest.raises(UserError) as refused:
        prepare(dataset(), Origin(folder, {}), 4, out)
    assert str(refused.value) == (
        f"{out}: needs 0 MB, 0 MB are free; free some space, or choose another disk"
    )
    usage.free += 1
    prepare(dataset(), Origin(folder, {}), 4, out)


def test_files_that_are_no_images_are_refused(folder):
    file = folder / "Normal" / "o3.png"
    file.write_bytes(b"")
    assert refusal(folder) == f"{file}: the file is empty; replace it by an intact copy{OTHERWISE}"
    file.write_text("hello")
    assert (
        refusal(folder) == f"{file}: not an image; remove it, and its row where a table lists it{OTHERWISE}"
    )


def test_what_hides_among_images_is_refused_before_any_is_decoded(folder, monkeypatch):
    def decoded(*_, **__):
        raise AssertionError

    monkeypatch.setattr("weckd.data.layouts.class_folders.decode_image", decoded)
    place = folder / "Normal"
    os.mkfifo(place / "p.png")
    assert refusal(folder) == f"{place}/p.png: a pipe, not a file; remove it"
    (place / "p.png").unlink()
    (place / "z.png").symlink_to("/dev/zero")
    assert refusal(folder) == f"{place}/z.png: a device, not a file; remove it"
    (place / "z.png").unlink()
    odd = {
        b"o\xefdo.png": r"'o\xefdo.png' in it is not UTF-8",
        b"a\rb": r"'a\rb' in it holds a carriage return",
    }
    for name, told in odd.items():
        file = Path(os.fsdecode(os.fsencode(place) + b"/" + name))
        file.touch()
        assert refusal(folder) == f"{place}: the name {told}; rename it"
        file.unlink()


def test_names_that_are_only_unusual_are_kept(folder, tmp_path):
    names = (
        "ö 正常 '1'.png",
        'a,"b".PNG',
        "#3.png",
        "@x.png",
        "$1.png",
        "A.png",
        "a.png",
        "n" * 251 + ".png",
    )
    for name in names:
        save(folder / "Normal" / name)
    _, _, index = prepared(folder, tmp_path / "out")
    assert {f"Normal/{name}" for name in names} < set(index["image_id"])
    assert read_index(tmp_path / "out")["image_id"].tolist() == index["image_id"].tolist()


def test_a_folder_that_may_not_be_read_is_named(folder, monkeypatch):
    def forbidden(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    assert refusal(folder) == (
        f"{folder}: cannot be read (Permission denied); give yourself the right to read it"
    )


def test_a_class_whose_images_are_all_broken_is_not_left_out_as_a_whole(folder):
    (folder / "A tube" / "x.png").write_bytes(b"")
    (folder / "A tube" / "y.png").write_text("hello")
    assert refusal(folder, skip_bad=True) == (
        f"{folder}: no image of class tube can be read (the first: A tube/x.png: the file is empty); "
        "replace them by intact copies"
    )


def test_an_image_with_a_pixel_that_is_no_number_is_left_out_and_listed(folder, tmp_path):
    Image.fromarray(np.full((4, 4), np.nan, dtype=np.float32)).save(folder / "Normal" / "o3.tif")
    told = f"{folder}/Normal/o3.tif: 16 of its 16 pixels are NaN or infinite; replace it by a sound copy"
    assert refusal(folder) == told + OTHERWISE
    images, _, _ = prepared(folder, tmp_path / "kept", skip_bad=True)
    assert len(images) == 3
    assert read_index(tmp_path / "kept", left_out=True)[["image_id", "problem"]].to_numpy().tolist() == [
        ["Normal/o3.tif", "16 of its 16 pixels are NaN or infinite"]
    ]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "TIFF"])
def test_truncated_images_are_refused_after_others_were_decoded(folder, kind):
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    file = folder / "A tube" / "z.img"
    Image.fromarray(noise).save(file, format=kind)
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    told = refusal(folder)  # which checks that nothing was written
    assert told.startswith(f"{file}: ")
    assert told.endswith(
        (
            f"; replace it by an intact copy{OTHERWISE}",
            f": not an image; remove it, and its row where a table lists it{OTHERWISE}",
        )
    )


def phantom(**changes):
    values = {
        "images": np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3),
        "thumbnails": np.arange(2 * 32 * 32).reshape(2, 32, 32).astype(np.uint8),
        "image_ids": ["normal/0", "tube/0"],
        "classes": ["normal", "tube"],
        "given_groups": ["", ""],
        "planted_groups": ["p1", "p2"],
    }
    return SimpleNamespace(**{**values, **changes})


def test_a_phantom_is_written_as_drawn(tmp_path, monkeypatch):
    drawn = phantom(given_groups=["p7", "p8"])
    monkeypatch.setattr(prepare_module, "draw", lambda key, size: {("phantom_mine", 4): drawn}[key, size])
    chosen = dataset(key="phantom_mine", layout="phantom", groups="given", derived_from=("a",), folders=())
    prepare(chosen, None, 4, tmp_path)
    assert np.array_equal(np.load(tmp_path / "images.npy"), drawn.images)
    assert np.array_equal(np.load(tmp_path / "thumbnails.npy"), drawn.thumbnails)
    hashes = [hashlib.sha256(image.tobytes()).hexdigest() for image in drawn.images]
    assert (tmp_path / "index.csv").read_text() == (
        "image_id,class,given_group,official_split,width,height,file_sha256,pixel_sha256,problem\n"
        f"normal/0,normal,p7,,4,4,{hashes[0]},{hashes[0]},\ntube/0,tube,p8,,4,4,{hashes[1]},{hashes[1]},\n"
    )
    facts = json.loads((tmp_path / "dataset.json").read_text())
    assert (facts["phantom"], facts["derived_from"], facts["n_images"]) == (True, ["a"], 2)


@pytest.mark.parametrize(("says", "given"), [("given", ["p1", ""]), ("near-duplicates", ["", "p1"])])
def test_a_phantom_must_have_the_groups_that_the_catalogue_says(tmp_path, monkeypatch, says, given):
    monkeypatch.setattr(prepare_module, "draw", lambda *_: phantom(given_groups=given))
    chosen = dataset(layout="phantom", groups=says, folders=())
    with pytest.raises(ValueError, match=f"mine: the catalogue says groups: {says}, the phantom differs"):
        prepare(chosen, None, 4, tmp_path)
