"""Teachers that are shown another image: which image that is, and which of their terms are of it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_cell import cell_of, toy_data, toy_setup
from toy_cell import toy_state as start

from weckd.methods.fits import Fit
from weckd.methods.losses import Distillation, Mismatched, Temperature
from weckd.seeds import generator
from weckd.training.fit import run_fit
from weckd.training.objectives import mismatched
from weckd.training.objectives.distillation import distillation_loss
from weckd.training.objectives.mismatched import drawn_partners, possible_partners
from weckd.training.optimisation import Given, make_objective

M1 = Fit(("D1",), 6)
PLAIN = Fit(("D2",), 6, M1, (M1,), Distillation(0.5, 2.0, Temperature("linear", 4.0, 1.0)))
LOGITS, MAPS = (
    replace(PLAIN, loss=Mismatched(**vars(PLAIN.loss), other=other)) for other in ("logits", "maps")
)


@pytest.fixture(scope="module")
def data(networks):
    return toy_data(12, 12, networks.device)


# Rows 2 to 9 are the subset; class 0 has groups a, a, b, class 1 one group of two images, class 2 one image.
LABELS = np.array([0, 1, 0, 0, 0, 1, 1, 2, 0, 2])
GROUPS = np.array(["a", "c", "a", "a", "b", "c", "c", "d", "a", "z"])
ROWS = np.array([2, 3, 4, 5, 6, 7])


def test_a_partner_is_of_the_same_class_and_of_another_group_where_there_is_one():
    found = {row: others.tolist() for row, others in possible_partners(ROWS, LABELS, GROUPS).items()}
    assert found == {2: [4], 3: [4], 4: [2, 3], 5: [6], 6: [5], 7: [7]}


def test_every_choice_is_as_likely_as_any():
    rows, labels = np.arange(4), np.zeros(4, dtype=np.int64)
    choices = possible_partners(rows, labels, np.array(["a", "b", "c", "d"]))
    shown = np.resize(rows, (3000, 4))
    partners = drawn_partners(shown, choices, np.random.default_rng(1))
    counts = Counter(zip(shown.ravel().tolist(), partners.ravel().tolist(), strict=True))
    assert sorted(counts) == [(row, other) for row in range(4) for other in range(4) if other != row]
    assert all(abs(count - 1000) < 5 * (3000 * 2 / 9) ** 0.5 for count in counts.values())  # 5 SD


def objective_of(fit, data, networks):
    student, teacher = networks.student(fit, start(1)), start(2)
    teacher["fc.weight"] *= 50  # it tells images apart
    setup, views, labels = toy_setup(fit, data, networks, student, [teacher])
    return make_objective(setup), views, labels


@pytest.mark.parametrize("fit", [LOGITS, MAPS])
def test_partners_are_of_the_fits_own_subset_and_class_and_never_the_image_itself(fit, data, networks):
    objective, views, labels = objective_of(fit, data, networks)
    shown, partners = (each.rows.cpu().numpy() for each in (views, objective.others))
    assert shown.shape == partners.shape == (6, 8)
    assert set(partners.ravel()) <= set(data.parts["D2"])
    assert (data.labels[partners] == labels.cpu().numpy()).all()
    assert (partners != shown).all()
    assert objective.counts == {"without_partner": 0}
    # Independently: the k-th of the four images of a class, whose own place is skipped.
    draws = generator("partners", "toy", 1, "D2", 6).random((6, 8))
    for row, partner, draw in zip(shown.ravel(), partners.ravel(), draws.ravel(), strict=True):
        others = [x for x in range(12, 24) if x % 3 == row % 3 and x != row]
        assert partner == others[int(draw * 3)]


def test_partners_are_drawn_from_a_stream_of_their_own(data, networks):
    plain, logits, maps = (objective_of(fit, data, networks) for fit in (PLAIN, LOGITS, MAPS))
    for _, views, labels in (logits, maps):
        assert torch.equal(views.rows, plain[1].rows)
        assert torch.equal(labels, plain[2])
    assert torch.equal(logits[0].others.rows, maps[0].others.rows)
    assert all(
        torch.equal(a, b) for a, b in zip(logits[0].others.draws, plain[1].draws, strict=True)
    )  # the same augmentation


@pytest.mark.parametrize("fit", [LOGITS, MAPS])
def test_only_the_named_terms_are_the_partners(fit, data, networks):
    objective, views, labels = objective_of(fit, data, networks)
    (teacher,) = objective.teachers
    for step in (0, 3, 5):
        loss = objective.loss(step, views.at(step), labels[step])
        own, partner = views.at(step), replace(views, rows=objective.others.rows).at(step)
        logits, maps = objective.student.with_features(own, [1, 2])
        (own_logits, own_maps), (partner_logits, partner_maps) = (
            teacher.with_features(shown, [1, 2]) for shown in (own, partner)
        )
        taught = (partner_logits, own_maps) if fit is LOGITS else (own_logits, partner_maps)
        temperature = 4.0 - 3.0 * step / 5
        expected = distillation_loss(
            logits, taught[:1], labels[step], maps, taught[1:], PLAIN.loss, temperature
        )
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
        plain = distillation_loss(
            logits, [own_logits], labels[step], maps, [own_maps], PLAIN.loss, temperature
        )
        assert abs(loss.item() - plain.item()) > 1e-4
    at = torch.tensor([5], device=labels.device)  # as a captured step is told where it is
    assert objective.loss(at, views.at(at), labels[5]).item() == loss.item()
    loss.backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())


def trained(fit, data, networks):
    return run_fit(fit, cell_of(data, networks), Given(start(), [start(2)]))


@pytest.mark.parametrize("fit", [LOGITS, MAPS])
def test_a_teacher_that_is_shown_the_same_image_gives_the_chains_bytes(fit, data, networks, monkeypatch):
    plain, other = (trained(each, data, networks) for each in (PLAIN, fit))
    assert plain.logits["test"].tobytes() != other.logits["test"].tobytes()
    monkeypatch.setattr(mismatched, "drawn_partners", lambda shown, *_: shown)
    same = trained(fit, data, networks)
    assert same.logits["test"].tobytes() == plain.logits["test"].tobytes()
    assert all(torch.equal(plain.state[key], same.state[key]) for key in plain.state)


def test_an_image_that_is_alone_in_its_class_is_its_own_partner_and_counted(data, networks):
    alone = replace(data, parts={**data.parts, "D2": np.array([12, 13, 15, 16, 20])})  # class 2: row 20 alone
    objective, views, _ = objective_of(LOGITS, alone, networks)
    here = views.rows == 20
    assert here.any()
    assert (objective.others.rows[here] == 20).all()
    assert (objective.others.rows[~here] != views.rows[~here]).all()
    record = trained(LOGITS, alone, networks).record
    assert (record["without_partner"], record["labels"], record["images"]) == (1, 5, 48)
    assert "without_partner" not in trained(PLAIN, alone, networks).record
