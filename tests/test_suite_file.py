"""Suite files and command-line changes: read and normalised once, laid over each other, checked by name."""

import pytest
import yaml
from suite_files import CONFIG, ENTRY, PHANTOMS

from weckd.analysis_plan import Amendment, Family
from weckd.config import load_suite, suite_json
from weckd.errors import UserError
from weckd.study_suites import readings_suite
from weckd.suite_file import parse_changes, resolve_suite


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
