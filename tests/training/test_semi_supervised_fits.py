"""Fits with unlabelled images: what they may see, where gradients go, and what is left behind."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_cell import BACKBONE, MEASURED, cell_of, toy_data, toy_setup, toy_state

from weckd.config import DistillationSettings
from weckd.methods.catalogue import METHODS
from weckd.methods.chain import Budget
from weckd.methods.fits import Fit
from weckd.methods.losses import FixMatch, MeanTeacher, PseudoLabels
from weckd.training.batches import outputs
from weckd.training.fit import labelled_batches, run_fit
from weckd.training.objectives import semi_supervised
from weckd.training.objectives.semi_supervised import average_decay
from weckd.training.objectives.unlabelled import Unlabelled
from weckd.training.optimisation import Given, make_objective

LABELLED, REST = ("D1", "D2"), ("rest",)
STEPS = 6
TEACHER = Fit(LABELLED, STEPS)
HARD = Fit(LABELLED, STEPS, teachers=(TEACHER,), loss=PseudoLabels(True, False, 2), unlabelled=REST)
SOFT = replace(HARD, loss=PseudoLabels(False, True, 2))
AVERAGED = Fit(LABELLED, STEPS, loss=MeanTeacher(2, 100.0, 0.25, 0.99, 0.5), unlabelled=REST)
MATCHED = Fit(LABELLED, STEPS, loss=FixMatch(2, 1.0, 0.4), unlabelled=REST)
EACH = {"hard": HARD, "soft": SOFT, "mean teacher": AVERAGED, "fixmatch": MATCHED}
each_fit = pytest.mark.parametrize("fit", EACH.values(), ids=EACH.keys())


@pytest.fixture(scope="module")
def data(networks):
    return toy_data(6, 6, networks.device)


@pytest.fixture(scope="module")
def teacher(data, networks):
    return run(replace(TEACHER, steps=30), data, networks)


def run(fit, data, networks, teachers=(), on_step=lambda: None):
    states = [found.state for found in teachers]
    return run_fit(fit, cell_of(data, networks, on_step), Given(toy_state(), states))


def taught_by(fit, teacher):
    return [teacher] if fit.teachers else []


def objective_of(fit, data, networks, teacher):
    """Return the objective as a fit makes it, its labelled and its unlabelled batches."""
    states = [found.state for found in taught_by(fit, teacher)]
    setup, *batches = toy_setup(fit, data, networks, networks.student(fit, toy_state()), states)
    return make_objective(setup), batches, Unlabelled(setup, fit.loss.ratio)


def first_views(batches, unlabelled):
    """Return other views of the first labelled batch, which serve as well as the fit's own."""
    return unlabelled.labelled_again().at(0), batches[1][0]


@each_fit
def test_same_fit_same_bytes_and_an_honest_record(fit, data, networks, teacher):
    views = {"hard": 3, "soft": 3, "mean teacher": 6, "fixmatch": 5}
    first = run(fit, data, networks, taught_by(fit, teacher))
    run(EACH["mean teacher"], data, networks)
    second = run(fit, data, networks, taught_by(fit, teacher))
    assert first.logits["test"].tobytes() == second.logits["test"].tobytes()
    assert all(torch.equal(first.state[key], second.state[key]) for key in first.state)
    record = {k: v for k, v in first.record.items() if k not in MEASURED}
    name = next(name for name, other in EACH.items() if other == fit)
    assert record == {
        "status": "finished",
        "steps_run": STEPS,
        "images": STEPS * 8 * views[name],
        "labels": 12,
        "unlabelled": 30,
    }


@each_fit
def test_labels_of_unlabelled_images_are_never_read(fit, data, networks, teacher):
    labels = data.labels.copy()
    labels[data.parts["rest"]] = -1  # no class at all
    known = run(fit, data, networks, taught_by(fit, teacher))
    unknown = run(fit, replace(data, labels=labels), networks, taught_by(fit, teacher))
    assert known.logits["test"].tobytes() == unknown.logits["test"].tobytes()
    assert all(known.state[key].equal(unknown.state[key]) for key in known.state)


@each_fit
def test_unlabelled_images_change_the_result(fit, data, networks, teacher):
    images = data.images.clone()
    images[data.parts["rest"]] = images[data.parts["rest"]].flip(0)
    alone = run(TEACHER, data, networks)
    with_rest = run(fit, data, networks, taught_by(fit, teacher))
    with_others = run(fit, replace(data, images=images), networks, taught_by(fit, teacher))
    found = {result.logits["test"].tobytes() for result in (alone, with_rest, with_others)}
    assert len(found) == 3


@each_fit
@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_held_out_group_among_the_unlabelled_is_refused(fit, part, data, networks, teacher):
    groups = data.groups.copy()
    groups[data.parts["rest"][3]] = groups[data.parts[part][0]]
    with pytest.raises(RuntimeError, match=rf"group {groups[data.parts[part][0]]} is in a training subset"):
        run(fit, replace(data, groups=groups), networks, taught_by(fit, teacher))


@each_fit
def test_batches_hold_unlabelled_images_only_each_before_any_again(fit, data, networks, teacher):
    _, _, unlabelled = objective_of(fit, data, networks, teacher)
    assert unlabelled.positions.shape == (STEPS, 16)
    rows = unlabelled.weak(1).rows.flatten()
    assert sorted(rows[:30].tolist()) == data.parts["rest"].tolist()
    assert set(rows.tolist()) == set(data.parts["rest"].tolist())
    assert torch.equal(unlabelled.strong().rows, unlabelled.weak(2).rows)


@each_fit
def test_labelled_batches_are_those_of_the_supervised_fit(fit, data, networks):
    own, supervised = (labelled_batches(each, cell_of(data, networks)) for each in (fit, TEACHER))
    assert torch.equal(own[0].rows, supervised[0].rows)
    assert torch.equal(own[1], supervised[1])
    for one, other in zip(own[0].draws, supervised[0].draws, strict=True):
        assert torch.equal(one, other)


@each_fit
def test_all_views_of_an_image_differ(fit, data, networks, teacher):
    _, batches, unlabelled = objective_of(fit, data, networks, teacher)
    views = [unlabelled.weak(1), unlabelled.weak(2), unlabelled.strong()]
    shown = [view.at(0) for view in views]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert bool(((shown[one] - shown[other]).abs().amax(dim=(1, 2, 3)) > 0).all())
    again = unlabelled.labelled_again()
    assert torch.equal(again.rows, batches[0].rows)
    assert not torch.equal(again.draws[0], batches[0].draws[0])


@each_fit
def test_gradients_reach_the_student_only(fit, data, networks, teacher):
    objective, batches, unlabelled = objective_of(fit, data, networks, teacher)
    student = objective.trained[0]
    assert objective.trained == [student]
    student.zero_grad()
    objective.loss(0, *first_views(batches, unlabelled)).backward()
    assert all(parameter.grad is not None for parameter in student.parameters())
    other = networks._module("teacher 1", BACKBONE, gate=False)
    assert not any(p.requires_grad or p.grad is not None for p in other.parameters())


@pytest.mark.parametrize("fit", [HARD, SOFT], ids=["hard", "soft"])
def test_teacher_is_bit_identical_afterwards(fit, data, networks, teacher):
    before = {key: value.clone() for key, value in teacher.state.items()}
    run(fit, data, networks, [teacher])
    network = networks._module("teacher 1", BACKBONE, gate=False)
    assert not network.training
    assert all(torch.equal(before[key], value.cpu()) for key, value in network.network.state_dict().items())
    assert all(torch.equal(before[key], teacher.state[key]) for key in before)


def test_stand_ins_are_the_teachers_view_of_unaugmented_images(data, networks, teacher):
    logits = outputs(
        networks.teachers([TEACHER], [teacher.state])[0],
        data.images,
        torch.from_numpy(data.parts["rest"]).to(networks.device),
    )
    hard, *_ = objective_of(HARD, data, networks, teacher)
    soft, _, unlabelled = objective_of(SOFT, data, networks, teacher)
    assert torch.equal(hard.stand_ins, logits.argmax(1))
    assert torch.equal(soft.stand_ins, logits.softmax(1))
    # Each image of a batch has its own stand-in.
    for image, position in zip(unlabelled.weak(1).rows[2], soft.positions[2], strict=True):
        assert data.parts["rest"][int(position)] == int(image)


def test_mean_teacher_result_is_the_average_of_the_students_weights(data, networks):
    student = networks._module("student", BACKBONE, gate=False).network
    average = {name: p.double() for name, p in toy_state().items()}
    steps = iter(range(STEPS))

    def follow():
        decay = average_decay(next(steps), STEPS, AVERAGED.loss)
        for name, parameter in student.named_parameters():
            average[name] = decay * average[name] + (1 - decay) * parameter.detach().cpu().double()

    result = run(AVERAGED, data, networks, on_step=follow)
    for name, parameter in student.named_parameters():
        np.testing.assert_allclose(result.state[name], average[name], rtol=1e-4, atol=1e-6)
        assert not torch.equal(result.state[name], parameter.cpu())
    # BatchNorm's statistics are those that the average gathered itself, in training mode.
    assert int(result.state["bn1.num_batches_tracked"]) == STEPS
    assert not torch.equal(result.state["bn1.running_mean"], student.state_dict()["bn1.running_mean"].cpu())
    network = networks.teachers([AVERAGED], [result.state])[0]
    rows = torch.from_numpy(data.parts["test"]).to(networks.device)
    seen = outputs(network, data.images, rows)
    assert torch.equal(seen.cpu(), torch.from_numpy(result.logits["test"]))


def test_mean_teacher_consistency_is_not_zero_on_differing_views(data, networks, teacher, monkeypatch):
    objective, batches, unlabelled = objective_of(AVERAGED, data, networks, teacher)
    seen = []
    real = semi_supervised.mean_teacher_loss

    def watch(student_logits, average_logits, labels, weight):
        seen.append((student_logits.detach(), average_logits))
        return real(student_logits, average_logits, labels, weight)

    monkeypatch.setattr(semi_supervised, "mean_teacher_loss", watch)
    again, labels = first_views(batches, unlabelled)
    own = unlabelled.weak(3).at(0)[:8]
    objective.loss(0, own, labels)
    # The same views on both sides: at the first step both networks are one, so nothing is left of the difference.
    objective.unlabelled_again = objective.unlabelled
    objective.loss(0, again, labels)
    (student, average), (same, other) = seen
    assert student.shape == average.shape == (24, 3)
    assert float((student.softmax(1) - average.softmax(1)).abs().amax(dim=1).min()) > 1e-6
    assert torch.equal(same, other)


def test_fixmatch_below_its_threshold_learns_from_labels_alone(data, networks):
    # BatchNorm sees the unlabelled images all the same, so the weight of nothing must not matter.
    unreachable = [replace(MATCHED, loss=FixMatch(2, weight, 1.1)) for weight in (0.0, 1.0, 50.0)]
    found = {run(fit, data, networks).logits["test"].tobytes() for fit in unreachable}
    assert len(found) == 1
    assert run(MATCHED, data, networks).logits["test"].tobytes() not in found


@each_fit
def test_a_longer_fit_learns(fit, data, networks, teacher):
    longer = replace(fit, steps=40, loss=replace(fit.loss, **({"weight": 10.0} if fit == AVERAGED else {})))
    result = run(longer, data, networks, taught_by(fit, teacher))
    assert (result.logits["test"].argmax(1) == data.labels[48:]).mean() > 0.9


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("pseudo-label", [40, 80]),
        ("noisy-student", [40, 40, 40]),
        ("mean-teacher", [120]),
        ("fixmatch", [120]),
    ],
)
def test_methods_use_the_chains_labels_and_budget(name, steps):
    budget = Budget(40, 3, 10, DistillationSettings(0.5, 2.0, 4.0, 1.0, 3.0), subset_count=4)
    method = METHODS[name](budget)
    assert method.role == "semi-supervised"
    assert method.steps() == budget.total
    fits = method.fits()
    assert [fit.steps for fit in fits] == steps
    assert all(fit.parts == ("D1", "D2", "D3") for fit in fits)
    assert all(fit.unlabelled == (("D4", "rest") if fit.loss.shown[1] else ()) for fit in fits)
    assert [fit.teachers for fit in fits[1:]] == [(fit,) for fit in fits[:-1]]


def test_unlabelled_images_and_their_loss_go_together():
    with pytest.raises(ValueError, match="unlabelled images and a semi-supervised loss, or neither"):
        replace(AVERAGED, unlabelled=())
    with pytest.raises(ValueError, match="unlabelled images and a semi-supervised loss, or neither"):
        Fit(LABELLED, STEPS, unlabelled=REST)
    with pytest.raises(ValueError, match="with its labels or without, not both"):
        replace(AVERAGED, unlabelled=("D2", "rest"))
    with pytest.raises(ValueError, match="has teachers and a distillation loss, or neither"):
        replace(HARD, teachers=())
