"""One cell: what is trained, in which order, and what a fit that diverged means for those that stand on it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from weckd.methods.catalogue import suite_methods
from weckd.suite_file import resolve_suite
from weckd.training import job
from weckd.training.fit_loop import CellData, FitResult
from weckd.training.progress import Progress

DEMO = [Path(__file__).resolve().parents[2] / "config" / "demo.yaml"]
RECORD = {"steps_run": 1, "images": 16, "labels": 4, "loss_first": 1.0, "loss_last": 0.5, "seconds": 0.0}


@pytest.fixture
def cell(tmp_path, monkeypatch):
    """Return a function that trains a cell with a stand-in for training that records what it is asked for."""
    monkeypatch.setattr(
        job, "initial_state", lambda settings, classes, seed, member: {"w": torch.tensor([float(member)])}
    )
    suite = resolve_suite(DEMO, {"methods": ["weckd", "sequential", "pooled"]})
    fits = tuple(dict.fromkeys(f for method in suite_methods(suite) for f in method.fits()))
    parts = {name: np.arange(4) for name in ("D1", "D2", "D3", "rest", "validation", "test")}
    data = CellData("toy", 1, torch.zeros(4, 2, 2, 3), np.zeros(4, int), np.array(list("abcd")), parts, 3)

    def train(diverging=()):
        asked = []

        def run_fit(fit, data, networks, start, teacher, *_):
            asked.append((fit, start["w"].item(), None if teacher is None else teacher["w"].item()))
            status = "diverged" if fit in diverging else "finished"
            logits = {split: np.zeros((4, 3), np.float32) for split in ("validation", "test")}
            return FitResult({"w": start["w"] + 1}, logits, {**RECORD, "status": status})

        monkeypatch.setattr(job, "run_fit", run_fit)
        identities = {fit: f"{number:064d}" for number, fit in enumerate(fits)}
        identities = {
            fit: identity[::-1] for fit, identity in identities.items()
        }  # told apart by their first digits
        stored = job._train_cell(suite, fits, identities, data, None, tmp_path, {}, Progress("toy", 1))
        return asked, stored

    return fits, train


def test_children_start_from_and_are_taught_by_their_parents_weights(cell):
    fits, train = cell
    asked, _ = train()
    m1, m2, m3, s2, s3, pooled = fits
    assert asked == [(m1, 1, None), (m2, 2, 2), (m3, 3, 3), (s2, 2, None), (s3, 3, None), (pooled, 1, None)]


def test_nothing_is_trained_twice(cell):
    _, train = cell
    train()
    asked, stored = train()
    assert asked == []
    assert len(stored) == 6


def test_a_diverged_fit_takes_its_children_along_and_no_one_else(cell):
    fits, train = cell
    m1, m2, m3, s2, s3, pooled = fits
    asked, stored = train(diverging={m2})
    assert [fit for fit, *_ in asked] == [m1, m2, s2, s3, pooled]  # M3 is not trained
    assert [fit for fit in fits if stored[fit].diverged] == [m2, m3]
    assert np.isnan(stored[m3].logits("test")).all()
    assert stored[m3].record["steps_run"] == 0
