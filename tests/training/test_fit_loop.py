"""One fit on toy images: gradients, modes, determinism, honest failure."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from weckd.config import AugmentationSettings, BackboneSettings, TrainingSettings
from weckd.methods.recipe import Distillation, Fit
from weckd.training import fit_loop
from weckd.training.backbone import attention_indices, build_backbone, initial_state, normalisation
from weckd.training.device import prepare_device
from weckd.training.fit_loop import CellData, Networks, run_fit

BACKBONE = BackboneSettings("test_resnet", "random")
TRAINING = TrainingSettings(
    steps=6,
    converged_factor=2,
    batch_size=8,
    learning_rate=4e-3,
    weight_decay=0.05,
    warmup=0.3,
    batchnorm_momentum=0.1,
)
AUGMENTATION = AugmentationSettings(
    flip=True, rotation=5, shift=0.05, zoom=0.05, brightness=0.1, contrast=0.1
)
M1 = Fit(("D1",), 6)
LOSS = Distillation(alpha=0.5, beta=1.0, temperature=(4.0, 1.0))
M2 = Fit(("D2",), 6, M1, M1, LOSS)


@pytest.fixture(scope="module")
def networks():
    prepare_device()
    student, teacher = build_backbone("test_resnet", 3), build_backbone("test_resnet", 3)
    teacher.requires_grad_(False)
    return Networks(student, teacher, normalisation(student), attention_indices(student, 32))


@pytest.fixture(scope="module")
def data():
    # Three classes told apart by their brightest colour; 20 images each, each its own group.
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(3), 20)
    images = rng.integers(0, 120, (60, 32, 32, 3), dtype=np.uint8)
    images[np.arange(60), :, :, labels] += 120
    return CellData(
        dataset="toy",
        seed=1,
        images=torch.from_numpy(images),
        labels=labels,
        groups=np.array([f"g{i}" for i in range(60)]),
        parts={
            "D1": np.arange(0, 12),
            "D2": np.arange(12, 24),
            "rest": np.arange(24, 42),
            "validation": np.arange(42, 48),
            "test": np.arange(48, 60),
        },
        classes=3,
    )


def start(member=1):
    return initial_state(BACKBONE, 3, 1, member)


def train(fit, data, networks, state=None, teacher=None):
    counted = []
    result = run_fit(
        fit, data, networks, state or start(), teacher, TRAINING, AUGMENTATION, lambda: counted.append(1)
    )
    assert len(counted) == result.record["steps_run"]
    return result


def test_it_learns_and_records_what_it_did(data, networks):
    fit = Fit(("D1", "D2", "rest"), 40)
    result = train(fit, data, networks)
    assert result.logits["test"].shape == (12, 3)
    assert result.logits["validation"].shape == (6, 3)
    assert (result.logits["test"].argmax(1) == data.labels[48:]).mean() == 1.0
    record = {k: v for k, v in result.record.items() if k not in ("loss_first", "loss_last", "seconds")}
    assert record == {"status": "finished", "steps_run": 40, "images": 320, "labels": 42}
    assert result.record["loss_last"] < 0.3 < result.record["loss_first"]


def test_same_fit_same_bytes_whatever_ran_before(data, networks):
    first = train(M1, data, networks)
    train(Fit(("rest",), 9), data, networks, start(2))
    second = train(M1, data, networks)
    assert first.logits["test"].tobytes() == second.logits["test"].tobytes()
    assert all(torch.equal(first.state[key], second.state[key]) for key in first.state)


def test_teacher_is_bit_identical_afterwards_and_in_eval_mode(data, networks):
    m1 = train(M1, data, networks)
    before = {key: value.clone() for key, value in m1.state.items()}
    m2 = train(M2, data, networks, m1.state, m1.state)
    teacher = networks.teacher.state_dict()
    assert not networks.teacher.training
    assert all(torch.equal(before[key], teacher[key]) for key in before)  # BatchNorm statistics too
    assert all(torch.equal(before[key], m1.state[key]) for key in before)
    assert not torch.equal(m2.state["conv1.0.weight"], before["conv1.0.weight"])


def test_student_trains_in_train_mode(data, networks):
    # Its BatchNorm statistics move although the fit before ended in an evaluation.
    train(M1, data, networks)
    assert not networks.student.training
    result = train(M1, data, networks)
    assert int(result.state["bn1.num_batches_tracked"]) == 6


def test_each_term_of_the_loss_changes_the_result(data, networks):
    m1 = train(M1, data, networks)
    fits = [
        M2,
        replace(M2, distillation=replace(LOSS, alpha=0.0)),
        replace(M2, distillation=replace(LOSS, beta=0.0)),
        replace(M2, distillation=replace(LOSS, temperature=(4.0, 4.0))),
        Fit(("D2",), 6, M1),
    ]
    bytes_of = {
        train(f, data, networks, m1.state, m1.state if f.teacher else None).logits["test"].tobytes()
        for f in fits
    }
    assert len(bytes_of) == len(fits)


def test_permuted_labels_are_a_shuffle_within_the_subset(data, networks, monkeypatch):
    seen = []
    real = fit_loop.batch_order

    def whole_subset(count, size, steps, generator):
        order = real(count, size, steps, generator)
        seen.append(count)
        return order

    monkeypatch.setattr(fit_loop, "batch_order", whole_subset)
    plain = train(Fit(("rest",), 6), data, networks)
    shuffled = train(Fit(("rest",), 6, permute_labels=True), data, networks)
    assert seen == [18, 18]
    assert plain.logits["test"].tobytes() != shuffled.logits["test"].tobytes()
    batches = fit_loop._draw_batches(
        Fit(("rest",), 9, permute_labels=True), data, data.parts["rest"], TRAINING, AUGMENTATION
    )
    rows, labels = batches.rows.flatten().numpy(), batches.labels.flatten().numpy()
    given = dict(zip(rows, labels, strict=True))
    assert len(given) == 18  # one label an image, the same each time it comes
    assert all(given[row] == label for row, label in zip(rows, labels, strict=True))
    assert sorted(given.values()) == sorted(data.labels[data.parts["rest"]])
    assert [given[row] for row in data.parts["rest"]] != data.labels[data.parts["rest"]].tolist()


def test_batches_hold_the_subset_only(data):
    batches = fit_loop._draw_batches(M2, data, data.parts["D2"], TRAINING, AUGMENTATION)
    assert set(batches.rows.flatten().tolist()) == set(range(12, 24))
    assert batches.labels.flatten().tolist() == data.labels[batches.rows.flatten().numpy()].tolist()


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_held_out_group_in_training_is_refused(data, networks, part):
    groups = data.groups.copy()
    groups[data.parts["D1"][3]] = groups[data.parts[part][0]]
    with pytest.raises(
        RuntimeError, match=rf"toy, seed 1: group {groups[data.parts[part][0]]} is in a training"
    ):
        train(M1, replace(data, groups=groups), networks)


def test_a_loss_that_is_not_finite_is_recorded_as_diverged(data, networks):
    state = start()
    state["fc.weight"] = state["fc.weight"] * torch.nan
    result = train(Fit(("D1",), 60), data, networks, state)
    assert result.record["status"] == "diverged"
    assert result.record["steps_run"] == 25  # the first look at the losses
    assert result.record["loss_last"] == "nan"
    assert np.isnan(result.logits["test"]).all()
