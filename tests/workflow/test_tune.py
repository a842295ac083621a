"""Tuning through the workflow: searched once, read by training, said in the tables."""

import json

import pandas as pd
import pytest
from engine import snakemake

pytestmark = pytest.mark.workflow

CHANGES = (
    "--config",
    "datasets=[phantom_brain_mri]",
    "methods=[weckd,single,majority]",
    "seeds=[1]",
    "tuning={trials: 3, seeds: [9]}",
)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Return the folder in which `tune` ran, and then a tuned run to its tables, and what both printed."""
    folder = tmp_path_factory.mktemp("tuned")
    printed = []
    for arguments in (("tune", *CHANGES), ("--until", "tables", *CHANGES, "tuned=true")):
        process = snakemake(folder, "--cores", "2", *arguments)
        assert process.returncode == 0, process.stdout
        printed.append(process.stdout)
    return folder, printed


def run_of(folder, kind):
    (found,) = {path.parents[1] for path in folder.glob(f"results/*/{kind}")}
    return found


def test_each_tuned_method_has_its_chosen_values_and_the_search_is_seen(tuned):
    folder, (searched, _) = tuned
    files = sorted(folder.glob("results/*/tuned/phantom_brain_mri/*.json"))
    assert sorted({file.stem for file in files}) == ["single", "weckd"]
    chosen = json.loads(files[0].read_text())
    assert (chosen["trials"], chosen["seeds"], len(chosen["values"])) == (3, [9], 1)
    assert "[phantom_brain_mri weckd] trial 3 of 3: learning_rate " in searched
    assert "best so far" in searched


def test_a_tuned_run_searches_nothing_anew(tuned):
    folder, (_, trained) = tuned
    assert "[phantom_brain_mri weckd] 3 of 3 trials are there" in trained
    assert "trial 1 of 3" not in trained
    studies = list(folder.glob("results/studies/phantom_brain_mri/*.jsonl"))
    assert sorted(study.name.split("-")[0] for study in studies) == ["single", "weckd"]
    assert all(len(study.read_text().splitlines()) == 3 for study in studies)


def test_an_edited_choice_is_made_again_from_the_trials(tuned):
    folder, _ = tuned
    # Of both runs, that which `tune` alone made: no table is of it.
    places = folder.glob("results/*/tuned/phantom_brain_mri/single.json")
    [file] = [place for place in places if not (place.parents[2] / "tables").exists()]
    before = file.read_bytes()
    file.write_text(file.read_text().replace('"trials": 3', '"trials": 4'))
    done = snakemake(folder, "--cores", "2", "tune", *CHANGES)
    assert done.returncode == 0, done.stdout
    assert f"changed since it was read or made: {file.relative_to(folder)}\n" in done.stdout
    assert file.read_bytes() == before
    assert "[phantom_brain_mri single] 3 of 3 trials are there" in done.stdout


def test_training_and_tables_tell_of_it(tuned):
    folder, _ = tuned
    run = run_of(folder, "tables/budgets.csv")
    manifest = json.loads(next(run.glob("manifests/phantom_brain_mri/*.json")).read_text())
    methods = manifest["seeds"]["1"]["methods"]
    for name in ("weckd", "single"):
        chosen = json.loads((run / "tuned" / "phantom_brain_mri" / f"{name}.json").read_text())
        assert methods[name]["tuning"]["values"] == chosen["values"]
    assert "tuning" not in methods["majority"]
    budgets = pd.read_csv(run / "tables" / "budgets.csv").set_index("method")
    assert budgets["tuning_trials"].to_dict() == {"weckd": 3, "single": 3, "majority": 0}
    # Three trials on one seed: the chain's three fits of 4 steps, `single`'s one.
    assert budgets["tuning_steps"].to_dict() == {"weckd": 36, "single": 12, "majority": 0}
    caption = (run / "tables" / "gains.md").read_text()
    told = "Tuned: all methods but majority, 3 trials each on every data set, scored on validation images of seed 9."
    assert told in caption
