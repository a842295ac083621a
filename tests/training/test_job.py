"""One cell: what is trained, in which order, and what a fit that diverged means for those that stand on it."""

import json
import platform
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from weckd.locks import StopRequest
from weckd.methods.catalogue import METHODS, kept_fits, suite_methods
from weckd.methods.fits import Fit
from weckd.methods.tunables import with_values
from weckd.suite_file import resolve_suite
from weckd.training import fit as fit_module
from weckd.training import job, optimisation
from weckd.training.batches import CellData
from weckd.training.fit import FitResult
from weckd.training.job import Progress, Shelf
from weckd.training.networks import State
from weckd.training.optimisation import Cell
from weckd.training.store import EVALUATED

PHANTOMS = [Path(__file__).resolve().parents[2] / "config" / "phantoms.yaml"]
RECORD = {"steps_run": 1, "images": 16, "labels": 4, "loss_first": 1.0, "loss_last": 0.5, "seconds": {}}
HISTORY = np.array([[1.0, 0.01]], np.float32)


def of_methods(methods):
    suite = resolve_suite(PHANTOMS, {"methods": methods, "analysis": {"families": [], "claims": []}})
    return suite, tuple(dict.fromkeys(f for method in suite_methods(suite) for f in method.fits()))


@pytest.fixture
def cell(tmp_path, monkeypatch):
    """Return a function that trains a cell with a stand-in for training that records what it is asked for.

    A state is one number: an initial one its member's, and each training adds 1.
    """
    monkeypatch.setattr(optimisation, "initial_state", lambda *keys: {"w": torch.tensor([float(keys[4])])})
    parts = {name: np.arange(4) for name in ("D1", "D2", "D3", "E2", "E3", "rest", "validation", "test")}
    data = CellData("toy", 1, torch.zeros(4, 2, 2, 3), np.zeros(4, int), np.array(list("abcd")), parts, 3)
    numbers = {}

    def train(methods, diverging=()):
        suite, fits = of_methods(methods)
        asked = []

        def run_fit(fit, cell, given, watch):
            asked.append(Asked(fit, given.student, given.teachers, given.peer))
            status = "diverged" if fit in diverging else "finished"
            logits = {split: np.zeros((4, 3), np.float32) for split in ("validation", "test")}
            state = {**given.student, "w": given.student["w"] + 1}
            return FitResult(
                None if fit in diverging else state, logits, HISTORY, {**RECORD, "status": status}
            )

        monkeypatch.setattr(fit_module, "run_fit", run_fit)
        # Told apart by their first digits.
        identities = {fit: f"{numbers.setdefault(fit, len(numbers)):064d}"[::-1] for fit in fits}
        networks = SimpleNamespace(
            attention=lambda _: [1, 2], settings=lambda _: suite.backbone, image_size=2
        )
        kept = kept_fits(suite, suite_methods(suite))
        toy = Cell(data, networks, suite.training, suite.augmentation, tmp_path, EVALUATED)
        shelf = Shelf(
            tmp_path, identities, {"device": "toy"}, {}, kept, 60.0, StopRequest(), Progress("toy", 1)
        )
        stored = job._train_cell(toy, shelf)
        return fits, asked, stored

    return train


@dataclass
class Asked:
    """What the stand-in was asked to train."""

    fit: Fit
    start: State
    teachers: list[State]
    peer: State | None

    def numbers(self):
        """Return the fit, the number that it starts from and those of its teachers."""
        return (self.fit, *(state["w"].item() for state in (self.start, *self.teachers)))


def test_children_start_from_and_are_taught_by_their_parents_weights(cell):
    (m1, m2, m3, s2, s3, pooled), asked, _ = cell(["weckd", "sequential", "pooled"])
    assert [a.numbers() for a in asked] == [
        (m1, 1),
        (m2, 2, 2),
        (m3, 3, 3),
        (s2, 2),
        (s3, 3),
        (pooled, 1),
    ]
    assert all(a.peer is None for a in asked)


def test_several_teachers_come_in_their_order(cell):
    (m1, m2, m3), asked, _ = cell(["chain-dense"])
    assert m3.teachers == (m1, m2)
    assert asked[2].numbers() == (m3, 3, 2, 3)


def test_a_fresh_start_and_generations_have_the_initial_state_that_they_name(cell):
    (m1, m2, m3, b2, b3), asked, _ = cell(["start=fresh", "born-again"])
    assert [a.numbers() for a in asked] == [(m1, 1), (m2, 1, 2), (m3, 1, 2), (b2, 2, 2), (b3, 3, 3)]


def test_an_untrained_teacher_is_the_initial_state_of_every_stage(cell):
    (m1, m2, m3), asked, _ = cell(["chain-random"])
    assert [a.numbers() for a in asked] == [(m1, 1), (m2, 2, 1), (m3, 3, 1)]


def test_twins_train_what_is_not_the_chains_and_nothing_of_theirs_is_lost(cell):
    cell(["weckd", "start=fresh"])
    fits, asked, _ = cell(["chain-fresh-long", "chain-shuffled", "attention-other", "temperature-rising"])
    assert [fits.index(a.fit) for a in asked] == [2, 3, 4, 5, 6, 7, 8]  # M1 and the fresh M2 are there


def test_a_peer_begins_at_its_own_initial_state(cell):
    (fit,), (asked,), _ = cell(["mutual"])
    assert asked.numbers() == (fit, 1)
    assert asked.peer["w"].item() == 2


def test_a_gated_chain_begins_with_gates_and_hands_them_on(cell):
    fits, asked, _ = cell(["attention=gate", "single"])
    gates = [f"gates.{number}.convolution.{name}" for number in (0, 1) for name in ("weight", "bias")]
    assert [fit.gate for fit in fits] == [True, True, True, False]
    for a in asked:
        assert all(
            sorted(state) == sorted(["w", *(gates if a.fit.gate else [])]) for state in (a.start, *a.teachers)
        )
    assert [a.numbers()[1:] for a in asked] == [(1,), (2, 2), (3, 3), (1,)]


def test_a_record_says_what_was_trained_where_and_what_it_cost(cell):
    (fit,), _, stored = cell(["single"])
    record = json.loads((stored[fit].folder / "record.json").read_text())
    assert {key: record[key] for key in RECORD} == RECORD
    assert record["status"] == "finished"
    assert record["threads"] == 1
    assert record["python"] == platform.python_version()
    assert record["fit"] == json.loads(json.dumps(fit.ingredients()))
    assert record["cell"] == {"device": "toy"}


def test_a_checkpoint_that_a_job_left_of_a_stored_fit_is_removed_by_the_next(cell, tmp_path):
    (fit,), _, stored = cell(["single"])
    left, other = (
        tmp_path / "toy/checkpoints" / f"{name}-00000009-{'0' * 16}.safetensors"
        for name in (stored[fit].folder.name, "1" * 20)
    )
    for file in (left, other):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    _, asked, _ = cell(["single"])
    assert asked == []
    assert (left.exists(), other.exists()) == (False, True)


def test_nothing_is_trained_twice(cell):
    methods = ["weckd", "sequential", "pooled"]
    cell(methods)
    _, asked, stored = cell(methods)
    assert asked == []
    assert len(stored) == 6


def test_weights_are_kept_of_what_others_stand_on_and_of_the_chain_and_of_no_other(cell):
    fits, _, stored = cell([*METHODS, "attention=gate", "subsets=overlapping,inference=mean"])
    parents = {parent for fit in fits for parent in fit.parents()}
    _, (m1, m2, m3) = of_methods(["weckd"])
    assert {m1, m2} <= parents
    assert m3 not in parents
    kept = {fit for fit in fits if "weights.safetensors" in stored[fit].record["files"]}
    assert kept == {*parents, m3}


def test_weights_are_kept_too_of_the_last_stage_of_what_the_suite_names():
    changes = {"methods": ["pooled", "ensemble", "majority", "one-step"], "seeds": [1]}
    plain, keeping = (
        resolve_suite(
            PHANTOMS, {**changes, "keep_weights": names, "analysis": {"families": [], "claims": []}}
        )
        for names in ([], ["one-step", "majority", "ensemble"])
    )
    _, ensemble, _, one_step = methods = suite_methods(plain)
    more = kept_fits(keeping, methods) - kept_fits(plain, methods)
    assert more == {*ensemble.stages[-1][1:], *one_step.stages[-1]}  # of the ensemble the first is M1


def test_weights_of_a_chain_that_tuning_changed_are_kept(cell):
    suite, _ = of_methods(["weckd"])
    tuned = with_values(suite_methods(suite)[0], {"learning_rate": 0.001})
    last = tuned.stages[-1][0]
    assert last not in kept_fits(suite, suite_methods(suite))
    assert last in kept_fits(suite, [tuned])


def test_a_method_that_is_added_later_trains_only_what_is_new(cell):
    cell(["single", "pooled"])
    (_, m2, m3), asked, _ = cell(["weckd"])
    assert [a.fit for a in asked] == [
        m2,
        m3,
    ]  # M1's weights were kept though no fit of the first run needs them
    assert asked[0].numbers() == (m2, 2, 2)


def test_a_diverged_fit_takes_its_children_along_and_no_one_else(cell):
    methods = ["weckd", "sequential", "pooled"]
    _, (m1, m2, m3, s2, s3, pooled) = of_methods(methods)
    fits, asked, stored = cell(methods, diverging={m2})
    assert [a.fit for a in asked] == [m1, m2, s2, s3, pooled]  # M3 is not trained
    assert [fit for fit in fits if stored[fit].diverged] == [m2, m3]
    assert np.isnan(stored[m3].logits("test")).all()
    assert stored[m3].record["steps_run"] == 0


def test_a_diverged_teacher_is_enough(cell):
    _, (m1, m2, m3) = of_methods(["chain-dense"])
    _, asked, stored = cell(["chain-dense"], diverging={m1})
    assert [a.fit for a in asked] == [m1]
    assert all(stored[fit].diverged for fit in (m1, m2, m3))


@pytest.mark.parametrize(
    ("records", "plans"),
    [
        ([("toy", "now"), ("toy", "now")], ("now",)),
        ([("toy", "before"), ("toy", "now")], ("before", "now")),  # the plan was changed on the way
        ([("other", "its own")], ("now",)),  # of another run that shares the store: that of this cell's job
        ([("other", "its own"), ("toy", "before")], ("before",)),
        ([(), ("toy", "now")], ("", "now")),  # of an earlier version, which did not record it
    ],
)
def test_a_cells_plans_are_those_that_its_own_run_had_when_its_fits_were_trained(records, plans):
    suite = SimpleNamespace(run="toy", plan_hash="now")
    fits = [SimpleNamespace(record=dict(zip(("run", "plan"), record, strict=False))) for record in records]
    assert job._plans(suite, fits) == plans
