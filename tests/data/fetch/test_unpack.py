import errno
import io
import stat
import tarfile
import zipfile

import numpy as np
import pytest

from weckd.data.fetch import unpack as unpack_module
from weckd.data.fetch.unpack import unpack
from weckd.errors import UserError

INTACT = "replace it by an intact copy, or remove it to have it downloaded again"
DISTRUST = "do not use it; replace it by the archive of the data set's own page"
BY_HAND = "if it can be trusted, unpack it by hand and name the folder above with data_root"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own").mkdir()
    return tmp_path / "own" / "files"


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def refusal(folder, *archives):
    """Return why unpacking was refused; nothing half-unpacked stays."""
    with pytest.raises(UserError) as refused:
        unpack(archives, folder)
    assert list(folder.parent.iterdir()) == []
    return str(refused.value)


def zip_file(path, *infos, content=b"x", compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for info in infos:
            archive.writestr(info, content)
    return path


def tar_file(path, *members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for member, content in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tgz", "w:gz"), ("a.tar.bz2", "w:bz2"), ("a.tar.xz", "w:xz")],
)
def test_tars_are_unpacked_whatever_packs_them(folder, tmp_path, name, mode):
    archive = tar_file(tmp_path / name, ("./Normal/1.png", b"one"), ("Normal/2.png", b"two"), mode=mode)
    unpack([archive], folder)
    assert contents(folder) == {"Normal/1.png": b"one", "Normal/2.png": b"two"}
    assert [path.name for path in folder.parent.iterdir()] == ["files"]


def test_zips_stand_side_by_side_and_replace_what_was_there(folder, tmp_path):
    one = zip_file(tmp_path / "one.zip", "set/", "set/1.mat", content=b"1")
    two = zip_file(tmp_path / "two.zip", "set/2.mat", content=b"2", compression=zipfile.ZIP_DEFLATED)
    unpack([one], folder)
    unpack([one, two], folder)
    assert contents(folder) == {"set/1.mat": b"1", "set/2.mat": b"2"}
    unpack([two], folder)
    assert contents(folder) == {"set/2.mat": b"2"}


def test_clutter_of_operating_systems_is_left_out(folder, tmp_path):
    names = ("a/1.png", "__MACOSX/a/._1.png", "a/.DS_Store", "a/Thumbs.db")
    unpack([zip_file(tmp_path / "a.zip", *names)], folder)
    assert list(contents(folder)) == ["a/1.png"]


def test_what_a_kill_left_behind_is_removed(folder, tmp_path):
    (folder.parent / ".unpacking-abc" / "half").mkdir(parents=True)
    unpack([zip_file(tmp_path / "a.zip", "1.png")], folder)
    assert [path.name for path in folder.parent.iterdir()] == ["files"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "c:evil", "a\\..\\evil"])
@pytest.mark.parametrize("make", ["zip", "tar"])
def test_members_that_lead_out_of_the_folder_are_refused(folder, tmp_path, name, make):
    archive = tmp_path / f"a.{make}"
    zip_file(archive, name) if make == "zip" else tar_file(archive, (name, b"x"))
    assert refusal(folder, archive) == (
        f"{archive}: {name!r} would be written outside the folder of the data set; {DISTRUST}"
    )


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_are_refused(folder, tmp_path, kind):
    info = zipfile.ZipInfo("a/link")
    info.external_attr = (kind | 0o777) << 16
    archive = zip_file(tmp_path / "a.zip", info, content=b"/etc/passwd")
    assert refusal(folder, archive) == f"{archive}: 'a/link' is a link or a device, not a file; {DISTRUST}"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(folder, tmp_path, kind):
    info = tarfile.TarInfo("a/link")
    info.type, info.linkname = kind, "/etc/passwd"
    archive = tar_file(tmp_path / "a.tar", ("a/1.png", b"1"), (info, b""))
    assert refusal(folder, archive) == f"{archive}: 'a/link' is a link or a device, not a file; {DISTRUST}"


def test_an_encrypted_zip_is_refused(folder, tmp_path):
    archive = zip_file(tmp_path / "a.zip", "1.png")
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flags in the list of members
    archive.write_bytes(content)
    assert refusal(folder, archive) == (
        f"{archive}: encrypted (1.png); unpack it by hand, and pack it without a password"
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_stands_twice_is_refused(folder, tmp_path):
    archive = zip_file(tmp_path / "a.zip", "a/1.png", "a/1.png")
    assert refusal(folder, archive) == f"{archive}: holds a/1.png twice; replace it by an intact copy"


def test_a_file_that_two_archives_hold_is_refused(folder, tmp_path):
    one = zip_file(tmp_path / "one.zip", "a/1.png", "a/2.png")
    two = tar_file(tmp_path / "two.tar", ("./a/2.png", b"2"))
    assert refusal(folder, one, two) == f"{one} and {two}: both hold a/2.png; remove one of them"


@pytest.mark.parametrize("names", [("a", "a/1.png"), ("a/1.png", "a")])
def test_a_file_that_is_a_folder_too_is_refused(folder, tmp_path, names):
    archive = zip_file(tmp_path / "a.zip", *names)
    assert refusal(folder, archive) == (
        f"{archive}: {names[1]} is a file and a folder; replace it by an intact copy"
    )


def test_too_many_files_are_refused(folder, tmp_path, monkeypatch):
    assert unpack_module.MAX_FILES == 200_000
    monkeypatch.setattr(unpack_module, "MAX_FILES", 2)
    archive = zip_file(tmp_path / "a.zip", "1.png", "2.png", "3.png")
    assert refusal(folder, archive) == f"{archive}: holds more than 2 files; {BY_HAND}"


def test_too_many_bytes_are_refused(folder, tmp_path, monkeypatch):
    assert unpack_module.MAX_BYTES == 50e9
    monkeypatch.setattr(unpack_module, "MAX_BYTES", 50)
    one, two = (zip_file(tmp_path / f"{name}.zip", name, content=bytes(30)) for name in "ab")
    assert refusal(folder, one, two) == f"{two}: unpacks to more than 0 GB; {BY_HAND}"


def test_a_bomb_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_module, "HARMLESS_BYTES", 100_000)
    archive = zip_file(
        tmp_path / "a.zip", "zeros", content=bytes(3_000_000), compression=zipfile.ZIP_DEFLATED
    )
    assert refusal(folder, archive) == f"{archive}: unpacks to more than 200 times its size; {BY_HAND}"
    tar = tar_file(tmp_path / "a.tar.xz", ("zeros", bytes(3_000_000)), mode="w:xz")
    assert refusal(folder, tar) == f"{tar}: unpacks to more than 200 times its size; {BY_HAND}"


def test_what_is_no_archive_is_refused(folder, tmp_path):
    for content in (b"", b"<html>please log in</html>" * 100):
        archive = tmp_path / "a.zip"
        archive.write_bytes(content)
        assert refusal(folder, archive) == f"{archive}: neither a zip nor a tar archive; {INTACT}"


def test_a_zip_that_is_cut_off_is_refused(folder, tmp_path):
    archive = zip_file(tmp_path / "a.zip", "1.png", content=bytes(1000))
    archive.write_bytes(archive.read_bytes()[:-30])
    assert refusal(folder, archive) == f"{archive}: damaged or cut off (File is not a zip file); {INTACT}"


def test_a_damaged_zip_is_refused(folder, tmp_path):
    archive = zip_file(tmp_path / "a.zip", "1.png", content=bytes(1000))
    content = bytearray(archive.read_bytes())
    content[500] = 1
    archive.write_bytes(content)
    assert (
        refusal(folder, archive) == f"{archive}: damaged or cut off (Bad CRC-32 for file '1.png'); {INTACT}"
    )


def test_sizes_in_headers_are_not_trusted(folder, tmp_path):
    archive = zip_file(tmp_path / "a.zip", "1.png", content=bytes(1000), compression=zipfile.ZIP_DEFLATED)
    content = archive.read_bytes()
    at = content.index(b"PK\x01\x02") + 24  # unpacked size in the list of members
    archive.write_bytes(content[:at] + (10).to_bytes(4, "little") + content[at + 4 :])
    assert (
        refusal(folder, archive) == f"{archive}: damaged or cut off (Bad CRC-32 for file '1.png'); {INTACT}"
    )


def test_a_zip_packed_in_an_unknown_way_is_refused(folder, tmp_path):
    archive = zip_file(tmp_path / "a.zip", "1.png")
    content = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 10), (b"PK\x03\x04", 8)):
        content[content.index(signature) + offset] = 9
    archive.write_bytes(content)
    assert refusal(folder, archive) == (
        f"{archive}: packed by a method that is not supported; unpack it by hand, and pack it as a plain zip"
    )


@pytest.mark.parametrize(
    "kept", [10, 1536, 2048, 2600]
)  # in a header, between two files, in a file, and so on
def test_a_tar_that_is_cut_off_is_refused(folder, tmp_path, kept):
    archive = tar_file(tmp_path / "a.tar", ("1.png", b"1" * 512), ("2.png", b"2" * 1024))
    archive.write_bytes(archive.read_bytes()[:kept])
    message = refusal(folder, archive)
    assert message.startswith(f"{archive}: ")
    assert "damaged or cut off" in message or "neither a zip nor a tar" in message
    assert message.endswith(INTACT)


def test_a_tar_with_a_damaged_header_is_refused(folder, tmp_path):
    archive = tar_file(tmp_path / "a.tar", ("1.png", b"1"), ("2.png", b"2"))
    content = bytearray(archive.read_bytes())
    content[1024] ^= 0xFF  # the second file's name, which the header's checksum covers
    archive.write_bytes(content)
    assert refusal(folder, archive) == f"{archive}: damaged or cut off (no end mark); {INTACT}"


@pytest.mark.parametrize(("mode", "suffix"), [("w:gz", "gz"), ("w:bz2", "bz2"), ("w:xz", "xz")])
def test_packed_tars_that_are_damaged_are_refused(folder, tmp_path, mode, suffix):
    noise = np.random.default_rng(0).bytes(300_000)
    archive = tar_file(tmp_path / f"a.tar.{suffix}", ("1.png", noise), ("2.png", noise), mode=mode)
    whole = archive.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    for content in (whole[: len(whole) // 2], bytes(damaged)):
        archive.write_bytes(content)
        message = refusal(folder, archive)
        # A bzip2 file without its first block does not even look like a tar.
        assert message.startswith((f"{archive}: damaged or cut off (", f"{archive}: neither a zip nor a tar"))
        assert message.endswith(INTACT)


def test_a_full_disk_is_told_beforehand(folder, tmp_path, monkeypatch):
    archive = zip_file(
        tmp_path / "a.zip", "1.png", content=bytes(5_000_000), compression=zipfile.ZIP_DEFLATED
    )
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr("weckd.files.shutil.disk_usage", lambda _: usage)
    assert refusal(folder, archive) == (
        f"{folder}: needs 5 MB, 1 MB are free; free some space, or choose another disk"
    )


def test_a_disk_that_runs_full_leaves_nothing(folder, tmp_path, monkeypatch):
    archive = zip_file(tmp_path / "a.zip", "1.png", "2.png")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.open", _open_but(full, "2.png"))
    message = refusal(folder, archive)
    assert message.endswith(
        "2.png: cannot be written (No space left on device); free some space, or choose another folder"
    )


def _open_but(refuse, name):
    from pathlib import Path

    really_open = Path.open
    return lambda path, *args, **kwargs: refuse() if path.name == name else really_open(path, *args, **kwargs)


def test_a_folder_that_is_somebody_elses_is_told(tmp_path, monkeypatch):
    archive = zip_file(tmp_path / "a.zip", "1.png")
    (tmp_path / "own").mkdir()

    def refuse(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(unpack_module.tempfile, "mkdtemp", refuse)
    assert refusal(tmp_path / "own" / "files", archive) == (
        f"{tmp_path}/own/files: cannot be written (Permission denied); give yourself the right to write there, or "
        "choose another folder"
    )
