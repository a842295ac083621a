import errno
import json
import os
import resource
import subprocess
import sys
from types import SimpleNamespace

import pytest

from weckd.errors import UserError
from weckd.files import (
    OWN_SUM,
    digest,
    edited,
    refuse_full_disk,
    remove_left,
    unlike_sums,
    whole_file,
    whole_folder,
    with_sum,
    write_json,
    write_sums,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    target = tmp_path / "deep" / "file.txt"
    with whole_file(target) as temporary:
        temporary.write_text("old")

    def fail():
        with whole_file(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fail()
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


KILLED = """
import os, sys
from pathlib import Path
from weckd.files import whole_file
with whole_file(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os._exit(9)
"""


def test_what_a_killed_writer_leaves_is_no_file_of_its_kind_and_can_be_removed(tmp_path):
    target, other = tmp_path / "set" / "seed1.sums.json", tmp_path / "set" / ".seed2.csv.lock"
    assert subprocess.run([sys.executable, "-c", KILLED, target], check=False).returncode == 9
    other.write_text("")
    assert len(list(target.parent.iterdir())) == 2
    assert list(tmp_path.glob("set/*.json")) == list(tmp_path.glob("**/*sums.json")) == []
    remove_left(target.parent, target.name)
    assert list(target.parent.iterdir()) == [other]


@pytest.mark.parametrize("after", [0, 1])  # renamings: of the old folder, and of the new one
def test_a_folder_is_there_as_it_was_or_whole_however_its_writer_is_killed(tmp_path, after):
    folder = tmp_path / "folder"
    with whole_folder(folder) as temporary:
        write_text(temporary / "old", "old")
    code = f"""
import os, pathlib
from weckd.files import whole_folder
rename, done = pathlib.Path.replace, []
def killed(self, target):
    if len(done) == {after}:
        os.kill(os.getpid(), 9)
    done.append(rename(self, target))
    return done[-1]
pathlib.Path.replace = killed
with whole_folder(pathlib.Path({str(folder)!r})) as temporary:
    (temporary / "new").write_text("new")
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert folder.exists() == (after == 0)
    with pytest.raises(KeyboardInterrupt), whole_folder(folder):
        assert [file.name for file in folder.iterdir()] == ["old"]  # put back
        raise KeyboardInterrupt
    assert [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*")] == ["folder", "folder/old"]
    with whole_folder(folder) as temporary:
        write_text(temporary / "new", "new")
    assert [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*")] == ["folder", "folder/new"]


def test_equal_values_give_equal_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [1.5, None]})
    write_json(tmp_path / "b.json", {"a": [1.5, None], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    assert digest({"a": 1}) != digest({"a": "1"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest(float("nan"))


def write_failing(target, problem):
    with whole_file(target) as temporary:
        temporary.write_text("half")
        raise problem


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (
            errno.ENOSPC,
            "cannot be written (No space left on device); free some space, or choose another disk",
        ),
        (errno.EDQUOT, "cannot be written (Disk quota exceeded); free some space, or choose another disk"),
        (errno.EROFS, "cannot be written (Read-only file system); choose a folder that can be written to"),
    ],
)
def test_a_disk_that_takes_no_more_is_told_with_the_remedy_and_the_old_file_stays(tmp_path, number, message):
    target = tmp_path / "file.txt"
    write_text(target, "old")
    with pytest.raises(UserError) as refused:
        write_failing(target, OSError(number, os.strerror(number)))
    assert str(refused.value) == f"{target}: {message}"
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_somebody_elses_error_passes_through(tmp_path):
    problem = PermissionError(errno.EACCES, "Permission denied", "/elsewhere/image.png")
    with pytest.raises(PermissionError, match=r"elsewhere/image.png"):
        write_failing(tmp_path / "file.txt", problem)


def test_a_file_that_is_in_the_way_is_told(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(UserError) as refused:
        write_text(tmp_path / "folder" / "file.txt", "new")
    assert str(refused.value) == (
        f"{tmp_path}/folder/file.txt: cannot be written (File exists); "
        "a file is in the way; remove it, or choose another folder"
    )


def test_a_folder_of_somebody_else_is_told(tmp_path):
    tmp_path.chmod(0o555)
    program = (
        "import os, sys; from pathlib import Path; from weckd.files import write_text\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "try: write_text(Path(sys.argv[1]), 'new')\n"
        "except Exception as problem: print(type(problem).__name__, problem)"
    )
    top = tmp_path.parent
    while top != top.parent and top.stat().st_uid == os.geteuid():  # pytest's folders are private
        top.chmod(top.stat().st_mode | 0o011)
        top = top.parent
    told = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "f.txt")], capture_output=True, text=True, check=True
    ).stdout
    assert told == (
        f"UserError {tmp_path}/f.txt: cannot be written (Permission denied); "
        "give yourself the right to write there, or choose another folder\n"
    )


def test_a_limit_of_file_sizes_is_told_where_a_real_write_meets_it(tmp_path):
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    program = (
        "import sys; from pathlib import Path; from weckd.files import write_text\n"
        "try: write_text(Path(sys.argv[1]), 'x' * 5000)\n"
        "except Exception as problem: print(type(problem).__name__, problem)"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "f.txt")],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=limited,
    )
    assert process.stdout == (
        f"UserError {tmp_path}/f.txt: cannot be written (File too large); "
        "raise the limit of file sizes, or choose another disk\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_what_the_disk_cannot_hold_is_refused_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr("weckd.files.shutil.disk_usage", lambda place: SimpleNamespace(free=2_000_000))
    refuse_full_disk(tmp_path / "not yet" / "there", 2_000_000)
    with pytest.raises(UserError) as refused:
        refuse_full_disk(tmp_path / "not yet", 2_600_000_000)
    assert str(refused.value) == (
        f"{tmp_path}/not yet: needs 2,600 MB, 2 MB are free; free some space, or choose another disk"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_text("edited"),
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: (file.unlink(), os.mkfifo(file)),
    ],
    ids=["edited", "a folder", "a pipe"],
)
def test_what_is_not_what_was_written_is_found_by_its_sum(change, tmp_path):
    file, sums = tmp_path / "a.csv", tmp_path / "sums.json"
    file.write_text("as it was")
    write_sums(sums, [file])
    assert unlike_sums(sums) == []
    change(file)
    assert unlike_sums(sums) == [str(file)]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda content: content, False),
        (lambda content: content | {"steps": 5}, True),
        (lambda content: {key: value for key, value in content.items() if key != OWN_SUM}, True),
        (lambda content: [content], True),
    ],
    ids=["as written", "edited", "its sum taken away", "no object"],
)
def test_an_object_that_is_not_what_its_own_sum_says_or_has_none_is_edited(tmp_path, change, found):
    file = tmp_path / "seeds1-2.json"
    file.write_text(json.dumps(change(with_sum({"steps": 4}))), encoding="utf-8")
    assert edited(file) is found
