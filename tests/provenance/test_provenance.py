"""A run's crate passes the profiles' own checks, traces every table, and tells whatever was changed since."""

import json
import shutil
import subprocess
import sys

import pytest
from crate_checks import problems
from engine import REPOSITORY, environment, snakemake

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
    assert names == {"prepared images.npy", "prepared index.csv", "prepared dataset.json"}
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
    things = len(recorded) + 3 + sum(len(record["files"]) for record in fits)
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
        ("results/fits/*/*/test.npy", "test.npy: changed"),
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
