"""A run's crate passes the profiles' own checks, traces every table, and tells whatever was changed since."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from crate_checks import problems
from engine import REPOSITORY, environment, snakemake

from weckd.provenance.crate import code_revision

pytestmark = pytest.mark.workflow
CHANGES = ("datasets=[phantom_brain_mri]", "methods=[weckd,single,majority]", "seeds=[1]")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the working folder of a finished run of one cell, and the run's folder in it."""
    folder = tmp_path_factory.mktemp("provenance") / "work"
    folder.mkdir()
    done = snakemake(folder, "--cores", "2", "--config", *CHANGES)
    assert done.returncode == 0, done.stdout
    [run] = folder.glob("results/tiny+*")
    return folder, run.relative_to(folder)


@pytest.fixture
def copy(made, tmp_path):
    """Return a copy that a test may change."""
    folder, run = made
    shutil.copytree(folder, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy", run


def entities(folder, run):
    graph = json.loads((folder / run / "ro-crate-metadata.json").read_text())["@graph"]
    return {entity["@id"]: entity for entity in graph}


def weckd(folder, *arguments, **variables):
    command = [sys.executable, "-m", "weckd", *map(str, arguments)]
    variables = {**environment(), **variables}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


def test_it_passes_the_checks_of_the_workflow_run_profile(made):
    folder, run = made
    assert problems(folder / run) == []


@pytest.mark.parametrize("broken", ["mainEntity", "license"])
def test_the_checks_find_what_a_crate_lacks(copy, broken):
    folder, run = copy
    file = folder / run / "ro-crate-metadata.json"
    crate = json.loads(file.read_text())
    root = next(entity for entity in crate["@graph"] if entity["@id"] == "./")
    del root[broken]
    file.write_text(json.dumps(crate))
    assert problems(folder / run) != []


def test_every_table_is_traced_to_predictions_and_these_to_images_and_device(made):
    folder, run = made
    crate = entities(folder, run)
    tables = {entity["@id"] for entity in crate["#tables"]["result"]}
    on_disk = {f"tables/{file.name}" for file in (folder / run / "tables").iterdir()}
    assert on_disk <= tables
    assert {"figures/forest.svg", "report.html"} <= tables
    predictions = "predictions/phantom_brain_mri/seed1.parquet"
    assert {"@id": predictions} in crate["#tables"]["object"]
    training = crate["#train-phantom_brain_mri-seed1"]
    assert training["result"] in ({"@id": predictions}, [{"@id": predictions}])
    manifest = json.loads((folder / run / "manifests/phantom_brain_mri/seeds1-1.json").read_text())
    assert training["description"].startswith(manifest["seeds"]["1"]["cell"]["device"])
    assert {"@id": "#data-phantom_brain_mri"} in training["object"]
    data = crate["#data-phantom_brain_mri"]
    assert crate[data["license"]["@id"]]["name"] == "MIT (drawn by this suite)"
    names = {crate[value["@id"]]["name"] for value in data["identifier"]}
    files = ("images.npy", "thumbnails.npy", "index.csv", "dataset.json")
    assert names == {f"prepared {file}" for file in files}
    assert "Drawn by the suite, not real images: phantom_brain_mri." in crate["./"]["description"]
    lock = crate["workflow/requirements.lock"]
    assert lock["contentSize"] == str((REPOSITORY / "requirements.lock").stat().st_size)
    assert crate["#run"]["startTime"] <= training["startTime"] <= crate["#run"]["endTime"]


def test_nothing_changed_is_told_with_the_number_of_things(made):
    folder, run = made
    done = weckd(folder, "verify", run)
    assert done.returncode == 0, done.stdout + done.stderr
    crate = entities(folder, run)
    recorded = [entity for entity in crate.values() if "sha256" in entity]
    fits = [json.loads(file.read_text()) for file in folder.glob("results/fits/*/*/record.json")]
    things = len(recorded) + 4 + sum(1 + len(record["files"]) for record in fits)
    assert done.stdout == f"{run}: all {things} recorded things are what they were\n"


def altered(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("{run}/tables/main.md", "tables/main.md: changed"),
        ("{run}/predictions/*/seed1.parquet", "predictions/phantom_brain_mri/seed1.parquet: changed"),
        ("{run}/suite.json", "suite.json: changed"),
        ("results/data/*/images.npy", "images.npy: changed"),
        ("results/data/*/thumbnails.npy", "thumbnails.npy: changed"),
        ("results/fits/*/*/test.npy", "test.npy: changed"),
        ("{run}/predictions/*/seed1.sums.json", "predictions/phantom_brain_mri/seed1.sums.json: changed"),
    ],
)
def test_one_bit_of_a_file_is_noticed(copy, pattern, told):
    folder, run = copy
    if "suite.json" in pattern:
        file = folder / run / "suite.json"
        file.write_text(file.read_text().replace('"steps": 4', '"steps": 5'))
    else:
        altered(next(iter(sorted(folder.glob(pattern.format(run=run))))))
    done = weckd(folder, "verify", run)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert len(lines) == 1 and lines[0].endswith(told), done.stdout
    assert f"{run}: 1 of" in done.stderr


def edited(file):
    file.write_text(file.read_text().replace('"status": "finished"', '"status": "diverged"'))


def replaced(make):
    def replace(file):
        file.unlink()
        make(file)

    return replace


@pytest.mark.parametrize(
    ("pattern", "change", "told"),
    [
        ("results/fits/*/*/record.json", edited, "record.json: changed"),
        ("results/fits/*/*/record.json", Path.unlink, "record.json: missing"),
        (
            "results/fits/*/*/record.json",
            lambda file: file.write_text(""),
            "record.json: not a readable record (JSON",
        ),
        ("results/fits/*/*/record.json", replaced(os.mkfifo), "record.json: not a file"),
        ("results/fits/*/*/test.npy", replaced(Path.mkdir), "test.npy: not a file"),
        ("results/data/*/images.npy", Path.unlink, "images.npy: missing"),
        ("results/data/*/index.csv", Path.unlink, "index.csv: missing"),
        ("results/data/*/dataset.json", Path.unlink, "dataset.json: missing"),
        (
            "results/data/*/images.npy",
            replaced(lambda file: file.symlink_to("/dev/zero")),
            "images.npy: not a file",
        ),
        ("{run}/tables/main.md", replaced(os.mkfifo), "tables/main.md: not a file"),
        ("{run}/tables/main.md", replaced(Path.mkdir), "tables/main.md: not a file"),
        ("{run}/predictions/*/seed1.parquet", replaced(os.mkfifo), "seed1.parquet: not a file"),
    ],
)
def test_what_is_gone_edited_or_no_file_is_told_and_neither_read_without_end_nor_passed_over(
    copy, pattern, change, told
):
    folder, run = copy
    change(next(iter(sorted(folder.glob(pattern.format(run=run))))))
    done = weckd(folder, "verify", run)
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if told in line], done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr.startswith(f"weckd: {run}: 1 of ")


@pytest.mark.parametrize("name", ["suite.json", "manifests/phantom_brain_mri/seeds1-1.json"])
@pytest.mark.parametrize("change", [replaced(os.mkfifo), lambda file: file.write_text("")])
def test_where_the_run_itself_cannot_be_read_the_rest_is_compared_all_the_same(copy, name, change):
    folder, run = copy
    change(folder / run / name)
    done = weckd(folder, "verify", run)
    assert done.returncode == 1
    first, last = done.stdout.splitlines()
    assert first in (f"{name}: changed", f"{name}: not a file")
    assert last.startswith(f"{run / name}: not a")
    assert last.endswith("; what it tells of was not compared")


def test_no_crate_is_made_over_edited_predictions(copy):
    folder, run = copy
    crate = (folder / run / "ro-crate-metadata.json").read_bytes()
    altered(folder / run / "predictions/phantom_brain_mri/seed1.parquet")
    done = weckd(folder, "provenance", "--run", run)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"weckd: {run}/predictions/phantom_brain_mri/seed1.parquet: edited or damaged, its SHA-256 is "
    )
    assert (folder / run / "ro-crate-metadata.json").read_bytes() == crate


def test_git_that_refuses_to_tell_the_revision_is_told_with_its_remedy(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("WECKD_REVISION", raising=False)
    (tmp_path / ".git").mkdir()  # no repository; one of another owner is refused alike
    assert code_revision(tmp_path) == "unknown"
    printed = capsys.readouterr().err
    assert printed.startswith(
        f"{tmp_path}: git does not tell the revision, it is recorded as unknown (fatal: "
    )
    assert printed.endswith(f"git config --global --add safe.directory {tmp_path}\n")
    monkeypatch.setenv("WECKD_REVISION", "abc")
    assert (code_revision(tmp_path), capsys.readouterr().err) == ("abc", "")


def test_missing_and_added_files_and_another_lock_are_named(copy, tmp_path):
    folder, run = copy
    (folder / run / "tables/gains.csv").unlink()
    (folder / run / "tables/better.csv").write_text("gain\n99\n")
    other = tmp_path / "other"
    shutil.copytree(folder / run / "workflow", other)
    with (other / "requirements.lock").open("a") as lock:
        lock.write("# edited\n")
    done = weckd(folder, "verify", run, "--workflow", other, WECKD_REVISION="abc")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert "tables/gains.csv: missing" in lines
    assert "tables/better.csv: not in the crate" in lines
    assert "requirements.lock: changed since the run was made" in lines
    assert [line for line in lines if line.startswith("code: abc, the run was made with ")]
    assert len(lines) == 4


def test_what_is_not_there_to_be_compared_is_said(copy):
    folder, run = copy
    (folder / run / "manifests/phantom_brain_mri/.left.json.by-a-kill").mkdir()  # is nothing
    (folder / "results/data").rename(folder / "data-elsewhere")
    (folder / "results/fits").rename(folder / "fits-elsewhere")
    done = weckd(folder, "verify", run)
    assert done.returncode == 0
    assert done.stderr == (
        "[verify] results/data: not there; prepared images, and what they were read from, are not compared\n"
        "[verify] results/fits: not there; stored fits are not compared\n"
    )


def test_the_image_is_recorded_where_its_caller_names_it(copy):
    folder, run = copy
    done = weckd(folder, "provenance", "--run", run, WECKD_IMAGE="sha256:0123abcd")
    assert done.returncode == 0, done.stderr
    crate = entities(folder, run)
    assert crate[crate["#run"]["containerImage"]["@id"]]["sha256"] == "0123abcd"
    assert problems(folder / run) == []


def test_a_run_without_a_crate_is_told_how_to_get_one(copy):
    folder, run = copy
    (folder / run / "ro-crate-metadata.json").unlink()
    done = weckd(folder, "verify", run)
    assert done.returncode == 1
    assert f"{run}/ro-crate-metadata.json: not a readable crate" in done.stderr
    assert "snakemake --cores all" in done.stderr
