"""The hash of a fit follows all that determines it, and nothing else."""

import json
from dataclasses import replace
from pathlib import Path

from weckd.config import BackboneSettings
from weckd.methods.catalogue import suite_methods
from weckd.methods.recipe import Decoupled, Distillation, Fit, Initial, Mutual, Temperature
from weckd.source import PACKAGE
from weckd.suite_file import resolve_suite
from weckd.training.identity import SOURCES, cell_ingredients, fit_identity

DEMO = [Path(__file__).resolve().parents[2] / "config" / "demo.yaml"]
KEY = "phantom_ear_ohio"
# What these do is find, order and report fits; none of it changes a fit's result. The store hands weights on.
ORCHESTRATION = {
    *("__init__", "attention_maps", "gather", "identity", "job", "manifests", "progress", "trials"),
    *("checkpoints", "interruption", "memory", "phases"),
}


RESNET, OTHER = BackboneSettings("test_resnet", "random"), BackboneSettings("resnet50", "a1_in1k")
WEIGHTS = {RESNET: None, OTHER: "digest"}


def ingredients(tmp_path, suite=None, *, seed=1, fingerprint="f", split="s", device="cpu"):
    file = tmp_path / "split.csv"
    file.write_text(split)
    return cell_ingredients(suite or resolve_suite(DEMO, {}), KEY, seed, fingerprint, file, device)


def identity(fit, cell):
    return fit_identity(fit, cell, RESNET, WEIGHTS)


def test_each_ingredient_changes_the_identity(tmp_path):
    suite = resolve_suite(DEMO, {})
    fit = suite_methods(suite)[0].fits()[1]
    changed = [
        ingredients(tmp_path),
        ingredients(tmp_path, seed=2),
        ingredients(tmp_path, fingerprint="g"),
        ingredients(tmp_path, split="t"),
        ingredients(tmp_path, device="cuda"),
        *(
            ingredients(tmp_path, replace(suite, training=replace(suite.training, **{key: value})))
            for key, value in (
                ("batch_size", 8),
                ("learning_rate", 0.1),
                ("weight_decay", 0.1),
                ("warmup", 0.5),
            )
        ),
        ingredients(tmp_path, replace(suite, augmentation=replace(suite.augmentation, rotation=5.0))),
    ]
    assert len({identity(fit, cell) for cell in changed}) == len(changed)


def test_other_methods_seeds_and_budgets_change_nothing(tmp_path):
    plain = ingredients(tmp_path)
    for changes in (
        {"methods": ["weckd"]},
        {"seeds": [1, 2]},
        {"seeds_per_job": 1},
        {"datasets": [KEY]},
        {"analysis": {"alpha": 0.01}},
        {"training": {"steps": 99, "converged_factor": 3}},  # a fit's declaration holds its own steps
    ):
        assert ingredients(tmp_path, resolve_suite(DEMO, changes)) == plain
    json.dumps(plain)


def test_a_childs_identity_follows_its_parents(tmp_path):
    cell = ingredients(tmp_path)
    m1, m2, m3 = suite_methods(resolve_suite(DEMO, {}))[0].fits()
    other = replace(m2, start=replace(m1, steps=m1.steps + 1))
    assert identity(m3, cell) != identity(replace(m3, start=other), cell)
    assert identity(m3, cell) != identity(replace(m3, teachers=(other,)), cell)


def test_every_word_of_a_declaration_changes_the_identity(tmp_path):
    cell = ingredients(tmp_path)
    m1, other = Fit(("D1",), 9), Fit(("D1",), 9, Initial(2))
    loss = Distillation(0.5, 1.0, Temperature("linear", 4.0, 1.0))
    taught = Fit(("D2",), 9, m1, (m1, other), loss)
    alone = Fit(("D2",), 9)
    fits = [
        alone,
        replace(alone, parts=("D2", "D3")),
        replace(alone, steps=10),
        replace(alone, start=Initial(2)),
        replace(alone, start=m1),
        replace(alone, permute_labels=True),
        replace(alone, gate=True),
        replace(alone, backbone=OTHER),
        replace(alone, learning_rate=0.01),
        replace(alone, loss=Mutual(Initial(2), 1.0)),
        replace(alone, loss=Mutual(Initial(3), 1.0)),
        replace(alone, loss=Mutual(Initial(2), 2.0)),
        taught,
        replace(taught, start=other),
        replace(taught, teachers=(m1,)),
        replace(taught, teachers=(other, m1)),
        *(
            replace(taught, loss=replace(loss, **{key: value}))
            for key, value in (
                ("alpha", 0.4),
                ("beta", 2.0),
                ("mixing", "additive"),
                ("squared", False),
                ("temperature", Temperature("cosine", 4.0, 1.0)),
                ("temperature", Temperature("linear", 5.0, 1.0)),
                ("temperature", Temperature("linear", 4.0, 2.0)),
            )
        ),
        *(
            replace(taught, loss=Decoupled(*weights))
            for weights in ((1, 8, 4, 0), (2, 8, 4, 0), (1, 7, 4, 0), (1, 8, 3, 0), (1, 8, 4, 0.5))
        ),
    ]
    assert len({identity(fit, cell) for fit in fits}) == len(fits)


def test_the_networks_of_a_fit_and_of_all_that_it_stands_on_change_its_identity(tmp_path):
    cell = ingredients(tmp_path)
    m1 = Fit(("D1",), 9, backbone=OTHER)
    taught = Fit(("D2",), 9, teachers=(m1,), loss=Distillation(0.5, 1.0, Temperature("linear", 4.0, 1.0)))
    found = {
        fit_identity(taught, cell, backbone, {**WEIGHTS, **weights})
        for backbone in (RESNET, BackboneSettings("resnet18", "random"))
        for weights in ({}, {OTHER: "another digest"})
        for weights in ({**weights, BackboneSettings("resnet18", "random"): None},)
    }
    assert len(found) == 4
    # Fits that name all their networks do not ask for the suite's: another suite shares them.
    assert fit_identity(m1, cell, RESNET, WEIGHTS) == fit_identity(m1, cell, OTHER, WEIGHTS)


def test_every_module_that_computes_is_in_the_source_digest():
    computing = {
        f"training/{file.name}"
        for file in (PACKAGE / "training").glob("*.py")
        if file.stem not in ORCHESTRATION
    } | {"training/objectives/*.py"}
    losses = {"methods/attention.py", "methods/losses/*.py", "methods/temperature.py"}
    assert set(SOURCES) == computing | losses | {"seeds.py"}
