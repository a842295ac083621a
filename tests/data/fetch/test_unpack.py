import errno
import io
import stat
import tarfile
import zipfile

import numpy as np
import pytest

from weckd.data import archives
from weckd.data.archives import unpack
from weckd.errors import UserError

INTACT = "replace it by an intact copy, or remove it to have it downloaded again"
DISTRUST = "do not use it; replace it by the archive of the data set's own page"
BY_HAND = "if it can be trusted, unpack it by hand and name the folder above with data_root"

LINK = f"a link, and links are not followed; {BY_HAND}"
DEVICE = f"a device or a pipe, not a file; {DISTRUST}"


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


def zip_file(path, *infos, content=b"x", compression=zipfile.ZIP_STORED, mode="w"):
    with zipfile.ZipFile(path, mode, compression) as archive:
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
    (folder.parent / ".files.abc" / "half").mkdir(parents=True)
    unpack([zip_file(tmp_path / "a.zip", "1.png")], folder)
    assert [path.name for path in folder.parent.iterdir()] == ["files"]


@pytest.mark.parametrize("make", ["zip", "tar"])
def test_backslashes_stand_between_folders(folder, tmp_path, make):
    archive = tmp_path / f"a.{make}"
    if make == "zip":
        zip_file(archive, "set\\Normal\\", content=b"")
        zip_file(archive, "set\\Normal\\1.png", "set\\A tube/2.png", mode="a")
    else:
        tar_file(archive, ("set\\Normal\\1.png", b"x"), ("set\\A tube/2.png", b"x"))
    unpack([archive], folder)
    assert contents(folder) == {"set/Normal/1.png": b"x", "set/A tube/2.png": b"x"}


@pytest.mark.parametrize(
    "name",
    [
        *("../evil", "a/../../evil", "/etc/evil", "C:/evil", "c:evil", "a\\..\\evil", "..\\..\\evil"),
        *("\\evil", "\\\\server\\evil", "C:\\evil", "a/..\\../evil"),
    ],
)
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
    assert refusal(folder, archive) == f"{archive}: 'a/link' is {LINK if kind == stat.S_IFLNK else DEVICE}"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(folder, tmp_path, kind):
    info = tarfile.TarInfo("a/link")
    info.type, info.linkname = kind, "/etc/passwd"
    archive = tar_file(tmp_path / "a.tar", ("a/1.png", b"1"), (info, b""))
    linked = kind in (tarfile.SYMTYPE, tarfile.LNKTYPE)
    assert refusal(folder, archive) == f"{archive}: 'a/link' is {LINK if linked else DEVICE}"


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
    assert archives.MAX_FILES == 200_000
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    archive = zip_file(tmp_path / "a.zip", "1.png", "2.png", "3.png")
    assert refusal(folder, archive) == f"{archive}: holds more than 2 files; {BY_HAND}"


def test_too_many_bytes_are_refused(folder, tmp_path, monkeypatch):
    assert archives.MAX_BYTES == 50e9
    monkeypatch.setattr(archives, "MAX_BYTES", 50)
    one, two = (zip_file(tmp_path / f"{name}.zip", name, content=bytes(30)) for name in "ab")
    assert refusal(folder, one, two) == f"{two}: unpacks to more than 0 GB; {BY_HAND}"


def test_a_bomb_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "HARMLESS_BYTES", 100_000)
    archive = zip_file(
        tmp_path / "a.zip", "zeros", content=bytes(3_000_000), compression=zipfile.ZIP_DEFLATED
    )
    assert refusal(folder, archive) == f"{archive}: unpacks to more than 200 times its size; {BY_HAND}"
    tar = tar_file(tmp_path / "a.tar.xz", ("zeros", bytes(3_000_000)), mode="w:xz")
    assert refusal(folder, tar) == f"{tar}: unpacks to more than 200 times its size; {BY_HAND}"


def test_what_is_no_archive_is_refused(folder, tmp_path):
    archive = tmp_path / "a.zip"
    for content in (b"", b"some text" * 100):
        archive.write_bytes(content)
        assert refusal(folder, archive) == f"{archive}: neither a zip nor a tar archive; {INTACT}"
    archive.write_bytes(b"\n<html>please log in</html>" * 100)
    assert refusal(folder, archive) == (
        f"{archive}: a web page, not an archive; download it again, logged in where the page asks"
    )


@pytest.mark.parametrize(
    ("first", "what"),
    [
        (b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive"),
        (b"\x28\xb5\x2f\xfd\x04\x88", "packed by zstd"),
        (b"\x04\x22\x4d\x18", "packed by lz4"),
        (b"MSCF\0\0\0\0", "a cabinet file"),
    ],
)
def test_another_kind_of_archive_under_the_name_of_a_zip_is_named(folder, tmp_path, first, what):
    archive = tmp_path / "a.zip"
    archive.write_bytes(first + bytes(1000))
    assert refusal(folder, archive) == (
        f"{archive}: {what}, which cannot be unpacked here; unpack it by hand, and pack it as a plain zip"
    )


def test_the_last_of_several_parts_is_told(folder, tmp_path):
    archive = zip_file(tmp_path / "a.zip", "1.png")
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x05\x06") + 4] = 2  # the number of this part, from 0
    archive.write_bytes(content)
    assert refusal(folder, archive) == (
        f"{archive}: the last of several parts; join them to one zip (`zip -s 0` does)"
    )


def with_raw_name(path, name, utf8):
    """Write a zip whose only member has a name of these bytes, in both places, and says or not that they are UTF-8."""
    stand_in = "x" * len(name)
    content = bytearray(zip_file(path, stand_in).read_bytes().replace(stand_in.encode(), name))
    for signature, offset in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        content[content.index(signature) + offset] = 8 if utf8 else 0
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("raw", "utf8", "name"),
    [
        ("Übung/münchen.png".encode(), True, "Übung/münchen.png"),
        ("Übung/münchen.png".encode(), False, "Übung/münchen.png"),  # what many tools write
        ("Übung/münchen.png".encode("cp437"), False, "Übung/münchen.png"),
        ("日本/1.png".encode("shift_jis"), False, "日本/1.png".encode("shift_jis").decode("cp437")),
    ],
)
def test_names_that_are_not_ascii_are_read(folder, tmp_path, raw, utf8, name):
    unpack([with_raw_name(tmp_path / "a.zip", raw, utf8)], folder)
    assert contents(folder) == {name: b"x"}


def test_names_that_are_falsely_said_to_be_utf8_are_told(folder, tmp_path):
    archive = with_raw_name(tmp_path / "a.zip", "日本/1.png".encode("shift_jis"), True)
    assert refusal(folder, archive) == (
        f"{archive}: says that the names of its files are UTF-8, and they are not; unpack it by hand, and pack it as "
        "a plain zip"
    )


def test_names_that_differ_only_in_case_are_two_files(folder, tmp_path):
    unpack([zip_file(tmp_path / "a.zip", "a/1.png", "A/1.png", "a/1.PNG")], folder)
    assert sorted(contents(folder)) == ["A/1.png", "a/1.PNG", "a/1.png"]


def test_a_disk_that_does_not_tell_case_apart_is_told(folder, tmp_path, monkeypatch):
    archive = zip_file(tmp_path / "a.zip", "1.png", "1.PNG")

    def there(*_):
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr("pathlib.Path.open", _open_but(there, "1.PNG"))
    assert refusal(folder, archive) == (
        f"{archive}: 1.PNG and another file differ only in case, which this disk does not tell apart; choose a folder "
        "for downloads on another disk"
    )


def test_a_name_that_no_file_can_have_is_refused(folder, tmp_path):
    archive = with_raw_name(tmp_path / "a.zip", b"a\0.png", False)
    assert refusal(folder, archive) == (
        f"{archive}: 'a\\x00.png' would be written outside the folder of the data set; {DISTRUST}"
    )
    archive = zip_file(tmp_path / "b.zip", f"a/{'n' * 300}")
    message = refusal(folder, archive)
    assert message.endswith(
        f"/a/{'n' * 300}: cannot be written (File name too long); shorten the name, or choose another folder"
    )


def test_a_zip_that_says_that_it_is_endless_is_refused_before_it_is_unpacked(folder, tmp_path):
    archive = zip_file(tmp_path / "a.zip", "1.png", content=bytes(1000), compression=zipfile.ZIP_DEFLATED)
    many = []
    for n in range(20):
        many.append(tmp_path / f"{n}.zip")
        content = archive.read_bytes()
        at = content.index(b"PK\x01\x02") + 24  # unpacked size in the list of members
        many[-1].write_bytes(content[:at] + (4_000_000_000).to_bytes(4, "little") + content[at + 4 :])
    assert refusal(folder, *many) == f"{many[12]}: unpacks to more than 50 GB; {BY_HAND}"


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
        "2.png: cannot be written (No space left on device); free some space, or choose another disk"
    )


def _open_but(refuse, name):
    from pathlib import Path

    really_open = Path.open
    return lambda path, *args, **kwargs: refuse() if path.name == name else really_open(path, *args, **kwargs)


def test_a_folder_that_is_somebody_elses_is_told(tmp_path, monkeypatch):
    archive = zip_file(tmp_path / "a.zip", "1.png")
    (tmp_path / "own").mkdir()

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    assert refusal(tmp_path / "own" / "files", archive) == (
        f"{tmp_path}/own/files: cannot be written (Permission denied); give yourself the right to write there, or "
        "choose another folder"
    )
