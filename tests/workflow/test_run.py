"""The workflow end to end on a reduced suite: bytes, kills, locks, what is made again and what is not."""

import json
import os
import shutil
import signal
import time

import pandas as pd
import pytest
from engine import RECORDS, REPOSITORY, TINY, result_bytes, snakemake, start, wait_for_the_end_of_trainers

from weckd.config import load_suite
from weckd.last_screen import last_screen

pytestmark = pytest.mark.workflow
# Tables and figures are made of these, and equal where they are.
UNTIL_RECORDS = ("--until", "gather", "audit")


@pytest.fixture
def undone(copy):
    """Return a folder with the finished run's prepared images, and nothing else of it."""
    for name in ("tiny", "fits"):
        shutil.rmtree(copy / "results" / name)
    return copy


def stored(folder):
    """Return when each fit was stored."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("results/fits/*/[!.]*/record.json")}


def wait_for_fits(process, folder, count):
    """Wait until so many fits are stored."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if len(stored(folder)) >= count:
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    pytest.fail("no fit was stored")


def test_predictions_are_complete_and_long(finished):
    folder, output = finished
    frame = pd.read_parquet(folder / "results/tiny/predictions/phantom_ear_ohio/seed1.parquet")
    assert list(frame.columns) == [
        *("dataset", "seed", "method", "stage", "split", "image_id", "group_id", "y", "p_0", "p_1", "p_2")
    ]
    assert frame.groupby("method")["stage"].max().to_dict() == {
        **{"weckd": 3, "single": 1, "pooled": 1, "full-converged": 1, "permuted": 1, "majority": 1}
    }
    assert set(frame["split"]) == {"validation", "test"}
    assert (frame.filter(regex="^p_").sum(axis=1) - 1).abs().max() < 1e-6
    single = frame[frame["method"] == "single"].drop(columns="method").reset_index(drop=True)
    m1 = (
        frame[(frame["method"] == "weckd") & (frame["stage"] == 1)]
        .drop(columns="method")
        .reset_index(drop=True)
    )
    pd.testing.assert_frame_equal(single, m1)  # M1 of the chain is the single baseline, trained once
    assert "\nrun tiny: 2 data sets, " in output  # the screen that a person sees at the end


def test_suite_json_is_the_same_through_snakemake_and_the_command_line(finished):
    from weckd.config import suite_json
    from weckd.suite_file import resolve_suite

    folder, _ = finished
    suite = resolve_suite([TINY], {})
    assert (folder / "results" / "tiny" / "suite.json").read_text() == suite_json(suite)
    assert json.loads(suite_json(suite))["run"] == "tiny"


def test_a_suite_file_that_is_edited_in_place_is_noticed(tmp_path):
    text = TINY.read_text(encoding="utf-8").replace("../../config", str(REPOSITORY / "config"))
    edited = text.replace("alpha: 0.5", "alpha: 0.6")  # no part of the plan, whose hash stays
    assert edited != text
    file = tmp_path / "mine.yaml"
    for content, jobs in ((text, 1), (text, 0), (edited, 1)):
        file.write_text(content, encoding="utf-8")
        done = snakemake(tmp_path, "--cores", "1", "--", "results/tiny/suite.json", configfile=file)
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("Finished jobid") == jobs
    made = json.loads((tmp_path / "results/tiny/suite.json").read_text(encoding="utf-8"))
    assert made["distillation"]["alpha"] == 0.6


def test_every_fit_was_trained_once(finished):
    folder, _ = finished
    records = list((folder / "results" / "fits").glob("*/*/record.json"))
    assert len(records) == 2 * 2 * 6  # data sets, seeds; M1, M2, M3, pooled, full-converged, permuted


def test_one_core_gives_the_bytes_of_two(finished, undone):
    folder, _ = finished
    process = snakemake(undone, "--cores", "1", *UNTIL_RECORDS)
    assert process.returncode == 0, process.stdout
    assert len(stored(undone)) == len(stored(folder))
    assert result_bytes(undone / "results/tiny", RECORDS) == result_bytes(folder / "results/tiny", RECORDS)


def test_killed_alone_and_with_its_process_group_it_goes_on_to_the_bytes_of_an_undisturbed_run(
    finished, undone
):
    folder, _ = finished
    kept = {}
    for kill in (os.kill, os.killpg):
        process = start(undone, "--cores", "2")
        wait_for_fits(process, undone, len(kept) + 3)  # of 24
        kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_for_the_end_of_trainers(undone)  # nothing lives on and writes
        assert kept.items() < stored(undone).items()  # finished fits were not trained again
        kept = stored(undone)
        assert not (undone / "results/tiny/tables/gains.csv").exists()
    again = snakemake(undone, "--cores", "2", *UNTIL_RECORDS)
    assert again.returncode == 0, again.stdout
    assert result_bytes(undone / "results/tiny", RECORDS) == result_bytes(folder / "results/tiny", RECORDS)
    assert kept.items() < stored(undone).items()


def test_a_second_live_run_in_the_same_folder_is_refused(tmp_path):
    first = start(tmp_path, "--cores", "1")
    deadline = time.monotonic() + 60
    while not (tmp_path / "results/.lock").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    second = snakemake(tmp_path, "--cores", "1")
    assert second.returncode != 0
    assert f"another run (process {first.pid}) is working in this folder" in second.stdout
    assert first.poll() is None
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()


@pytest.mark.parametrize(
    "machine", [[], ["--set-resources", "train:checkpoint_s=600", "train:jobs_per_gpu=4"]]
)
def test_a_second_call_has_nothing_to_do_whatever_is_said_of_the_machine(machine, finished):
    folder, _ = finished
    process = snakemake(folder, "--cores", "2", *machine)
    assert process.returncode == 0
    assert "Nothing to be done" in process.stdout
    run = folder / "results/tiny"
    assert f"\n{last_screen(run, load_suite(run / 'suite.json'), None)}\n" in process.stdout
    assert "\nreport       results/tiny/report.html (tables, figures, audit beside it)\n" in process.stdout
    assert "changed" not in process.stdout


def test_a_deleted_cell_comes_back_from_stored_fits(finished, copy):
    folder, _ = finished
    (copy / "results/tiny/predictions/phantom_ear_ohio/seed2.parquet").unlink()
    process = snakemake(copy, "--cores", "2", *UNTIL_RECORDS)
    assert process.returncode == 0, process.stdout
    assert process.stdout.count("localrule gather:") == 1
    assert "localrule train:" not in process.stdout
    assert result_bytes(copy / "results/tiny", RECORDS) == result_bytes(folder / "results/tiny", RECORDS)


def test_a_new_method_trains_only_what_is_new(copy):
    before = stored(copy)
    changes = ["methods=[weckd,single,sequential]", "datasets=[phantom_ear_ohio]", "seeds=[1]"]
    process = snakemake(copy, "--cores", "1", "--until", "tables", "--config", *changes)
    assert process.returncode == 0, process.stdout
    after = stored(copy)
    assert len(after) == len(before) + 2  # M2 and M3 of the sequential control; M1 was there
    assert before.items() < after.items()
    narrowed = [path.name for path in (copy / "results").iterdir() if path.name.startswith("tiny+")]
    assert len(narrowed) == 1
    gains = pd.read_csv(copy / "results" / narrowed[0] / "tables" / "gains.csv")
    assert set(gains["suite"]) == {narrowed[0]}


def test_a_damaged_fit_is_trained_again(finished, copy):
    folder, _ = finished
    victim = next((copy / "results/fits/phantom_brain_mri").glob("*/test.npy"))
    victim.write_bytes(b"not what it was")
    manifest = copy / "results/tiny/manifests/phantom_brain_mri/seeds1-2.json"
    manifest.unlink()
    process = snakemake(copy, "--cores", "2", *UNTIL_RECORDS)
    assert process.returncode == 0, process.stdout
    assert result_bytes(copy / "results/tiny", RECORDS) == result_bytes(folder / "results/tiny", RECORDS)
    assert len(list((copy / "results/fits/phantom_brain_mri").glob("damaged-*"))) == 1
