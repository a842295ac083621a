"""Freezing a run, making it again from the reference, and comparing another run with it."""

import dataclasses
import errno
import hashlib
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from references import REFERENCES
from scipy import stats
from small_suite import SEEDS, toy_frame, toy_suite, write_cell, write_predictions, write_text

from weckd.agreement.agree import Agreement, Cell, agreement_table, compare, tolerance_of, verdict
from weckd.agreement.freeze import freeze_rerun, freeze_run, unfreeze
from weckd.agreement.reference import DECIDING, MadeWith, Reference, read_reference
from weckd.analysis.contrasts import evaluate, own
from weckd.analysis.inference.reader_study import Study, half_width
from weckd.analysis.predictions import load_predictions
from weckd.analysis.results import load_run
from weckd.analysis.write_tables import write_tables
from weckd.cli import main
from weckd.config import load_suite, suite_json
from weckd.doctor.machine import pinned
from weckd.errors import UserError
from weckd.files import file_digest
from weckd.locks import take_run_lock

DATASETS = ("toy_three", "toy_two")
SKILL = {"weckd": (0.5, 0.65, 0.75), "single": (0.5,), "full-converged": (0.9,)}
MADE = MadeWith("", "cpu", 1, {})
LOCK = """numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:00
torch==2.0 \\
    --hash=sha256:01
"""
DIGEST = hashlib.sha256(b"numpy==2.4.6\ntorch==2.0").hexdigest()


def suite(**changes):
    return toy_suite(**({"datasets": DATASETS, "methods": tuple(SKILL)} | changes))


def write_run(folder: Path, device="cpu x86_64") -> Path:
    """Write a finished run of two data sets, with tables; figures are small files that only have bytes."""
    write_text(folder / "suite.json", suite_json(suite()))
    for dataset in DATASETS:
        seeds = {}
        for seed in SEEDS:
            frame = toy_frame(dataset, seed, SKILL)
            validation = frame[frame["image_id"] < "image0006"].assign(split="validation")
            write_cell(folder / "predictions", pd.concat([validation, frame], ignore_index=True))
            split = frame.drop_duplicates("image_id")[["image_id", "group_id", "y"]].assign(
                part="test", draws=""
            )
            split["class"] = [suite().facts[dataset].classes[y] for y in split["y"]]
            file = folder / "splits" / dataset / f"seed{seed}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            split[["image_id", "group_id", "class", "y", "part", "draws"]].to_csv(file, index=False)
            cell = {"device": device, "versions": {"torch": "2.0"}}
            fit = {"steps": 4, "networks": 1, "steps_run": 4, "images": 32, "status": "finished"}
            methods = {name: {"fits": ["a"], "labels": 8, "stages": []} for name in SKILL}
            seeds[str(seed)] = {"cell": cell, "images_of_part": {}, "fits": {"a": fit}, "methods": methods}
            seeds[str(seed)]["plans"] = [suite().plan_hash]
        manifest = {"dataset": dataset, "threads": 1, "seeds": seeds}
        write_text(folder / "manifests" / dataset / "seeds1-5.json", json.dumps(manifest))
    write_text(folder / "audit" / "audit.md", "nothing found\n")
    (folder / "audit" / "toy_two.png").write_bytes(b"a picture")
    (folder / "figures").mkdir()
    (folder / "figures" / "forest.svg").write_bytes(b"<svg/>")
    write_tables(suite(), folder, folder / "tables")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("agreement") / "run")


@pytest.fixture(scope="module")
def lock(run):
    file = run.parent / "requirements.lock"
    file.write_text(LOCK)
    return file


@pytest.fixture(scope="module")
def reference(run, lock):
    freeze_run(run, run.parent / "reference", lock)
    return run.parent / "reference"


@pytest.fixture
def rerun(run, tmp_path):
    return Path(shutil.copytree(run, tmp_path / "rerun"))


def changed_probability(folder, dataset="toy_two", seed=2, row=-1, by=1e-6):
    """Change one float32 probability of a run, and let the row sum to one still."""
    file = folder / "predictions" / dataset / f"seed{seed}.parquet"
    frame = pd.read_parquet(file)
    position = frame.index[row]
    frame.loc[position, "p_0"] += np.float32(by)
    frame.loc[position, "p_1"] -= np.float32(by)
    write_predictions(file, frame.astype({"p_0": np.float32, "p_1": np.float32}))
    return frame.loc[position]


def test_freezing_twice_gives_the_same_bytes_and_holds_no_picture(run, lock, reference, tmp_path):
    freeze_run(run, tmp_path, lock)
    files = sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file())
    assert [str(file) for file in files if file.suffix != ".md"] == [
        "predictions/toy_three.parquet",
        "predictions/toy_two.parquet",
        "records.tar.xz",
        "reference.json",
        "suite.json",
        "tables/answers.csv",
    ]
    for file in files:
        assert (tmp_path / file).read_bytes() == (reference / file).read_bytes(), file
    assert sum((tmp_path / file).stat().st_size for file in files if file.suffix != ".md") < 40_000
    freeze_run(run, tmp_path, lock)  # over an older one
    assert read_reference(tmp_path) == read_reference(reference)


def test_a_reference_does_not_tell_where_the_images_lay(rerun, lock, tmp_path):
    write_text(rerun / "suite.json", suite_json(suite(data_root="my folder")))
    freeze_run(rerun, tmp_path / "reference", lock)
    assert load_suite(tmp_path / "reference/suite.json") == suite()
    assert compare(rerun, tmp_path / "reference", lock).reproduced


def test_tables_made_from_the_reference_are_those_of_the_run(run, reference, tmp_path):
    unfreeze(reference, tmp_path)
    for file in [*run.glob("predictions/*/*.parquet"), *run.glob("splits/*/*.csv")]:
        one, other = file, tmp_path / file.relative_to(run)
        if file.suffix == ".csv":
            assert one.read_bytes() == other.read_bytes()
        else:
            pd.testing.assert_frame_equal(pd.read_parquet(one), pd.read_parquet(other))
    write_tables(suite(), tmp_path, tmp_path / "tables")
    for file in run.glob("tables/*"):
        assert (tmp_path / "tables" / file.name).read_bytes() == file.read_bytes(), file.name
    assert (tmp_path / "audit" / "audit.md").exists()
    assert not (tmp_path / "audit" / "toy_two.png").exists()


def test_an_equal_run_is_reproduced(rerun, reference, lock, capsys):
    agreement = compare(rerun, reference, lock)
    assert agreement.exact
    assert agreement.reproduced
    kinds = pd.Series([cell.what for cell in agreement.cells]).value_counts().to_dict()
    # Three methods and 8 gains on two data sets and their mean; ten cells; 20 tables in three files.
    tables = len(list(rerun.glob("tables/*.*"))) - 1  # but for their sums
    assert kinds == {"accuracy": 3 * 3, "gain": 8 * 3, "predictions": 10, "table": tables, "figure": 1}
    assert main(["agree", str(rerun), str(reference), "--lock", str(lock)]) == 0
    said = capsys.readouterr().out
    assert f"Reproduced: {44 + tables} of {44 + tables} cells agree, compared by equal bytes." in said
    assert (rerun / "agreement" / "agreement.csv").exists()


def test_one_changed_digit_is_found_and_named(rerun, reference, lock, capsys):
    row = changed_probability(rerun)
    agreement = compare(rerun, reference, lock)
    misses = [(cell.what, cell.dataset, cell.name, cell.note) for cell in agreement.cells if not cell.agrees]
    note = f"{row['method']} stage {row['stage']}, image {row['image_id']}: p_0 differs (1 rows)"
    assert misses == [("predictions", "toy_two", "seed 2", note)]
    assert main(["agree", str(rerun), str(reference), "--lock", str(lock)]) == 1
    said = capsys.readouterr().err
    assert "NOT reproduced: " in said
    assert note in said
    text = (rerun / "agreement" / "agreement.md").read_text(encoding="utf-8")
    assert note in text.splitlines()[6]  # what does not agree stands first


def test_other_bytes_of_a_table_are_found(rerun, reference, lock):
    with (rerun / "tables" / "main.md").open("a") as file:
        file.write(" ")
    misses = [(cell.what, cell.name) for cell in compare(rerun, reference, lock).cells if not cell.agrees]
    assert misses == [("table", "tables/main.md")]


def test_a_diverged_fit_agrees_with_itself_alone(rerun, lock, tmp_path):
    whole = Path(shutil.copytree(rerun, tmp_path / "whole"))
    file = rerun / "predictions" / "toy_two" / "seed2.parquet"
    frame = pd.read_parquet(file)
    frame.loc[frame["method"] == "single", ["p_0", "p_1"]] = np.float32("nan")
    write_predictions(file, frame.astype({"p_0": np.float32, "p_1": np.float32}))
    write_tables(suite(), rerun, rerun / "tables")
    freeze_run(rerun, tmp_path / "reference", lock)
    assert compare(rerun, tmp_path / "reference", lock).reproduced
    other = compare(whole, tmp_path / "reference", lock)
    misses = {(cell.what, cell.dataset, cell.name) for cell in other.cells if not cell.agrees}
    assert ("predictions", "toy_two", "seed 2") in misses
    assert ("accuracy", "toy_two", "single") in misses  # missing there, a number here
    assert ("accuracy", "toy_three", "single") not in misses


def test_another_device_or_lock_is_compared_by_intervals(reference, lock, tmp_path):
    other = write_run(tmp_path / "rerun", device="another card")
    changed_probability(other)  # of a size that another device makes
    agreement = compare(other, reference, lock)
    assert (agreement.exact, agreement.reproduced) == (False, True)
    assert agreement.differs == "device another card, not cpu x86_64"
    assert {cell.what for cell in agreement.cells} == {"accuracy", "gain"}
    assert (agreement.equal_files, agreement.files) == (9, 10)
    assert (
        "otherwise: device another card, not cpu x86_64; predictions are equal to the last digit in 9 of 10 cells all "
        "the same." in verdict(agreement)
    )
    theirs = load_run(suite(), other)
    level = next(
        x for x in theirs.levels if (x.method, x.dataset, x.metric) == ("single", "toy_two", "accuracy")
    )
    cell = next(
        x for x in agreement.cells if (x.what, x.name, x.dataset) == ("accuracy", "single", "toy_two")
    )
    assert cell.tolerance == pytest.approx(100 * np.sqrt(2) * half_width(level.estimate.study, 0.99))
    assert tolerance_of(level.estimate.study, 0.99) == pytest.approx(cell.tolerance / 100)
    file = tmp_path / "other.lock"
    file.write_text("torch==2.0\nnumpy==2.0\n")
    mine = hashlib.sha256(b"numpy==2.0\ntorch==2.0").hexdigest()
    assert compare(other, reference, file).differs.startswith(
        f"lock {mine}, not {DIGEST}; device another card"
    )


def test_a_package_that_changes_no_byte_leaves_a_lock_as_it_is(run, reference, lock, tmp_path):
    file = tmp_path / "more.lock"
    file.write_text(f"onnx==1.18 \\\n{lock.read_text()}torchdistill==1.1.5\n")
    assert compare(run, reference, file).exact
    file.write_text(f"{lock.read_text()}scipy==1.17\n")
    assert not compare(run, reference, file).exact


def test_what_decides_bytes_is_locked():
    assert set(DECIDING) <= set(pinned(REFERENCES.parents[1] / "requirements.lock"))


def test_what_is_assumed_near_the_ceiling_is_no_tolerance():
    near = Study(
        0.02, (0.02,) * 5, 9e-4, 1e-4, 900.0, 200, 200, all_zero=False, ceiling_part=6e-4, plain_df=5.0
    )
    assert tolerance_of(near, 0.99) == pytest.approx(math.sqrt(2) * stats.t.ppf(0.995, 5) * 0.02)
    assert tolerance_of(dataclasses.replace(near, seed_part=6e-4, case_part=0.0), 0.99) == 0


def test_a_lock_that_does_not_name_what_the_run_was_trained_with_does_not_count(
    reference, run, lock, tmp_path
):
    file = tmp_path / "newer.lock"
    file.write_text(lock.read_text().replace("torch==2.0 ", "torch==2.0.1 "))
    agreement = compare(run, reference, file)
    assert (agreement.exact, agreement.differs) == (False, f"lock none, not {DIGEST}")
    freeze_run(run, tmp_path / "reference", file)
    assert read_reference(tmp_path / "reference").made_with.lock == ""
    assert compare(run, tmp_path / "reference", file).exact


def test_a_cell_outside_its_interval_is_a_miss(reference, lock, tmp_path, capsys):
    other = write_run(tmp_path / "rerun", device="another card")
    for seed in SEEDS:  # the bar has all right but one
        file = other / "predictions" / "toy_two" / f"seed{seed}.parquet"
        frame = pd.read_parquet(file)
        bar = frame["method"] == "full-converged"
        frame.loc[bar, "p_0"] = np.where(frame.loc[bar, "y"] == 0, 0.1, 0.9).astype(np.float32)
        frame.loc[bar, "p_1"] = np.where(frame.loc[bar, "y"] == 0, 0.9, 0.1).astype(np.float32)
        write_predictions(file, frame)
    agreement = compare(other, reference, lock)
    missed = {(cell.what, cell.dataset, cell.name) for cell in agreement.cells if not cell.agrees}
    assert ("accuracy", "toy_two", "full-converged") in missed
    inside = [sum(cell.agrees_at(factor) for cell in agreement.cells) for factor in (0.5, 1, 2)]
    assert inside[1] == 33 - len(missed)
    assert inside[0] <= inside[1] <= inside[2] < 33
    assert verdict(agreement).endswith(
        f" Of these cells would agree at half the tolerance {inside[0]} (NOT reproduced) and at twice the tolerance "
        f"{inside[2]} (NOT reproduced)."
    )
    assert ("accuracy", "toy_three", "full-converged") not in missed
    assert main(["agree", str(other), str(reference), "--lock", str(lock)]) == 1
    assert "accuracy toy_two full-converged: 0.000, reference 88.333, allowed " in capsys.readouterr().err


def test_the_verdict_at_half_and_at_twice_the_tolerance():
    cells = (
        Cell("accuracy", "toy_two", "weckd", 70.0, 71.0, 2.0, True, ""),  # 1 of 2: just agrees at half
        Cell("accuracy", "toy_two", "single", 50.0, 53.0, 2.0, False, ""),  # 3 of 2: at twice alone
        Cell("gain", "toy_two", "over single", 20.0, 18.5, 2.0, True, ""),  # 1.5 of 2: not at half
        Cell("accuracy", "toy_two", "pooled", math.nan, math.nan, math.nan, True, "missing in both"),
    )
    agreement = Agreement(False, "device b, not a", cells, 1, 2, {"the run": "", "the reference": ""}, "")
    assert [[cell.agrees_at(factor) for cell in cells] for factor in (0.5, 2)] == [
        [True, False, False, True],
        [True, True, True, True],
    ]
    assert verdict(agreement) == (
        "NOT reproduced: 3 of 4 cells agree, compared by intervals, since the run was made otherwise: device b, not a; "
        "predictions are equal to the last digit in 1 of 2 cells all the same. Of these cells would agree at half the "
        "tolerance 2 (NOT reproduced) and at twice the tolerance 4 (reproduced)."
    )
    table = agreement_table(suite(), agreement, Reference(1, "", "", MADE, 0.99, "", {}, {}))
    assert table.frame["agrees_at_half"].tolist() == [True, False, False, True]
    assert table.frame["agrees_at_twice"].tolist() == [True] * 4


def test_a_rerun_elsewhere_is_kept_in_the_reference_and_shown_beside(run, reference, lock, tmp_path, capsys):
    folder = Path(shutil.copytree(reference, tmp_path / "reference"))
    other = write_run(tmp_path / "rerun", device="another card")
    row = changed_probability(other, by=0.5)
    assert main(["freeze", str(other), "--out", str(folder), "--beside", "--lock", str(lock)]) == 0
    facts = read_reference(folder)
    made = MadeWith(DIGEST, "another card", 1, {"torch": "2.0"})
    assert (facts.elsewhere, facts.made_with) == (made, read_reference(reference).made_with)
    capsys.readouterr()
    assert main(["agree", str(run), str(folder), "--lock", str(lock)]) == 0
    assert "\nbeside it: a rerun elsewhere (lock " in capsys.readouterr().out
    frame = pd.read_csv(run / "agreement/agreement.csv").set_index(["what", "dataset", "name"])
    cell = frame.loc["accuracy", "toy_two", row["method"]]
    assert cell["reference"] == cell["rerun"] != cell["elsewhere"]
    there = load_predictions(suite(), other / "predictions").datasets["toy_two"]
    theirs = evaluate(there, own(row["method"], 1), "accuracy").study.estimate
    assert cell["elsewhere"] == pytest.approx(100 * theirs)
    assert "| elsewhere " in (run / "agreement/agreement.md").read_text(encoding="utf-8")
    freeze_run(run, folder, lock)  # the same predictions: it stays
    assert read_reference(folder) == facts
    freeze_run(other, folder, lock)  # others: it goes
    assert read_reference(folder).elsewhere is None
    assert not (folder / "elsewhere").exists()
    write_text(other / "suite.json", suite_json(suite(seeds=(1, 2, 3, 4, 9))))
    with pytest.raises(UserError, match="reference: made with another seeds: "):
        freeze_rerun(other, folder, lock)


def test_what_is_missing_in_the_rerun_is_a_miss(rerun, reference, lock):
    (rerun / "predictions" / "toy_two" / "seed4.parquet").unlink()
    misses = [cell for cell in compare(rerun, reference, lock).cells if not cell.agrees]
    assert {cell.dataset for cell in misses} == {"toy_two", "macro"}
    assert {cell.note for cell in misses if cell.what == "accuracy"} == {"missing: toy_two seed 4"}
    assert [cell.note for cell in misses if cell.what == "predictions"] == ["missing"]


PART = {
    "run": "toy+part",
    "plan_hash": "other",
    "datasets": ("toy_two",),
    "readings_datasets": ("toy_two",),
    "seeds": (2,),
    "methods": ("single", "weckd"),  # in another order than the reference's
}


def write_part(folder, device="cpu x86_64"):
    """Write one cell of the suite with two of its methods, as a narrowed run has them; it has no tables yet."""
    write_run(folder, device)
    part = suite(**PART)
    facts, roles = {"toy_two": part.facts["toy_two"]}, {name: part.roles[name] for name in part.methods}
    write_text(folder / "suite.json", suite_json(dataclasses.replace(part, facts=facts, roles=roles)))
    file = folder / "predictions/toy_two/seed2.parquet"
    frame = pd.read_parquet(file)
    kept = [frame[(frame["method"] == name)] for name in part.methods]
    write_predictions(file, pd.concat(kept))
    return folder


def test_a_part_of_the_run_is_compared_by_its_cells(reference, lock, tmp_path):
    part = write_part(tmp_path / "part")
    agreement = compare(part, reference, lock)
    assert (agreement.exact, agreement.reproduced) == (True, True)
    assert [(cell.what, cell.dataset, cell.name) for cell in agreement.cells] == [
        ("accuracy", "toy_two", "single, seed 2"),
        ("accuracy", "toy_two", "weckd, seed 2"),
        ("predictions", "toy_two", "seed 2"),
    ]
    frame = pd.read_parquet(part / "predictions/toy_two/seed2.parquet")
    last = frame[(frame["split"] == "test") & (frame["method"] == "weckd") & (frame["stage"] == 3)]
    accuracy = 100 * ((last["p_1"] > last["p_0"]) == (last["y"] == 1)).mean()
    assert agreement.cells[1].reference == agreement.cells[1].rerun == pytest.approx(accuracy)
    changed_probability(part)
    [miss] = [cell for cell in compare(part, reference, lock).cells if not cell.agrees]
    assert (miss.what, miss.note.startswith("weckd stage 3")) == ("predictions", True)


def test_a_part_made_otherwise_is_compared_by_the_spread_of_the_references_seeds(reference, lock, tmp_path):
    part = write_part(tmp_path / "part", device="another card")
    agreement = compare(part, reference, lock)
    assert (agreement.exact, agreement.reproduced, agreement.equal_files) == (False, True, 1)
    level = next(
        x
        for x in load_run(suite(), write_run(tmp_path / "whole")).levels
        if (x.method, x.dataset, x.metric) == ("single", "toy_two", "accuracy")
    )
    spread = np.std(level.estimate.study.per_seed, ddof=1)
    # t(.995, 4) = 4.6041
    assert agreement.cells[0].tolerance == pytest.approx(100 * 4.6041 * np.sqrt(2) * spread, rel=1e-4)


def test_a_reference_of_one_seed_judges_only_what_was_made_with_the_same(lock, tmp_path):
    one, other = (write_part(tmp_path / name, name) for name in ("one card", "another card"))
    freeze_run(one, tmp_path / "reference", lock)
    agreement = compare(one, tmp_path / "reference", lock)
    assert agreement.exact
    assert {cell.agrees for cell in agreement.cells if cell.what != "table"} == {True}
    with pytest.raises(UserError) as told:
        compare(other, tmp_path / "reference", lock)
    assert str(told.value) == (
        f"{tmp_path / 'reference'}: of one seed, which tells nothing of how much runs vary that are made otherwise "
        "(device another card, not one card); compare with a reference of several seeds, of which the run may be a part"
    )


def test_a_part_with_another_setting_is_refused_by_its_key(reference, lock, tmp_path):
    part = write_part(tmp_path / "part")
    file = part / "suite.json"
    file.write_text(file.read_text().replace('"batch_size": 16', '"batch_size": 8'))
    with pytest.raises(UserError, match="made with another training"):
        compare(part, reference, lock)


def test_other_suites_and_unfinished_runs_are_refused(rerun, reference, lock, tmp_path):
    write_text(rerun / "suite.json", suite_json(suite(seeds=(1, 2, 9))))
    with pytest.raises(
        UserError, match=r"reference: made with another seeds: \(1, 2, 3, 4, 5\), not \(1, 2, 9\)"
    ):
        compare(rerun, reference, lock)
    write_text(rerun / "suite.json", suite_json(suite()))
    (rerun / "imported").mkdir()
    (rerun / "imported" / "mine.parquet").write_bytes(b"")
    with pytest.raises(UserError, match="imported: a reference holds the suite's own methods"):
        freeze_run(rerun, tmp_path / "out", lock)
    shutil.rmtree(rerun / "imported")
    (rerun / "tables" / "main.md").rename(rerun / "tables" / "readings.md")
    freeze_run(rerun, tmp_path / "readings", lock)
    (rerun / "tables" / "readings.md").unlink()
    with pytest.raises(UserError, match="tables: missing; a reference is made of a finished run"):
        freeze_run(rerun, tmp_path / "out", lock)
    (rerun / "predictions" / "toy_two" / "seed4.parquet").unlink()
    with pytest.raises(
        UserError, match=r"toy_two/seed4\.parquet: missing; a reference is made of a finished run"
    ):
        freeze_run(rerun, tmp_path / "out", lock)
    shutil.rmtree(rerun / "manifests")
    with pytest.raises(
        UserError, match="no manifests; finish the run first, by the command that `weckd runs` lists"
    ):
        compare(rerun, reference, lock)


def test_a_damaged_or_missing_frozen_file_is_named(reference, run, lock, tmp_path):
    broken = Path(shutil.copytree(reference, tmp_path / "broken"))
    with (broken / "predictions" / "toy_two.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(
        UserError, match=r"broken/predictions/toy_two\.parquet: damaged, its hash is not the recorded"
    ):
        compare(run, broken, lock)
    (broken / "predictions" / "toy_two.parquet").unlink()
    with pytest.raises(
        UserError, match=r"broken/predictions/toy_two\.parquet: missing; restore the reference"
    ):
        unfreeze(broken, tmp_path / "out")
    facts = json.loads((broken / "reference.json").read_text())
    (broken / "reference.json").write_text(json.dumps(facts | {"format": 99}))
    with pytest.raises(
        UserError, match=r"reference\.json: format 99, this version reads 1; freeze the run again"
    ):
        read_reference(broken)
    with pytest.raises(UserError, match=r"nowhere/reference\.json: not a readable reference"):
        read_reference(tmp_path / "nowhere")


def test_attention_keeps_its_numbers_and_loses_its_pictures(run, lock, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    (copy / "attention").mkdir()
    arrays = {
        "sharpness": np.ones((5, 3, 24)),
        "example_images": np.zeros((1, 8, 8, 3)),
        "example_maps": np.zeros(3),
    }
    np.savez_compressed(copy / "attention" / "toy_two.npz", example_rows=np.zeros(1), **arrays)
    freeze_run(copy, tmp_path / "reference", lock)
    unfreeze(tmp_path / "reference", tmp_path / "out")
    with np.load(tmp_path / "out" / "attention" / "toy_two.npz") as kept:
        assert kept.files == ["sharpness"]


def test_of_a_reference_that_is_refused_nothing_is_left(run, tmp_path, monkeypatch):
    reference, out = tmp_path / "reference", tmp_path / "out"
    freeze_run(run, reference, None)
    monkeypatch.setattr("weckd.agreement.freeze.LARGEST", 10_000)
    with pytest.raises(UserError) as told:
        unfreeze(reference, out)
    assert str(told.value) == (
        f"{reference}/predictions/toy_three.parquet: unpacks to more than 1e-05 GB, as no reference does; do not use "
        "it, or freeze the run again"
    )
    assert sorted(tmp_path.iterdir()) == [reference]


def test_a_packed_seed_that_is_not_the_suites_is_refused(run, tmp_path):
    folder = tmp_path / "reference"
    freeze_run(run, folder, None)
    file = folder / "predictions" / "toy_two.parquet"
    frame = pd.read_parquet(file).assign(seed="1/../../../../stolen")
    frame.to_parquet(file)
    facts = json.loads((folder / "reference.json").read_text())
    facts["files"]["predictions/toy_two.parquet"] = file_digest(file)
    (folder / "reference.json").write_text(json.dumps(facts))
    with pytest.raises(
        UserError, match=r"toy_two.parquet: seed 1/../../../../stolen is not one of the suite's"
    ):
        unfreeze(folder, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == [folder]


def test_neither_a_reference_nor_what_is_laid_out_of_one_is_written_over_a_run(
    run, rerun, reference, tmp_path
):
    before = {file: file_digest(file) for file in rerun.rglob("*") if file.is_file()}
    for write in (lambda: freeze_run(run, rerun, None), lambda: unfreeze(reference, rerun)):
        with pytest.raises(UserError) as told:
            write()
        assert str(told.value) == (
            f"{rerun}: holds a run already, which would be written over; choose another folder"
        )
    assert {file: file_digest(file) for file in rerun.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("add", [freeze_run, freeze_rerun])
def test_a_reference_that_cannot_be_replaced_stays_as_it_was(run, lock, tmp_path, monkeypatch, add):
    folder = tmp_path / "reference"
    freeze_run(run, folder, lock)
    before = {file: file_digest(file) for file in tmp_path.rglob("*") if file.is_file()}
    written = []

    def full(file, *more, **how):
        if len(written) == 1:  # in the midst
            raise OSError(errno.ENOSPC, "No space left on device", str(file))
        written.append(file)
        return write_table(file, *more, **how)

    write_table = pq.write_table
    monkeypatch.setattr("weckd.agreement.freeze.pq.write_table", full)
    with pytest.raises((UserError, OSError)):
        add(run, folder, lock)
    assert {file: file_digest(file) for file in tmp_path.rglob("*") if file.is_file()} == before
    read_reference(folder)


def test_a_folder_of_something_else_is_not_replaced_by_a_reference(run, lock, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UserError) as told:
        freeze_run(run, tmp_path, lock)
    assert str(told.value) == (
        f"{tmp_path}: there is something that is no reference; choose another folder, or remove it"
    )
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_under_way_or_with_a_cell_untold_of_is_not_frozen(rerun, tmp_path):
    with take_run_lock(tmp_path / ".lock", ["rerun"]), pytest.raises(UserError) as told:
        freeze_run(rerun, tmp_path / "reference", None)
    assert str(told.value) == (
        f"{rerun}: under way, its tables may be older than its predictions; a reference is made of a finished run; "
        "`weckd runs` lists the command that finishes each"
    )
    (rerun / "manifests/toy_two/seeds1-5.json").unlink()
    with pytest.raises(UserError) as told:
        freeze_run(rerun, tmp_path / "reference", None)
    assert str(told.value) == (
        f"{rerun}/manifests/toy_two: tell of 0 of 5 seeds; a reference is made of a finished run; "
        "`weckd runs` lists the command that finishes each"
    )
    assert not (tmp_path / "reference").exists()
