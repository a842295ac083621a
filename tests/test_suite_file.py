"""Suite files and command-line changes: normalised once, checked by name, narrowed into folders of their own."""

from pathlib import Path

import pytest
import yaml

from weckd.config import Family, load_suite, suite_json
from weckd.errors import UserError
from weckd.readings_suite import readings_suite
from weckd.suite_file import parse_changes, resolve_suite

CONFIG = Path(__file__).resolve().parents[1] / "config"
DEMO = [CONFIG / "demo.yaml"]


def test_demo_is_what_it_says():
    suite = resolve_suite(DEMO, {})
    assert (suite.run, suite.seeds, suite.seeds_per_job, suite.image_size) == ("demo", (1, 2, 3, 4, 5), 5, 32)
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


def test_real_small_leaves_a_class_out_by_name():
    suite = resolve_suite([CONFIG / "real-small.yaml"], {"data_root": "somewhere"})
    assert suite.run == "real-small"
    assert suite.data_root == "somewhere"
    assert suite.facts["wbc_zheng"].classes == ("eosinophil", "lymphocyte", "monocyte", "neutrophil")
    assert suite.backbone.name == "tf_efficientnet_lite0"
    assert (suite.training.steps, suite.training.converged_factor, suite.training.batch_size) == (80, 5, 16)


def test_decoupled_distillation_is_refused_for_two_classes():
    changes = {"methods": "[weckd,single,decoupled]"}
    assert resolve_suite(DEMO, changes).methods == ("weckd", "single", "decoupled")
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


def test_readings_are_methods_by_name_and_their_suite_has_room_for_the_longest_chain():
    suite = resolve_suite(DEMO, {"methods": "[single, start=fresh, length=2]", "seeds": "[1]"})
    assert suite.methods == ("single", "start=fresh", "length=2")
    with pytest.raises(
        UserError, match=r"length=6': needs 6 subsets, the split holds 3; set split.stages to 6"
    ):
        resolve_suite(DEMO, {"methods": "[single, length=6]"})
    with pytest.raises(UserError, match="start cannot be 'cold'; known: warm, fresh"):
        resolve_suite(DEMO, {"methods": "[single, start=cold]"})
    readings = readings_suite(resolve_suite(DEMO, {}))
    assert (readings.run, readings.split.stages, readings.chain_length) == ("demo-readings", 6, 3)
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
    chosen = resolve_suite(DEMO, {"readings_datasets": "[phantom_ear_ohio]"})
    assert chosen.run == "demo"  # readings are a run of their own
    assert readings_suite(chosen).datasets == ("phantom_ear_ohio",)
    with pytest.raises(UserError, match=r"readings_datasets: ear_chile is not one of the suite's datasets"):
        resolve_suite(DEMO, {"readings_datasets": "[ear_chile]"})


def test_a_chain_is_as_long_as_there_are_subsets_unless_told():
    assert resolve_suite(DEMO, {}).chain_length == 3
    assert resolve_suite(DEMO, {"split": {"stages": 5}}).chain_length == 5
    assert resolve_suite(DEMO, {"split": {"stages": 5}, "chain_length": 2}).chain_length == 2
    with pytest.raises(UserError, match=r"chain_length: 4 models need as many subsets; split.stages is 3"):
        resolve_suite(DEMO, {"chain_length": 4})


def test_suite_json_round_trip(tmp_path):
    suite = resolve_suite(DEMO, {})
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
    suite = resolve_suite(DEMO, changes)
    assert suite.seeds == (1, 2)
    assert suite.datasets == ("phantom_ear_chile",)
    assert suite.run == resolve_suite(DEMO, {"seeds": [1, 2], "datasets": ["phantom_ear_chile"]}).run
    assert suite.run.startswith("demo+")


def test_one_seed_and_nested_values():
    suite = resolve_suite(DEMO, {"seeds": 3, "training": {"steps": "4"}})
    assert suite.seeds == (3,)
    assert suite.training.steps == 4
    assert suite.training.batch_size == 16  # the rest of the section stays


def test_only_what_changes_results_narrows_a_run():
    assert resolve_suite(DEMO, {"seeds_per_job": 1, "data_root": "x"}).run == "demo"
    assert resolve_suite(DEMO, {"skip_bad": "true"}).run.startswith("demo+")
    assert resolve_suite(DEMO, {"seeds": [1, 2, 3, 4, 5]}).run == "demo"  # as in the file
    runs = {
        resolve_suite(DEMO, change).run
        for change in ({}, {"seeds": [1]}, {"image_size": 48}, {"methods": ["weckd"]})
    }
    assert len(runs) == 4


def test_plan_hash_follows_the_plan_only():
    plain = resolve_suite(DEMO, {}).plan_hash
    assert resolve_suite(DEMO, {"training": {"steps": 5}}).plan_hash == plain
    assert resolve_suite(DEMO, {"seeds": [1, 2]}).plan_hash != plain
    assert resolve_suite(DEMO, {"analysis": {"margin_pp": 3}}).plan_hash != plain


def test_the_plan_comes_from_its_file_and_changes_key_by_key(tmp_path):
    plain = resolve_suite(DEMO, {}).analysis
    assert (plain.margin_pp, plain.other_margins_pp, plain.stage) == (2.0, (1.0, 3.0), "last")
    assert [claim.name[0] for claim in plain.claims] == ["1", "2", "3", "4", "5"]
    changed = resolve_suite(DEMO, {"analysis": "{margin_pp: 3}"}).analysis
    assert (changed.margin_pp, changed.families) == (3.0, plain.families)
    own = tmp_path / "plan.yaml"
    own.write_text((CONFIG / "analysis.yaml").read_text().replace("alpha: 0.05", "alpha: 0.01"))
    assert resolve_suite(DEMO, {"analysis": str(own)}).analysis.alpha == 0.01
    suite = tmp_path / "suite.yaml"
    suite.write_text(DEMO[0].read_text().replace("analysis: analysis.yaml", "analysis: plan.yaml"))
    assert resolve_suite([suite], {}).analysis.alpha == 0.01
    with pytest.raises(UserError, match=r"elsewhere\.yaml: cannot be read \(No such file or directory\)"):
        resolve_suite(DEMO, {"analysis": "elsewhere.yaml"})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sedes": [1]}, r"top level: Additional properties .*'sedes' was unexpected.*\nKnown keys: .*seeds"),
        ({"training": {"step": 3}}, r"training: Additional properties .*'step' was unexpected"),
        ({"seeds": []}, r"seeds: \[\] should be non-empty"),
        ({"seeds": ["a"]}, r"seeds\.0: 'a' is not of type 'integer'"),
        ({"split": {"test": 1.5}}, r"split\.test: 1\.5 is greater than or equal to the maximum of 1"),
        ({"datasets": ["phantom_teeth"]}, r"no data set 'phantom_teeth'.* Known data sets: ear_chile"),
        ({"methods": ["weckt"]}, r"no method 'weckt'; did you mean 'weckd'\? Known methods: weckd, single"),
        (
            {"exclude_classes": {"phantom_ear_ohio": ["tubes"]}},
            r"exclude_classes\.phantom_ear_ohio: no class 'tubes'; known: ",
        ),
        (
            {"analysis": {"stage": "best"}},
            r"analysis\.stage: 'best' is not one of \['last'\] \(a stage chosen on test images gives up to 40 % false",
        ),
        (
            {"analysis": {"minimum_seeds": 3}},
            r"analysis\.minimum_seeds: 3 is less than the minimum of 5 \(with fewer than 5 seeds no test holds",
        ),
        (
            {"analysis": {"families": []}},
            r"analysis\.claims: '1: matches .*' names the family 'chain against supervised', which is not in",
        ),
        (
            {"analysis": {"families": 2 * [{"name": "a", "kind": "trend", "method": "weckd"}], "claims": []}},
            r"analysis\.families: 'a' stands twice; give each family a name of its own",
        ),
        (
            {
                "analysis": {
                    "families": [{"name": "a", "kind": "superiority", "method": "weckd"}],
                    "claims": [],
                }
            },
            r"analysis\.families: 'a' is of kind superiority and must have references",
        ),
        (
            {
                "analysis": {
                    "families": [{"name": "a", "kind": "links", "method": "weckd", "references": ["single"]}],
                    "claims": [],
                }
            },
            r"analysis\.families: 'a' is of kind links and must have no references",
        ),
        ({"seeds": "[1"}, r"command-line value '\[1': not valid YAML"),
    ],
)
def test_mistakes_are_named(changes, message):
    with pytest.raises(UserError, match=f"(?s){message}"):
        resolve_suite(DEMO, changes)


def test_unreadable_files_are_named(tmp_path):
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
    suite = resolve_suite([*DEMO, tmp_path / "more.yaml"], {})
    assert suite.run == "mine"
    assert suite.training.steps == 7
    assert suite.training.learning_rate == 0.008


PANEL = {
    "backbones": [{"name": "resnet18", "init": "a1_in1k"}, {"name": "test_resnet", "init": "random"}],
    "labels": [10, 30, 100],
}


def test_panel_stands_for_all_its_methods_and_each_can_be_named():
    suite = resolve_suite(DEMO, {"methods": ["single", "panel", "majority"], "panel": PANEL})
    assert suite.methods == (
        "single",
        *(f"panel-{name}-{share}" for name in ("resnet18", "test_resnet") for share in (10, 30, 100)),
        "majority",
    )
    assert suite.roles["panel-resnet18-30"] == "panel"
    assert suite.roles["single"] == "reference"
    one = resolve_suite(DEMO, {"methods": ["panel-resnet18-30", "panel"], "panel": PANEL})
    assert one.methods[:2] == ("panel-resnet18-30", "panel-resnet18-10")
    assert len(one.methods) == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"methods": ["panel"]},
            "methods: panel stands for the backbones that panel.backbones lists; list one or more",
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
            {"panel": {**PANEL, "backbones": [*PANEL["backbones"], {"name": "resnet18", "init": "random"}]}},
            "panel.backbones: resnet18 stands twice; a backbone can be there with one init",
        ),
        (
            {"tuning": {"trials": 4, "seeds": [7, 3]}},
            "tuning.seeds: 3 is one of the suite's seeds; choose others, so that no table is made with seeds that "
            "settings were chosen on",
        ),
        (
            {"backbone_sizes": [{"name": "resnet18", "init": "random"}]},
            "backbone_sizes: must hold the suite's backbone, name: test_resnet, init: random",
        ),
    ],
)
def test_panel_tuning_and_sizes_that_cannot_be_are_refused(changes, message):
    with pytest.raises(UserError) as refusal:
        resolve_suite(DEMO, changes)
    assert str(refusal.value) == message


def test_how_to_tune_makes_no_other_run_unless_the_suite_is_tuned():
    tuning = {"tuning": {"trials": 3, "seeds": [77]}}
    assert resolve_suite(DEMO, tuning).run == "demo"
    tuned = resolve_suite(DEMO, {"tuned": True})
    assert tuned.run != "demo"
    assert resolve_suite(DEMO, {"tuned": True, **tuning}).run != tuned.run
