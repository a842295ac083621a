"""One fit on toy images: gradients, modes, determinism, honest failure."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_cell import BACKBONE, MEASURED, TRAINING, cell_of, toy_data
from toy_cell import toy_state as start

from weckd.methods.fits import Fit, Initial, Loss
from weckd.methods.losses import Decoupled, Distillation, Mutual, Temperature
from weckd.training import fit as fit_module
from weckd.training.fit import labelled_batches, run_fit
from weckd.training.gate import with_gates
from weckd.training.optimisation import Given

M1 = Fit(("D1",), 6)
LOSS = Distillation(alpha=0.5, beta=1.0, temperature=Temperature("linear", 4.0, 1.0))
M2 = Fit(("D2",), 6, M1, (M1,), LOSS)
DENSE = replace(M2, teachers=(M1, Fit(("D1",), 6, Initial(2))))
GATED_M1 = replace(M1, gate=True)
GATED_M2 = Fit(("D2",), 6, GATED_M1, (GATED_M1,), LOSS, gate=True)
LEARNED = replace(M2, loss=replace(LOSS, temperature=Temperature("learned", 1.0, 21.0)))
DECOUPLED = replace(M2, loss=Decoupled(1.0, 8.0, 4.0, 0.5))
PEERS = Fit(("D1", "D2", "rest"), 6, loss=Mutual(Initial(2), 1.0))
TAUGHT = {
    "one teacher": M2,
    "two teachers": DENSE,
    "gates": GATED_M2,
    "learned temperature": LEARNED,
    "decoupled": DECOUPLED,
}


@pytest.fixture(scope="module")
def data(networks):
    return toy_data(12, 12, networks.device)


class Recorded(torch.optim.AdamW):
    """The optimiser of a fit, whose parameter groups a test may look at."""

    def __init__(self, groups):
        super().__init__(groups, lr=TRAINING.learning_rate, fused=True)


def first_state(fit, member=1):
    return with_gates(start(member), 2) if fit.gate else start(member)


def train(fit, data, networks, state=None, teachers=(), peer=None):
    counted = []
    cell = cell_of(data, networks, on_step=lambda: counted.append(1))
    result = run_fit(fit, cell, Given(state or start(), teachers, peer))
    assert len(counted) == result.record["steps_run"]
    return result


def test_it_learns_and_records_what_it_did(data, networks):
    fit = Fit(("D1", "D2", "rest"), 40)
    result = train(fit, data, networks)
    assert result.logits["test"].shape == (12, 3)
    assert result.logits["validation"].shape == (6, 3)
    assert (result.logits["test"].argmax(1) == data.labels[48:]).mean() == 1.0
    record = {k: v for k, v in result.record.items() if k not in MEASURED}
    assert record == {"status": "finished", "steps_run": 40, "images": 320, "labels": 42}
    assert result.record["loss_last"] < 0.3 < result.record["loss_first"]


@pytest.mark.parametrize("fit", [M1, GATED_M2, LEARNED, DECOUPLED, PEERS])
def test_same_fit_same_bytes_whatever_ran_before(fit, data, networks):
    arguments = first_state(fit), [first_state(fit, 2)] * len(fit.teachers), start(2)
    first = train(fit, data, networks, *arguments)
    train(Fit(("rest",), 9), data, networks, start(2))
    train(PEERS, data, networks, peer=start(3))
    second = train(fit, data, networks, *arguments)
    assert first.logits["test"].tobytes() == second.logits["test"].tobytes()
    assert all(torch.equal(first.state[key], second.state[key]) for key in first.state)


@pytest.mark.parametrize("fit", TAUGHT.values(), ids=TAUGHT)
def test_teachers_are_bit_identical_afterwards_and_in_eval_mode(fit, data, networks):
    states = [first_state(fit, member) for member in (2, 3)][: len(fit.teachers)]
    before = [{key: value.clone() for key, value in state.items()} for state in states]
    result = train(fit, data, networks, first_state(fit), states)
    for number, (state, kept) in enumerate(zip(states, before, strict=True), start=1):
        network = networks._module(f"teacher {number}", BACKBONE, fit.gate)
        teacher = {key: value.cpu() for key, value in network.network.state_dict().items()}
        assert not any(module.training for module in network.modules())
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert all(torch.equal(kept[key], teacher[key]) for key in kept)  # BatchNorm statistics too
        assert all(torch.equal(kept[key], state[key]) for key in kept)
    assert not torch.equal(result.state["conv1.0.weight"], first_state(fit)["conv1.0.weight"])


def test_student_trains_in_train_mode(data, networks):
    # Its BatchNorm statistics move although the fit before ended in an evaluation.
    train(M1, data, networks)
    assert not networks._module("student", BACKBONE, gate=False).training
    result = train(M1, data, networks)
    assert int(result.state["bn1.num_batches_tracked"]) == 6


def test_each_term_of_the_loss_changes_the_result(data, networks):
    m1 = train(M1, data, networks)
    fits = [
        M2,
        *(
            replace(M2, loss=replace(LOSS, **{name: value}))
            for name, value in (
                ("alpha", 0.0),
                ("beta", 0.0),
                ("temperature", Temperature("constant", 4.0, 4.0)),
                ("temperature", Temperature("cosine", 4.0, 1.0)),
                ("temperature", Temperature("exponential", 4.0, 1.0)),
                ("temperature", Temperature("learned", 1.0, 21.0)),
                ("mixing", "additive"),
                ("squared", False),
            )
        ),
        DECOUPLED,
        Fit(("D2",), 6, M1),
    ]
    bytes_of = {
        train(f, data, networks, m1.state, [m1.state] if f.teachers else []).logits["test"].tobytes()
        for f in fits
    }
    assert len(bytes_of) == len(fits)


def test_a_second_teacher_changes_the_result_and_two_equal_ones_do_not(data, networks):
    m1, other = train(M1, data, networks), train(M1, data, networks, start(2))
    one = train(M2, data, networks, m1.state, [m1.state]).logits["test"]
    twice = train(DENSE, data, networks, m1.state, [m1.state, m1.state]).logits["test"]
    both = train(DENSE, data, networks, m1.state, [m1.state, other.state]).logits["test"]
    np.testing.assert_allclose(twice, one, rtol=1e-4, atol=1e-5)
    assert np.abs(both - one).max() > 1e-3


def test_a_peer_learns_beside_the_student(data, networks):
    result = train(PEERS, data, networks, peer=start(2))
    assert result.record["images"] == 2 * 6 * 8  # both networks see every batch
    peer = networks._module("peer", BACKBONE, gate=False).network.state_dict()["conv1.0.weight"].cpu()
    assert not torch.equal(peer, start(2)["conv1.0.weight"])
    assert not torch.equal(peer, result.state["conv1.0.weight"])
    alone = train(replace(PEERS, loss=Loss()), data, networks)
    assert result.logits["test"].tobytes() != alone.logits["test"].tobytes()


def test_gates_train_and_their_maps_are_transferred(data, networks):
    gated, plain = train(GATED_M1, data, networks, first_state(GATED_M1)), train(M1, data, networks)
    gates = [key for key in gated.state if key.startswith("gates.")]
    assert len(gates) == 4
    assert all(gated.state[key].any() for key in gates)  # they began at zero
    assert gated.logits["test"].tobytes() != plain.logits["test"].tobytes()
    teachers = [first_state(GATED_M2, 2)]
    teachers[0]["gates.0.convolution.weight"] = torch.randn(1, 2, 7, 7)
    fits = [GATED_M2, replace(GATED_M2, loss=replace(LOSS, beta=0.0))]
    with_maps, without = (train(fit, data, networks, gated.state, teachers).logits["test"] for fit in fits)
    assert np.abs(with_maps - without).max() > 1e-4


@pytest.mark.parametrize(("fit", "more"), [(LEARNED, 1), (M2, 0)])
def test_a_learned_temperature_is_one_more_parameter_without_decay(fit, more, data, networks, monkeypatch):
    made = []
    monkeypatch.setattr(torch.optim, "AdamW", lambda groups, **_: made.append(Recorded(groups)) or made[-1])
    train(fit, data, networks, start(), [start(2)])
    (optimiser,) = made
    scalars = [p for group in optimiser.param_groups for p in group["params"] if p.ndim == 0]
    count = sum(len(group["params"]) for group in optimiser.param_groups)
    assert len(scalars) == more
    assert count == len(list(networks._module("student", BACKBONE, gate=False).parameters())) + more
    for scalar in scalars:
        (group,) = (g for g in optimiser.param_groups if any(p is scalar for p in g["params"]))
        assert group["weight_decay"] == 0
        assert scalar.item() != 0  # it moved from its start


def test_permuted_labels_are_a_shuffle_within_the_subset(data, networks, monkeypatch):
    seen = []
    real = fit_module.batch_order

    def whole_subset(count, size, steps, generator):
        order = real(count, size, steps, generator)
        seen.append(count)
        return order

    monkeypatch.setattr(fit_module, "batch_order", whole_subset)
    plain = train(Fit(("rest",), 6), data, networks)
    shuffled = train(Fit(("rest",), 6, permute_labels=True), data, networks)
    assert seen == [18, 18]
    assert plain.logits["test"].tobytes() != shuffled.logits["test"].tobytes()
    views, labels = labelled_batches(Fit(("rest",), 9, permute_labels=True), cell_of(data, networks))
    rows, labels = views.rows.flatten().tolist(), labels.flatten().tolist()
    given = dict(zip(rows, labels, strict=True))
    assert len(given) == 18  # one label an image, the same each time it comes
    assert all(given[row] == label for row, label in zip(rows, labels, strict=True))
    assert sorted(given.values()) == sorted(data.labels[data.parts["rest"]])
    assert [given[row] for row in data.parts["rest"]] != data.labels[data.parts["rest"]].tolist()


def test_batches_hold_the_subset_only(data, networks):
    views, labels = labelled_batches(M2, cell_of(data, networks))
    assert set(views.rows.flatten().tolist()) == set(range(12, 24))
    assert labels.flatten().tolist() == data.labels[views.rows.flatten().cpu().numpy()].tolist()


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
