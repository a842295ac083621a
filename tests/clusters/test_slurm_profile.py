"""The workflow on a real SLURM of one node: one failing cell, resume, arrays, and a job that is ended."""

import json
import re
import subprocess
import time

import pytest
import slurm_host
from engine import REPOSITORY, TINY, environment, result_bytes, snakemake, unavailable

pytestmark = pytest.mark.slurm
# Of this cluster: it has no database for sacct, and need not be asked only now and then.
HERE = (
    *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5"),
    *("--seconds-between-status-checks", "2"),
)
NARROWED = ["datasets=[phantom_brain_mri]", "seeds_per_job=1"]


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


@pytest.fixture
def prepared(tmp_path):
    """Return a folder where everything before the training was made by this machine itself."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    done = snakemake(folder, "--cores", "2", "--until", "split", "--config", *NARROWED)
    assert done.returncode == 0, done.stdout
    return folder


def test_a_failing_cell_fails_alone_and_is_made_alone_by_the_next_call(slurm, prepared, tmp_path):
    in_the_way = prepared / "results/fits/phantom_brain_mri/.seed2.lock"
    in_the_way.mkdir(parents=True)  # where the second cell has to write a file
    arguments = ("--until", "gather", "--retries", "0", "--config", *NARROWED)
    first = submit(slurm, prepared, *arguments)
    assert first.returncode != 0
    assert "Error in rule train" in first.stdout and "seeds2-2" in first.stdout, first.stdout[-3000:]
    made = prepared.glob("results/*/predictions/*/*")
    assert [file.name for file in made] == ["seed1.parquet"], first.stdout[-5000:]
    trained = [job for job in jobs(slurm) if job["Command"] and "gpu" in job.get("TresPerJob", "")]
    assert {job["TresPerJob"] for job in trained} == {"gres:gpu:1"}  # and the other jobs ask for none
    assert sorted(job["JobState"] for job in trained) == ["COMPLETED", "FAILED"]
    assert {job["MinMemoryNode"] for job in trained} == {"4000M"}
    in_the_way.rmdir()
    again = submit(slurm, prepared, *arguments)
    assert again.returncode == 0, again.stdout[-5000:]
    assert rules_run(again.stdout) == {"train": 1, "gather": 1}
    local = tmp_path / "local"
    local.mkdir()
    done = snakemake(local, "--cores", "2", "--until", "gather", "--config", *NARROWED)
    assert done.returncode == 0, done.stdout
    [on_cluster], [here] = (list(folder.glob("results/tiny*")) for folder in (prepared, local))
    kinds = ("splits/**/*", "manifests/**/*", "predictions/**/*")
    assert result_bytes(on_cluster, kinds) == result_bytes(here, kinds)
    assert len(result_bytes(here, kinds)) == 6


def test_cells_that_are_ready_together_can_be_one_array(slurm, prepared):
    arguments = ("--slurm-array-jobs", "train", "--until", "train", "--config", *NARROWED)
    done = submit(slurm, prepared, *arguments)
    assert done.returncode == 0, done.stdout[-5000:]
    tasks = [job for job in jobs(slurm) if "ArrayTaskId" in job]
    assert sorted(job["ArrayTaskId"] for job in tasks) == ["1", "2"]
    assert {(job["TresPerJob"], job["JobState"]) for job in tasks} == {("gres:gpu:1", "COMPLETED")}
    assert len(list(prepared.glob("results/*/manifests/*/*.json"))) == 2


def test_a_job_that_is_ended_keeps_its_step_and_goes_on_when_it_is_submitted_again(slurm, prepared):
    steps = 1200
    changes = [*NARROWED, "seeds=[1]", "methods=[single,majority]", f"training={{steps: {steps}}}"]
    arguments = ("--until", "train", "--retries", "1", "--config", *changes)
    process = subprocess.Popen(
        command(prepared, *arguments),
        env=slurm,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    job = wait_for_training(slurm, process, prepared)
    # As at the end of a job's time and when another one pre-empts it: SIGTERM, and SIGKILL after KillWait.
    subprocess.run(["scancel", job], env=slurm, check=True)
    output = process.communicate()[0]
    assert process.returncode == 0, output[-5000:]
    assert rules_run(output)["train"] == 2
    [record] = prepared.glob("results/fits/*/*/record.json")
    facts = json.loads(record.read_text())
    assert 0 < facts["resumed_at"] < facts["steps_run"] == steps


def wait_for_training(slurm, process, folder):
    """Wait until steps were made and return the number of the job that makes them."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        logs = list(folder.glob("results/*/logs/train/*/*.log"))
        running = slurm_host.said(slurm, "squeue", "--noheader", "--states=running", "--format=%i").split()
        if running and any(re.search(r"fit 1 of 1: \d+/", log.read_text()) for log in logs):
            return running[-1]
        time.sleep(0.2)
    pytest.fail("no step was made")
