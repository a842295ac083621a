"""What happens to a working folder: copied, under an odd name, with its store removed."""

import json
import os
import shutil
import subprocess
import time

import numpy as np
import pytest
from engine import ODD, RECORDS, REPOSITORY, TINY, describe, result_bytes, snakemake
from PIL import Image

pytestmark = pytest.mark.workflow


@pytest.fixture
def moved(copy, tmp_path):
    """Return a copy of the repository's files and, in it, of the finished run, in a folder with an odd name."""
    place = tmp_path / ODD
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (REPOSITORY / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, place / name)
    copy.rename(place / "run")
    return place


def in_moved(place, *arguments):
    files = {"configfile": place / TINY.relative_to(REPOSITORY), "snakefile": place / "Snakefile"}
    return snakemake(place / "run", *arguments, **files)


def test_a_copied_working_folder_has_nothing_to_do(moved):
    done = in_moved(moved, "-n")
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in done.stdout


def test_a_copied_folder_whose_configuration_holds_absolute_paths_within_it_has_nothing_to_do(tmp_path):
    place, copy = tmp_path / "one", tmp_path / "two"
    for number, name in enumerate(("a", "b")):
        (place / "images/mine" / name).mkdir(parents=True)
        for image in range(12):
            pixels = np.random.default_rng([number, image]).integers(0, 255, (9, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((40, 40)).save(place / "images/mine" / name / f"{image}.png")
    (place / "mine.yaml").write_text(describe(place / "images/mine"))
    wanted = ("--cores", "2", "--until", "split")

    def within(folder):
        paths = {"catalogue": str(folder / "mine.yaml"), "data_root": str(folder / "images")}
        (folder / "own.yaml").write_text(json.dumps({"suite": "own", "datasets": ["mine"], **paths}))
        return {"configfile": (TINY, folder / "own.yaml")}

    done = snakemake(place, *wanted, **within(place))
    assert done.returncode == 0, done.stdout
    shutil.copytree(place, copy)
    shutil.rmtree(place)
    again = snakemake(copy, *wanted, **within(copy))
    assert again.returncode == 0, again.stdout
    assert "localrule" not in again.stdout
    before = result_bytes(copy / "results/own")
    shutil.rmtree(copy / "results/data")  # what needs the images looks for them in the copy
    again = snakemake(copy, *wanted, "--forcerun", "prepare", **within(copy))
    assert again.returncode == 0, again.stdout
    assert result_bytes(copy / "results/own") == before
    save = json.loads((copy / "own.yaml").read_text())
    (copy / "own.yaml").write_text(json.dumps({**save, "image_size": 48}))
    told = "results/own/suite.json: not what the suite files say; made again\n"
    assert told in snakemake(copy, "-n", *wanted, configfile=(TINY, copy / "own.yaml")).stdout


def test_a_folder_with_braces_quotes_and_dollars_in_its_name_is_a_folder(moved, finished):
    folder, _ = finished
    # Training in such a folder: test_hostile_names.py.
    for forced, target in ((["suite"], "results/tiny/suite.json"), (["audit", "tables", "figures"], "all")):
        done = in_moved(moved, "--cores", "2", "--forcerun", *forced, "--", target)
        assert done.returncode == 0, done.stdout
        for rule in forced:
            assert f"localrule {rule}:" in done.stdout
    assert "localrule provenance:" in done.stdout
    assert result_bytes(moved / "run/results/tiny") == result_bytes(folder / "results/tiny")


def test_where_the_store_is_removed_cells_are_still_there_and_else_the_same_command_trains_what_is_needed(
    finished, copy
):
    folder, _ = finished
    run = copy / "results/tiny"
    shutil.rmtree(copy / "results/fits")
    assert "Nothing to be done" in snakemake(copy, "--cores", "2").stdout
    lost = [
        run / "predictions/phantom_ear_ohio/seed2.parquet",
        run / "gathered/phantom_ear_ohio/seeds1-2.tar",
    ]
    for number, trained in ((1, 0), (2, 1)):
        for file in lost[:number]:
            file.unlink()
        done = snakemake(copy, "--cores", "2", "--until", "gather", "audit")
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("localrule train:") == trained
        assert result_bytes(run, RECORDS) == result_bytes(folder / "results/tiny", RECORDS)
    assert len(list(copy.glob("results/fits/*/*/record.json"))) == 12  # of one data set


def test_files_that_are_dated_later_than_the_clock_are_refused_before_a_job_fails_over_them(finished, copy):
    folder, _ = finished
    run = copy / "results/tiny"
    later = time.time() + 86400
    for file in run.parent.rglob("*"):
        os.utime(file, (later, later))
    assert "Nothing to be done" in snakemake(copy, "--cores", "2").stdout
    (run / "predictions/phantom_ear_ohio/seed2.parquet").unlink()
    refused = snakemake(copy, "--cores", "2", "--until", "gather")
    assert refused.returncode == 1
    assert refused.stdout.splitlines()[-1] == (
        "weckd: results/tiny/gathered/phantom_ear_ohio/seeds1-2.sums.json: its time is later than this machine's "
        "clock; set the clock, or give all such files the present time: find results data -newermt now -exec touch {} +"
    )
    (copy / "data").mkdir()
    remedy = refused.stdout.splitlines()[-1].rpartition(": ")[2]
    subprocess.run(remedy.split(), cwd=copy, check=True)
    done = snakemake(copy, "--cores", "2", "--until", "gather")
    assert done.returncode == 0, done.stdout
    assert result_bytes(run, RECORDS) == result_bytes(folder / "results/tiny", RECORDS)
