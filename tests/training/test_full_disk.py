"""What training writes where no more can be written: a message with the remedy, and nothing left behind."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
import sys
from pathlib import Path
import numpy as np
from weckd.errors import UserError
out = Path(sys.argv[1])
"""
STORE = """
from weckd.training.store import store_fit
big = np.zeros((1000, 8), np.float32)
def write():
    store_fit(out, "set", "ab" * 32, {"status": "finished"}, {"test": %s}, %s, %s)
"""
CHECKPOINT = """
import torch
from torch import nn
from weckd.config import TrainingSettings
from weckd.locks import StopRequest
from weckd.training.job import Checkpoints, Progress
from weckd.training.optimisation import Objective, RunningFit
from types import SimpleNamespace as Plain
fit = Plain(loss=None, steps=4, teachers=(), taught_by=())
cell = Plain(networks=Plain(teachers=lambda *_: []))
setup = Plain(student=nn.Linear(100, 100), fit=fit, cell=cell, given=Plain(teachers=()))
fit = RunningFit(Objective(setup), 4, 0.1, TrainingSettings(4, 1, 8, 0.1, 0.0, 0.3, 0.1))
def write():
    Checkpoints(out, "ab" * 32, 0.0, StopRequest(), Progress("toy", 4)).after_step(fit)
"""
TAIL = """
try:
    write()
except UserError as problem:
    print(problem)
"""
SMALL = "np.zeros((1, 2), np.float32)"


def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))


@pytest.mark.parametrize(
    ("program", "place"),
    [
        (STORE % ("big", SMALL, None), "set/" + "ab" * 10),
        (STORE % (SMALL, "big", None), "set/" + "ab" * 10),
        (STORE % (SMALL, SMALL, "{'w': big}"), "set/" + "ab" * 10),
        (CHECKPOINT, "ab" * 10 + "-00000000-"),
    ],
    ids=["predictions", "history", "weights", "checkpoint"],
)
def test_a_write_that_fails_half_way_is_told_and_leaves_nothing(program, place, tmp_path):
    process = subprocess.run(
        [sys.executable, "-c", HEAD + program + TAIL, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith(f"{tmp_path}/{place}")
    assert process.stdout.endswith(
        ": cannot be written (File too large); raise the limit of file sizes, or choose another disk\n"
    )
    assert [file for file in Path(tmp_path).rglob("*") if file.is_file()] == []
    assert [folder.name for folder in tmp_path.rglob("*")] in ([], ["set"])
