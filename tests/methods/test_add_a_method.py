"""Follows docs/add-a-method.md: the code that stands there is run as it stands."""

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from weckd.config import AugmentationSettings, BackboneSettings, DistillationSettings, TrainingSettings
from weckd.listing import method_table
from weckd.methods import catalogue, controls, rivals
from weckd.methods.budget import Budget
from weckd.methods.knobs import knobs_of
from weckd.training.cell import CellData
from weckd.training.fit_loop import run_fit
from weckd.training.initial import initial_state
from weckd.training.networks import Networks

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "add-a-method.md").read_text(encoding="utf-8")
LOSS, DECLARATION = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def declared(monkeypatch):
    """Return the method of the page, declared where the page says."""
    module = types.ModuleType("weckd.methods.losses.logit_matching")
    exec(LOSS, module.__dict__)  # noqa: S102 - the page's own code
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names = dict(rivals.__dict__)
    imports = "from dataclasses import dataclass\nfrom weckd.methods.recipe import LogitLoss, Range\n"
    exec(imports + DECLARATION, names)  # noqa: S102
    monkeypatch.setitem(catalogue.METHODS, "logit-matching", names["logit_matching"])
    return module.logit_matching_loss, names


def test_the_composition_that_the_page_shows_is_that_of_the_code():
    shown = re.search(r"^    fits = \[.*?rival\", stages\)\n", PAGE, flags=re.DOTALL | re.MULTILINE)[0]
    assert shown in Path(rivals.__file__).read_text(encoding="utf-8")


def test_the_method_that_the_readme_shows_is_that_of_the_code():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"```python\n(def one_step.*?)```", readme, flags=re.DOTALL)[1]
    assert shown in Path(controls.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_the_loss_of_the_page_by_hand(declared, classes):
    loss, names = declared
    # The teacher's first logit is 2 above the student's: distance 4 / 2; a uniform student's cross-entropy is ln C.
    teacher = torch.zeros(1, classes, requires_grad=True)
    student = torch.zeros(1, classes, requires_grad=True)
    shifted = teacher + torch.eye(classes)[:1] * 2
    value = loss(student, shifted, torch.tensor([1]), names["LogitMatching"](weight=0.25))
    assert value.item() == pytest.approx(0.75 * np.log(classes) + 0.25 * 2, abs=1e-6)
    value.backward()
    assert teacher.grad is None
    assert student.grad.abs().max() > 0


def test_the_method_of_the_page_is_listed_and_trains(declared):
    assert "taught by M1 (logit_matching_loss); 2 S" in method_table(None)
    method = catalogue.find_method("logit-matching")(
        Budget(4, 3, 10, DistillationSettings(0.5, 1.0, 4.0, 1.0, 4.0), 3)
    )
    assert method.steps() == 12
    assert [(knob.name, knob.default) for knob in knobs_of(method, 0.01)] == [
        ("learning_rate", 0.01),
        ("weight", 0.5),
    ]
    first, second = method.fits()
    images = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
    rows = {"D1": (0, 6), "D2": (6, 12), "D3": (12, 18), "validation": (18, 20), "test": (20, 24)}
    data = CellData(
        "toy",
        1,
        torch.from_numpy(images),
        np.arange(24) % 3,
        np.arange(24).astype(str),
        {part: np.arange(*ends) for part, ends in rows.items()},
        3,
    )
    backbone = BackboneSettings("test_resnet", "random")
    networks = Networks(backbone, 3, 32, 0.1, torch.device("cpu"))
    training = TrainingSettings(4, 10, 8, 4e-3, 0.05, 0.3, 0.1)
    plain = AugmentationSettings(False, 0, 0, 0, 0, 0)
    start = initial_state(backbone, 3, 1, 1, Path())
    m1 = run_fit(first, data, networks, start, [], None, training, plain, ("test",), lambda: None)
    m2 = run_fit(second, data, networks, m1.state, [m1.state], None, training, plain, ("test",), lambda: None)
    assert m2.record["status"] == "finished"
    assert not np.array_equal(m1.logits["test"], m2.logits["test"])
