"""Predictions made elsewhere: what is refused, and what stands in the tables afterwards."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_suite import SEEDS, toy_frame, toy_suite, write_cell, write_text

from weckd.analysis.imported import import_predictions
from weckd.analysis.registry import TABLES
from weckd.analysis.results import load_run
from weckd.analysis.write_tables import write_tables
from weckd.cli import main
from weckd.config import suite_json
from weckd.errors import UserError

DATASETS = ("toy_three", "toy_two")
SKILL = {"weckd": (0.5, 0.65, 0.75), "single": (0.5,), "full-converged": (0.9,)}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two data sets whose splits hold the test images of its predictions; tests only add methods."""
    folder = tmp_path_factory.mktemp("run")
    write_text(folder / "suite.json", suite_json(suite()))
    for dataset in DATASETS:
        for seed in SEEDS:
            frame = toy_frame(dataset, seed, SKILL)
            write_cell(folder / "predictions", frame)
            images = frame.drop_duplicates("image_id")
            names = suite().facts[dataset].classes
            split = pd.DataFrame(
                {
                    "image_id": [*images["image_id"], "held", "learnt"],
                    "group_id": [*images["group_id"], "other", "more"],
                    "class": [names[y] for y in [*images["y"], 0, 0]],
                    "y": [*images["y"], 0, 0],
                    "part": ["test"] * len(images) + ["validation", "D1"],
                    "draws": "",
                }
            )
            file = folder / "splits" / dataset / f"seed{seed}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            split.to_csv(file, index=False)
    return folder


def suite():
    return toy_suite(datasets=DATASETS, methods=tuple(SKILL))


def made_elsewhere(datasets=DATASETS):
    """The predictions of `single`, as somebody else would hand them in."""
    frames = []
    for dataset in datasets:
        for seed in SEEDS:
            frame = toy_frame(dataset, seed, SKILL)
            frames.append(frame[frame["method"] == "single"])
    whole = pd.concat(frames, ignore_index=True)
    return whole.reindex(columns=["dataset", "seed", "split", "image_id", "y", "p_0", "p_1", "p_2"])


def imported(run, tmp_path, frame, name="mine", selection="none"):
    file = tmp_path / "mine.csv"
    frame.to_csv(file, index=False)
    return import_predictions(suite(), run, file, name, selection)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("key", [2019, "nan", "null"])
def test_a_data_set_whose_key_csv_takes_for_something_else_can_be_imported(run, tmp_path, suffix, key):
    place = tmp_path / "run" / "splits"
    shutil.copytree(run / "splits" / "toy_three", place / str(key))
    frame = made_elsewhere(["toy_three"]).assign(dataset=key)
    file = tmp_path / f"mine.{suffix}"
    frame.to_csv(file, index=False) if suffix == "csv" else frame.to_parquet(file)
    facts = {str(key): suite().facts["toy_three"]}
    own = toy_suite(datasets=(str(key),), methods=tuple(SKILL), facts=facts)
    out = import_predictions(own, place.parent, file, "mine", "none")
    assert set(pd.read_parquet(out)["dataset"]) == {str(key)}


def test_it_joins_every_table_without_training(run, tmp_path):
    shuffled = made_elsewhere().sample(frac=1, random_state=1)
    out = imported(run, tmp_path, shuffled)
    assert out == run / "imported" / "mine.parquet"
    evaluation = load_run(suite(), run)
    out.unlink()
    assert evaluation.suite.methods == (*SKILL, "mine")
    assert evaluation.suite.plan_hash == suite().plan_hash
    levels = {
        (x.method, x.dataset): x.estimate.study
        for x in evaluation.levels
        if x.final and x.metric == "accuracy"
    }
    for dataset in (*DATASETS, "macro"):
        assert levels[("mine", dataset)] == levels[("single", dataset)]
    rows = [gain for gain in evaluation.gains if gain.comparison.method == "mine"]
    assert {gain.comparison.reference for gain in rows} == {"full-converged", "single", "weckd"}
    assert {(gain.family, gain.dataset) for gain in rows} == {
        ("exploratory", place) for place in (*DATASETS, "macro")
    }
    same = [g for g in rows if g.comparison.reference == "single" and g.dataset == "macro"]
    assert {gain.verdict for gain in same} == {"identical"}


JOINED = {
    "main",
    "gains",
    "accuracy",
    "metrics",
    "classes",
    "confusion",
    "across",
    "modality",
    "leave-one-out",
    "variance",
    "checks",
    "budgets",
}
"""The tables that docs/reading-the-tables.md names; the others ask what no imported prediction answers."""


def test_it_stands_in_the_tables_that_the_page_names_and_in_no_other(run, tmp_path):
    out = imported(run, tmp_path, made_elsewhere(), "outsider")
    write_tables(suite(), run, tmp_path / "tables")
    out.unlink()
    files = sorted((tmp_path / "tables").glob("*.md"))
    assert len(files) == len(TABLES)
    text = {file.stem: file.read_text(encoding="utf-8") for file in files}
    assert {name for name, content in text.items() if "outsider" in content} == JOINED
    frames = {file.stem: file.with_suffix(".csv").read_text(encoding="utf-8") for file in files}
    assert {name for name, content in frames.items() if "outsider" in content} == JOINED
    page = (Path(__file__).parents[2] / "docs" / "reading-the-tables.md").read_text(encoding="utf-8")
    named = page.split("The method is then")[1].split("The other tables")[0]
    assert {name for name in JOINED if f"`{name}`" in named} == JOINED


def test_its_gains_are_exploratory_and_it_is_never_bold(run, tmp_path):
    out = imported(run, tmp_path, made_elsewhere(), "outsider")
    write_tables(suite(), run, tmp_path)
    out.unlink()
    gains = (tmp_path / "gains.md").read_text(encoding="utf-8").split("### ")[-1]
    assert gains.startswith("Outsider made elsewhere, by data set, suite toy\n")
    assert (
        "Gains of outsider in accuracy, percentage points, without p and verdicts. n beside each data "
        "set; k = 5 seeds."
    ) in gains
    assert "- Exploratory, in no family of the plan.\n" in gains
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in gains.splitlines() if "|" in line
    ]
    assert lines[0] == [
        "data set",
        "images (groups)",
        "over full-converged",
        "over single",
        "over weckd",
    ]
    assert [line[0] for line in lines[2:]] == ["toy_three", "toy_two", "macro of 2"]
    assert [line[3] for line in lines[2:]] == ["identical"] * 3
    main = (tmp_path / "main.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in main.splitlines() if "|" in line
    ]
    column = rows[0].index("outsider")
    assert [row[column] for row in rows[2:]] == ["54.2 ± 4.1", "55.0 ± 18.4", "54.6 ± 9.0", "-", "-"]
    assert "Made elsewhere, in no family of the plan and never bold: outsider." in main
    narrow = json.loads((tmp_path / "main.json").read_text(encoding="utf-8"))[0]["narrow"]
    assert narrow[:5] == ["data set", "single", "full-converged", "weckd", "outsider"]


def test_a_data_set_that_is_not_there_is_missing_by_name(run, tmp_path):
    out = imported(run, tmp_path, made_elsewhere(["toy_two"]), "half")
    evaluation = load_run(suite(), run)
    out.unlink()
    rows = {g.dataset: g.verdict for g in evaluation.gains if g.comparison.method == "half"}
    assert rows["toy_three"] == "missing: toy_three seeds 1, 2, 3, 4, 5 half"
    assert not rows["toy_two"].startswith("missing")


def test_a_diverged_seed_is_missing_by_name(run, tmp_path):
    frame = made_elsewhere()
    frame.loc[(frame["dataset"] == "toy_two") & (frame["seed"] == 2), ["p_0", "p_1"]] = np.nan
    out = imported(run, tmp_path, frame, "broken")
    evaluation = load_run(suite(), run)
    out.unlink()
    rows = {g.dataset: g.verdict for g in evaluation.gains if g.comparison.method == "broken"}
    assert rows["toy_two"] == "missing: toy_two seed 2 broken diverged"


def changed(row, column, value):
    def change(frame):
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        return frame

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: f.drop(columns="y"),
            "column y is missing; needed: dataset, seed, split, image_id, y, p_0, p_1",
        ),
        (lambda f: f.assign(p_7=0.0), "column p_7 is not known; needed: .* p_0 .. p_2"),
        (changed(0, "dataset", "ear_mars"), "dataset ear_mars is not one of toy_three, toy_two"),
        (changed(0, "seed", 9), "seed 9 is not one of 1, 2, 3, 4, 5"),
        (changed(0, "split", "train"), "split train is not one of test, validation"),
        (changed(0, "image_id", "image0001"), "toy_three, seed 1: test image image0001 is given twice"),
        (
            changed(0, "image_id", "learnt"),
            "toy_three, seed 1: learnt is not a test image of this run's split",
        ),
        (lambda f: f.drop(index=0), r"toy_three, seed 1: test image image0000 is missing \(1 of 24 are\)"),
        (changed(0, "y", 1), "toy_three, seed 1: image image0000 has y 1, in this run's split 0"),
        (changed(0, "y", "cat"), r"y must be whole numbers and p_0 \.\. numbers"),
        (
            lambda f: f[f["seed"] != 4],
            "toy_three lacks seed 4; a method is compared on all seeds of the suite or not",
        ),
        (
            changed(0, "p_0", 0.5),
            "toy_three, seed 1: probabilities of image image0000 are not a distribution",
        ),
        (
            changed(0, "p_0", np.nan),
            "toy_three, seed 1: probabilities of image image0000 are not a distribution",
        ),
        (lambda f: f.assign(p_2=f["p_2"].fillna(0.0)), "toy_two, seed 1: 2 classes, but p_2 is not empty"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(run, tmp_path, change, message):
    before = sorted((run / "imported").glob("*")) if (run / "imported").exists() else []
    with pytest.raises(UserError, match=message):
        imported(run, tmp_path, change(made_elsewhere()), "wrong")
    assert (sorted((run / "imported").glob("*")) if (run / "imported").exists() else []) == before


@pytest.mark.parametrize(
    ("dialect", "told"),
    [
        (
            {"encoding": "utf-16"},
            "not a readable .csv or .parquet file ('utf-8' codec can't decode byte 0xff in position 0: invalid start "
            "byte); save it as CSV in UTF-8",
        ),
        (
            {"decimal": ","},
            "y must be whole numbers and p_0 .. numbers, as 0.5 (could not convert string to float: '{first}': Error "
            "while type casting for column 'p_0')",
        ),
    ],
)
def test_a_dialect_that_is_not_read_is_told_with_the_one_that_is(dialect, told, run, tmp_path):
    frame = made_elsewhere()
    frame.to_csv(tmp_path / "mine.csv", index=False, **dialect)
    with pytest.raises(UserError) as refused:
        import_predictions(suite(), run, tmp_path / "mine.csv", "mine", "none")
    first = str(frame["p_0"].iloc[0]).replace(".", ",")
    assert str(refused.value) == f"{tmp_path}/mine.csv: {told.replace('{first}', first)}"


def test_names_and_selection_are_refused(run, tmp_path, capsys):
    with pytest.raises(UserError, match="'single': the suite has a method of that name; choose another"):
        imported(run, tmp_path, made_elsewhere(), "single")
    for name in ("pooled", "panel-resnet50-100"):
        with pytest.raises(UserError) as refused:
            imported(run, tmp_path, made_elsewhere(), name)
        assert str(refused.value) == (
            f"method name {name!r}: is that of a method of the package or the plan, whose tests it would join; choose "
            "another"
        )
    with pytest.raises(UserError, match="'My method': lower-case letters, digits"):
        imported(run, tmp_path, made_elsewhere(), "My method")
    options = ["--run", str(run), "--name", "mine", "--selection", "test"]
    assert main(["import-predictions", str(tmp_path / "mine.csv"), *options]) == 1
    assert "models chosen on test images are not comparable" in capsys.readouterr().err
    assert main(["import-predictions", str(tmp_path / "no.csv"), *options[:-1], "none"]) == 1
    assert "no.csv: not a readable .csv or .parquet file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("tab.csv", {"sep": "\t"}),
        ("semicolon.csv", {"sep": ";"}),
        ("comma.csv", {"sep": ";", "decimal": ","}),
        ("marked.csv", {"encoding": "utf-8-sig"}),
    ],
)
def test_a_table_is_the_same_whatever_its_columns_end_at(name, dialect, run, tmp_path):
    frame = made_elsewhere()
    plain = pd.read_parquet(imported(run, tmp_path, frame, "plain"))
    file = tmp_path / name
    frame.to_csv(file, index=False, **dialect)
    other = pd.read_parquet(import_predictions(suite(), run, file, "other", "none"))
    pd.testing.assert_frame_equal(plain, other)
    shutil.rmtree(run / "imported")


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        (lambda f: f.iloc[:0], "mine", "{file}: holds no row; write one for each image of each seed"),
        (
            lambda f: f.assign(y=f["y"] + 0.5),
            "mine",
            "{file}: y must be whole numbers and p_0 .. numbers (y 0.5)",
        ),
        (lambda f: f, "m" * 65, "method name mmmmmmmmmmmmmmmmmmmm..: 64 characters at most"),
    ],
)
def test_an_empty_table_a_half_class_and_a_long_name_are_refused(change, name, message, run, tmp_path):
    with pytest.raises(UserError) as told:
        imported(run, tmp_path, change(made_elsewhere()), name)
    assert str(told.value) == message.format(file=tmp_path / "mine.csv")
    assert not (run / "imported" / f"{name}.parquet").exists()
