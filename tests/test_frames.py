"""`weckd.load`: frames of a run with the columns and types that docs/results.md lists, whose examples run."""

import gc
import re
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from engine import REPOSITORY
from small_suite import toy_suite, write_toy_run

import weckd
from weckd.agreement.freeze import unfreeze
from weckd.analysis.results import load_run
from weckd.analysis.write_tables import table_file, write_tables
from weckd.code_digest import code_reached
from weckd.config import load_suite, suite_json
from weckd.errors import UserError
from weckd.files import write_sums, write_text
from weckd.frames import COLUMNS, FRAMES
from weckd.tables.render import csv_text

FROZEN = REPOSITORY / "results/reference/demo"
EXAMPLES = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs/results.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder whose results/demo is the demo as its reference tells it, drawn; tests only read it."""
    place = tmp_path_factory.mktemp("place")
    folder = place / "results/demo"
    unfreeze(FROZEN, folder)
    write_tables(load_suite(folder / "suite.json"), folder, folder / "tables")
    return place


@pytest.fixture(scope="module")
def run(place):
    return weckd.load(place / "results/demo")


@pytest.fixture
def toy(tmp_path):
    """Return the folder of a run without tables, in which a file of predictions is missing."""
    write_toy_run(tmp_path / "toy")
    return tmp_path / "toy"


def test_the_package_is_imported_without_pandas():
    code = "import weckd, sys; assert not {'pandas', 'numpy', 'torch'} & set(sys.modules); weckd.load"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_step_of_a_run_is_made_of_the_frames():
    assert not {name for name in code_reached("weckd.cli.data:_prepare") if name.startswith("weckd.frames")}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_has_the_columns_and_types_that_are_listed(run, name):
    frame = getattr(run, name)
    listed = {column: COLUMNS[column][0] for column in FRAMES[name]}
    given = {column: str(kind) for column, kind in frame.dtypes.items()}
    probabilities = dict.fromkeys(("p_0", "p_1", "p_2", "p_3"), "float32") if name == "predictions" else {}
    assert list(given.items()) == list({**listed, **probabilities}.items())
    assert len(frame)
    assert getattr(run, name) is frame


def test_every_column_that_is_explained_is_there():
    assert set(COLUMNS) == set().union(*FRAMES.values())


@pytest.mark.parametrize("name", ["gains", "claims", "accuracy"])
def test_a_table_is_its_csv_file(run, name):
    text = pd.read_csv(run.folder / f"tables/{name}.csv", dtype=str, keep_default_na=False)
    frame = getattr(run, name)
    assert list(text) == list(frame)
    for column in text:
        told, given = text[column], frame[column]
        assert list(given.isna()) == list(told == "")
        there = given.dropna()
        told = told[there.index]
        if str(given.dtype) == "float64":
            told = told.astype(float)
        assert list(there.map(str)) == list(told.map(str)), column


def test_predictions_are_those_of_the_files(run):
    frame = run.predictions
    told = pq.read_table(run.folder / "predictions/ear_chile_small/seed2.parquet").to_pandas()
    given = frame.query("dataset == 'ear_chile_small' and seed == 2")
    keys = ["method", "stage", "image_id"]
    told, given = (one.sort_values(keys, ignore_index=True) for one in (told, given))
    for column in told:
        assert list(given[column]) == list(told[column]), column
    probabilities = told[[f"p_{place}" for place in range(4)]].to_numpy()
    assert list(given["predicted"]) == list(probabilities.argmax(axis=1))
    assert list(given["correct"]) == list(probabilities.argmax(axis=1) == told["y"])
    last = frame.groupby("method")["stage"].max()
    assert last["weckd"] == 3
    assert list(frame["final"]) == list(frame["stage"] == frame["method"].map(last))


def test_what_diverged_is_neither_right_nor_wrong(toy):
    suite = toy_suite()
    whole = ("toy_three", "toy_two")  # the third lacks a file
    suite = replace(suite, datasets=whole, facts={key: suite.facts[key] for key in whole})
    write_text(toy / "suite.json", suite_json(suite))
    frame = weckd.load(toy).predictions
    diverged = frame.query("method == 'pooled' and dataset == 'toy_two' and seed == 2")
    assert len(diverged)
    assert diverged[["predicted", "correct"]].isna().all(axis=None)
    assert not frame.drop(diverged.index)[["predicted", "correct"]].isna().any(axis=None)


def test_accuracies_are_those_of_the_predictions(run):
    tested = run.predictions.query("split == 'test' and dataset == 'blood_bccd_small'")
    by_hand = 100 * tested.groupby(["method", "stage"])["correct"].mean()
    said = run.accuracy.query("dataset == 'blood_bccd_small' and metric == 'accuracy'")
    said = said.set_index(["method", "stage"])["mean"]
    assert len(said) == len(by_hand) > 8
    assert (by_hand - said).abs().max() < 1e-9


def test_a_frozen_reference_has_predictions_and_splits_alone(run):
    frozen = weckd.load(FROZEN)
    pd.testing.assert_frame_equal(frozen.predictions, run.predictions)
    pd.testing.assert_frame_equal(frozen.splits, run.splits)
    with pytest.raises(UserError) as refused:
        _ = frozen.claims
    assert str(refused.value) == (
        f"{FROZEN}: a frozen reference has no claims; draw its tables with snakemake --cores all --configfile SUITE "
        "--config records=reference, and load results/demo-reference"
    )
    laid_out = frozen._files.folder
    assert laid_out.exists()
    del frozen, refused
    gc.collect()
    assert not laid_out.exists()


def test_it_says_what_it_is(run):
    size = "3 data sets, 8 methods, 5 seeds; plan"
    plan = run.suite.plan_hash
    assert repr(run) == f"run demo ({run.folder}): {size} {plan}; {', '.join(FRAMES)}"
    assert repr(weckd.load(FROZEN)) == f"frozen run demo ({FROZEN}): {size} {plan}; predictions, splits"


def test_what_a_run_does_not_have_is_an_error_that_says_so(run, toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # whatever runs the working folder has
    with pytest.raises(UserError, match=f"{tmp_path}/none: no run; there are {toy} "):
        weckd.load(tmp_path / "none")
    loaded = weckd.load(str(toy))
    with pytest.raises(UserError) as refused:
        _ = loaded.gains
    goes_on = "finish the run with the command that `weckd runs` lists"
    assert str(refused.value) == f"{toy}/tables/gains.csv: not drawn; {goes_on}"
    with pytest.raises(UserError) as refused:
        _ = loaded.predictions
    assert str(refused.value) == f"{toy}/predictions/toy_copy/seed3.parquet: missing; {goes_on}"
    with pytest.raises(UserError) as refused:
        _ = loaded.splits
    assert str(refused.value) == f"{toy}/splits/toy_copy/seed3.csv: missing; {goes_on}"
    with pytest.raises(AttributeError) as refused:
        _ = run.weights
    assert str(refused.value) == (
        f"{run.folder}: no weights; there are {', '.join(FRAMES)} and suite; a trained network is "
        "written by `weckd export`"
    )


def test_a_table_that_was_edited_or_is_of_another_version_is_refused(toy):
    file = toy / "tables/gains.csv"
    file.parent.mkdir()
    file.write_text("suite,method\ntoy,weckd\n")
    write_sums(file.with_name("sums.json"), [file])
    with pytest.raises(
        UserError, match=r"gains.csv: not the table that this version draws \(columns suite, method\)"
    ):
        _ = weckd.load(toy).gains
    file.write_text("suite,method\ntoy,single\n")
    with pytest.raises(UserError, match=r"gains.csv: .*sums.json"):
        _ = weckd.load(toy).gains


@pytest.mark.parametrize("text", ["\n", "claim\n"])
def test_a_table_of_nothing_has_its_columns(toy, text):
    file = toy / "tables/claims.csv"
    file.parent.mkdir()
    file.write_text(text)
    write_sums(file.with_name("sums.json"), [file])
    frame = weckd.load(toy).claims
    assert tuple(frame) == FRAMES["claims"]
    assert not len(frame)


def test_a_claim_of_which_nothing_was_compared_has_no_comparison(tmp_path):
    unfreeze(REPOSITORY / "results/reference/real-small-tuned", tmp_path)
    claims = table_file("claims", load_run(load_suite(tmp_path / "suite.json"), tmp_path)).frame
    file = tmp_path / "tables/claims.csv"
    write_text(file, csv_text(claims))
    write_sums(file.with_name("sums.json"), [file])
    frame = weckd.load(tmp_path).claims
    bare = frame[frame["dataset"].isna()]
    assert list(bare["claim_verdict"]) == ["not tested"] * 3
    assert bare[["phantom", "stage", "k", "gain"]].isna().all(axis=None)
    assert not frame["phantom"].dropna().any()


def test_the_examples_of_the_page_run(place, tmp_path, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    assert len(EXAMPLES[0].split()) == 2 + 3 + 1  # three lines
    script = tmp_path / "page.py"
    script.write_text("\n".join(EXAMPLES))
    known = runpy.run_path(str(script))
    assert list(known["roc"].iloc[-1]) == [1, 1]
    assert known["by_seed"].shape == (3 * 8, 5)
    assert len(known["own"]) == 3 * 8
    assert Path("results/demo/tables/gains.csv").exists()
