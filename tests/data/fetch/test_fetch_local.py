import errno
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from imitation import md5, names

from weckd.data.catalogue import ClassEntry, Download, RecordFile, find_dataset
from weckd.data.fetch import fetch
from weckd.errors import UserError

ZEROS = "0" * 64


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def facts(content):
    return {"bytes": len(content), "sha256": sha256(content)}


def save(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def all_files(folder):
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def blood(dataset, npz):
    """A data set whose record holds two sizes as npz files."""
    files = (RecordFile("b.npz", md5(b"28 pixels"), 28), RecordFile("b_64.npz", md5(npz), 64))
    return dataset(
        layout="medmnist-npz",
        classes=(ClassEntry("normal", "normal", label=0),),
        folders=(),
        download=Download(doi="10.5281/zenodo.77", files=files),
    )


@pytest.fixture
def tumours(dataset):
    """A data set of MATLAB files whose record is named by a pattern."""
    return dataset(
        layout="matlab-v73",
        classes=(ClassEntry("normal", "normal", label=1),),
        folders=(),
        download=Download(doi="10.6084/m9.figshare.88", files=(RecordFile("slices*.zip"),)),
    )


def test_a_folder_of_the_user_is_used_as_it_is(workplace, png):
    for name in ("Normal", "A tube"):
        save(workplace.root / "mine" / name / "1.png", png)
    before = all_files(workplace.root)
    assert workplace.fetched() == {
        "dataset": "mine",
        "folder": str(workplace.root / "mine"),
        "origin": "local folder",
        "archives": {},
    }
    assert all_files(workplace.root) == before
    assert not workplace.downloads.exists()


def test_folders_around_the_layout_are_looked_through(workplace, png):
    save(workplace.root / "mine" / "download" / "v2" / "Normal" / "1.png", png)
    assert workplace.fetched()["folder"] == str(workplace.root / "mine" / "download" / "v2")


def test_paths_are_written_absolute(dataset, monkeypatch, tmp_path, zipped):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "root" / "mine.zip", zipped("Normal/1.png"))
    fetch(dataset(), 64, Path("root"), Path("data"), {}, Path("out.json"))
    assert json.loads(Path("out.json").read_text())["folder"] == str(tmp_path / "data" / "mine" / "files")


def test_phantoms_are_not_fetched(workplace):
    assert workplace.refused(find_dataset("phantom_ear_chile")) == (
        "phantom_ear_chile: phantoms are drawn, not fetched; name a data set of real images"
    )


def test_archives_in_the_users_folder_are_unpacked_among_the_downloads(workplace, zipped, capsys):
    one, two = zipped("set/Normal/1.png"), zipped("set/A tube/1.png")
    save(workplace.root / "mine" / "one.zip", one)
    save(workplace.root / "mine" / "two.zip", two)
    before = all_files(workplace.root)
    assert workplace.fetched() == {
        "dataset": "mine",
        "folder": str(workplace.own / "files" / "set"),
        "origin": "local archive",
        "archives": {"one.zip": facts(one), "two.zip": facts(two)},
    }
    assert all_files(workplace.root) == before
    assert capsys.readouterr() == ("", "[mine] unpacking one.zip, two.zip\n")


def test_the_same_archives_are_unpacked_once(workplace, zipped, capsys):
    archive = save(workplace.root / "mine.zip", zipped("Normal/1.png"))
    first = workplace.fetched()
    before = all_files(workplace.own / "files")
    assert workplace.fetched() == first
    assert all_files(workplace.own / "files") == before
    assert capsys.readouterr().err.count("unpacking") == 1
    save(archive, zipped("Normal/2.png"))
    assert workplace.fetched()["archives"] == {"mine.zip": facts(archive.read_bytes())}
    assert names(workplace.own / "files" / "Normal") == ["2.png"]
    archive.unlink()
    assert workplace.fetched()["archives"] == {"mine.zip": facts(zipped("Normal/2.png"))}  # still unpacked


def test_what_was_not_unpacked_to_its_end_is_unpacked_again(workplace, zipped):
    save(workplace.root / "mine.zip", zipped("Normal/1.png"))
    workplace.fetched()
    (workplace.own / "files.json").unlink()
    save(workplace.own / "files" / "Normal" / "half.png")
    workplace.fetched()
    assert names(workplace.own / "files" / "Normal") == ["1.png"]


def test_archives_among_the_downloads_are_found_too(workplace, zipped):
    save(workplace.downloads / "mine.zip", zipped("Normal/1.png"))
    assert workplace.fetched(data_root=None)["origin"] == "local archive"
    save(workplace.own / "archive.zip", zipped("Normal/2.png"))
    assert list(workplace.fetched(data_root=None)["archives"]) == ["archive.zip"]


def test_two_archives_beside_the_folder_are_refused(workplace, zipped):
    one, two = (save(workplace.root / name, zipped("Normal/1.png")) for name in ("mine.zip", "mine.tgz"))
    assert workplace.refused() == f"{one} and {two}: only one of them can be mine; remove the other"


def test_an_archive_of_something_else_is_refused(workplace, zipped):
    save(workplace.root / "mine.zip", zipped("Cats/1.png"))
    assert workplace.refused() == (
        f"{workplace.own}/files: unpacked from mine.zip, holds Cats and not its class folders (Normal, A tube); "
        "take the archive of https://doi.org/10.5281/zenodo.77, or correct the entry in the catalogue"
    )


def test_the_file_of_the_image_size_is_used_in_place(workplace, blood, npz):
    save(workplace.root / "mine" / "b_64.npz", npz)
    save(workplace.root / "mine" / "b.npz", b"28 pixels")
    for size, name, content in ((64, "b_64.npz", npz), (28, "b.npz", b"28 pixels")):
        assert workplace.fetched(blood, image_size=size) == {
            "dataset": "mine",
            "folder": str(workplace.root / "mine"),
            "origin": "local folder",
            "archives": {name: facts(content)},
        }
    assert not workplace.downloads.exists()


def test_a_file_with_another_checksum_than_the_catalogues_is_refused(workplace, blood, npz):
    file = save(workplace.root / "mine" / "b_64.npz", npz + b"x")
    assert workplace.refused(blood) == (
        f"{file}: its MD5 is {md5(npz + b'x')[:12]}…, the catalogue says {md5(npz)[:12]}…; replace it by an intact "
        "copy"
    )


def test_an_archive_that_is_not_the_recorded_one_is_refused(workplace, zipped):
    archive = save(workplace.root / "mine.zip", zipped("Normal/1.png"))
    found = sha256(archive.read_bytes())
    assert workplace.refused(recorded={"mine.zip": ZEROS}) == (
        f"{archive}: its SHA-256 is {found[:12]}…, datasets.lock records 000000000000…; replace it by the file that "
        "is recorded, or remove its entry from datasets.lock if another version is meant"
    )
    assert not (workplace.own / "files").exists()
    assert workplace.fetched(recorded={"mine.zip": found.upper()})["archives"]["mine.zip"]["sha256"] == found


def test_a_recorded_file_in_place_is_compared(workplace, blood, npz):
    file = save(workplace.root / "mine" / "b_64.npz", npz)
    assert workplace.fetched(blood, {"b_64.npz": sha256(npz), "b.npz": ZEROS})["origin"] == "local folder"
    (workplace.root.parent / "out" / "source.json").unlink()
    assert workplace.refused(blood, {"b_64.npz": ZEROS}).startswith(
        f"{file}: its SHA-256 is {sha256(npz)[:12]}…, "
    )


def test_a_recorded_archive_that_is_missing_is_told(workplace, tumours, zipped):
    archive = save(workplace.root / "mine" / "slices_1.zip", zipped(**{"1.mat": b"1"}))
    save(workplace.root / "mine" / "notes.zip", b"not of the record")
    recorded = {"slices_1.zip": sha256(archive.read_bytes()), "slices_2.zip": ZEROS, "other.zip": ZEROS}
    assert workplace.refused(tumours, recorded) == (
        f"{workplace.root}/mine/slices_2.zip: missing, datasets.lock records it; put it there, or remove its entry "
        "from datasets.lock if another version is meant"
    )
    assert list(workplace.fetched(tumours)["archives"]) == ["slices_1.zip"]


def test_an_unpacked_copy_that_is_not_the_recorded_one_is_refused(workplace, dataset, zipped):
    chosen = dataset(download=None)
    archive = save(workplace.root / "mine.zip", zipped("Normal/1.png"))
    workplace.fetched(chosen)
    archive.unlink()
    assert workplace.fetched(chosen)["origin"] == "local archive"
    (workplace.root.parent / "out" / "source.json").unlink()
    assert workplace.refused(chosen, {"mine.zip": ZEROS}).startswith(
        f"{workplace.own}/mine.zip: its SHA-256 is "
    )


def test_a_set_that_nobody_offers_must_be_the_users(workplace, dataset):
    chosen = dataset(download=None)
    put = "put My images there (https://doi.org/10.5281/zenodo.77)"
    assert workplace.refused(chosen, data_root=None) == (
        "mine: needs its images in a local folder; name the folder that holds mine/ with "
        "--config data_root=FOLDER of snakemake (--data-root FOLDER of `weckd fetch`)"
    )
    assert workplace.refused(chosen) == (
        f"data_root: {workplace.root}/mine: no such folder; {put} or correct data_root"
    )
    save(workplace.root / "mine" / "Norml" / "1.png")
    assert workplace.refused(chosen) == (
        f"data_root: {workplace.root}/mine: holds neither its class folders (Normal, A tube) nor an archive; {put}"
    )
    assert not workplace.downloads.exists()


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_data_root_that_is_no_folder_is_told_before_anything_is_downloaded(workplace, kind):
    workplace.root.rmdir()
    if kind == "file":
        workplace.root.write_bytes(b"")
    assert workplace.refused() == (
        f"data_root: {workplace.root}: no such folder; correct it, or leave it out to download what can be"
    )


def test_a_data_root_that_no_shell_has_replaced_or_too_long_is_told(workplace):
    for name, hint in (
        ("~/images", " (~ and $ are signs of a shell, which it does not replace here)"),
        ("$HOME/images", " (~ and $ are signs of a shell, which it does not replace here)"),
        ("r" * 300, ""),
    ):
        root = workplace.root / name
        assert workplace.refused(data_root=root) == (
            f"data_root: {root}: no such folder{hint}; correct it, or leave it out to download what can be"
        )


def test_downloads_that_cannot_be_written_are_told(workplace, zipped):
    save(workplace.root / "mine.zip", zipped("Normal/1.png"))
    save(workplace.downloads, b"a file in the way")
    assert workplace.refused() == (
        f"{workplace.own}: cannot be written (Not a directory); a file is in the way; remove it, or choose another "
        "folder"
    )


@pytest.mark.parametrize(
    ("number", "words", "remedy"),
    [
        (errno.EROFS, "Read-only file system", "choose a folder that can be written to"),
        (
            errno.EACCES,
            "Permission denied",
            "give yourself the right to write there, or choose another folder",
        ),
        (errno.EIO, "Input/output error", "choose another folder"),
    ],
)
def test_downloads_that_are_read_only_are_told(workplace, zipped, monkeypatch, number, words, remedy):
    save(workplace.root / "mine.zip", zipped("Normal/1.png"))

    def refuse(_):
        raise OSError(number, words)

    monkeypatch.setattr("weckd.locks.try_lock", refuse)
    assert workplace.refused() == f"{workplace.own}: cannot be written ({words}); {remedy}"


def test_an_archive_of_archives_is_unpacked_one_level_further(workplace, zipped, capsys):
    one, two = zipped("set/Normal/1.png"), zipped("set/A tube/1.png")
    outer = zipped(**{"mine_1.zip": one, "record/mine_2.zip": two, "readme.txt": b"read me"})
    save(workplace.root / "mine.zip", outer)
    found = workplace.fetched()
    assert found == {
        "dataset": "mine",
        "folder": str(workplace.own / "files" / "set"),
        "origin": "local archive",
        "archives": {"mine.zip": facts(outer)},
    }
    assert capsys.readouterr().err == (
        "[mine] unpacking mine.zip\n[mine] unpacking mine_1.zip, mine_2.zip, which mine.zip holds\n"
    )
    before = all_files(workplace.own / "files")
    assert workplace.fetched() == found
    assert all_files(workplace.own / "files") == before
    save(workplace.root / "mine.zip", zipped(**{"mine_1.zip": zipped("Normal/other.png")}))
    assert workplace.fetched()["folder"] == str(workplace.own / "files")
    assert names(workplace.own / "files" / "Normal") == ["other.png"]


def test_an_archive_beside_the_class_folders_of_an_archive_stays_as_it_is(workplace, zipped):
    save(workplace.root / "mine.zip", zipped("Normal/1.png", **{"masks.zip": zipped("1.png")}))
    workplace.fetched()
    assert names(workplace.own / "files") == ["Normal", "masks.zip"]


def test_archives_in_an_archive_that_do_not_stand_side_by_side_are_told(workplace, zipped):
    inner = {"Normal.zip": zipped("1.png"), "A tube.zip": zipped("1.png")}
    save(workplace.root / "mine.zip", zipped(**inner))
    files = workplace.own / "files"
    assert workplace.refused() == (
        "mine.zip: holds archives that cannot be unpacked side by side; unpack it by hand, and put what the data set "
        f"needs into {workplace.root}/mine/ ({files}/A tube.zip and {files}/Normal.zip: both hold 1.png; remove one "
        "of them)"
    )
    assert not (workplace.own / "files.json").exists()


def test_archives_in_archives_in_an_archive_are_told(workplace, zipped):
    save(workplace.root / "mine.zip", zipped(**{"a.zip": zipped(**{"b.zip": zipped("Normal/1.png")})}))
    assert workplace.refused() == (
        f"{workplace.own}/files: unpacked from mine.zip, holds b.zip and not its class folders (Normal, A tube); take "
        "the archive of https://doi.org/10.5281/zenodo.77, or correct the entry in the catalogue"
    )


@pytest.mark.parametrize(
    "name", ["x.rar", "X.RAR", "x.7z", "x.tar.zst", "x.gz", "x.zip.001", "x.z01", "x.part1.rar"]
)
@pytest.mark.parametrize("beside", [True, False])
def test_what_cannot_be_unpacked_is_named(workplace, name, beside):
    file = save(
        workplace.root / name.replace("x.", "mine.", 1).replace("X.", "mine.")
        if beside
        else workplace.root / "mine" / name,
        b"Rar!",
    )
    assert workplace.refused() == (
        f"{file}: packed in a way that cannot be unpacked here; unpack it by hand into {workplace.root}/mine/, or "
        "pack it as a plain zip"
    )
    file.rename(save(workplace.downloads / "mine.rar"))
    assert workplace.refused() == (
        f"{workplace.downloads}/mine.rar: packed in a way that cannot be unpacked here; unpack it by hand and name the "
        "folder above with data_root, or pack it as a plain zip"
    )


def test_a_name_in_capitals_is_told(workplace, zipped):
    file = save(workplace.root / "mine.ZIP", zipped("Normal/1.png"))
    assert workplace.refused() == f"{file}: is not looked for under this name; rename it to mine.zip"
    (workplace.root / "mine.v2.zip").write_bytes(b"not looked for at all")
    file.rename(workplace.root / "mine.zip")
    assert list(workplace.fetched()["archives"]) == ["mine.zip"]


def test_what_cannot_be_unpacked_is_no_matter_beside_what_can(workplace, zipped):
    save(workplace.root / "mine.rar")
    save(workplace.root / "mine.zip", zipped("Normal/1.png"))
    assert list(workplace.fetched()["archives"]) == ["mine.zip"]


@pytest.mark.parametrize("change", ["removed", "added", "cut"])
def test_what_has_changed_since_it_was_unpacked_is_unpacked_again(workplace, zipped, change):
    save(workplace.root / "mine.zip", zipped("Normal/1.png", "Normal/2.png"))
    found = workplace.fetched()
    whole = (workplace.own / "files" / "Normal" / "1.png").read_bytes()
    damage(workplace.own / "files" / "Normal", change)
    assert workplace.fetched() == found
    assert names(workplace.own / "files" / "Normal") == ["1.png", "2.png"]
    assert (workplace.own / "files" / "Normal" / "1.png").read_bytes() == whole


def damage(folder, change):
    if change == "removed":
        (folder / "1.png").unlink()
    else:
        (folder / ("3.png" if change == "added" else "1.png")).write_bytes(b"x")


def test_what_has_changed_and_whose_archive_is_gone_is_told(workplace, dataset, zipped):
    chosen = dataset(download=None)
    archive = save(workplace.root / "mine.zip", zipped("Normal/1.png"))
    workplace.fetched(chosen)
    archive.unlink()
    damage(workplace.own / "files" / "Normal", "removed")
    (workplace.root.parent / "out" / "source.json").unlink()
    assert workplace.refused(chosen) == (
        f"{workplace.own}/files: has changed since it was unpacked; put mine.zip back where it was, or remove the "
        "folder"
    )


def test_an_archive_of_something_else_leaves_nothing_that_counts(workplace, dataset, zipped):
    archive = save(workplace.root / "mine.zip", zipped("Cats/1.png"))
    workplace.refused()
    archive.unlink()
    assert workplace.refused(dataset(download=None)) == (
        f"data_root: {workplace.root}/mine: no such folder; put My images there (https://doi.org/10.5281/zenodo.77) or "
        "correct data_root"
    )


def test_a_folder_in_the_place_of_the_note_of_what_was_unpacked_is_told(workplace, zipped):
    save(workplace.root / "mine.zip", zipped("Normal/1.png"))
    (workplace.own / "files.json").mkdir(parents=True)
    assert workplace.refused() == (
        f"{workplace.own}/files.json: cannot be written (Is a directory); a folder is in the way; remove it, or choose "
        "another file"
    )


@pytest.mark.parametrize("content", [b"", b"[]", b"5", b"{", b"\xff", b"{}"])
def test_a_damaged_note_of_what_was_unpacked_counts_as_none(workplace, zipped, content):
    save(workplace.root / "mine.zip", zipped("Normal/1.png"))
    found = workplace.fetched()
    note = (workplace.own / "files.json").read_bytes()
    (workplace.own / "files.json").write_bytes(content)
    assert workplace.fetched() == found
    assert (workplace.own / "files.json").read_bytes() == note


def test_two_that_need_the_same_archive_unpack_it_once(workplace, zipped, capsys):
    save(workplace.root / "mine.zip", zipped("Normal/1.png"))
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: workplace.fetched(), range(2))
    assert one == two
    assert capsys.readouterr().err.count("[mine] unpacking mine.zip\n") == 1


def test_a_folder_in_the_place_of_what_is_to_be_written_is_told(workplace, png):
    save(workplace.root / "mine" / "Normal" / "1.png", png)
    out = workplace.root.parent / "out" / "source.json"
    (out / "x").mkdir(parents=True)
    with pytest.raises(UserError) as refused:
        workplace.fetched()
    assert str(refused.value) == (
        f"{out}: cannot be written (Is a directory); a folder is in the way; remove it, or choose another file"
    )
