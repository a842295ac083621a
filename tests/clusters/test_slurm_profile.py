"""The workflow on a real SLURM of one node: a failing cell, resume, arrays, and jobs that SLURM ends or pre-empts."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import slurm_host
from engine import REPOSITORY, TINY, environment, result_bytes, snakemake, trainers, unavailable

pytestmark = pytest.mark.slurm
# Of this cluster: it has no database for sacct, and need not be asked only now and then.
HERE = (
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5"),
    *("--seconds-between-status-checks", "2"),
)
NARROWED = ["datasets=[phantom_brain_mri]", "seeds_per_job=1"]
STEPS = 2400
ONE_FIT = [*NARROWED, "seeds=[1]", "methods=[single,majority]", f"training={{steps: {STEPS}}}"]
"""Of steps that leave time to disturb it."""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """Return the environment in which a cluster is found."""
    if reason := slurm_host.missing():
        unavailable(reason)
    with slurm_host.cluster(tmp_path_factory.mktemp("slurm")) as variables:
        yield {**variables, "PATH": environment()["PATH"]}


def command(folder, *arguments):
    profile = ("--workflow-profile", str(REPOSITORY / "profiles/slurm"), *HERE)
    return [
        *("snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(folder)),
        *("--configfile", str(TINY), *profile, *arguments),
    ]


def submit(slurm, folder, *arguments):
    return subprocess.run(
        command(folder, *arguments),
        env=slurm,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def rules_run(output):
    """Return how often each rule's job was submitted."""
    submitted = re.findall(r"submitted with SLURM jobid \d+ \(log: \S+/slurm_logs/rule_(\w+)/", output)
    return {rule: submitted.count(rule) for rule in set(submitted)}


def jobs(slurm):
    """Return what SLURM knows of each job that it ran: its script's fields by name."""
    shown = slurm_host.said(slurm, "scontrol", "--oneliner", "show", "job")
    return [dict(re.findall(r"(\w+)=(\S+)", line)) for line in shown.splitlines()]


def split(folder, changes):
    """Make everything before the training on this machine itself."""
    done = snakemake(folder, "--cores", "2", "--until", "split", "--config", *changes)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def before_training(tmp_path_factory):
    """Return a folder where only the training is left; tests must leave it as it is."""
    return split(tmp_path_factory.mktemp("before"), NARROWED)


@pytest.fixture
def prepared(before_training, tmp_path):
    """Return a copy of it."""
    return shutil.copytree(before_training, tmp_path / "cluster")


def test_a_failing_cell_fails_alone_and_is_made_alone_by_the_next_call(
    slurm, before_training, prepared, tmp_path
):
    local = shutil.copytree(before_training, tmp_path / "local")
    done = snakemake(local, "--cores", "2", "--until", "gather", "--config", *NARROWED)
    assert done.returncode == 0, done.stdout
    [lock] = local.glob("results/fits/phantom_brain_mri/.seed2-*.lock")
    in_the_way = prepared / lock.relative_to(local)
    in_the_way.mkdir(parents=True)  # where the second cell has to write a file
    arguments = ("--until", "gather", "--retries", "0", "--config", *NARROWED)
    first = submit(slurm, prepared, *arguments)
    assert first.returncode != 0
    assert "Error in rule train" in first.stdout and "seeds2-2" in first.stdout, first.stdout[-3000:]
    made = prepared.glob("results/*/predictions/*/*")
    assert sorted(file.name for file in made) == ["seed1.parquet", "seed1.sums.json"], first.stdout[-5000:]
    trained = [job for job in jobs(slurm) if job["Command"] and "gpu" in job.get("TresPerJob", "")]
    assert {job["TresPerJob"] for job in trained} == {"gres:gpu:1"}  # and the other jobs ask for none
    assert sorted(job["JobState"] for job in trained) == ["COMPLETED", "FAILED"]
    assert {job["MinMemoryNode"] for job in trained} == {"4000M"}
    in_the_way.rmdir()
    again = submit(slurm, prepared, *arguments)
    assert again.returncode == 0, again.stdout[-5000:]
    assert rules_run(again.stdout) == {"train": 1, "gather": 1}, again.stdout[:8000]
    [on_cluster], [here] = (list(folder.glob("results/tiny*")) for folder in (prepared, local))
    kinds = ("splits/**/*", "manifests/**/*", "predictions/**/*")
    assert result_bytes(on_cluster, kinds) == result_bytes(here, kinds)
    assert (
        len(result_bytes(here, kinds)) == 9
    )  # two seeds' splits, manifests and predictions, and three files of sums


def test_cells_that_are_ready_together_can_be_one_array(slurm, prepared):
    arguments = ("--slurm-array-jobs", "train", "--until", "train", "--config", *NARROWED)
    done = submit(slurm, prepared, *arguments)
    assert done.returncode == 0, done.stdout[-5000:]
    tasks = [job for job in jobs(slurm) if "ArrayTaskId" in job]
    assert sorted(job["ArrayTaskId"] for job in tasks) == ["1", "2"]
    assert {(job["TresPerJob"], job["JobState"]) for job in tasks} == {("gres:gpu:1", "COMPLETED")}
    assert len(list(prepared.glob("results/*/manifests/*/*.json"))) == 2


@pytest.fixture(scope="module")
def before_the_fit(tmp_path_factory):
    """Return a folder where only the training of one fit is left; tests must leave it as it is."""
    return split(tmp_path_factory.mktemp("before-the-fit"), ONE_FIT)


@pytest.fixture(scope="module")
def undisturbed(before_the_fit, tmp_path_factory):
    """Return the digests of the fit's files, predictions and weights among them, as this machine itself makes them."""
    folder = shutil.copytree(before_the_fit, tmp_path_factory.mktemp("undisturbed") / "here")
    done = snakemake(folder, "--cores", "1", "--until", "train", "--config", *ONE_FIT)
    assert done.returncode == 0, done.stdout
    return record_of_the_fit(folder)["files"]


def record_of_the_fit(folder):
    [file] = folder.glob("results/fits/*/*/record.json")
    return json.loads(file.read_text())


@dataclass(frozen=True)
class Training:
    """A run whose only training job is held in the midst of its steps, until SLURM wakes it up to end it."""

    folder: Path
    process: subprocess.Popen
    job: str

    def went_on(self, undisturbed):
        """Wait for the run's end, check its fit, and return how often the job was submitted."""
        output = self.process.communicate(timeout=300)[0]
        assert self.process.returncode == 0, output[-5000:]
        record = record_of_the_fit(self.folder)
        assert 0 < record["resumed_at"] < record["steps_run"] == STEPS
        assert record["files"] == undisturbed
        return rules_run(output)["train"]


@pytest.fixture
def training(slurm, before_the_fit, tmp_path):
    folder = shutil.copytree(before_the_fit, tmp_path / "cluster")
    process = subprocess.Popen(
        command(folder, "--until", "train", "--retries", "1", "--config", *ONE_FIT),
        env=slurm,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Training(folder, process, job_at_its_steps(slurm, folder, process))
    finally:
        process.kill()  # of a test that has failed
        process.wait()


def job_at_its_steps(slurm, folder, process):
    """Wait until steps were made, hold the process that makes them, and return its job's number."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        logs = list(folder.glob("results/*/logs/train/*/*.log"))
        running = slurm_host.said(slurm, "squeue", "--noheader", "--states=running", "--format=%i").split()
        if running and any(re.search(r"fit 1 of 1: \d+/", log.read_text()) for log in logs):
            [trainer] = trainers(folder)
            os.kill(trainer, signal.SIGSTOP)  # or it may be at its end before SLURM has acted
            return running[-1]
        time.sleep(0.2)
    pytest.fail("no step was made")


def state_and_restarts(slurm, number):
    [job] = [job for job in jobs(slurm) if job["JobId"] == number]
    return job["JobState"], int(job["Restarts"])


def order(slurm, *words):
    subprocess.run(words, env=slurm, check=True)


def test_a_job_that_is_ended_keeps_its_step_and_goes_on_when_it_is_submitted_again(
    slurm, undisturbed, training
):
    order(slurm, "scancel", training.job)
    assert training.went_on(undisturbed) == 2
    assert state_and_restarts(slurm, training.job) == ("CANCELLED", 0)


def test_a_job_at_the_end_of_its_time_goes_on_when_it_is_submitted_again(slurm, undisturbed, training):
    order(slurm, "scontrol", "update", f"JobId={training.job}", "EndTime=now+1")
    assert training.went_on(undisturbed) == 2
    assert state_and_restarts(slurm, training.job) == ("TIMEOUT", 0)


@pytest.mark.parametrize("grace", [0, 30])
def test_a_job_that_slurm_pre_empts_goes_on_from_its_step(grace, slurm, undisturbed, training):
    order(slurm, "scontrol", "update", "PartitionName=main", f"GraceTime={grace}")
    order(slurm, "sbatch", "--partition=urgent", "--cpus-per-task=2", "--output=/dev/null", "--wrap=true")
    submitted = training.went_on(undisturbed)
    state, restarts = state_and_restarts(slurm, training.job)
    if grace == 0:
        assert (state, restarts) == ("COMPLETED", 1)
    # SLURM queues it again; one that has left within its grace time is submitted again, by the profile's retries.
    assert submitted + restarts == 2
