"""Whatever a prepared data set was read from is compared at every start: content decides, and only it."""

import dataclasses
import json
import os
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from weckd.data.catalogue import ClassEntry, Dataset, Download, RecordFile, SourceFolder
from weckd.data.fetch import fetch
from weckd.data.prepare import prepare, read_origin
from weckd.data.watch import forget_changed, read_seen, source_places, stamps
from weckd.errors import UserError

MINE = Dataset(
    key="mine",
    title="My images",
    modality="otoscopy",
    layout="class-folders",
    groups="near-duplicates",
    classes=(ClassEntry("normal", "normal", "Normal"), ClassEntry("tube", "tube", "A tube")),
    folders=(SourceFolder("", ""),),
)
RED, GREEN = (255, 0, 0), (0, 255, 0)


def save(file, colour=RED):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), colour).save(file, format="PNG")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return a working folder with images in own/mine; the current one, as the workflow's is."""
    monkeypatch.chdir(tmp_path)
    for name in ("Normal/1.png", "Normal/2.png", "A tube/1.png"):
        save(tmp_path / "own" / "mine" / name)
    return tmp_path


SOURCE = "data/mine/source-4px.json"


def make(place, root="own", skip_bad=False):
    """Fetch and prepare, where the workflow would, and return the fingerprint."""
    out = place / "prepared"
    if not (place / SOURCE).exists():
        fetch(MINE, 4, place / root if root else None, place / "data", {}, place / SOURCE)
    prepare(MINE, read_origin(MINE, place / SOURCE, 4), 4, out, skip_bad=skip_bad)
    return json.loads((out / "dataset.json").read_text())["fingerprint"]


def changed(place, root="own"):
    """Return what the next start names as changed, below the working folder."""
    prepared = place / "prepared"
    there = prepared.exists()
    found = forget_changed(
        MINE, 4, place / root if root else None, place / "data", prepared, place / "kept.json"
    )
    assert (prepared / "seen.json").exists() == (there and not found)
    return [file.removeprefix(f"{place}/") for file in found]


def test_nothing_is_read_and_nothing_changes_where_all_is_as_it_was(place, monkeypatch):
    make(place)
    before = (place / "prepared/seen.json").stat()
    monkeypatch.setattr("weckd.data.watch.file_digest", None)
    assert changed(place) == []
    assert (place / "prepared/seen.json").stat() == before
    assert (place / SOURCE).exists()


def test_an_image_of_the_same_size_and_with_its_old_time_set_back_is_noticed(place):
    first = make(place)
    file = place / "own/mine/Normal/1.png"
    before = file.stat()
    save(file, GREEN)
    os.truncate(file, before.st_size)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert changed(place) == ["own/mine/Normal/1.png"]
    assert not (place / SOURCE).exists()
    assert make(place) != first
    assert changed(place) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda own: save(own / "Normal/3.png"), ["own/mine/Normal/3.png"]),
        (lambda own: (own / "Normal/2.png").unlink(), ["own/mine/Normal/2.png"]),
        (
            lambda own: (own / "Normal/2.png").rename(own / "A tube/2.png"),
            ["own/mine/Normal/2.png", "own/mine/A tube/2.png"],
        ),
    ],
    ids=["added", "removed", "relabelled"],
)
def test_images_that_come_go_or_change_their_class_are_noticed(place, change, told):
    first = make(place)
    change(place / "own/mine")
    assert changed(place) == told
    assert make(place) != first


def test_a_mere_touch_makes_nothing_anew_and_is_remembered(place, monkeypatch):
    make(place)
    os.utime(place / "own/mine/Normal/1.png")
    os.utime(place / "prepared/images.npy")
    assert changed(place) == []
    monkeypatch.setattr("weckd.data.watch.file_digest", None)
    assert changed(place) == []  # looked at by its new time


def test_a_folder_that_moved_makes_nothing_anew_but_is_looked_for_again(place):
    make(place)
    (place / "own").rename(place / "elsewhere")
    assert changed(place, "elsewhere") == []
    assert not (place / SOURCE).exists()  # asked for where something else needs the images
    assert changed(place, "elsewhere") == []


def test_a_folder_that_is_gone_is_told_and_what_was_prepared_is_used(place, capsys):
    make(place)
    shutil.rmtree(place / "own")
    assert changed(place) == []
    assert capsys.readouterr().err == f"{place}/own/mine: not there; what was prepared of it is used\n"


def refused(place, root):
    """Return why the next start is refused; whatever is prepared stays."""
    there = (place / "prepared/seen.json").exists()
    with pytest.raises(UserError) as told:
        changed(place, root)
    assert (place / "prepared/seen.json").exists() == there
    return str(told.value)


def test_a_mistyped_data_root_is_told_by_its_key_and_changes_nothing(place):
    no_folder = f"data_root: {place}/onw: no such folder; correct it, or leave it out to download what can be"
    assert refused(place, "onw") == no_folder  # before anything is prepared
    make(place)
    assert refused(place, "onw") == no_folder
    (place / "other/mine too").mkdir(parents=True)
    lacking = f"data_root: {place}/other/mine: no such folder; put My images there (drawn by this suite) or "
    assert refused(place, "other") == f"{lacking}correct data_root"
    assert refused(place, None).startswith("mine: needs its images in a local folder; ")
    (place / "other/mine").mkdir()
    assert refused(place, "other").startswith(
        f"data_root: {place}/other/mine: holds neither its class folders "
    )
    shutil.rmtree(place / "prepared")
    assert refused(place, "onw") == no_folder
    assert (place / SOURCE).exists()
    assert changed(place) == []


def test_images_of_the_users_that_are_to_be_downloaded_instead_are_told_in_one_line(place, monkeypatch):
    make(place)
    (place / "other").mkdir()
    monkeypatch.setitem(globals(), "MINE", dataclasses.replace(MINE, download=Download("1/2")))
    assert changed(place, "other") == [f"own/mine (data_root is {place}/other, which holds no mine)"]


def test_what_operating_systems_leave_is_no_change(place):
    make(place)
    (place / "own/mine/Normal/Thumbs.db").write_bytes(b"1")
    (place / "own/mine/.DS_Store").write_bytes(b"1")
    assert changed(place) == []


def pack(file, colour):
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("Normal/1.png", "A tube/1.png"):
            save(file.parent / "x.png", colour)
            archive.write(file.parent / "x.png", name)


def test_an_archive_that_is_replaced_is_noticed_and_unpacked_again(place):
    shutil.rmtree(place / "own/mine")
    pack(place / "own/mine.zip", RED)
    first = make(place)
    assert changed(place) == []
    pack(place / "own/mine.zip", GREEN)
    assert changed(place) == ["own/mine.zip"]
    assert make(place) != first
    assert changed(place) == []
    save(place / "data/mine/files/Normal/1.png", RED)  # and so is what was unpacked of it
    assert changed(place) == ["data/mine/files/Normal/1.png"]


def test_a_folder_that_comes_beside_a_download_is_noticed_and_a_removed_download_is_not(place):
    shutil.rmtree(place / "own/mine")
    pack(place / "own/mine.zip", RED)
    make(place, "own")
    (place / "own/mine.zip").rename(place / "mine.zip")
    shutil.rmtree(place / "data/mine/files")
    assert changed(place) == []
    save(place / "own/mine/Normal/1.png")
    assert "own/mine/Normal/1.png" in changed(place)


def test_a_bad_image_that_is_mended_is_noticed(place):
    (place / "own/mine/Normal/2.png").write_bytes(b"broken")
    first = make(place, skip_bad=True)
    assert changed(place) == []
    save(place / "own/mine/Normal/2.png")
    assert changed(place) == ["own/mine/Normal/2.png"]
    assert make(place, skip_bad=True) != first


@pytest.mark.parametrize("name", ["images.npy", "thumbnails.npy", "index.csv", "dataset.json"])
def test_a_prepared_file_that_is_edited_is_noticed_and_made_anew(place, name):
    first = make(place)
    file = place / "prepared" / name
    before, good = file.stat(), file.read_bytes()
    file.write_bytes(good[: len(good) // 4] + bytes(len(good) - len(good) // 4))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert changed(place) == [f"prepared/{name}"]
    assert (place / SOURCE).exists()
    assert make(place) == first
    assert file.read_bytes() == good


@pytest.mark.parametrize("content", ["", "[]", '{"own": 1}', '{"own": {"roots": []}}'])
def test_a_record_that_cannot_be_read_is_removed(place, content):
    make(place)
    (place / "prepared/seen.json").write_text(content)
    assert read_seen(place / "prepared" / "seen.json") is None
    assert changed(place) == ["prepared/seen.json"]
    assert not (place / "prepared/seen.json").exists()


def test_odd_things_in_a_folder_neither_hang_nor_fail(place):
    own = place / "own/mine"
    make(place)
    os.mkfifo(own / "Normal/pipe.png")
    (own / "Normal/endless.png").symlink_to("/dev/zero")
    (own / "Normal/nothing.png").symlink_to("nowhere")
    (own / "Normal/circle").symlink_to(own)
    (own / os.fsdecode(b"caf\xe9")).mkdir()
    (own / os.fsdecode(b"caf\xe9/1.png")).write_bytes(b"1")
    assert sorted(changed(place)) == [
        "own/mine/Normal/endless.png",
        "own/mine/Normal/pipe.png",
        os.fsdecode(b"own/mine/caf\xe9/1.png"),
    ]


def test_of_a_record_with_a_file_a_size_the_other_sizes_do_not_count(tmp_path):
    files = (RecordFile("b_64.npz", pixels=64), RecordFile("b_128.npz", pixels=128))
    blood = Dataset(
        "b",
        "b",
        "microscopy",
        "medmnist-npz",
        "near-duplicates",
        MINE.classes,
        download=Download("1/2", files=files),
    )
    for name in ("b_64.npz", "b_128.npz", "source-64px.json"):
        (tmp_path / "data/b/archives").mkdir(parents=True, exist_ok=True)
        np.savez(tmp_path / "data/b/archives" / name)
    places = source_places(blood, 64, None, tmp_path / "data")
    assert list(places) == ["downloads"]
    assert list(stamps(places["downloads"])) == ["b/archives/b_64.npz"]


def test_a_data_root_that_is_the_folder_of_downloads_is_looked_at_once(tmp_path):
    assert list(source_places(MINE, 64, tmp_path / "data", tmp_path / "data")) == ["downloads"]


def test_where_the_prepared_files_are_gone_a_copy_tells_what_tables_stand_on(place):
    make(place)
    assert changed(place) == []
    shutil.rmtree(place / "prepared")
    assert changed(place) == []
    save(place / "own/mine/Normal/1.png", GREEN)
    assert changed(place) == ["own/mine/Normal/1.png"]
    assert changed(place) == ["own/mine/Normal/1.png"]  # until it is prepared again
    make(place)
    assert changed(place) == []
