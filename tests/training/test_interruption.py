"""Requests to stop end a process at once, but for a block that has to come to an end."""

import signal
import subprocess
import sys

import pytest

HEAD = """
import os, signal, sys
from weckd.locks import StopRequest
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background are told to ignore it
stop = StopRequest()
stop.listen()
def ask():
    os.kill(os.getpid(), int(sys.argv[1]))
    return stop.received
"""


def run(program, number):
    process = subprocess.run(
        [sys.executable, "-c", HEAD + program, str(int(number))], capture_output=True, text=True, check=False
    )
    assert process.stderr == ""
    return process.returncode, process.stdout


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_ends_the_process_with_its_signals_status(number, status):
    assert run("print('before', flush=True); ask(); print('after')", number) == (status, "before\n")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_deferring_block_comes_to_its_end_and_can_look(number, status):
    program = "with stop.deferred(): print(ask() == int(sys.argv[1]), flush=True)\nprint('after')"
    assert run(program, number) == (status, "True\n")


def test_an_error_in_a_deferring_block_is_not_hidden():
    program = "try:\n  with stop.deferred(): raise ValueError('own')\nexcept ValueError as e: print(e)"
    assert run(program, signal.SIGTERM) == (0, "own\n")


def test_what_the_one_who_started_it_has_it_ignore_it_ignores():
    ignored = "signal.signal(signal.SIGINT, signal.SIG_IGN); stop.listen(); print(ask())"
    assert run(ignored, signal.SIGINT) == (0, "None\n")
