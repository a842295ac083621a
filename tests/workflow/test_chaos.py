"""Runs that are killed at random moments, again and again, end in the bytes of an undisturbed one.

`make chaos` kills 20 times, half of them in each of two runs side by side; `make chaos KILLS=50` as often as one likes.
A fit is kept after every step here, so that most kills hit one that goes on from a checkpoint or is writing one.
"""

import os
import re
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from engine import RECORDS, result_bytes, snakemake, start, trainers, wait_for_the_end_of_trainers

pytestmark = pytest.mark.chaos
SUITE = Path(__file__).with_name("chaos.yaml")
KILLS = int(os.environ.get("KILLS", "20"))
ARGUMENTS = ("--cores", "1", "--until", "gather", "--set-resources", "train:checkpoint_s=0")
KEPT = "results/fits/*/checkpoints/*.safetensors"
STORED = "results/fits/*/*/*.npy"  # predictions and histories


def everything(process, _folder):
    os.killpg(process.pid, signal.SIGKILL)


def the_workflow_alone(process, _folder):
    process.kill()


def a_job(process, folder):
    os.kill((trainers(folder) or [process.pid])[0], signal.SIGKILL)


def the_job_is_asked(process, folder):
    os.kill((trainers(folder) or [process.pid])[0], signal.SIGTERM)


def all_are_asked(process, _folder):
    os.killpg(process.pid, signal.SIGTERM)


WAYS = (everything, the_workflow_alone, a_job, the_job_is_asked, all_are_asked)


def wait_for_a_moment(process, folder, draws):
    """Wait for a random while: a third of the times from the start, else from the first new checkpoint."""
    seconds = draws.uniform(0, 8)
    if draws.random() < 2 / 3:
        seconds = draws.uniform(0, 2.5)
        known = {file.name for file in folder.glob(KEPT)}
        while process.poll() is None and {file.name for file in folder.glob(KEPT)} <= known:
            time.sleep(0.02)
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)


def contents(folder):
    """Return the digests of all records of the run, and of all that its fits left but measured seconds."""
    fits = {str(file.relative_to(folder)): file.read_bytes() for file in folder.glob(STORED)}
    weights = {
        str(f.relative_to(folder)): f.read_bytes() for f in folder.glob("results/fits/*/*/*.safetensors")
    }
    kept = {name: content for name, content in weights.items() if "/checkpoints/" not in name}
    return {**result_bytes(folder / "results/chaos", RECORDS), **fits, **kept}


def finish(folder):
    process = snakemake(folder, *ARGUMENTS, configfile=SUITE)
    assert process.returncode == 0, process.stdout
    return process.stdout


def resumed_at(output):
    """Return the steps at which the fits of a run went on from a checkpoint."""
    return [int(step) for step in re.findall(r"goes on at step (\d+) of", output)]


@pytest.mark.parametrize("half", [1, 2])
def test_kills_at_random_moments_change_no_byte(half, tmp_path):
    kills = KILLS // 2
    folder, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    finish(undisturbed)
    expected = contents(undisturbed)
    assert len(list(undisturbed.glob(STORED))) == 3 * len(
        list(undisturbed.glob("results/fits/*/*/record.json"))
    )
    draws = np.random.default_rng(2025 + half)
    killed, resumed = Counter(), []
    while sum(killed.values()) < kills:
        process = start(folder, *ARGUMENTS, configfile=SUITE)
        wait_for_a_moment(process, folder, draws)
        if process.poll() is None:
            way = WAYS[sum(killed.values()) % len(WAYS)]
            way(process, folder)
            killed[way.__name__] += 1
            resumed += resumed_at(process.communicate()[0])
            wait_for_the_end_of_trainers(folder)
            print(
                f"{sum(killed.values())}: {way.__name__}, {len(list(folder.glob(STORED))) // 3} fits stored"
            )
            continue
        output = process.communicate()[0]
        assert process.returncode == 0, output
        assert contents(folder) == expected
        resumed += resumed_at(output)
        shutil.rmtree(folder)
    resumed += resumed_at(finish(folder))
    assert contents(folder) == expected
    assert list(folder.glob(KEPT)) == []
    assert list(folder.glob("results/fits/*/*damaged*")) == []
    print(f"killed: {dict(killed)}; went on: {len(resumed)} times, at steps {sorted(resumed)}")
    assert len(resumed) >= kills // 3
    assert len(killed) == min(kills, len(WAYS))
