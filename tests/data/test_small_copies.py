"""The small copies of real images in the package: what they are, and that they are found like a user's own."""

import csv
import importlib.util
import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from weckd.data.catalogue import PACKAGED, find_dataset
from weckd.data.fetch import fetch
from weckd.data.fetch.wanted import own_root
from weckd.data.watch import OWN, source_places
from weckd.errors import UserError
from weckd.files import file_digest
from weckd.listing import dataset_page, dataset_table

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data"
KEYS = ("ear_chile_small", "blood_bccd_small", "brain_cheng_small")
needs_real_images = pytest.mark.skipif(
    not REAL.is_dir(), reason="needs the real images in ../shared/data, beside the checkout"
)


@pytest.fixture(scope="module")
def maker():
    """docs/small_copies.py."""
    spec = importlib.util.spec_from_file_location("small_copies", ROOT / "docs" / "small_copies.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contents(archive):
    """Return the bytes of an archive's files by name."""
    with tarfile.open(archive) as opened:
        return {info.name: opened.extractfile(info).read() for info in opened}


def brain_rows():
    """Return the rows of the packaged table of brain slices."""
    table = contents(PACKAGED / "brain_cheng_small.tar.xz")["labels.csv"].decode()
    return list(csv.DictReader(io.StringIO(table)))


@needs_real_images
def test_the_sources_give_the_same_bytes_again(maker, tmp_path):
    maker.write_archive(REAL / "blood_bccd", tmp_path / "again.tar.xz")
    assert file_digest(tmp_path / "again.tar.xz") == file_digest(PACKAGED / "blood_bccd_small.tar.xz")


@needs_real_images
@pytest.mark.parametrize("key", ["ear_chile", "brain_cheng"])
def test_the_larger_sets_are_made_in_the_same_way(maker, key):
    packaged = contents(PACKAGED / f"{key}_small.tar.xz")
    images = [name for name in sorted(packaged) if name.endswith(".webp")]
    for name in images[::50]:  # all of them take four seconds
        assert packaged[name] == maker._small((REAL / key / name).with_suffix(".jpg"))
    if key == "ear_chile":
        assert images == sorted(maker._webp(p.relative_to(REAL / key)) for p in (REAL / key).rglob("*.jpg"))


def test_what_is_packaged_is_small_and_all_of_it_is_told():
    archives = sorted(path.name for path in PACKAGED.iterdir() if path.name != "NOTICE.md")
    assert archives == ["blood_bccd_small.tar.xz", "brain_cheng_small.tar.xz", "ear_chile_small.tar.xz"]
    for name in archives:
        assert (PACKAGED / name).stat().st_size < 1_000_000
        for member, content in contents(PACKAGED / name).items():
            if member != "labels.csv":
                with Image.open(io.BytesIO(content)) as image:
                    assert (image.format, image.size) == ("WEBP", (64, 64))
    notice = (PACKAGED / "NOTICE.md").read_text(encoding="utf-8")
    assert [line[3:] for line in notice.splitlines() if line.startswith("## ")] == [
        "ear_chile_small.tar.xz",
        "blood_bccd_small.tar.xz",
        "brain_cheng_small.tar.xz",
    ]
    assert "Copyright (c) 2017 shenggan" in notice


@pytest.mark.parametrize("key", KEYS)
def test_the_notice_names_source_and_licence_as_the_catalogue_does(key):
    dataset = find_dataset(key)
    notice = (PACKAGED / "NOTICE.md").read_text(encoding="utf-8")
    said = " ".join(notice.partition(f"## {key}.tar.xz")[2].partition("\n## ")[0].split())
    assert dataset.source in said
    assert f"- Licence: {dataset.licence}" in said
    assert dataset.title.endswith(", small copy at 64 px")


def test_of_the_brain_slices_whole_patients_are_kept():
    rows = brain_rows()
    assert Counter(row["label"] for row in rows) == {"glioma": 469, "pituitary": 307, "meningioma": 245}
    patients = {row["patient"]: row["label"] for row in rows}
    assert sorted(patients) == [f"p{number:03}" for number in range(1, 234, 3)]
    assert Counter(patients.values()) == {"glioma": 29, "meningioma": 27, "pituitary": 22}
    if REAL.is_dir():
        with (REAL / "brain_cheng" / "labels.csv").open(encoding="utf-8") as stream:
            source = [row for row in csv.DictReader(stream) if row["patient"] in patients]
        assert [{**row, "image": row["image"].replace(".webp", ".jpg")} for row in rows] == source


def test_a_packaged_set_is_found_where_the_user_has_none(tmp_path, capsys):
    dataset, out = find_dataset("blood_bccd_small"), tmp_path / "source.json"
    fetch(dataset, 48, None, tmp_path / "data", {}, out)
    found, archive = json.loads(out.read_text()), PACKAGED / "blood_bccd_small.tar.xz"
    assert found["folder"] == str(tmp_path / "data" / "blood_bccd_small" / "files")
    size = archive.stat().st_size
    assert found["archives"] == {archive.name: {"bytes": size, "sha256": file_digest(archive)}}
    assert len(list(Path(found["folder"]).rglob("*.webp"))) == 351
    assert capsys.readouterr().err == "[blood_bccd_small] unpacking blood_bccd_small.tar.xz\n"


def test_a_copy_of_the_users_own_comes_before_the_packages(tmp_path):
    dataset = find_dataset("blood_bccd_small")
    assert own_root(dataset, None) == own_root(dataset, tmp_path) == PACKAGED
    assert source_places(dataset, 48, tmp_path, tmp_path / "data")[OWN].roots[0] == str(
        PACKAGED / dataset.key
    )
    assert own_root(find_dataset("wbc_zheng"), tmp_path) == tmp_path
    (tmp_path / "blood_bccd_small.zip").touch()
    assert own_root(dataset, tmp_path) == tmp_path
    assert source_places(dataset, 48, tmp_path, tmp_path / "data")[OWN].roots[0] == str(
        tmp_path / dataset.key
    )


def test_an_empty_folder_of_the_users_own_is_refused_with_how_to_have_the_packages_copy(tmp_path):
    (tmp_path / "blood_bccd_small").mkdir()
    with pytest.raises(UserError) as refused:
        fetch(find_dataset("blood_bccd_small"), 48, tmp_path, tmp_path / "data", {}, tmp_path / "source.json")
    assert str(refused.value) == (
        f"data_root: {tmp_path}/blood_bccd_small: holds neither its class folders (Basophil, Eosinophil, Lymphocyte, "
        "Monocyte, Neutrophil) nor an archive; put White blood cells of BCCD, small copy at 64 px there "
        "(https://github.com/Shenggan/BCCD_Dataset), or remove the folder: the package holds a copy"
    )


def test_a_data_root_that_is_no_folder_is_refused_for_packaged_sets_too(tmp_path):
    root = tmp_path / "gone"
    with pytest.raises(UserError) as refused:
        fetch(find_dataset("blood_bccd_small"), 48, root, tmp_path / "data", {}, tmp_path / "source.json")
    assert str(refused.value) == (
        f"data_root: {root}: no such folder; correct it, or leave it out to download what can be"
    )


def test_a_damaged_archive_of_the_package_is_refused_with_how_to_get_it_again(tmp_path, monkeypatch):
    monkeypatch.setattr("weckd.data.fetch.wanted.PACKAGED", tmp_path)
    archive = tmp_path / "blood_bccd_small.tar.xz"
    archive.write_bytes((PACKAGED / archive.name).read_bytes()[:1000])
    recorded = {archive.name: file_digest(PACKAGED / archive.name)}
    with pytest.raises(UserError) as refused:
        fetch(
            find_dataset("blood_bccd_small"), 48, None, tmp_path / "data", recorded, tmp_path / "source.json"
        )
    assert str(refused.value) == (
        f"{archive}: its SHA-256 is {file_digest(archive)[:12]}…, datasets.lock records "
        f"{recorded[archive.name][:12]}…; install the package again, or take the file from its repository again"
    )


def test_the_list_says_that_a_set_lies_in_the_package():
    row = next(line for line in dataset_table().splitlines() if line.startswith("ear_chile_small"))
    assert row.split("  ")[-1] == "this package"
    assert dataset_page("ear_chile_small").endswith(
        "In this package (docs/data-sets.md). Your own copy, in data_root/ear_chile_small/ (or an archive, "
        "data_root/ear_chile_small.zip): --config data_root=PATH"
    )
