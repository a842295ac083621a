"""The hash of a fit follows all that determines it, and nothing else."""

import ast
import json
import shutil
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
import torch

from weckd import code_digest
from weckd.code_digest import PACKAGE
from weckd.config import BackboneSettings, DistillationSettings
from weckd.methods.catalogue import METHODS, suite_methods
from weckd.methods.chain import Budget, Reading, read_chain
from weckd.methods.fits import GATES, Fit, Initial, Loss
from weckd.methods.losses import (
    Decoupled,
    Distillation,
    FixMatch,
    LogitLoss,
    MeanTeacher,
    Mismatched,
    Mutual,
    PseudoLabels,
    Temperature,
)
from weckd.suite_file import resolve_suite
from weckd.training import trials
from weckd.training.batches import CellData
from weckd.training.identity import (
    CORE,
    DECIDES_NOTHING,
    cell_ingredients,
    code_beyond_core,
    fit_identity,
)

PHANTOMS = [Path(__file__).resolve().parents[2] / "config" / "phantoms.yaml"]
KEY = "phantom_ear_ohio"
RESNET, OTHER = BackboneSettings("test_resnet", "random"), BackboneSettings("resnet50", "a1_in1k")
WEIGHTS = {RESNET: None, OTHER: "digest"}


def ingredients(
    tmp_path, suite=None, *, seed=1, fingerprint="f", split="s", device="cpu", rows=(0, 1), labels=(0, 1, 2)
):
    file = tmp_path / "split.csv"
    file.write_text(split)
    data = CellData(
        KEY,
        seed,
        torch.empty(0),
        np.array(labels),
        np.array(["a", "b", "c"]),
        {"D1": np.array(rows), "test": np.array([2])},
        3,
    )
    return cell_ingredients(suite or resolve_suite(PHANTOMS, {}), data, fingerprint, file, device)


def identity(fit, cell):
    return fit_identity(fit, cell, RESNET, WEIGHTS)


def test_each_ingredient_changes_the_identity(tmp_path):
    suite = resolve_suite(PHANTOMS, {})
    fit = suite_methods(suite)[0].fits()[1]
    changed = [
        ingredients(tmp_path),
        ingredients(tmp_path, seed=2),
        ingredients(tmp_path, fingerprint="g"),
        ingredients(tmp_path, split="t"),
        ingredients(tmp_path, device="cuda"),
        ingredients(tmp_path, rows=(1, 0)),
        ingredients(tmp_path, labels=(0, 1, 1)),
        ingredients(tmp_path, replace(suite, image_size=64)),
        *(
            ingredients(tmp_path, replace(suite, training=replace(suite.training, **{key: value})))
            for key, value in (
                ("batch_size", 8),
                ("learning_rate", 0.1),
                ("weight_decay", 0.1),
                ("warmup", 0.5),
                ("exchange_layers", False),
                ("cuda_graph", True),
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
        assert ingredients(tmp_path, resolve_suite(PHANTOMS, changes)) == plain
    json.dumps(plain)


def test_a_childs_identity_follows_its_parents(tmp_path):
    cell = ingredients(tmp_path)
    m1, m2, m3 = suite_methods(resolve_suite(PHANTOMS, {}))[0].fits()
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
        replace(taught, teachers=(Initial(1),)),
        replace(taught, teachers=(Initial(2),)),
        replace(taught, loss=Mismatched(**vars(loss), other="logits")),
        replace(taught, loss=Mismatched(**vars(loss), other="maps")),
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


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Return a copy of the package, of which the digests are taken."""
    copied = tmp_path / "weckd"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code_digest, "PACKAGE", copied)
    yield copied
    forget()


def forget():
    for remembered in (code_digest._file, code_digest._piece, code_beyond_core):
        remembered.cache_clear()


BUDGET = Budget(6, 3, 10, DistillationSettings(0.5, 1.0, 4.0, 1.0, 4.0), 3)
GATED = read_chain(BUDGET, Reading(attention="gate"), "gated", "", "reading")
FITS = {
    f"{method.name} {number}": fit
    for method in (*(declare(BUDGET) for declare in METHODS.values()), GATED)
    for number, fit in enumerate(method.fits(), start=1)
}
"""Every fit of the catalogue, and those of a chain with gates."""


@dataclass(frozen=True)
class Plain(LogitLoss):
    function = "weckd.training.objectives.rivals:mutual_loss"


def losses_of(fit):
    return {type(member.loss) for member in fit.lineage()}


def changed_by_an_edit(copied, module, tmp_path):
    """Return the names of the fits whose identity another byte in a module's file changes."""

    def identities():
        forget()
        cell = ingredients(tmp_path)
        return {name: identity(fit, cell) for name, fit in FITS.items()}

    before = identities()
    file = copied.joinpath(*module.split(".")[1:]).with_suffix(".py")
    content = file.read_bytes()
    file.write_bytes(content + b"\n")
    after = identities()
    file.write_bytes(content)
    return {name for name in FITS if before[name] != after[name]}


@pytest.mark.parametrize("module", CORE)
def test_an_edit_of_the_core_changes_every_fit(copied, module, tmp_path):
    assert changed_by_an_edit(copied, module, tmp_path) == FITS.keys()


@pytest.mark.parametrize(
    ("module", "losses"),
    [
        (
            "distillation",
            {Distillation, Mismatched, Decoupled, Mutual},
        ),  # the rivals' divergence is the chain's
        ("mismatched", {Mismatched}),
        ("rivals", {Decoupled, Mutual}),
        ("semi_supervised", {PseudoLabels, MeanTeacher, FixMatch}),
        ("unlabelled", {PseudoLabels, MeanTeacher, FixMatch}),
    ],
)
def test_an_edit_of_a_losss_module_changes_the_fits_with_that_loss_alone(copied, module, losses, tmp_path):
    expected = {name for name, fit in FITS.items() if losses_of(fit) & losses}
    assert FITS.keys() > expected
    assert changed_by_an_edit(copied, f"weckd.training.objectives.{module}", tmp_path) == expected


def test_an_edit_of_the_gates_changes_the_fits_with_gates_alone(copied, tmp_path):
    changed = changed_by_an_edit(copied, "weckd.training.gate", tmp_path)
    assert changed == {"gated 1", "gated 2", "gated 3"}


@pytest.mark.parametrize(
    "module",
    [
        "weckd.analysis.sheets.main",
        "weckd.data.splits",
        "weckd.methods.catalogue",
        "weckd.methods.losses",
        "weckd.methods.fits",
        "weckd.training.attention_maps",
        "weckd.training.identity",
        "weckd.training.job",
    ],
)
def test_an_edit_of_tables_declarations_or_orchestration_changes_no_fit(copied, module, tmp_path):
    assert changed_by_an_edit(copied, module, tmp_path) == set()


def test_the_code_that_judges_trials_is_that_of_the_search_and_of_their_scores(copied):
    names = ("weckd.tuning.study", "weckd.training.trials:_outcome", "weckd.training.gather:probabilities_of")
    assert names == trials._JUDGES
    before = code_beyond_core(*names)
    assert set(before) == set(names)
    for file, old, new, changed in (
        ("tuning/study.py", "STARTUP_TRIALS = 5", "STARTUP_TRIALS = 6", names[0]),
        ("training/trials.py", "(probabilities.argmax(axis=1) == labels)", "(labels == 0)", names[1]),
        ("training/trials.py", "def tune_method(", "def tune_a_method(", None),
        ("training/gather.py", "logits.astype(np.float64), axis=1", "logits, axis=1", names[2]),
        ("training/gather.py", "def cell_predictions(", "def predictions_of(", None),
    ):
        text = (copied / file).read_text(encoding="utf-8")
        assert old in text
        (copied / file).write_text(text.replace(old, new), encoding="utf-8")
        forget()
        after = code_beyond_core(*names)
        assert {name for name in names if before[name] != after[name]} == {changed} - {None}
        (copied / file).write_text(text, encoding="utf-8")


def test_the_function_that_a_declaration_names_is_in_the_identity(tmp_path):
    cell, m1 = ingredients(tmp_path), Fit(("D1",), 9)
    other = type("Plain", (Plain,), {"function": "weckd.training.objectives.rivals:another"})
    taught = [Fit(("D2",), 9, m1, (m1,), kind()) for kind in (Plain, other)]
    assert taught[0].ingredients() == taught[1].ingredients()
    assert identity(taught[0], cell) != identity(taught[1], cell)
    assert "weckd.training.objectives.rivals" in code_beyond_core(
        *(f.partition(":")[0] for f in Plain().code)
    )


def test_every_module_of_a_training_job_decides_every_fit_or_those_that_name_it_or_says_why_none():
    kinds, named = [Loss], {GATES}
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__() if kind.__module__.startswith("weckd.") else []
        named |= {kind.objective} if hasattr(kind, "objective") else set()
    of_losses = code_beyond_core(*(function.partition(":")[0] for function in named))
    reached = set(code_digest.code_reached("weckd.cli.training:_train")) - {"weckd.cli.training:_train"}
    known = [*CORE, *of_losses, *DECIDES_NOTHING]
    assert {module for module in reached if not any(fnmatch(module, pattern) for pattern in known)} == set()
    # And the lists name nothing that is not there.
    assert {pattern for pattern in known if not any(fnmatch(module, pattern) for module in reached)} <= {
        "weckd.numpy_kernels"
    }
    assert not any(fnmatch(module, pattern) for module in (*CORE, *of_losses) for pattern in DECIDES_NOTHING)


def test_packages_on_the_way_to_training_hold_a_sentence_alone():
    for package in ("training", "training/objectives", "methods", "data", "tuning"):
        tree = ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))
        assert [type(node) for node in tree.body] == [ast.Expr], package
