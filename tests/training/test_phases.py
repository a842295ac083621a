"""Seconds by phase, and memory."""

import subprocess
import sys

import torch

from weckd.training import fit
from weckd.training.fit import Phases


def test_the_seconds_of_a_phase_are_added_up(monkeypatch):
    times = iter([10.0, 12.5, 20.0, 20.25, 30.0, 31.0])
    monkeypatch.setattr(fit.time, "monotonic", lambda: next(times))
    found = Phases(torch.device("cpu"))
    for phase in ("steps", "evaluation", "steps"):
        with found.timed(phase):
            pass
    found.add("steps", 100.0)
    assert found.seconds() == {"steps": 103.5, "evaluation": 0.25}


MEASURED = """
import numpy as np, torch
from weckd.training.fit import Phases
before = Phases(torch.device("cpu")).peak_memory()
held = np.ones(3 * before["host"] // 8)  # three times all that was ever held
after = Phases(torch.device("cpu")).peak_memory()
print(list(after), after["host"] >= held.nbytes > before["host"])
"""


def test_the_peak_of_the_host_is_in_bytes_and_grows_with_what_is_held():
    # Below a shell: a process begins with the peak of its parent, and that of the tests may have held gigabytes.
    command = ["sh", "-c", '"$0" -c "$1" && true', sys.executable, MEASURED]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "['host'] True\n"
