"""Follows docs/add-a-method.md to the letter, in a copy of the suite."""

import json
import re
import shutil
import sys
import textwrap
from pathlib import Path

import pytest
from engine import REPOSITORY, TINY
from followed import Page, copy_of_what_runs, run

from weckd.methods import catalogue

ADDED = Page("add-a-method.md")


def test_nothing_of_the_pages_code_is_left_out():
    assert len(ADDED.files) == len(ADDED.lines) == 4
    ADDED.holds_no_other_code()


@pytest.fixture
def copied(tmp_path):
    return copy_of_what_runs(tmp_path)


TESTS_OF_THE_LOSS = """
import dataclasses, math, torch
from weckd.config import DistillationSettings
from weckd.methods.catalogue import find_method
from weckd.methods.chain import Budget
from weckd.methods.tunables import tunables_of
from weckd.methods.logit_matching import LogitMatching
from weckd.training.objectives.logit_matching import logit_matching_loss

for classes in (2, 3, 8):
    # The teacher's first logit is 2 above the student's: distance 4 / 2; a uniform student's cross-entropy is ln C.
    teacher = torch.zeros(1, classes, requires_grad=True)
    student = torch.zeros(1, classes, requires_grad=True)
    shifted = teacher + torch.eye(classes)[:1] * 2
    value = logit_matching_loss(student, shifted, torch.tensor([1]), LogitMatching(weight=0.25))
    assert math.isclose(value.item(), 0.75 * math.log(classes) + 0.25 * 2, abs_tol=1e-6), value
    value.backward()
    assert teacher.grad is None
    assert student.grad.abs().max() > 0

from types import SimpleNamespace
from weckd.methods.label_smoothing import LabelSmoothing
from weckd.training.objectives.label_smoothing import Smoothed

# A student that says (2, 0) of a first class, smoothed by 0.2: targets of 0.9 and 0.1.
logits = torch.tensor([[2.0, 0.0]])
setup = SimpleNamespace(
    fit=SimpleNamespace(loss=LabelSmoothing(0.2), steps=4, taught_by=()),
    student=lambda views: logits,
    cell=SimpleNamespace(networks=SimpleNamespace(teachers=lambda fits, states: [])),
    given=SimpleNamespace(teachers=()),
)
value = Smoothed(setup).loss(0, torch.zeros(1, 3, 4, 4), torch.tensor([0])).item()
assert math.isclose(value, math.log(1 + math.exp(-2)) + 0.1 * 2, abs_tol=1e-6), value

budget = Budget(4, 3, 10, DistillationSettings(0.5, 1.0, 4.0, 1.0, 4.0), 3)
method = find_method("logit-matching")(budget)
assert method.steps() == 12
found = [(each.name, each.default) for each in tunables_of(method, 0.01)]
assert found == [("learning_rate", 0.01), ("weight", 0.5)]
smoothed = find_method("label-smoothing")(budget)
assert (smoothed.role, smoothed.steps()) == ("control", 12)
assert [each.name for each in tunables_of(smoothed, 0.01)] == ["learning_rate", "smoothing"]
"""


def test_the_loss_and_the_declaration_of_the_page_by_hand(copied):
    ADDED.follow(copied)
    run(copied, sys.executable, "-c", TESTS_OF_THE_LOSS)
    listed = run(copied, sys.executable, "-m", "weckd", "methods", "--wide")
    assert "taught by M1 (logit_matching_loss); 2 S" in listed
    assert "labels smoothed by 0.1" in listed


@pytest.mark.workflow
def test_only_the_fits_of_the_pages_method_are_trained(copied):
    suite_file = copied / TINY.relative_to(REPOSITORY)
    suite_file.parent.mkdir(parents=True)
    shutil.copy(TINY, suite_file)
    methods = ["weckd", "mutual", "fixmatch", "one-step"]

    def trained(*names):
        """Run as far as training; return the stored fits and when each was written, and the manifest."""
        changes = ["datasets=[phantom_ear_ohio]", "seeds=[1]", f"methods={json.dumps([*methods, *names])}"]
        suite = ["--configfile", str(suite_file), "--config", *changes]
        run(copied, sys.executable, "-m", "snakemake", "--cores", "2", *suite, "--until", "train")
        written = {
            file.parent.name: file.stat().st_mtime_ns for file in copied.glob("results/fits/*/*/record.json")
        }
        (manifest,) = copied.glob("results/tiny*/manifests/phantom_ear_ohio/*.json")
        found = json.loads(manifest.read_text(encoding="utf-8"))["seeds"]["1"]
        shutil.rmtree(manifest.parents[2])
        return written, found

    before, _ = trained()
    assert len(before) == 6  # M1 to M3, and one of each rival
    ADDED.follow(copied)
    after, manifest = trained("logit-matching")
    first, second = manifest["methods"]["logit-matching"]["fits"]
    assert first == manifest["methods"]["weckd"]["fits"][0]
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {second[:20]}
    # The fit is one of the page's loss, and an edit of that loss is of it alone.
    assert manifest["fits"][second]["loss"] == {"kind": "LogitMatching", "weight": 0.5}
    loss = copied / ADDED.files[0][0]
    loss.write_text(loss.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    edited, _ = trained("logit-matching")
    assert {name: edited[name] for name in after} == after
    assert len(edited) == len(after) + 1


def test_the_composition_that_the_page_shows_is_that_of_the_code():
    shown = re.search(r"^    fits = \[.*?rival\", stages\)\n", ADDED.text, flags=re.DOTALL | re.MULTILINE)[0]
    assert shown in Path(catalogue.__file__).read_text(encoding="utf-8")


def test_the_method_that_the_page_begins_with_is_that_of_the_code():
    shown = re.search(r"^    def one_step.*?\n\n", ADDED.text, flags=re.DOTALL | re.MULTILINE)[0]
    assert textwrap.dedent(shown).rstrip() in Path(catalogue.__file__).read_text(encoding="utf-8")
