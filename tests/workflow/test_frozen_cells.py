"""A run goes on from cells that were frozen before it was finished: what it takes, what it refuses, what it says."""

import json
import lzma
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from engine import result_bytes, snakemake

import weckd
from weckd import frozen_cells
from weckd.agreement.freeze import freeze_run
from weckd.agreement.reference import made_with, read_reference
from weckd.cli import main
from weckd.committed import with_plans
from weckd.config import load_suite
from weckd.errors import UserError
from weckd.files import file_digest, read_text, with_sum, write_json
from weckd.frozen_cells import freeze_cells, frozen_places, parts_of_run
from weckd.locks import StopRequest
from weckd.manifests import read_manifest, trained_cells
from weckd.planning.cost import Speed, plan_page
from weckd.run_files import RunFiles
from weckd.runs import run_list

pytestmark = pytest.mark.workflow
EAR, BRAIN = "phantom_ear_ohio", "phantom_brain_mri"
CELLS = "results/reference/tiny/cells"
MADE = ("manifests", "gathered", "predictions", "attention", "tables", "figures")


@pytest.fixture(scope="module")
def frozen(finished, tmp_path_factory):
    """Return a folder of the finished run's frozen cells."""
    out = tmp_path_factory.mktemp("frozen") / "tiny"
    assert freeze_cells(finished[0] / "results/tiny", out) == (4, 4)
    return out / "cells"


@pytest.fixture
def undone(copy, frozen):
    """Return a folder with the finished run's images and splits, and its frozen cells, but nothing of a fit."""
    for name in MADE:
        shutil.rmtree(copy / "results/tiny" / name)
    shutil.rmtree(copy / "results/fits")
    shutil.copytree(frozen, copy / CELLS)
    return copy


def record(folder, dataset=EAR, seed=1):
    return folder / CELLS / dataset / f"seed{seed}.json.xz"


def rewrite(file, change):
    """Change what a record says, and give it the sum of that."""
    told = json.loads(read_text(file))
    [cell] = told["seeds"].values()
    change(told, cell)
    write_json(file, with_sum(told))


def train(folder, *seeds, dataset=EAR):
    """Make the training job of a data set in this process."""
    from weckd.training.job import train_batch

    run = RunFiles(folder / "results/tiny")
    train_batch(load_suite(run.suite), run, dataset, seeds or (1, 2), 60.0, StopRequest())
    return run


def test_frozen_cells_are_small_hold_no_image_and_are_the_same_bytes_again(finished, frozen, tmp_path):
    run = finished[0] / "results/tiny"
    assert freeze_cells(run, tmp_path) == (4, 4)
    before = result_bytes(tmp_path, ["**/*"])
    assert before == result_bytes(frozen.parent, ["**/*"])
    assert sorted(before) == sorted(
        [
            "cells/suite.json",
            *(
                f"cells/{dataset}/seed{seed}.{kind}"
                for dataset in (EAR, BRAIN)
                for seed in (1, 2)
                for kind in ("json.xz", "npz", "parquet")
            ),
        ]
    )
    assert freeze_cells(run, tmp_path) == (0, 4)
    assert result_bytes(tmp_path, ["**/*"]) == before
    whole = np.load(run / f"attention/{EAR}.npz")
    with np.load(frozen / EAR / "seed2.npz") as maps:
        assert set(maps.files) == {name for name in whole.files if not name.startswith("example_")}
        assert maps["seeds"].tolist() == [2]
        assert np.array_equal(maps["sharpness"], whole["sharpness"][1:], equal_nan=True)
        assert np.array_equal(maps["agreement"], whole["agreement"][1:], equal_nan=True)
    told = json.loads(read_text(frozen / EAR / "seed2.json.xz"))
    assert (told["run"], told["plan_hash"]) == ("tiny", load_suite(run / "suite.json").plan_hash)
    assert told["files"] == {
        f"seed2.{kind}": file_digest(frozen / EAR / f"seed2.{kind}") for kind in ("npz", "parquet")
    }
    assert file_digest(frozen / EAR / "seed2.parquet") == file_digest(
        run / f"predictions/{EAR}/seed2.parquet"
    )


def test_only_the_cell_that_is_not_frozen_is_trained_and_the_tables_are_those_of_an_undisturbed_run(
    finished, undone
):
    record(undone, EAR, 2).unlink()
    done = snakemake(undone, "--cores", "2", "--until", "tables")
    assert done.returncode == 0, done.stdout
    assert "weckd: 3 of 4 cells from results/reference/tiny, trained with cpu " in done.stdout
    fits = list(undone.glob("results/fits/*/*/record.json"))
    assert len(fits) == 6
    assert {json.loads(file.read_text())["cell"]["seed"] for file in fits} == {2}
    assert {file.parents[1].name for file in fits} == {EAR}
    logs = {file.name: file.read_text() for file in undone.glob("results/tiny/logs/train/*/*.log")}
    kinds = ("predictions/**/*", "tables/*")
    run = undone / "results/tiny"
    assert result_bytes(run, kinds) == result_bytes(finished[0] / "results/tiny", kinds), logs
    cells = trained_cells(load_suite(run / "suite.json"), run / "manifests")
    assert [bool(cell.frozen) for cell in cells] == [True, False, True, True]
    assert freeze_cells(run, undone / "results/reference/tiny") == (1, 4)  # those that it took are frozen
    out = undone / "results/reference/tiny"
    freeze_run(run, out, None)
    assert not (out / "cells").exists()
    assert read_reference(out).made_with == made_with(finished[0] / "results/tiny", None)


def test_cells_of_another_device_version_and_code_are_taken_and_told(undone, capsys):
    def otherwise(_, cell):
        cell["cell"]["device"], cell["cell"]["source"] = "cuda", "0" * 64

    rewrite(record(undone), otherwise)
    run = train(undone)
    told = capsys.readouterr().err
    assert (
        f"[{EAR}] seed 1 (1 of 2): taken from {record(undone)}, trained with another device, source\n" in told
    )
    assert f"[{EAR}] seed 2 (2 of 2): taken from {record(undone, EAR, 2)}\n" in told
    cells = read_manifest(run.manifest(EAR, "seeds1-2"))
    assert [cells[seed].device for seed in (1, 2)] == ["cuda", cells[2].device]
    train(undone, dataset=BRAIN)
    made = made_with(run.folder, None)
    assert made.device == f"{cells[2].device} and cuda"
    assert made.versions == dict(cells[2].versions)


def of_other_images(_, cell):
    cell["cell"]["fingerprint"] = "0" * 64


def of_another_split(_, cell):
    cell["cell"]["split"] = "0" * 64


def of_another_rate(_, cell):
    cell["cell"]["training"]["learning_rate"] *= 2


def of_another_declaration(_, cell):
    for fit in cell["methods"]["weckd"]["stages"][2]:
        cell["fits"][fit["fit"]]["loss"]["alpha"] = 0.25


def without_a_method(_, cell):
    del cell["methods"]["pooled"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (of_other_images, "fingerprint"),
        (of_another_split, "split"),
        (of_another_rate, "training"),
        (of_another_declaration, "method weckd"),
        (without_a_method, "method pooled"),
    ],
)
def test_a_cell_that_is_not_what_would_be_trained_here_is_refused(change, what, undone):
    rewrite(record(undone), change)
    with pytest.raises(UserError) as problem:
        train(undone)
    assert str(problem.value) == (
        f"{record(undone)}: frozen with another {what} than this run has; give the run what it was frozen with, or "
        f"remove the frozen cells of {EAR} to have them trained again"
    )
    assert not (undone / "results/fits").exists()


def test_damaged_cells_are_refused(undone):
    file = record(undone).with_name("seed1.parquet")
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    with pytest.raises(
        UserError, match=r"seed1\.parquet: edited or damaged, its SHA-256 is .*; restore it, or remove"
    ):
        train(undone)
    file.unlink()
    with pytest.raises(
        UserError, match=r"seed1\.parquet: cannot be read \(No such file or directory\); restore it, or"
    ):
        train(undone)
    edited = read_text(record(undone)).replace('"finished"', '"diverged"').encode()
    for content, what in (
        (lzma.compress(edited), "edited, its sum is another one"),
        (
            record(undone).read_bytes()[:-1],
            "Compressed data ended before the end-of-stream marker was reached",
        ),
        (edited, "Input format not supported by decoder"),
    ):
        record(undone).write_bytes(content)
        with pytest.raises(UserError) as problem:
            train(undone)
        assert str(problem.value) == (
            f"{record(undone)}: not the record of a frozen cell ({what}); restore it, or remove it to have the cell "
            "trained again"
        )


def test_a_record_of_another_format_is_refused(undone):
    rewrite(record(undone), lambda told, _: told.update(format=2))
    with pytest.raises(UserError, match=r"seed1\.json\.xz: .*\(format 2, this version reads 1\); restore it"):
        train(undone)


def test_two_parts_of_a_run_are_taken_together_and_must_agree(undone, monkeypatch):
    other = undone / "elsewhere/tiny/cells"
    shutil.copytree(undone / CELLS, other)
    for file in (record(undone, EAR, 2), record(undone, BRAIN, 1)):
        file.unlink()
    monkeypatch.setattr(frozen_cells, "REFERENCES", other.parents[1])
    train(undone)
    shutil.copyfile(other / EAR / "seed2.json.xz", record(undone, EAR, 2))
    rewrite(record(undone, EAR, 2), lambda told, _: told.update(threads=2))
    with pytest.raises(UserError) as problem:
        train(undone)
    assert str(problem.value) == (
        f"{record(undone, EAR, 2)} and {other / EAR / 'seed2.json.xz'}: the same cell, frozen otherwise; remove one of "
        "both"
    )


def test_a_reference_that_is_whole_is_there_to_be_compared_with_and_not_taken(undone):
    run = RunFiles(undone / "results/tiny")
    suite = load_suite(run.suite)
    assert parts_of_run(suite, run) == [undone / CELLS]
    (undone / "results/reference/tiny/reference.json").write_text("{}")
    assert parts_of_run(suite, run) == []


def test_cells_of_an_earlier_plan_are_taken_and_the_run_says_so(undone):
    run, suite = RunFiles(undone / "results/tiny"), load_suite(undone / "results/tiny/suite.json")
    settings = json.loads((undone / CELLS / "suite.json").read_text())
    settings["analysis"]["no such key"], settings["plan_hash"] = "of an earlier version", "a" * 12
    (undone / CELLS / "suite.json").write_text(json.dumps(settings))
    rewrite(
        record(undone), lambda told, cell: (told.update(plan_hash="a" * 12), cell.update(plans=["a" * 12]))
    )
    for dataset in (EAR, BRAIN):
        train(undone, dataset=dataset)
    assert with_plans(suite, run).trained_under == {"a" * 12: 1}


def test_cells_of_another_suite_are_refused_before_any_job(undone):
    settings = json.loads((undone / CELLS / "suite.json").read_text())
    settings["methods"] = settings["methods"][:-1]
    (undone / CELLS / "suite.json").write_text(json.dumps(settings))
    done = snakemake(undone, "--cores", "1", "-n")
    assert done.returncode != 0
    methods = "('weckd', 'single', 'pooled', 'full-converged', 'permuted'"
    assert (
        f"weckd: {CELLS}: made with another methods: {methods}), not {methods}, 'majority'); give the run those "
        f"settings, or remove {CELLS} to have all cells trained again\n"
    ) in done.stdout


def test_no_part_is_taken_for_a_reference(undone, capsys):
    folder = undone / "results/reference/tiny"
    told = (
        f"{folder}: no reference yet, 4 frozen cells of a run; finish that run with snakemake --cores all --configfile "
        "SUITE, which takes them and trains the others, and freeze it"
    )
    for read in (weckd.load, read_reference):
        with pytest.raises(UserError) as problem:
            read(folder)
        assert str(problem.value) == told
    assert main(["show", str(folder)]) == 1
    assert told in capsys.readouterr().err
    done = snakemake(undone, "--cores", "1", "-n", "--config", "records=reference")
    assert done.returncode != 0
    assert "weckd: results/reference/tiny: no reference yet, 4 frozen cells of a run; finish" in done.stdout


def test_the_list_of_runs_counts_frozen_cells(undone, monkeypatch):
    monkeypatch.chdir(undone)
    record(undone, EAR, 2).unlink()
    run = RunFiles(Path("results/tiny"))
    assert frozen_places(load_suite(run.suite), run) == {(EAR, 1), (BRAIN, 1), (BRAIN, 2)}
    assert run_list(Path("results")).splitlines()[2].split()[-3:] == ["3", "of", "4"]
    suite = load_suite(run.suite)
    page = plan_page(suite, {suite.backbone: Speed(3, 1)}, {suite.backbone: 1}, "a device")
    assert "subtracted here; nor are the 3 cells that are frozen in results/reference/tiny.\n" in page


def test_what_was_frozen_is_not_frozen_otherwise(finished, undone):
    out, run = undone / "results/reference/tiny", finished[0] / "results/tiny"
    rewrite(record(undone), lambda told, _: told["files"].update({"seed1.parquet": "0" * 64}))
    with pytest.raises(UserError) as problem:
        freeze_cells(run, out)
    remedy = f"remove the run's manifests of {EAR} to take what was frozen, or remove it to freeze what the run has"
    assert str(problem.value) == (
        f"{record(undone)}: frozen before with another seed1.parquet than the run has; {remedy}"
    )
    with pytest.raises(UserError, match="frozen before with another seed1"):
        freeze_run(run, out, None)
    record(undone).unlink()
    rewrite(record(undone, EAR, 2), lambda told, _: told.update(threads=2))
    with pytest.raises(UserError) as problem:
        freeze_cells(run, out)
    assert str(problem.value) == (
        f"{record(undone, EAR, 2)}: frozen before with other fits than the run has; {remedy}"
    )


def test_cells_are_not_frozen_beside_a_reference_nor_of_a_run_without_any(undone, tmp_path):
    with pytest.raises(
        UserError, match="no training job has ended yet, so no cell is finished; wait for one"
    ):
        freeze_cells(undone / "results/tiny", tmp_path / "out")
    (tmp_path / "reference.json").write_text("{}")
    with pytest.raises(UserError, match="a reference of a finished run, which has all cells; choose another"):
        freeze_cells(undone / "results/tiny", tmp_path)


def test_killed_while_it_freezes_it_leaves_whole_cells_and_goes_on(finished, frozen, tmp_path):
    run = finished[0] / "results/tiny"
    code = (
        "import os, signal, pathlib\n"
        "from weckd import files, frozen_cells\n"
        "writes = iter(range(5))\n"  # of two cells: three files each
        "def kill(stream, fsync=os.fsync):\n"
        "    fsync(stream)\n"
        "    next(writes, None) is None and os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.fsync = kill\n"
        f"frozen_cells.freeze_cells(pathlib.Path({str(run)!r}), pathlib.Path({str(tmp_path)!r}))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [file.name for file in sorted(tmp_path.glob("cells/*/*.json.xz"))] == ["seed1.json.xz"]
    assert list(tmp_path.glob("cells/*/.*"))  # half a file
    assert freeze_cells(run, tmp_path) == (3, 4)
    assert result_bytes(tmp_path, ["**/*", "**/.*"]) == result_bytes(frozen.parent, ["**/*"])
