"""Memory that runs out names the setting to change; other errors pass."""

import pytest
import torch
from toy_cell import cell_of, toy_data, toy_state

from weckd.errors import UserError
from weckd.methods.fits import Fit
from weckd.training.batches import load_prepared
from weckd.training.fit import run_fit
from weckd.training.limits import memory_for, smaller_batch
from weckd.training.optimisation import Given, RunningFit

TOO_MUCH = 1 << 55  # bytes


def train(networks):
    fit = Fit(("D1",), 6)
    run_fit(fit, cell_of(toy_data(12, 12, networks.device), networks), Given(toy_state()))


def allocate(*_, **__):
    torch.empty(TOO_MUCH, dtype=torch.uint8)


def out_on_a_gpu(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize("fail", [allocate, out_on_a_gpu])
def test_steps_that_do_not_fit_name_the_batch_size_to_try(fail, networks, monkeypatch):
    monkeypatch.setattr(RunningFit, "step", fail)
    with pytest.raises(UserError) as told:
        train(networks)
    assert str(told.value) == (
        "toy, seed 1: steps on 8 images need more memory than there is; "
        "try training.batch_size: 4 (it is 8), or use a smaller image_size or backbone"
    )


def test_predictions_that_do_not_fit_name_the_images(networks, monkeypatch):
    monkeypatch.setattr("weckd.training.fit.outputs", allocate)
    with pytest.raises(UserError) as told:
        train(networks)
    assert str(told.value) == (
        "toy, seed 1: predictions of 256 images need more memory than there is; "
        "use a smaller image_size or backbone"
    )


def test_images_that_do_not_fit_are_named(tmp_path, monkeypatch):
    (tmp_path / "dataset.json").write_text('{"key": "ears"}')
    monkeypatch.setattr(
        "weckd.training.batches.np.load", lambda file, **options: (_ for _ in ()).throw(MemoryError())
    )
    with pytest.raises(
        UserError, match=r"ears: all its prepared images need more memory than there is; use a"
    ):
        load_prepared("ears", tmp_path, torch.device("cpu"))


def test_one_image_a_batch_leaves_no_smaller_batch():
    assert smaller_batch(1) == "use a smaller image_size or backbone"


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"), memory_for("steps", "nothing"):
        raise RuntimeError("shapes differ")
