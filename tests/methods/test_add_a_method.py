"""Follows docs/add-a-method.md to the letter, in a copy of the suite."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from engine import REPOSITORY, TINY

from weckd.methods import catalogue

PAGE = (REPOSITORY / "docs" / "add-a-method.md").read_text(encoding="utf-8")
NEW_FILES = re.findall(r"Make the file `([^`]+)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL)
ADDED_LINES = re.findall(r"In `([^`]+)`, below `([^`]+)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL)


def test_nothing_of_the_pages_code_is_left_out():
    assert len(NEW_FILES) == len(ADDED_LINES) == 2
    assert PAGE.count("```") == 2 * len(NEW_FILES + ADDED_LINES)


def follow_the_page(suite):
    for name, content in NEW_FILES:
        file = suite / name
        assert not file.exists()
        file.write_text(content, encoding="utf-8")
    for name, above, line in ADDED_LINES:
        text = (suite / name).read_text(encoding="utf-8")
        assert text.count(f"{above}\n") == 1
        (suite / name).write_text(text.replace(f"{above}\n", f"{above}\n{line}"), encoding="utf-8")


@pytest.fixture
def copied(tmp_path):
    """Return a copy of what runs."""
    for name in ("weckd", "rules", "config", "profiles", "report", "Snakefile", "datasets.lock"):
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    return tmp_path


def run(suite, *command):
    """Run a command with the package of the copy, and return what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=suite,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(suite)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


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

budget = Budget(4, 3, 10, DistillationSettings(0.5, 1.0, 4.0, 1.0, 4.0), 3)
method = find_method("logit-matching")(budget)
assert method.steps() == 12
found = [(each.name, each.default) for each in tunables_of(method, 0.01)]
assert found == [("learning_rate", 0.01), ("weight", 0.5)]
"""


def test_the_loss_and_the_declaration_of_the_page_by_hand(copied):
    follow_the_page(copied)
    run(copied, sys.executable, "-c", TESTS_OF_THE_LOSS)
    listed = run(copied, sys.executable, "-m", "weckd", "methods")
    assert "taught by M1 (logit_matching_loss); 2 S" in listed


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
    follow_the_page(copied)
    after, manifest = trained("logit-matching")
    first, second = manifest["methods"]["logit-matching"]["fits"]
    assert first == manifest["methods"]["weckd"]["fits"][0]
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {second[:20]}
    # The fit is one of the page's loss, and an edit of that loss is of it alone.
    assert manifest["fits"][second]["loss"] == {"kind": "LogitMatching", "weight": 0.5}
    loss = copied / NEW_FILES[0][0]
    loss.write_text(loss.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    edited, _ = trained("logit-matching")
    assert {name: edited[name] for name in after} == after
    assert len(edited) == len(after) + 1


def test_the_composition_that_the_page_shows_is_that_of_the_code():
    shown = re.search(r"^    fits = \[.*?rival\", stages\)\n", PAGE, flags=re.DOTALL | re.MULTILINE)[0]
    assert shown in Path(catalogue.__file__).read_text(encoding="utf-8")


def test_the_method_that_the_readme_shows_is_that_of_the_code():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"```python\n(def one_step.*?)```", readme, flags=re.DOTALL)[1]
    assert shown in Path(catalogue.__file__).read_text(encoding="utf-8")
