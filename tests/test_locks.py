import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from weckd.errors import UserError
from weckd.locks import held_lock, take_run_lock

CHILD = """
from weckd.locks import die_with_parent
import time
die_with_parent()
print("up", flush=True)
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
print(child.pid, flush=True)
time.sleep(60)
"""


def test_second_run_in_a_folder_is_refused_while_the_first_lives(tmp_path):
    first = take_run_lock(tmp_path / "results" / ".lock")
    with pytest.raises(UserError, match=rf"another run \(process {os.getpid()}\) is working in this folder"):
        take_run_lock(tmp_path / "results" / ".lock")
    first.close()
    take_run_lock(tmp_path / "results" / ".lock").close()


def test_a_lock_that_cannot_be_written_is_told_with_what_helps(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(UserError) as told:
        take_run_lock(tmp_path / ".lock")
    assert str(told.value) == (
        f"{tmp_path}/.lock: cannot be written (Is a directory); a folder is in the way; remove it, or choose another "
        "file"
    )


def test_lock_dies_with_its_process(tmp_path):
    code = (
        f"from weckd.locks import take_run_lock; from pathlib import Path; import time\n"
        f"lock = take_run_lock(Path({str(tmp_path / '.lock')!r})); print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(UserError, match=f"process {holder.pid}"):
        take_run_lock(tmp_path / ".lock")
    holder.kill()
    holder.wait()
    take_run_lock(tmp_path / ".lock").close()


def test_held_lock_waits_for_its_holder(tmp_path, capfd):
    with held_lock(tmp_path / "cell.lock"):
        code = (
            f"from weckd.locks import held_lock; from pathlib import Path\n"
            f"with held_lock(Path({str(tmp_path / 'cell.lock')!r})): print('mine', flush=True)"
        )
        other = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert other.stderr.readline().startswith("waiting for another process that holds")
        assert other.poll() is None
    assert other.communicate(timeout=30)[0] == "mine\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="parent-death signals are Linux's")
def test_a_child_dies_with_its_parent():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert parent.stdout.readline() == "up\n"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _alive(child):
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
