"""A run's crate passes the profiles' own checks, traces every table, and tells whatever was changed since."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from crate_checks import problems
from engine import IMAGE, REPOSITORY

from weckd.cli import main
from weckd.provenance.crate import code_revision

pytestmark = pytest.mark.workflow
RUN = Path("results/tiny")


def entities(folder):
    graph = json.loads((folder / RUN / "ro-crate-metadata.json").read_text())["@graph"]
    return {entity["@id"]: entity for entity in graph}


@pytest.fixture
def weckd(monkeypatch, capsys):
    """Return a function that calls the command line in a folder, and returns its status, output and errors."""

    def call(folder, *arguments, **variables):
        monkeypatch.chdir(folder)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return SimpleNamespace(status=main([*map(str, arguments)]), **capsys.readouterr()._asdict())

    return call


def test_it_passes_the_checks_of_the_workflow_run_profile(finished):
    folder, _ = finished
    assert problems(folder / RUN) == []


@pytest.mark.parametrize("broken", ["mainEntity", "license"])
def test_the_checks_find_what_a_crate_lacks(copy, broken):
    file = copy / RUN / "ro-crate-metadata.json"
    crate = json.loads(file.read_text())
    root = next(entity for entity in crate["@graph"] if entity["@id"] == "./")
    del root[broken]
    file.write_text(json.dumps(crate))
    assert problems(copy / RUN) != []


def test_every_table_is_traced_to_predictions_and_these_to_images_and_device(finished):
    folder, _ = finished
    crate = entities(folder)
    tables = {entity["@id"] for entity in crate["#tables"]["result"]}
    on_disk = {f"tables/{file.name}" for file in (folder / RUN / "tables").iterdir()}
    assert on_disk <= tables
    assert {"figures/forest.svg", "report.html"} <= tables
    predictions = "predictions/phantom_brain_mri/seed1.parquet"
    assert {"@id": predictions} in crate["#tables"]["object"]
    training = crate["#train-phantom_brain_mri-seed1"]
    assert training["result"] in ({"@id": predictions}, [{"@id": predictions}])
    manifest = json.loads((folder / RUN / "manifests/phantom_brain_mri/seeds1-2.json").read_text())
    assert training["description"].startswith(manifest["seeds"]["1"]["cell"]["device"])
    assert {"@id": "#data-phantom_brain_mri"} in training["object"]
    data = crate["#data-phantom_brain_mri"]
    assert crate[data["license"]["@id"]]["name"] == "MIT (drawn by this suite)"
    names = {crate[value["@id"]]["name"] for value in data["identifier"]}
    files = ("images.npy", "thumbnails.npy", "index.csv", "dataset.json")
    assert names == {f"prepared {file}" for file in files}
    drawn = "Drawn by the suite, not real images: phantom_ear_ohio, phantom_brain_mri."
    assert drawn in crate["./"]["description"]
    lock = crate["workflow/requirements.lock"]
    assert lock["contentSize"] == str((REPOSITORY / "requirements.lock").stat().st_size)
    assert crate["#run"]["startTime"] <= training["startTime"] <= crate["#run"]["endTime"]


def test_nothing_changed_is_told_with_the_number_of_things(weckd, finished):
    folder, _ = finished
    done = weckd(folder, "verify", RUN)
    assert done.status == 0, done
    crate = entities(folder)
    recorded = [entity for entity in crate.values() if entity.get("sha256") not in (None, IMAGE)]
    fits = [json.loads(file.read_text()) for file in folder.glob("results/fits/*/*/record.json")]
    things = len(recorded) + 2 * 4 + sum(1 + len(record["files"]) for record in fits)
    assert done.out == f"{RUN}: all {things} recorded things are what they were\n"


def altered(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("results/tiny/tables/main.md", "tables/main.md: changed"),
        ("results/tiny/predictions/*/seed1.parquet", "predictions/phantom_brain_mri/seed1.parquet: changed"),
        ("results/tiny/suite.json", "suite.json: changed"),
        ("results/data/*/images.npy", "images.npy: changed"),
        ("results/data/*/thumbnails.npy", "thumbnails.npy: changed"),
        ("results/fits/*/*/test.npy", "test.npy: changed"),
        (
            "results/tiny/predictions/*/seed1.sums.json",
            "predictions/phantom_brain_mri/seed1.sums.json: changed",
        ),
    ],
)
def test_one_bit_of_a_file_is_noticed(weckd, copy, pattern, told):
    if "suite.json" in pattern:
        file = copy / RUN / "suite.json"
        file.write_text(file.read_text().replace('"steps": 4', '"steps": 5'))
    else:
        altered(next(iter(sorted(copy.glob(pattern)))))
    done = weckd(copy, "verify", RUN)
    assert done.status == 1
    lines = done.out.splitlines()
    assert len(lines) == 1 and lines[0].endswith(told), done.out
    assert f"{RUN}: 1 of" in done.err


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
        ("results/tiny/tables/main.md", replaced(os.mkfifo), "tables/main.md: not a file"),
        ("results/tiny/tables/main.md", replaced(Path.mkdir), "tables/main.md: not a file"),
        ("results/tiny/predictions/*/seed1.parquet", replaced(os.mkfifo), "seed1.parquet: not a file"),
    ],
)
def test_what_is_gone_edited_or_no_file_is_told_and_neither_read_without_end_nor_passed_over(
    weckd, copy, pattern, change, told
):
    change(next(iter(sorted(copy.glob(pattern)))))
    done = weckd(copy, "verify", RUN)
    assert done.status == 1
    assert [line for line in done.out.splitlines() if told in line], done.out
    assert len(done.out.splitlines()) == 1
    assert done.err.startswith(f"weckd: {RUN}: 1 of ")


@pytest.mark.parametrize("name", ["suite.json", "manifests/phantom_brain_mri/seeds1-2.json"])
@pytest.mark.parametrize("change", [replaced(os.mkfifo), lambda file: file.write_text("")])
def test_where_the_run_itself_cannot_be_read_the_rest_is_compared_all_the_same(weckd, copy, name, change):
    change(copy / RUN / name)
    done = weckd(copy, "verify", RUN)
    assert done.status == 1
    first, last = done.out.splitlines()
    assert first in (f"{name}: changed", f"{name}: not a file")
    assert last.startswith(f"{RUN / name}: not a")
    assert last.endswith("; what it tells of was not compared")


def test_no_crate_is_made_over_edited_predictions(weckd, copy):
    crate = (copy / RUN / "ro-crate-metadata.json").read_bytes()
    altered(copy / RUN / "predictions/phantom_brain_mri/seed1.parquet")
    done = weckd(copy, "provenance", "--run", RUN)
    assert done.status == 1
    assert done.err.startswith(
        "weckd: results/tiny/predictions/phantom_brain_mri/seed1.parquet: edited or damaged, its SHA-256 is "
    )
    assert (copy / RUN / "ro-crate-metadata.json").read_bytes() == crate


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


def test_missing_and_added_files_and_another_lock_are_named(weckd, copy, tmp_path):
    (copy / RUN / "tables/gains.csv").unlink()
    (copy / RUN / "tables/better.csv").write_text("gain\n99\n")
    other = tmp_path / "other"
    shutil.copytree(copy / RUN / "workflow", other)
    with (other / "requirements.lock").open("a") as lock:
        lock.write("# edited\n")
    done = weckd(copy, "verify", RUN, "--workflow", other, WECKD_REVISION="abc")
    assert done.status == 1
    lines = done.out.splitlines()
    assert "tables/gains.csv: missing" in lines
    assert "tables/better.csv: not in the crate" in lines
    assert "requirements.lock: changed since the run was made" in lines
    assert [line for line in lines if line.startswith("code: abc, the run was made with ")]
    assert len(lines) == 4


def test_what_is_not_there_to_be_compared_is_said(weckd, copy):
    (copy / RUN / "manifests/phantom_brain_mri/.left.json.by-a-kill").mkdir()  # is nothing
    (copy / "results/data").rename(copy / "data-elsewhere")
    (copy / "results/fits").rename(copy / "fits-elsewhere")
    done = weckd(copy, "verify", RUN)
    assert done.status == 0
    assert done.err == (
        "[verify] results/data: not there; prepared images, and what they were read from, are not compared\n"
        "[verify] results/fits: not there; stored fits are not compared\n"
    )


def test_the_image_is_recorded_where_its_caller_names_it(weckd, copy, monkeypatch):
    crate = entities(copy)
    assert crate[crate["#run"]["containerImage"]["@id"]]["sha256"] == IMAGE
    monkeypatch.delenv("WECKD_IMAGE", raising=False)
    done = weckd(copy, "provenance", "--run", RUN)
    assert done.status == 0, done
    assert "containerImage" not in entities(copy)["#run"]
    assert problems(copy / RUN) == []


def test_a_run_without_a_crate_is_told_how_to_get_one(weckd, copy):
    (copy / RUN / "ro-crate-metadata.json").unlink()
    done = weckd(copy, "verify", RUN)
    assert done.status == 1
    assert "results/tiny/ro-crate-metadata.json: not a readable crate" in done.err
    assert "snakemake --cores all" in done.err
