"""What no suite can say, and what is then told: the key, its bounds and meaning, or what it contradicts."""

import pytest
from suite_files import PHANTOMS

from weckd.data.catalogue import load_catalogue
from weckd.errors import UserError
from weckd.suite_file import parse_changes, resolve_suite

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
