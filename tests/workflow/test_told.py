"""What a person sees last: the message of the job that failed, of a mistake, of a request to stop."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from engine import REPOSITORY, describe, snakemake, start, trainers
from PIL import Image

from weckd.engine import ENDING, STOPPING

pytestmark = pytest.mark.workflow
NO_IMAGE = (
    "not an image; remove it, and its row where a table lists it, or leave out what cannot be read with skip_bad=true; "
    "where it is removed, `count` of its class in the catalogue must be one less"
)
ONE_FIT = ("datasets=[phantom_brain_mri]", "seeds=[1]", "methods=[single,majority]", "training={steps: 1200}")
ONE_LINE = ("--quiet", "rules", "reason", "host")
"""As the default profile has it; the other tests see all that is said."""
TRAINING = (
    *("--cores", "1", "--until", "train", "--set-resources", "train:checkpoint_s=1"),
    *("--config", *ONE_FIT),
)


def runs(folder):
    command = [sys.executable, "-m", "weckd", "runs"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_the_last_lines_are_what_each_failed_job_says(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 40, 40, 3), dtype=np.uint8)
    for key, pictures in (("few", 2), ("broken", 20), ("broken_too", 20)):
        for name in ("a", "b"):
            folder = tmp_path / "images" / key / name
            folder.mkdir(parents=True)
            for number in range(20):  # few groups, of many images
                Image.fromarray(noise[number % pictures]).save(folder / f"{number}.png")
        if key != "few":
            (folder / "1.png").write_text("no image")
    catalogue = tmp_path / "mine.yaml"
    catalogue.write_text("".join(map(describe, sorted((tmp_path / "images").iterdir()))))
    changes = ("datasets=[few,broken,broken_too]", f"data_root={tmp_path}/images", f"catalogue={catalogue}")
    work = tmp_path / "work"
    done = snakemake(work, "--cores", "2", "--until", "split", *ONE_LINE, "--config", *changes)
    assert done.returncode == 1
    assert done.stdout.splitlines()[1] == "weckd: 0 of 13 jobs"
    assert not re.search("Select jobs|Execute|Finished jobid|Job stats|Error in rule", done.stdout)
    [run] = (work / "results").glob("tiny+*")
    logs = f"results/{run.name}/logs/split/few.log"
    assert done.stdout.partition("At least one job did not complete successfully.\n")[2].strip() == "\n".join(
        [
            "failed: prepare broken (results/data/broken-32px/prepare.log)",
            f"weckd: {tmp_path}/images/broken/b/1.png: {NO_IMAGE}",
            "",
            "failed: prepare broken_too (results/data/broken_too-32px/prepare.log)",
            f"weckd: {tmp_path}/images/broken_too/b/1.png: {NO_IMAGE}",
            "",
            f"failed: split {run.name}, few ({logs})",
            (work / logs).read_text().strip(),
        ]
    )
    assert (work / logs).read_text().startswith("weckd: few: class a has 2 groups")
    listed = runs(work)
    command = (
        f"snakemake --cores all --snakefile {REPOSITORY}/Snakefile --configfile {REPOSITORY}/tests/workflow/tiny.yaml "
        f"""--config 'datasets=["few", "broken", "broken_too"]' 'data_root="{tmp_path}/images"' """
        f"""'catalogue="{catalogue}"'"""
    )
    assert listed.splitlines()[2].split()[:3] == [f"results/{run.name}", "tiny", 'datasets=["few",']
    assert "  failed   0 of 6" in listed
    failed = "prepare broken failed (results/data/broken-32px/prepare.log), and 2 more jobs"
    assert listed.endswith(f"\nresults/{run.name}, where {failed}, goes on with\n  {command}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--config", "methods=[singel]"), "weckd: methods: no method 'singel'; did you mean 'single'?"),
        (("--config", "records=all"), "weckd: records: 'all' is neither run nor reference"),
        (
            ("--config", "records=reference"),
            f"weckd: records=reference: there is no reference {REPOSITORY}/results/reference/tiny or "
            "results/reference/tiny; make one with `weckd freeze`",
        ),
        (
            ("leakage",),
            "weckd: leak study: no data set of tiny has an official test part; name one, such as ear_chile",
        ),
    ],
)
def test_a_mistake_is_one_message_and_not_where_in_the_rules_it_was_found(arguments, message, tmp_path):
    done = snakemake(tmp_path, "-n", *arguments)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith(message)
    assert "Error" not in done.stdout
    assert "File " not in done.stdout


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """Return the folder of a run of one fit that lacks its training alone."""
    folder = tmp_path_factory.mktemp("split")
    done = snakemake(folder, "--cores", "2", "--until", "split", "--config", *ONE_FIT)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture
def ready(split, tmp_path):
    """Return a copy of it that a test may train in."""
    return shutil.copytree(split, tmp_path / "ready", symlinks=True)


def wait_for_steps(process, folder):
    """Wait for a checkpoint."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if list(folder.glob("results/fits/*/checkpoints/*.safetensors")):
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    pytest.fail("no step was made")


def ctrl_c(process, told, everyone):
    """Send SIGINT, to the engine alone or as a terminal does, and return what is printed until it is told."""
    (os.killpg if everyone else os.kill)(process.pid, signal.SIGINT)
    printed = []
    for line in process.stdout:
        printed.append(line)
        if line == f"{told}\n":
            return "".join(printed)
    pytest.fail(f"{told!r} is not in {''.join(printed)}")


def test_a_run_shows_how_far_it_is_in_one_line_and_keeps_the_rest_to_its_logs(ready):
    done = snakemake(ready, "--cores", "1", "--until", "gather", *ONE_LINE, "--config", *ONE_FIT[:-1])
    assert done.returncode == 0, done.stdout
    first, line, blank, made, *_ = done.stdout.splitlines()
    assert first.startswith("Using workflow specific profile ")
    assert (line, blank) == ("weckd: 0 of 1 cells, 0 of 5 jobs", "")
    assert made == "made         suite (1 job), group (1 job), split (1 job), train (1 job), gather (1 job)"
    [log] = ready.glob("results/tiny+*/logs/train/phantom_brain_mri/*.log")
    assert re.fullmatch(
        r"\[phantom_brain_mri\] seed 1 \(1 of 1\), fit 1 of 1: finished \(D1, \d+ steps, .* s\)",
        log.read_text().strip(),
    )
    [engine] = [
        text for text in map(Path.read_text, ready.glob(".snakemake/log/*")) if "rule: train" in text.lower()
    ]
    assert "Select jobs to execute..." in engine
    again = snakemake(ready, "--cores", "1", "--until", "gather", *ONE_LINE, "--config", *ONE_FIT[:-1])
    assert "weckd: " not in again.stdout


@pytest.mark.parametrize("everyone", [False, True], ids=["engine alone", "as a terminal does"])
def test_a_second_ctrl_c_stops_training_which_keeps_its_step_and_leaves_nothing_behind(ready, everyone):
    process = start(ready, *TRAINING)
    wait_for_steps(process, ready)
    [run] = (ready / "results").glob("tiny+*")
    listed = runs(ready)
    assert "  running  0 of 1" in listed
    assert "goes on with" not in listed
    assert "asked to stop" not in ctrl_c(process, ENDING, everyone)
    assert len(trainers(ready)) == 1
    ctrl_c(process, STOPPING, everyone)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert "asked to stop: kept step" in output
    assert "Traceback" not in output
    assert trainers(ready) == []
    assert list((ready / ".snakemake/locks").iterdir()) == []
    listed = runs(ready)
    assert f"\nresults/{run.name} goes on with\n  snakemake --cores all" in listed
    assert snakemake(ready, "-n", *TRAINING).returncode == 0


def test_a_job_that_is_asked_to_stop_with_all_its_processes_keeps_its_step_and_its_last_words(ready):
    process = start(ready, *TRAINING)
    wait_for_steps(process, ready)
    os.killpg(process.pid, signal.SIGTERM)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    [kept] = set(re.findall(r"asked to stop: kept step (\d+) of 1200", output))
    assert "completed successfully" not in output  # as of a job whose outputs are missing
    again = snakemake(ready, *TRAINING)
    assert again.returncode == 0, again.stdout
    [record] = ready.glob("results/fits/*/*/record.json")
    assert json.loads(record.read_text())["resumed_at"] == int(kept) > 0


def test_one_ctrl_c_lets_a_training_job_come_to_its_end_and_starts_no_other(ready):
    short = (*ONE_FIT[:-1], "training={steps: 100}")
    each_step = ("--set-resources", "train:checkpoint_s=0")
    process = start(ready, "--cores", "1", "--until", "gather", *each_step, "--config", *short)
    wait_for_steps(process, ready)
    ctrl_c(process, ENDING, everyone=True)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 1
    assert "asked to stop" not in output
    assert len(list(ready.glob("results/tiny+*/manifests/*/*.json"))) == 1
    assert list(ready.glob("results/tiny+*/predictions/*/*")) == []
    told, command = output.splitlines()[-2:]
    assert told == "weckd: stopped; what is made stays, and this goes on:"
    assert command.startswith("  snakemake --cores all --snakefile ")
    assert list((ready / ".snakemake/locks").iterdir()) == []


def test_a_run_whose_reader_is_gone_when_its_jobs_end_does_not_wait_for_them_for_ever(ready):
    process = start(ready, *TRAINING)
    wait_for_steps(process, ready)
    [job] = trainers(ready)
    os.kill(process.pid, signal.SIGTERM)
    for line in process.stdout:
        if "Will exit after finishing" in line:
            break
    process.stdout.close()
    os.kill(job, signal.SIGTERM)
    try:
        assert process.wait(timeout=60) != 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
