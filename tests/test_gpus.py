"""Places on GPUs, with a stand-in for nvidia-smi: who gets which, who waits, and what a killed job leaves."""

import os
import subprocess
import sys
import time

import pytest

from weckd.errors import UserError
from weckd.gpus import claimed_gpu, visible_gpus

CARDS = {"0": "GPU-aaa", "1": "GPU-bbb"}


@pytest.fixture(autouse=True)
def two_cards(tmp_path, monkeypatch):
    """Put a tool that lists two cards first in PATH, and forget what the test's own shell allows."""
    install(tmp_path, "\n".join(f"{index}, {name}" for index, name in CARDS.items()))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def install(folder, listed, status=0):
    tool = folder / "bin" / "nvidia-smi"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{listed}\nEND\nexit {status}\n")
    tool.chmod(0o755)


@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        (None, ["GPU-aaa", "GPU-bbb"]),
        ("1", ["GPU-bbb"]),
        ("1, 0", ["GPU-bbb", "GPU-aaa"]),
        ("GPU-bbb", ["GPU-bbb"]),
        ("MIG-ccc", ["MIG-ccc"]),
        ("", []),
        ("-1", []),
    ],
)
def test_the_cards_that_a_process_may_use(allowed, names, monkeypatch):
    if allowed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert visible_gpus() == names


def test_a_card_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,7")
    with pytest.raises(UserError, match=r"CUDA_VISIBLE_DEVICES=0,7: this machine has no GPU 7; known: 0, 1"):
        visible_gpus()


def test_without_a_driver_there_is_no_card(tmp_path, monkeypatch):
    install(tmp_path, "NVIDIA-SMI has failed", status=9)
    assert visible_gpus() == []
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    with claimed_gpu(1, tmp_path / "locks"):
        assert "CUDA_VISIBLE_DEVICES" not in os.environ
    assert not (tmp_path / "locks").exists()


@pytest.mark.parametrize("status", [0, 14])
def test_a_warning_line_among_the_cards_is_no_card(status, tmp_path):
    install(tmp_path, "0, GPU-aaa\nWARNING: infoROM is corrupted at gpu 0000:00:1E.0", status)
    assert visible_gpus() == ["GPU-aaa"]


def test_a_tool_that_fails_is_told_with_its_words(tmp_path, capsys):
    install(tmp_path, "Driver/library version mismatch", status=18)
    assert visible_gpus() == []
    told = "nvidia-smi fails (Driver/library version mismatch); going on without a GPU\n"
    assert capsys.readouterr().err == told


PROGRAM = """
import os, sys, time
from pathlib import Path
from weckd.gpus import claimed_gpu
with claimed_gpu(int(sys.argv[2]), Path(sys.argv[1])):
    print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a job, which holds its place until its input ends."""
    started = []

    def start(jobs_per_gpu):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "locks"), str(jobs_per_gpu)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, text=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def test_each_job_has_a_card_of_its_own_and_the_next_waits_for_one_that_ends_or_is_killed(start):
    first, second = start(1), start(1)
    cards = {process.stdout.readline().strip(): process for process in (first, second)}
    assert cards.keys() == set(CARDS.values())
    third = start(1)
    assert third.stderr.readline() == "waiting for one of 2 GPUs, 1 job each\n"
    time.sleep(0.3)
    assert third.poll() is None
    cards["GPU-bbb"].kill()
    assert third.stdout.readline() == "GPU-bbb\n"
    fourth = start(1)
    assert fourth.stderr.readline().startswith("waiting")
    cards["GPU-aaa"].stdin.close()
    assert fourth.stdout.readline() == "GPU-aaa\n"


def test_jobs_that_share_spread_over_the_cards_first(start):
    cards = [start(2).stdout.readline().strip() for _ in range(4)]
    assert cards == ["GPU-aaa", "GPU-bbb", "GPU-aaa", "GPU-bbb"]
    assert start(2).stderr.readline() == "waiting for one of 2 GPUs, 2 jobs each\n"
