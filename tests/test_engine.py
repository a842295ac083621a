"""How the workflow's own process stops, and what it says of failed jobs."""

import logging
import os
import signal
import subprocess
import sys
import threading

import pytest

from weckd.engine import ENDING, STOPPING, data_notices, failure_text, listen_for_stops, outlive_reader


@pytest.fixture(autouse=True)
def own_signals():
    """Give the signals back to the tests."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_what_jobs_tell_of_their_data_is_kept_and_their_progress_is_not(tmp_path):
    (tmp_path / "a.log").write_text("[ears] 3 files without a row\n[ears] 10/20 images decoded\nweckd: no\n")
    (tmp_path / "b.log").write_text("[ears] 3 files without a row\n[skin] split.test: 20 % is asked for\n")
    assert data_notices([tmp_path / "a.log", tmp_path / "b.log", tmp_path / "gone.log", None]) == [
        "[ears] 3 files without a row",
        "[skin] split.test: 20 % is asked for",
    ]


def test_each_message_is_said_once_and_last_with_the_jobs_that_it_is_of(tmp_path):
    logs = {}
    for job, text in {
        "prepare a": "1 of 2 images\nweckd: a/1.png: not an image; remove it\n",
        "prepare b": "weckd: b: needs its images; do either of\n  this\n  or that\n",
        "split a": "weckd: a/1.png: not an image; remove it\n",
        "train a": "step 1\n" * 3 + "Traceback (most recent call last):\n  File x\nMemoryError\n",
        "train b": "",
    }.items():
        logs[job] = tmp_path / f"{job}.log"
        logs[job].write_text(text)
    assert failure_text({**logs, "all": None}) == "\n\n".join(
        [
            "",
            f"failed: prepare a ({logs['prepare a']})\nsplit a ({logs['split a']})\n"
            "weckd: a/1.png: not an image; remove it",
            f"failed: prepare b ({logs['prepare b']})\nweckd: b: needs its images; do either of\n  this\n  or that",
            f"failed: train a ({logs['train a']})\nstep 1\nstep 1\nTraceback (most recent call last):\n  File x\n"
            "MemoryError",
            f"failed: train b ({logs['train b']})\nall\nit left no message, as one that is killed does; what the "
            "engine says of it is above",
        ]
    )


def test_what_a_job_says_last_is_waited_for_while_it_is_on_its_way_to_the_log(tmp_path):
    log = tmp_path / "train.log"
    log.write_text("step 1\n")
    late = threading.Timer(0.2, log.write_text, ["step 1\nweckd: no space; free some\n"])
    late.start()
    assert failure_text({"train a": log}).endswith("\nweckd: no space; free some")
    late.join()


def test_one_ctrl_c_lets_jobs_come_to_their_ends_and_a_second_one_stops_every_job(capfd, tmp_path):
    log = tmp_path / "train.log"
    log.write_text(
        "[a] seed 1, fit 1 of 2: 5/9 steps, about 3 min left\n[a] 8/9 steps, about 40 s left\n[a] fit 2\n"
    )
    running = {"train toy, a, seeds1-2": log, "split toy, b": tmp_path / "none.log", "suite toy": None}
    code = "import time; print('up', flush=True); time.sleep(60)"
    job = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert job.stdout.readline() == b"up\n"
    ended = threading.Event()
    processes = [job.pid, 2**22 + 1]  # the second has ended already
    listen_for_stops(ended.set, lambda: running, lambda: processes)
    signal.raise_signal(signal.SIGINT)
    assert ended.wait(timeout=30)
    assert job.poll() is None
    under_way = "weckd: under way:"
    assert capfd.readouterr().err == (
        f"{ENDING}\n{under_way} train toy, a, seeds1-2 (about 40 s left)\n{under_way} split toy, b\n"
        f"{under_way} suite toy\n"
    )
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    assert job.wait(timeout=30) == -signal.SIGTERM
    assert capfd.readouterr().err == f"{STOPPING}\n" * 2


def test_sigterm_waits_for_no_lock_that_the_code_that_it_meets_holds():
    lock, ended = threading.Lock(), threading.Event()

    def end_gracefully():
        with lock:
            ended.set()

    listen_for_stops(end_gracefully, dict, list)
    with lock:  # as the engine holds it while it counts a job that has ended
        signal.raise_signal(signal.SIGTERM)
        assert not ended.is_set()
    assert ended.wait(timeout=30)


def test_a_log_outlives_its_reader(tmp_path, monkeypatch):
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", buffering=1) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        handler = logging.StreamHandler(stream)
        other = logging.FileHandler(tmp_path / "log")
        outlive_reader([handler, other])
        logger = logging.Logger("engine")
        logger.addHandler(handler)
        logger.addHandler(other)
        logger.error("read")
        assert os.read(reader, 100) == b"read\n"
        os.close(reader)
        monkeypatch.setattr(handler, "handleError", pytest.fail)
        logger.error("unread")
        logger.error("nor this")
        assert (tmp_path / "log").read_text() == "read\nunread\nnor this\n"
