"""The folder that a suite's run has, the hash of its plan and the bytes of its suite.json, and what changes them."""

import hashlib
import json

import pytest
from suite_files import CONFIG, ENTRY, PHANTOMS

from weckd.config import load_suite, neutral_keys, suite_json
from weckd.errors import UserError
from weckd.suite_file import parse_changes, resolve_suite, telling_changes


def test_only_what_changes_results_narrows_a_run():
    assert resolve_suite(PHANTOMS, {"seeds_per_job": 1, "data_root": "x"}).run == "phantoms"
    assert resolve_suite(PHANTOMS, {"skip_bad": "true"}).run.startswith("phantoms+")
    assert resolve_suite(PHANTOMS, {"seeds": [1, 2, 3, 4, 5]}).run == "phantoms"  # as in the file
    runs = {
        resolve_suite(PHANTOMS, change).run
        for change in ({}, {"seeds": [1]}, {"image_size": 48}, {"methods": ["weckd"]})
    }
    assert len(runs) == 4


def test_changes_that_say_what_the_files_say_are_told_from_those_that_do_not():
    typed = parse_changes(
        ["seeds=[1,2,3,4,5]", "training={steps: 16, learning_rate: 1}", "data_root=x", "tuned=false"]
    )
    assert telling_changes(PHANTOMS, {**typed, "image_size": "32"}).keys() == {"training", "data_root"}


@pytest.mark.parametrize(
    ("files", "changes", "run", "plan_hash", "sha256"),
    [
        ("phantoms", [], "phantoms", "8930cba9a21f", "b8edeec44d6ababf"),
        (
            "phantoms",
            ["seeds=[1,2]", "datasets=[phantom_ear_chile]", "methods=[weckd,single,pooled]"],
            *("phantoms+a726b80f", "b65e525ad9d4", "d9c37316e258cbd7"),
        ),
        (
            "phantoms",
            ["tuned=true", "training={steps: 7, learning_rate: 5e-4}"],
            *("phantoms+e073eafc", "8930cba9a21f", "917f9e751cda5d7b"),
        ),
        (
            "phantoms",
            ["augmentation={rotation: 90}", "analysis={margin_pp: 1}"],
            *("phantoms+75f5c2d9", "33a5ac7880fc", "9d36a59311ab9d08"),
        ),
        ("demo", [], "demo", "bbc909ff7c6f", "d5cf5f0448624ed6"),
        ("paper", [], "paper", "414d26a9dbed", "db52e9e5ee8d4d59"),
        ("selfcheck", [], "selfcheck", "05d724af4f24", "184c044c921b18ce"),
        ("real-small", ["data_root=somewhere"], "real-small", "1d172b14039d", "2ec81b02ca850beb"),
        (
            "real-small",
            ["exclude_classes={ear_chile: [normal]}", "seeds=3"],
            *("real-small+c9909ab9", "2f47cdcebd4b", "474590f98ccaf81d"),
        ),
        ("real-small real-small-tuned", [], "real-small-tuned", "9d116c687b37", "3ebd251e1901a7e7"),
        ("real", ["data_root=somewhere"], "real", "4e34cb21502a", "d72d1ce3f794a16d"),
        ("real real-curves", [], "real-curves", "f689b79c4a12", "63c40d4d3d94a20f"),
        ("real real-backbones", [], "real-backbones", "c316a997565e", "194e1acfe9182e43"),
        ("real real-backbones real-lite1", [], "real-lite1", "9ad0e35fbb7a", "e15e080c5b1ed07f"),
        ("real real-backbones real-lite2", [], "real-lite2", "979d272f4a62", "2099c047872b65be"),
        ("real real-backbones real-regnet", [], "real-regnet", "9ad0e35fbb7a", "775418626ebaf7d4"),
    ],
)
def test_runs_keep_their_names_and_suites_their_bytes(files, changes, run, plan_hash, sha256):
    suite = resolve_suite([CONFIG / f"{file}.yaml" for file in files.split()], parse_changes(changes))
    bytes_ = hashlib.sha256(suite_json(suite).encode()).hexdigest()[:16]
    assert (suite.run, suite.plan_hash, bytes_) == (run, plan_hash, sha256)


def test_plan_hash_follows_the_plan_only():
    plain = resolve_suite(PHANTOMS, {}).plan_hash
    assert resolve_suite(PHANTOMS, {"training": {"steps": 5}}).plan_hash == plain
    assert resolve_suite(PHANTOMS, {"seeds": [1, 2]}).plan_hash != plain
    assert resolve_suite(PHANTOMS, {"analysis": {"margin_pp": 3}}).plan_hash != plain


def test_a_quick_look_is_part_of_the_plan_and_leaves_other_suites_as_they_are(tmp_path):
    full = resolve_suite(PHANTOMS, {})
    quick = resolve_suite(PHANTOMS, {"quick_look": "true"})
    assert (full.quick_look, quick.quick_look) == (False, True)
    assert quick.plan_hash != full.plan_hash
    assert quick.run != "phantoms"
    assert "quick_look" not in suite_json(full)
    assert suite_json(resolve_suite(PHANTOMS, {"quick_look": "false"})) == suite_json(full)
    (tmp_path / "suite.json").write_text(suite_json(quick))
    assert load_suite(tmp_path / "suite.json") == quick


def test_which_weights_stay_is_part_of_neither_run_nor_plan(tmp_path):
    plain = resolve_suite(PHANTOMS, {})
    keeping = resolve_suite(PHANTOMS, {"keep_weights": "[pooled, ensemble]"})
    assert keeping.keep_weights == ("pooled", "ensemble")
    assert (keeping.run, keeping.plan_hash) == (plain.run, plain.plan_hash)
    assert "keep_weights" not in suite_json(plain)
    (tmp_path / "suite.json").write_text(suite_json(keeping))
    assert load_suite(tmp_path / "suite.json") == keeping
    with pytest.raises(UserError, match=r"keep_weights: no method 'poled'; did you mean 'pooled'\?"):
        resolve_suite(PHANTOMS, {"keep_weights": "[poled]"})
    assert resolve_suite([CONFIG / "demo.yaml"], {"methods": "[weckd, single]"}).keep_weights == (
        "weckd",
        "pooled",
    )


@pytest.mark.parametrize(("key", "default"), [("exchange_layers", True), ("cuda_graph", False)])
def test_steps_made_in_another_way_are_another_run_of_the_same_plan(key, default):
    usual, other = (
        resolve_suite(PHANTOMS, {"training": {key: str(each).lower()}}) for each in (default, not default)
    )
    assert usual == resolve_suite(PHANTOMS, {})
    assert key not in suite_json(usual)
    assert json.loads(suite_json(other))["training"][key] is not default
    assert other.run != usual.run
    assert other.plan_hash == usual.plan_hash


def test_the_users_own_entries_count_as_part_of_the_suite_and_their_path_does_not(tmp_path):
    def run(name, entry, *changes):
        file = tmp_path / name
        file.write_text(entry)
        return resolve_suite(PHANTOMS, parse_changes([f"catalogue={file}", *changes])).run

    own = "datasets=[2019, phantom_ear_ohio]"
    plain = run("mine.yaml", ENTRY, own)
    assert plain.startswith("phantoms+")
    assert run("elsewhere.yaml", ENTRY, own) == plain
    assert run("told.yaml", ENTRY.replace("unknown", "CC0").replace("my camera", "a camera"), own) == plain
    changed = {
        run("derived.yaml", f"{ENTRY}  derived_from: [phantom_ear_ohio]\n", own),
        run("modality.yaml", ENTRY.replace("otoscopy", "MRI"), own),
        run("swapped.yaml", ENTRY.replace("2018", "x").replace("1e3x", "2018"), own),
    }
    assert len(changed | {plain}) == 4
    assert run("mine.yaml", ENTRY) == "phantoms"  # none of its data sets is in the run
    narrow = resolve_suite(PHANTOMS, {"datasets": ["phantom_ear_ohio"]}).run
    assert run("mine.yaml", ENTRY, "datasets=[phantom_ear_ohio]") == narrow


def test_how_a_run_is_made_is_declared_once():
    assert neutral_keys(tuned=True) == {
        "seeds_per_job",
        "data_root",
        "catalogue",
        "readings",
        "readings_datasets",
        "readings_seeds",
        "keep_weights",
    }
    assert neutral_keys(tuned=False) == neutral_keys(tuned=True) | {"tuning"}


def test_how_to_tune_makes_no_other_run_unless_the_suite_is_tuned():
    tuning = {"tuning": {"trials": 3, "seeds": [77]}}
    assert resolve_suite(PHANTOMS, tuning).run == "phantoms"
    tuned = resolve_suite(PHANTOMS, {"tuned": True})
    assert tuned.run != "phantoms"
    assert resolve_suite(PHANTOMS, {"tuned": True, **tuning}).run != tuned.run
