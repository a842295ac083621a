"""Suite files and command-line changes: normalised once, checked by name, narrowed into folders of their own."""

import hashlib
import json
from pathlib import Path

import pytest
import yaml

from weckd.analysis_plan import Amendment, Family
from weckd.config import load_suite, neutral_keys, suite_json
from weckd.data.catalogue import load_catalogue
from weckd.errors import UserError
from weckd.study_suites import readings_suite
from weckd.suite_file import parse_changes, resolve_suite, telling_changes

CONFIG = Path(__file__).resolve().parents[1] / "config"
PHANTOMS = [CONFIG / "phantoms.yaml"]


def test_the_phantoms_are_what_they_say():
    suite = resolve_suite(PHANTOMS, {})
    assert (suite.run, suite.seeds, suite.seeds_per_job, suite.image_size) == (
        "phantoms",
        (1, 2, 3, 4, 5),
        5,
        32,
    )
    assert len(suite.datasets) == 6
    assert all(suite.facts[key].phantom for key in suite.datasets)
    assert suite.facts["phantom_ear_kaggle"].derived_from == ("phantom_ear_chile", "phantom_ear_turkiye")
    assert len(suite.methods) == 13
    assert suite.analysis.families[1] == Family(
        "chain over controls",
        "superiority",
        "weckd",
        ("pooled", "sequential", "single-long", "ensemble", "one-step"),
    )
    assert len(suite.plan_hash) == 12


def test_the_demo_is_a_quick_look_at_three_small_copies_of_real_sets():
    suite = resolve_suite([CONFIG / "demo.yaml"], {})
    assert (suite.run, suite.seeds, suite.image_size, suite.quick_look) == ("demo", (1, 2, 3, 4, 5), 48, True)
    assert {key: facts.modality for key, facts in suite.facts.items()} == {
        "ear_chile_small": "otoscopy",
        "blood_bccd_small": "microscopy",
        "brain_cheng_small": "MRI",
    }
    assert not any(facts.phantom or facts.derived_from for facts in suite.facts.values())
    assert suite.facts["blood_bccd_small"].classes == ("eosinophil", "lymphocyte", "monocyte", "neutrophil")
    assert suite.methods == (
        *("weckd", "single", "pooled", "sequential", "one-step", "full-converged", "permuted", "majority"),
    )
    assert (suite.backbone.name, suite.backbone.init) == ("tf_efficientnet_lite0", "imagenet")


def test_real_small_leaves_a_class_out_by_name():
    suite = resolve_suite([CONFIG / "real-small.yaml"], {"data_root": "somewhere"})
    assert suite.run == "real-small"
    assert suite.data_root == "somewhere"
    assert suite.facts["wbc_zheng"].classes == ("eosinophil", "lymphocyte", "monocyte", "neutrophil")
    assert suite.backbone.name == "tf_efficientnet_lite0"
    assert (suite.training.steps, suite.training.converged_factor, suite.training.batch_size) == (80, 5, 16)


def test_decoupled_distillation_is_refused_for_two_classes():
    changes = {"methods": "[weckd,single,decoupled]"}
    assert resolve_suite(PHANTOMS, changes).methods == ("weckd", "single", "decoupled")
    with pytest.raises(UserError) as refused:
        resolve_suite([CONFIG / "real-small.yaml"], changes)
    assert str(refused.value) == (
        "methods: decoupled cannot be run on brain_yesno: with two classes the second term of decoupled distillation "
        "is always zero; leave out the method or the data set"
    )


def test_paper_names_the_six_sets_at_224_pixels_with_ten_seeds():
    suite = resolve_suite([CONFIG / "paper.yaml"], {})
    assert suite.datasets == (
        "ear_chile",
        "ear_ohio",
        "ear_turkiye",
        "ear_kaggle",
        "blood_cells",
        "brain_mri",
    )
    assert (suite.image_size, suite.seeds, suite.seeds_per_job) == (224, tuple(range(1, 11)), 1)
    assert [len(suite.facts[key].classes) for key in suite.datasets] == [4, 3, 5, 5, 8, 3]
    assert suite.facts["ear_kaggle"].derived_from == ("ear_chile", "ear_turkiye")


def test_a_data_set_is_derived_only_where_what_it_was_made_of_is_in_the_suite(tmp_path):
    def derived(key, *others, **changes):
        changes["datasets"] = f"[{', '.join([key, *others])}]"
        return resolve_suite([CONFIG / "real-small.yaml"], changes).facts[key].derived_from

    assert derived("brain_cheng", "ear_chile") == ()
    assert derived("brain_cheng", "brain_mri") == ("brain_mri",)
    assert derived("ear_kaggle", "ear_turkiye") == ("ear_chile", "ear_turkiye")
    own = tmp_path / "own.yaml"  # a copy of a copy
    own.write_text(f"{ENTRY}  derived_from: [ear_kaggle]\n")
    assert derived("2019", "ear_ohio", catalogue=str(own)) == ()
    assert derived("2019", "ear_chile", catalogue=str(own)) == ("ear_kaggle",)


def test_readings_are_methods_by_name_and_their_suite_has_room_for_the_longest_chain():
    suite = resolve_suite(PHANTOMS, {"methods": "[single, start=fresh, length=2]", "seeds": "[1]"})
    assert suite.methods == ("single", "start=fresh", "length=2")
    with pytest.raises(
        UserError, match=r"length=6': needs 6 subsets, the split holds 3; set split.stages to 6"
    ):
        resolve_suite(PHANTOMS, {"methods": "[single, length=6]"})
    with pytest.raises(UserError, match="start cannot be 'cold'; known: warm, fresh"):
        resolve_suite(PHANTOMS, {"methods": "[single, start=cold]"})
    readings = readings_suite(resolve_suite(PHANTOMS, {}))
    assert (readings.run, readings.split.stages, readings.chain_length) == ("phantoms-readings", 6, 3)
    assert readings.methods[:7] == (
        "single",
        "pooled",
        "pooled-1",
        "pooled-2",
        "pooled-4",
        "pooled-5",
        "pooled-6",
    )
    assert readings.methods[7:9] == ("weckd", "start=fresh")
    assert len(readings.methods) == 7 + 1 + 17 + 16
    assert readings.analysis.families == ()
    chosen = resolve_suite(PHANTOMS, {"readings_datasets": "[phantom_ear_ohio]"})
    assert chosen.run == "phantoms"  # readings are a run of their own
    assert readings_suite(chosen).datasets == ("phantom_ear_ohio",)
    with pytest.raises(UserError, match=r"readings_datasets: ear_chile is not one of the suite's datasets"):
        resolve_suite(PHANTOMS, {"readings_datasets": "[ear_chile]"})


def test_a_chain_is_as_long_as_there_are_subsets_unless_told():
    assert resolve_suite(PHANTOMS, {}).chain_length == 3
    assert resolve_suite(PHANTOMS, {"split": {"stages": 5}}).chain_length == 5
    assert resolve_suite(PHANTOMS, {"split": {"stages": 5}, "chain_length": 2}).chain_length == 2
    with pytest.raises(UserError, match=r"chain_length: 4 models need as many subsets; split.stages is 3"):
        resolve_suite(PHANTOMS, {"chain_length": 4})


def test_suite_json_round_trip(tmp_path):
    suite = resolve_suite(PHANTOMS, {})
    (tmp_path / "suite.json").write_text(suite_json(suite))
    assert load_suite(tmp_path / "suite.json") == suite


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": "[1,2]", "datasets": "[phantom_ear_chile]"},  # as a shell passes them
        {"seeds": ["1", "2"], "datasets": ["phantom_ear_chile"]},  # as the workflow engine passes them
        {"seeds": [1, 2], "datasets": "phantom_ear_chile"},
        parse_changes(["seeds=[1, 2]", "datasets=[phantom_ear_chile]"]),
    ],
)
def test_values_are_normalised_once(changes):
    suite = resolve_suite(PHANTOMS, changes)
    assert suite.seeds == (1, 2)
    assert suite.datasets == ("phantom_ear_chile",)
    assert suite.run == resolve_suite(PHANTOMS, {"seeds": [1, 2], "datasets": ["phantom_ear_chile"]}).run
    assert suite.run.startswith("phantoms+")


def test_one_seed_and_nested_values():
    suite = resolve_suite(PHANTOMS, {"seeds": 3, "training": {"steps": "4"}})
    assert suite.seeds == (3,)
    assert suite.training.steps == 4
    assert suite.training.batch_size == 16  # the rest of the section stays


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
        ("real-small real-medium", [], "real-medium", "1c4165c4bd84", "85c51110709f0e75"),
        (
            "real-small real-medium real-medium-tuned",
            [],
            *("real-medium-tuned", "f7b2d43bb772", "45f74e0187d8d768"),
        ),
        ("real", ["data_root=somewhere"], "real", "4e34cb21502a", "d72d1ce3f794a16d"),
        ("real real-curves", [], "real-curves", "f689b79c4a12", "63c40d4d3d94a20f"),
        ("real real-backbones", [], "real-backbones", "c316a997565e", "194e1acfe9182e43"),
        ("real real-backbones real-lite1", [], "real-lite1", "e65e52a31019", "ac6aee2ef902c0a6"),
        ("real real-backbones real-lite2", [], "real-lite2", "31049a0d78f4", "8f7054c98fcf1ce6"),
        ("real real-backbones real-regnet", [], "real-regnet", "e65e52a31019", "83f04f924a4566e0"),
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


def test_the_plan_comes_from_its_file_and_changes_key_by_key(tmp_path):
    plain = resolve_suite(PHANTOMS, {}).analysis
    assert (plain.margin_pp, plain.other_margins_pp, plain.stage) == (2.0, (1.0, 3.0), "last")
    assert [claim.name[0] for claim in plain.claims] == ["1", "2", "3", "4", "5"]
    changed = resolve_suite(PHANTOMS, {"analysis": "{margin_pp: 3}"}).analysis
    assert (changed.margin_pp, changed.families) == (3.0, plain.families)
    own = tmp_path / "plan.yaml"
    own.write_text((CONFIG / "analysis.yaml").read_text().replace("alpha: 0.05", "alpha: 0.01"))
    assert resolve_suite(PHANTOMS, {"analysis": str(own)}).analysis.alpha == 0.01
    suite = tmp_path / "suite.yaml"
    suite.write_text(PHANTOMS[0].read_text().replace("analysis: analysis.yaml", "analysis: plan.yaml"))
    assert resolve_suite([suite], {}).analysis.alpha == 0.01
    with pytest.raises(UserError, match=r"elsewhere\.yaml: cannot be read \(No such file or directory\)"):
        resolve_suite(PHANTOMS, {"analysis": "elsewhere.yaml"})


SEED = "must be a whole number from 0 to 4294967295, not "
TEXT = " (numbers are written as 10, 0.5 or 1e-3, without quotes; a list as [1, 2])"
SEEDS = (
    "; one cell a data set and seed; fewer than `analysis.minimum_seeds` gives descriptive tables only. At most 32 "
    "bits, which all files and libraries hold"
)
NAME = (
    "suite: must be at most 100 lower-case letters, digits, _ and -, and no name that results/ has for something else: "
    "data, fits, reference, studies, or one that ends in -official, -readings, -readings-full or -reference, not "
)
BATCH = (
    "images a step; a subset may be smaller than a batch. Activations of all of them are in memory at once"
)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            ["training={step: 3}"],
            "training.step: no such key; did you mean 'steps'? Keys here: batch_size, batchnorm_momentum, "
            "converged_factor, cuda_graph, exchange_layers, learning_rate, steps, warmup, weight_decay",
        ),
        (
            ["panel={backbones: [{nme: resnet18, init: random}]}"],
            "panel.backbones.0.name: is missing; a timm network, the same for every fit but those of the panel and of "
            "`backbone_sizes`\n  panel.backbones.0.nme: no such key; did you mean 'name'? Keys here: init, name",
        ),
        (
            ["analysis={zzz: 1}"],
            "analysis.zzz: no such key. Keys here: alpha, amendments, claims, families, margin_pp, metrics, "
            "minimum_seeds, other_margins_pp, stage",
        ),
        (["seeds=[a]"], f"seeds.0: {SEED}'a'{SEEDS}"),
        (["seeds=[010]"], f"seeds.0: {SEED}'010'{TEXT}{SEEDS}"),
        (["seeds=[1, 1_0]"], f"seeds.1: {SEED}'1_0'{TEXT}{SEEDS}"),
        (["seeds=1:30"], f"seeds.0: {SEED}'1:30'{TEXT}{SEEDS}"),
        (["seeds=1-5"], f"seeds.0: {SEED}'1-5'{TEXT}{SEEDS}"),
        (["seeds=1e3"], f"seeds.0: {SEED}1000.0{SEEDS}"),
        (
            ["datasets=[a, a]"],
            "datasets: must be a list of 1 or more, none twice, each at most 100 lower-case letters, digits, _ and -, "
            "not ['a', 'a']; keys that `weckd datasets` lists, or of your own `catalogue`",
        ),
        (
            ["split=[1]"],
            "split: must be keys and values: seed, test, validation, stage, stages, halves, protocol, not [1]",
        ),
        (
            ["split={stages: 10}"],
            "split.stages: must be a whole number from 2 to 9, not 10; disjoint subsets of the training part (3)",
        ),
        (
            ["training={\xa0steps: 3, st\u200beps: 3}"],
            "training.'\\xa0steps': no such key; did you mean 'steps'? Keys here: batch_size, batchnorm_momentum, "
            "converged_factor, cuda_graph, exchange_layers, learning_rate, steps, warmup, weight_decay\n"
            "  training.'st\\u200beps': no such key; did you mean 'steps'? Keys here: batch_size, batchnorm_momentum, "
            "converged_factor, cuda_graph, exchange_layers, learning_rate, steps, warmup, weight_decay",
        ),
        (
            ["backbone_sizes=[{name: test_resnet, init: random}, {name: test_resnet, init: random}]"],
            "backbone_sizes: must be a list, none twice, not [{'init': 'random', 'name': 'test_resnet'}, {'init': "
            "'random', 'name': 'test_resnet'}]; networks from small to large, the suite's backbone among them, as "
            "`[{name: resnet18, init: a1_in1k}, ...]`; with them the readings `start=fresh,sizes=growing` and "
            "`sizes=shrinking` can be run. Default: none",
        ),
        (["seeds=true"], f"seeds.0: {SEED}true{SEEDS}"),
        (["seeds="], f"seeds.0: {SEED}null{SEEDS}"),
        ([f"seeds=[{10**26}]"], f"seeds.0: {SEED}{10**26}{SEEDS}"),
        (
            ["seeds=[1, 1]"],
            "seeds: must be a list of 1 or more, none twice, each a whole number from 0 to 4294967295, not [1, 1]"
            + SEEDS,
        ),
        (
            ["split={test: 0.99}"],
            "split.test: must be a number above 0 and at most 0.5, not 0.99; share of the images in the test part "
            "(0.2); with more than half of them too few are left to learn from",
        ),
        (
            ["training={learning_rate: .nan, batch_size: 100000}"],
            f"training.batch_size: must be a whole number from 2 to 4096, not 100000; {BATCH}\n"
            "  training.learning_rate: must be a number above 0 and at most 10, not '.nan'; peak of the one-cycle "
            "schedule (AdamW)",
        ),
        (
            ["training={learning_rate: 1e999}"],
            "training.learning_rate: must be a number above 0 and at most 10, not inf; peak of the one-cycle schedule "
            "(AdamW)",
        ),
        (
            ["distillation={beta: .inf, alpha: true}"],
            "distillation.alpha: must be a number from 0 to 1, not true; weight of the divergence from the teacher; "
            "cross-entropy has 1 - alpha\n"
            "  distillation.beta: must be a number from 0 to 1000000, not '.inf'; weight of attention transfer; 0 "
            "leaves it out",
        ),
        (
            ["augmentation={flip: yes}"],
            "augmentation.flip: must be true or false, not 'yes'; left-right, with probability one half",
        ),
        (
            ["augmentation={flip: 1}"],
            "augmentation.flip: must be true or false, not 1; left-right, with probability one half",
        ),
        (
            ["image_size=32.0"],
            "image_size: must be a whole number from 16 to 1024, not 32.0; pixels a side; images "
            "are resized to a square",
        ),
        (
            ["training=3"],
            "training: must be keys and values: steps, converged_factor, batch_size, learning_rate, weight_decay, "
            "warmup, batchnorm_momentum, exchange_layers, cuda_graph, not 3",
        ),
        (
            ["groups={threshold:0.9}"],
            "groups.threshold:0.9: no such key (write a space behind the colon of a key); did you mean 'threshold'? "
            "Keys here: threshold",
        ),
        *(
            ([f"suite={name}"], f"{NAME}{told}; name; results go to `results/<suite>/`")
            for name, told in (
                *(
                    (name, repr(name))
                    for name in ("reference", "data", "fits", "studies", "Mine", "a/b", "..")
                ),
                *(
                    (f"mine-{end}", f"'mine-{end}'")
                    for end in ("reference", "readings", "readings-full", "official")
                ),
                ('"mine\\n"', "'mine\\n'"),
                ("a" * 300, f"'{'a' * 37}...{'a' * 38}'"),
            )
        ),
        (
            ['backbone={name: resnet18, init: "a1_in1k\\n"}', 'methods=["weckd\\n"]'],
            "methods.0: must be the name of a method, at most 200 characters, not 'weckd\\n'; names that `weckd "
            "methods` lists; a reading is named by what it changes, as `start=fresh,attention=none`; `panel` means "
            "the supervised panel, of which `panel-resnet50-30` is one row\n"
            "  backbone.init: must be a name of timm: lower-case letters, digits and _, not 'a1_in1k\\n'; `random`; "
            "`imagenet` where a locked package holds the weights (`tf_efficientnet_lite0`, `1` and `2`); or the tag "
            "of timm weights, such as `a1_in1k`, which are fetched and verified (see docs/data-sets.md). Each network "
            "is fed the normalisation that its weights were made for",
        ),
        (
            ["analysis={stage: best, minimum_seeds: 3}"],
            "analysis.minimum_seeds: must be a whole number from 5 to 1000, not 3; seeds below which nothing is "
            "tested; with fewer than 5 seeds no test holds its level\n"
            "  analysis.stage: must be last, not 'best'; a method's result is its last stage, fixed beforehand; "
            "a stage chosen on test images gives up to 40 % false positives and +1 to +2 points",
        ),
        (
            ["exclude_classes=[a]"],
            "exclude_classes: must be keys and values, not ['a']; `{data set: [class, ...]}` left out, such as a class "
            "with fewer than eight groups; `[]` leaves out none. Two classes or more must be left",
        ),
    ],
)
def test_a_value_that_cannot_be_is_told_by_key_bounds_and_meaning(changes, told):
    with pytest.raises(UserError) as refused:
        resolve_suite(PHANTOMS, parse_changes(changes))
    head, _, lines = str(refused.value).partition("\n  ")
    assert head == f"{PHANTOMS[0]} with command-line values: not a valid suite"
    assert lines == told


KNOWN = f"Known data sets: {', '.join(load_catalogue())}; one of your own is read from a file: catalogue=FILE"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["datasets=[my_ears]"], f"datasets: no data set 'my_ears'. {KNOWN}"),
        (["datasets=[2019]"], f"datasets: no data set '2019'. {KNOWN}"),
        (
            ["exclude_classes={phantom_ear_ohoi: []}"],
            f"exclude_classes: no data set 'phantom_ear_ohoi'; did you mean 'phantom_ear_ohio'? {KNOWN}",
        ),
        (
            ["exclude_classes={phantom_ear_ohio: [tubes]}"],
            "exclude_classes: phantom_ear_ohio has no class 'tubes'; did you mean 'tube'? Known: effusion, "
            "normal, tube",
        ),
        (
            ["exclude_classes={phantom_ear_ohio: [tube, normal]}"],
            "exclude_classes: of phantom_ear_ohio there is left effusion; keep two classes or more, or leave out the "
            "data set",
        ),
        (
            ["exclude_classes={phantom_ear_ohio: [tube, normal, effusion]}"],
            "exclude_classes: of phantom_ear_ohio there is left no class; keep two classes or more, or leave out the "
            "data set",
        ),
        *(
            (
                [f"{key}={names}"],
                f"--config {key}={names}: a list is written in brackets: {key}='[{names}]'",
            )
            for key, names in (
                ("methods", "weckd,single"),
                ("datasets", "phantom_ear_ohio, phantom_brain_mri"),
                ("seeds", "1,2"),
                ("readings_datasets", "a,b"),
                ("backbone_sizes", "a,b"),
            )
        ),
        (
            ["methods=[weckt]"],
            "methods: no method 'weckt'; did you mean 'weckd'? Known methods: weckd, single, single-long, pooled, "
            "sequential, ensemble, one-step, chain-plain, chain-dense, chain-random, chain-shuffled, attention-other, "
            "temperature-rising, chain-fresh-long, attention-only, born-again, born-again-pooled, decoupled, mutual, "
            "snapshot, pseudo-label, noisy-student, mean-teacher, fixmatch, full, full-converged, permuted, "
            "majority, panel",
        ),
        (
            ["split={stage: 0.5}"],
            "split.stage: 3 stages of 0.5 are 1.5 of the training part, which is 1; set split.stage to 0.333 or less",
        ),
        (
            ["split={stage: 0.34}"],
            "split.stage: 3 stages of 0.34 are 1.02 of the training part, which is 1; set split.stage to 0.333 or less",
        ),
        (
            ["split={stage: 0.25, stages: 5}"],
            "split.stage: 5 stages of 0.25 are 1.25 of the training part, which is 1; set split.stage to 0.2 or less",
        ),
        (
            ["distillation={temperature_min: 5}"],
            "distillation.temperature_min: 5 is above temperature_max, 4; exchange them",
        ),
        (
            ["catalogue=nowhere.yaml"],
            "catalogue: nowhere.yaml: cannot be read (No such file or directory); name a catalogue file",
        ),
        (
            ["analysis={metrics: [nll, accuracy]}"],
            "analysis.metrics: claims and families are of accuracy or balanced_accuracy, for which margins are stated, "
            "not of nll; name one of them first",
        ),
        (
            ["analysis={families: [{name: a, kind: superiority, method: weckd}], claims: []}"],
            "analysis.families: 'a' is of kind superiority and must have references",
        ),
        (
            [
                "analysis={families: [{name: a, kind: links, method: weckd, references: [single]}], claims: []}"
            ],
            "analysis.families: 'a' is of kind links and must have no references",
        ),
        (
            ["seeds=[1"],
            "--config seeds: not valid YAML: while parsing a flow sequence, expected ',' or ']', but got "
            "'<stream end>' (line 1)",
        ),
        (["seeds={a: 1, a: 2}"], "--config seeds: not valid YAML: key 'a' is given twice (line 1)"),
        (["seeds=[1]", "seeds=[2]"], "--config seeds: is given twice; give it one value"),
        (
            ["data_root=/my images #2"],
            "--config data_root: of '/my images #2' only '/my images' would be read; write "
            "data_root='\"/my images #2\"'",
        ),
        (["data_root=#2"], "--config data_root: of '#2' only '' would be read; write data_root='\"#2\"'"),
        (["seeds"], "--config seeds: must be KEY=VALUE"),
        (
            ["training.steps=3"],
            "--config training.steps=3: a key below another is written as training='{steps: 3}'",
        ),
        (
            ["analysis=nowhere.yaml"],
            "nowhere.yaml: cannot be read (No such file or directory); name an analysis plan",
        ),
    ],
)
def test_a_suite_that_cannot_be_run_is_told_by_key(changes, told):
    with pytest.raises(UserError) as refused:
        resolve_suite(PHANTOMS, parse_changes(changes))
    assert str(refused.value) == told


FAMILY = {"name": "a", "kind": "superiority", "method": "weckd"}
EVIDENCE = [{"family": "chain over single"}]
CLAIM = {"name": "a", "says": "b", "source": "c", "as_worded": EVIDENCE, "for_the_chain": EVIDENCE}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"analysis": {"families": []}},
            r"analysis\.claims: '1: matches .*' names the family 'chain against supervised', which is not in",
        ),
        (
            {"analysis": {"families": 2 * [{"name": "a", "kind": "trend", "method": "weckd"}], "claims": []}},
            r"analysis\.families: 'a' is given twice; give each a name of its own",
        ),
        (
            {"analysis": {"claims": 2 * [CLAIM]}},
            r"analysis\.claims: 'a' is given twice; give each a name of its own",
        ),
        (
            {"analysis": {"families": [FAMILY | {"references": ["single", "weckd"]}], "claims": []}},
            r"analysis\.families: 'a' compares weckd with itself; leave it out of references",
        ),
    ],
)
def test_contradictory_plans_are_told(changes, message):
    with pytest.raises(UserError, match=message):
        resolve_suite(PHANTOMS, changes)


AMENDED = "analysis={amendments: [{date: 2026-11-29, says: a, after_results: true}]}"


def test_amendments_are_part_of_the_plan_and_of_its_hash():
    plain, changed = resolve_suite(PHANTOMS, {}), resolve_suite(PHANTOMS, parse_changes([AMENDED]))
    assert changed.analysis.amendments == (Amendment("2026-11-29", "a", True),)
    assert changed.plan_hash != plain.plan_hash
    assert all(item.after_results and item.date >= "2026-11-29" for item in plain.analysis.amendments)
    without = resolve_suite([CONFIG / "selfcheck.yaml"], {})
    assert without.analysis.amendments == ()
    with pytest.raises(
        UserError, match=r"amendments\.0\.date: must be a date such as 2026-11-29, not 'soon'"
    ):
        resolve_suite(PHANTOMS, parse_changes([AMENDED.replace("2026-11-29", "soon")]))


def test_numbers_and_words_are_read_alike_in_files_and_on_the_command_line(tmp_path):
    (tmp_path / "more.yaml").write_text(
        "training: {learning_rate: 1e-3}\nsplit: {stage: 0.3333333333333333}\n"
    )
    suite = resolve_suite([*PHANTOMS, tmp_path / "more.yaml"], {})
    assert (suite.training.learning_rate, suite.training.steps, suite.run) == (0.001, 16, "phantoms")
    suite = resolve_suite(PHANTOMS, parse_changes(["training={learning_rate: 1e-3}", "data_root=2019"]))
    assert (suite.training.learning_rate, suite.training.steps, suite.data_root) == (0.001, 16, "2019")
    assert resolve_suite(PHANTOMS, parse_changes(["data_root="])).data_root is None


def test_a_key_given_twice_in_a_suite_file_is_refused(tmp_path):
    file = tmp_path / "dup.yaml"
    file.write_text("training: {steps: 7}\nseeds: [1]\ntraining: {batch_size: 8}\n")
    with pytest.raises(UserError) as refused:
        resolve_suite([*PHANTOMS, file], {})
    assert str(refused.value) == f"{file}: not valid YAML: key 'training' is given twice (line 3)"


def test_a_wrong_file_is_told_without_the_command_line(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text("seeds_per_jobs: 2\n")
    with pytest.raises(
        UserError, match=rf"^{PHANTOMS[0]}, {file}: not a valid suite\n  seeds_per_jobs: no such key; did"
    ):
        resolve_suite([*PHANTOMS, file], parse_changes(["seeds=[1]"]))


def test_no_excluded_classes_undo_those_of_the_file():
    real = [CONFIG / "real-small.yaml"]
    undone = resolve_suite(real, parse_changes(["exclude_classes={wbc_zheng: []}"]))
    assert undone.exclude_classes == {}
    assert undone.facts["wbc_zheng"].classes[0] == "basophil"
    assert undone.run.startswith("real-small+")
    assert resolve_suite(
        PHANTOMS, parse_changes(["exclude_classes={phantom_ear_ohio: []}"])
    ) == resolve_suite(PHANTOMS, {})


ENTRY = """
"2019":
  title: My ears
  modality: otoscopy
  licence: unknown
  source: my camera
  layout: class-folders
  folders: [{path: ., official_split: ""}]
  groups: near-duplicates
  classes: [{key: no, folder: 2018, title: none}, {key: yes, folder: 1e3x, title: some}]
"""


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


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(UserError) as refused:
        resolve_suite(PHANTOMS, {"catalogue": "c" * 300})
    assert str(refused.value) == (
        f"catalogue: {'c' * 300}: cannot be read (File name too long); name a catalogue file"
    )
    with pytest.raises(UserError, match=r"nowhere\.yaml: cannot be read \(No such file or directory\)"):
        resolve_suite([tmp_path / "nowhere.yaml"], {})
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(UserError, match=r"list\.yaml: must hold keys and values"):
        resolve_suite([tmp_path / "list.yaml"], {})
    (tmp_path / "broken.yaml").write_text("a: [\n")
    with pytest.raises(UserError, match=r"broken\.yaml: not valid YAML"):
        resolve_suite([tmp_path / "broken.yaml"], {})
    with pytest.raises(
        UserError, match=r"suite\.json: not a readable suite\.json .*make it with `weckd suite`"
    ):
        load_suite(tmp_path / "suite.json")


def test_later_files_win_key_by_key(tmp_path):
    (tmp_path / "more.yaml").write_text(yaml.safe_dump({"suite": "mine", "training": {"steps": 7}}))
    suite = resolve_suite([*PHANTOMS, tmp_path / "more.yaml"], {})
    assert suite.run == "mine"
    assert suite.training.steps == 7
    assert suite.training.learning_rate == 0.008


PANEL = {
    "backbones": [{"name": "resnet18", "init": "a1_in1k"}, {"name": "test_resnet", "init": "random"}],
    "labels": [10, 30, 100],
}


def test_panel_stands_for_all_its_methods_and_each_can_be_named():
    suite = resolve_suite(PHANTOMS, {"methods": ["single", "panel", "majority"], "panel": PANEL})
    assert suite.methods == (
        "single",
        *(f"panel-{name}-{share}" for name in ("resnet18", "test_resnet") for share in (10, 30, 100)),
        "majority",
    )
    assert suite.roles["panel-resnet18-30"] == "panel"
    assert suite.roles["single"] == "reference"
    one = resolve_suite(PHANTOMS, {"methods": ["panel-resnet18-30", "panel"], "panel": PANEL})
    assert one.methods[:2] == ("panel-resnet18-30", "panel-resnet18-10")
    assert len(one.methods) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"methods": ["panel"]},
            "methods: panel means the backbones that panel.backbones lists; list one or more",
        ),
        (
            {"methods": ["panel-resnet50-30"], "panel": PANEL},
            "method 'panel-resnet50-30': resnet50 is not in panel.backbones; there: resnet18, test_resnet",
        ),
        (
            {"methods": ["panel-resnet18-15"], "panel": PANEL},
            "method 'panel-resnet18-15': 15 % of the labels is no number of subsets of 10 %; panel.labels can hold "
            "10, 20, 30 and 100",
        ),
        (
            {"methods": ["panel-resnet18-12"], "panel": PANEL, "split": {"stage": 0.125}},
            "method 'panel-resnet18-12': 12 % of the labels is no number of subsets of 12.5 %; panel.labels can hold "
            "25 and 100",
        ),
        (
            {"panel": {**PANEL, "backbones": [*PANEL["backbones"], {"name": "resnet18", "init": "random"}]}},
            "panel.backbones: resnet18 is given twice; a backbone can be there with one init",
        ),
        (
            {"tuning": {"trials": 4, "seeds": [7, 3]}},
            "tuning.seeds: 3 is one of the suite's seeds; choose others, so that no table is made with seeds that "
            "settings were chosen on",
        ),
        (
            {
                "tuning": {"trials": 4, "seeds": [7, 8], "finalists": 1}
            },  # that would be the committed settings
            f"{PHANTOMS[0]} with command-line values: not a valid suite\n  tuning.finalists: must be a whole number "
            "from 2 to 10000, not 1; how many trials are trained on all of `seeds`: the committed settings, and the "
            "best others on the first seed",
        ),
        (
            {"backbone_sizes": [{"name": "resnet18", "init": "random"}]},
            "backbone_sizes: must hold the suite's backbone, name: test_resnet, init: random",
        ),
    ],
)
def test_panel_tuning_and_sizes_that_cannot_be_are_refused(changes, message):
    with pytest.raises(UserError) as refusal:
        resolve_suite(PHANTOMS, changes)
    assert str(refusal.value) == message


def test_how_to_tune_makes_no_other_run_unless_the_suite_is_tuned():
    tuning = {"tuning": {"trials": 3, "seeds": [77]}}
    assert resolve_suite(PHANTOMS, tuning).run == "phantoms"
    tuned = resolve_suite(PHANTOMS, {"tuned": True})
    assert tuned.run != "phantoms"
    assert resolve_suite(PHANTOMS, {"tuned": True, **tuning}).run != tuned.run
