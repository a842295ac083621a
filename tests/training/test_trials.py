"""Tuning from trials to training: judged on validation images, resumed, used, and counted in the budgets."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from prepared_phantom import KEY, SEED, TUNING_SEEDS, gather, make_workplace

from weckd.analysis.sheets.inputs import budgets_frame
from weckd.errors import UserError
from weckd.locks import StopRequest
from weckd.methods.catalogue import METHODS, find_method
from weckd.methods.chain import suite_budget
from weckd.methods.fits import Fit
from weckd.methods.tunables import tunables_of, with_values
from weckd.training import trials
from weckd.training.fit import train_fit
from weckd.training.job import train_batch
from weckd.tuning.chosen import Chosen, read_chosen, tunable_methods, write_chosen

TRIALS = 2


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return make_workplace(tmp_path_factory.mktemp("place"))


def tune(place, name, root, suite=None):
    run = place.another(root)
    trials.tune_method(suite or place.suite, run, KEY, name)
    return read_chosen(run.tuned(KEY, name), KEY, name)


def train(place, suite, root):
    run = place.another(root)
    train_batch(suite, run, KEY, [SEED], 60.0, StopRequest())
    return json.loads(run.manifest(KEY, "seeds1-1").read_text())["seeds"][str(SEED)]


def studies_of(root, name="*"):
    """Return the files of the first round, and those of the finalists."""
    files = sorted(root.glob(f"results/studies/{KEY}/{name}.jsonl"))
    last = [file for file in files if "-finalists-" in file.name]
    return [file for file in files if file not in last], last


@pytest.fixture(scope="module")
def run(place, tmp_path_factory):
    """Return the files of a run in which every method of the catalogue is tuned and trained, and its cell."""
    root = tmp_path_factory.mktemp("run")
    for name in tunable_methods(place.suite):
        tune(place, name, root)
    return place.another(root), train(place, place.suite, root)


def test_everything_but_checks_and_floor_is_tuned_with_equal_trials(run, place):
    files, cell = run
    tuned = {name: entry["tuning"] for name, entry in cell["methods"].items() if "tuning" in entry}
    assert set(METHODS) - set(tuned) == {"permuted", "majority"}
    assert set(tuned) == set(tunable_methods(place.suite))
    assert {(entry["trials"], tuple(entry["seeds"])) for entry in tuned.values()} == {(TRIALS, TUNING_SEEDS)}
    for studies in studies_of(files.folder.parents[1]):
        assert len(studies) == len(tuned)
        assert {len(study.read_text().splitlines()) for study in studies} == {TRIALS}


def test_all_trials_see_the_first_seed_and_the_finalists_the_others_at_a_share_of_the_steps(place, tmp_path):
    tuning = replace(place.suite.tuning, trials=3, finalists=2, share_of_steps=0.5)
    budgets = {}
    for name in ("single", "single-long", "pooled"):
        chosen = tune(place, name, tmp_path, replace(place.suite, tuning=tuning))
        fits = find_method(name)(suite_budget(place.suite)).fits()
        budgets[name] = chosen.steps
        assert chosen.steps == (3 + 2) * sum(fit.steps for fit in fits) // 2
        (first,), (last,) = studies_of(tmp_path, f"{name}-*")
        tried, again = ([json.loads(x) for x in file.read_text().splitlines()] for file in (first, last))
        assert (len(tried), len(again)) == (3, 2)
        best = max(tried[1:], key=lambda trial: (trial["outcome"]["accuracy"], -trial["outcome"]["nll"]))
        assert [trial["values"] for trial in again] == [tried[0]["values"], best["values"]]
        means = [
            (tried[n]["outcome"]["accuracy"] + again[i]["outcome"]["accuracy"]) / 2
            for i, n in enumerate((0, best["number"]))
        ]
        assert (chosen.default_accuracy, chosen.accuracy) == (means[0], max(means))
        assert chosen.best in (0, best["number"])
    assert budgets["single-long"] == budgets["pooled"]  # methods of equal steps have an equal search


@pytest.mark.parametrize("name", METHODS)
def test_budgets_are_those_declared(run, place, name):
    # Steps, images and trials are summed from records of what was trained; the declaration says what they must be.
    files, _ = run
    suite = replace(place.suite, methods=(name,))
    (row,) = budgets_frame(suite, files.folder / "manifests").to_dict("records")
    method = find_method(name)(suite_budget(suite))
    batch, factor = (
        suite.training.batch_size,
        0 if name in ("permuted", "majority") else TRIALS * len(TUNING_SEEDS),
    )
    images = sum(fit.steps * batch * fit.loss.views for fit in method.fits())
    assert (row["steps_run"], row["steps"], row["images"]) == (method.steps(), method.steps(), images)
    assert row["tuning_trials"] == (TRIALS if factor else 0)
    assert row["tuning_steps"] == factor * method.steps()
    assert row["tuning_images"] == factor * images


def test_methods_of_the_equal_budget_have_it(run, place):
    files, _ = run
    frame = budgets_frame(place.suite, files.folder / "manifests").set_index("method")
    budget = suite_budget(place.suite)
    outside = {
        "single": budget.steps,
        "chain-fresh-long": 5 * budget.steps,
        "full-converged": 3 * budget.steps,
        "majority": 0,
    }
    for name in METHODS:
        assert frame.loc[name, "steps_run"] == outside.get(name, budget.total), name
    # What each method may learn from: one subset, all of the chain's, or the whole training part.
    parts = run[1]["images_of_part"]
    chain = sum(parts[f"D{number}"] for number in (1, 2, 3))
    everything = chain + parts["rest"]
    few = {"single", "single-long", "born-again"}
    all_labels = {"full", "full-converged", "permuted"}
    for name in set(METHODS) - {"majority"}:
        expected = parts["D1"] if name in few else everything if name in all_labels else chain
        assert frame.loc[name, "labels"] == expected, name


def test_training_uses_what_was_chosen(place, tmp_path):
    suite = replace(place.suite, methods=("weckd", "single"), roles={"weckd": "chain", "single": "reference"})
    values = {"learning_rate": 0.02, "alpha": 0.25, "temperature": 2.5}
    chosen = Chosen(KEY, "weckd", 2, TUNING_SEEDS, values, {**values, "alpha": 0.5}, 1, 0.9, 0.8, 48, 384)
    write_chosen(chosen, place.another(tmp_path).tuned(KEY, "weckd"))
    defaults = {"learning_rate": 0.008}
    write_chosen(
        Chosen(KEY, "single", 2, TUNING_SEEDS, defaults, defaults, 0, 0.9, 0.9, 16, 128),
        place.another(tmp_path).tuned(KEY, "single"),
    )
    cell = train(place, suite, tmp_path)
    fits = [cell["fits"][identity] for identity in cell["methods"]["weckd"]["fits"]]
    assert [fit["learning_rate"] for fit in fits] == [None, None, None]  # as it was: not a fit of its own
    assert [fit["loss"] and fit["loss"]["alpha"] for fit in fits] == [None, 0.25, 0.25]
    # M1 has no distillation, and a learning rate that was not changed: it is the `single` fit.
    assert cell["methods"]["single"]["fits"] == cell["methods"]["weckd"]["fits"][:1]
    assert cell["methods"]["weckd"]["tuning"] == {
        **{"trials": 2, "seeds": list(TUNING_SEEDS), "values": values, "steps": 48, "images": 384}
    }


def test_a_suite_that_is_not_tuned_reads_no_chosen_values(place, tmp_path):
    suite = replace(place.suite, methods=("single",), roles={"single": "reference"}, tuned=False)
    cell = train(place, suite, tmp_path)
    assert "tuning" not in cell["methods"]["single"]


def test_a_missing_choice_is_asked_for(place, tmp_path):
    with pytest.raises(
        UserError, match=r"weckd.json: not a file of tuned settings .*; make it with `snakemake tune`"
    ):
        train(place, place.suite, tmp_path)


def test_a_choice_of_another_data_set_is_refused(place, tmp_path):
    chosen = Chosen("phantom_x", "single", 2, (1,), {}, {}, 0, 0.9, 0.9, 16, 128)
    write_chosen(chosen, tmp_path / "single.json")
    with pytest.raises(UserError) as refusal:
        read_chosen(tmp_path / "single.json", KEY, "single")
    assert str(refusal.value) == (
        f"{tmp_path}/single.json: holds the settings of single on phantom_x; delete it and make it with "
        "`snakemake tune`"
    )


def test_an_edited_choice_is_refused(place, tmp_path):
    chosen = Chosen(KEY, "single", 2, (1,), {"learning_rate": 0.02}, {}, 0, 0.9, 0.9, 16, 128)
    write_chosen(chosen, file := tmp_path / "single.json")
    assert read_chosen(file, KEY, "single") == chosen
    file.write_text(file.read_text().replace("0.02", "0.03"))
    with pytest.raises(UserError) as refusal:
        read_chosen(file, KEY, "single")
    assert str(refusal.value) == (
        f"{file}: not a file of tuned settings (edited, its sum is another one); make it with `snakemake tune`"
    )


def test_trials_never_see_a_test_image(place, tmp_path, monkeypatch):
    seen = []

    def watched(fit, cell, state_of):
        result = train_fit(fit, cell, state_of)
        seen.append((cell.data.seed, tuple(cell.evaluated), tuple(result.logits)))
        return result

    monkeypatch.setattr(trials, "train_fit", watched)
    tune(place, "one-step", tmp_path)
    assert seen == [
        (seed, ("validation",), ("validation",)) for seed in TUNING_SEEDS for _ in range(TRIALS * 2)
    ]


@pytest.mark.parametrize("name", ["weckd", "ensemble"])
def test_a_trial_is_the_last_stage_on_validation_images(place, tmp_path, name):
    # The committed settings, trained by the other command on a tuning seed, give the score of trial 0: also where
    # networks start from and are taught by others, whose weights a trial keeps in memory and training in the store.
    chosen = tune(place, name, tmp_path)
    suite = replace(place.suite, methods=(name,), roles={name: "control"}, tuned=False)
    run = place.another(tmp_path)
    scores = []
    for seed in TUNING_SEEDS:
        train_batch(suite, run, KEY, [seed], 60.0, StopRequest())
        gather(run, seed)
        frame = pd.read_parquet(run.prediction(KEY, seed)).query("split == 'validation' and stage == 3")
        probabilities = frame.filter(regex="^p_").to_numpy()
        right = probabilities.argmax(1) == frame["y"]
        nll = -np.log(probabilities[np.arange(len(frame)), frame["y"]])
        scores.append((right.mean(), nll.mean()))
    accuracy, _ = np.mean(scores, axis=0)
    assert chosen.default_accuracy == pytest.approx(accuracy, abs=1e-9)
    studies = [study for (study,) in studies_of(tmp_path, f"{name}-*")]
    first = [json.loads(study.read_text().splitlines()[0])["outcome"] for study in studies]
    assert [outcome["accuracy"] for outcome in first] == pytest.approx(
        [right for right, _ in scores], abs=1e-9
    )
    assert [outcome["nll"] for outcome in first] == pytest.approx([nll for _, nll in scores], rel=1e-5)


def test_values_reach_the_training(place, tmp_path, monkeypatch):
    asked = []

    def watched(fit, cell, state_of):
        asked.append(fit)
        return train_fit(fit, cell, state_of)

    monkeypatch.setattr(trials, "train_fit", watched)
    tune(place, "weckd", tmp_path)
    (first,), (last,) = studies_of(tmp_path, "weckd-*")
    lines = [json.loads(line) for file in (first, last) for line in file.read_text().splitlines()]
    method = find_method("weckd")(suite_budget(place.suite))
    assert len(asked) == 3 * len(lines) == 12
    for number, line in enumerate(lines):
        assert tuple(asked[3 * number : 3 * number + 3]) == with_values(method, line["values"]).fits()


def test_more_trials_go_on_where_fewer_ended_and_another_setting_begins_anew(place, tmp_path):
    tune(place, "single", tmp_path)
    (study,), _ = studies_of(tmp_path)
    before = study.read_text()
    more = replace(place.suite, tuning=replace(place.suite.tuning, trials=4))
    assert tune(place, "single", tmp_path, more).trials == 4
    assert study.read_text().startswith(before)
    assert len(study.read_text().splitlines()) == 4
    other = replace(place.suite, training=replace(place.suite.training, batch_size=4))
    tune(place, "single", tmp_path, other)
    assert len(studies_of(tmp_path)[0]) == 2


def test_a_trial_that_diverges_is_recorded_and_not_chosen(place, tmp_path, monkeypatch):
    def diverging(fit, cell, state_of):
        result = train_fit(fit, cell, state_of)
        if fit.learning_rate != place.suite.training.learning_rate:
            result.record["status"] = "diverged"
        return result

    monkeypatch.setattr(trials, "train_fit", diverging)
    chosen = tune(place, "single", tmp_path)
    assert (chosen.best, chosen.trials) == (0, TRIALS)
    assert chosen.changed == {}


@pytest.mark.parametrize("name", METHODS)
def test_what_is_tuned_has_tunables_and_what_is_not_has_none(place, name):
    method = find_method(name)(suite_budget(place.suite))
    assert bool(tunables_of(method, 0.01)) == (name in tunable_methods(place.suite))
    assert all(isinstance(fit, Fit) for fit in method.fits())
