"""What each objective makes of a step: which networks see the views, at which temperature, with which weights."""

import ast
import math
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import pytest
import torch
from torch import nn
from toy_cell import setup_of, toy_data, toy_networks, toy_setup, toy_state

import weckd.methods.catalogue  # noqa: F401 - declares every loss
from weckd.methods import losses
from weckd.methods.fits import Fit, Initial, Loss
from weckd.methods.losses import Decoupled, Distillation, LogitLoss, Mutual, Temperature
from weckd.training import objectives
from weckd.training.gate import SpatialGate, with_gates
from weckd.training.objectives.distillation import Distilled, distillation_loss
from weckd.training.objectives.rivals import DecoupledDistilled, MutuallyTaught, decoupled_loss, mutual_loss
from weckd.training.optimisation import Objective, make_objective

FALLING = Temperature("linear", 4.0, 1.0)
M1 = Fit(("D1",), 6)


class Toy(nn.Module):
    """A linear network of 4x4 images that remembers what it was shown."""

    def __init__(self, seed, classes=3):
        super().__init__()
        torch.manual_seed(seed)
        self.head = nn.Linear(48, classes)
        self.shown = []

    def forward(self, views):
        self.shown.append(views)
        return self.head(views.flatten(1))


class GatedToy(Toy):
    """The same with one gate on the images."""

    def __init__(self, seed):
        super().__init__(seed)
        self.gates = nn.ModuleList([SpatialGate()])

    def forward(self, views):
        return super().forward(self.gates[0](views))


@pytest.fixture
def batch():
    torch.manual_seed(9)
    return torch.randn(5, 3, 4, 4), torch.tensor([0, 1, 2, 0, 1])


def test_supervised_is_cross_entropy(batch):
    student = Toy(1)
    nn.init.zeros_(student.head.weight)
    nn.init.zeros_(student.head.bias)
    objective = Objective(setup_of(student))
    assert objective.loss(0, *batch).item() == pytest.approx(math.log(3))
    assert objective.trained == [student]


@pytest.mark.parametrize(("step", "temperature"), [(0, 4.0), (1, 3.0), (3, 1.0)])
def test_student_and_teachers_see_the_same_views_at_the_steps_temperature(batch, step, temperature):
    views, labels = batch
    student, teachers = Toy(1), [Toy(2), Toy(3)]
    settings = Distillation(0.5, 0.0, FALLING)
    objective = Distilled(setup_of(student, settings, 4, teachers))
    loss = objective.loss(step, views, labels)
    for network in (student, *teachers):
        assert [id(shown) for shown in network.shown] == [id(views)]
    expected = distillation_loss(
        student(views), [teacher(views) for teacher in teachers], labels, [], [[], []], settings, temperature
    )
    assert loss.item() == expected.item()
    assert objective.trained == [student]


def test_no_gradient_is_kept_for_teachers(batch):
    student, teachers = Toy(1), [Toy(2), Toy(3)]
    for objective in (
        Distilled(setup_of(student, Distillation(0.5, 0.0, FALLING), 4, teachers)),
        DecoupledDistilled(setup_of(student, Decoupled(1, 8, 4, 0), 4, teachers[:1])),
    ):
        student.zero_grad()
        objective.loss(0, *batch).backward()
        assert float(student.head.weight.grad.abs().sum()) > 0
        assert all(teacher.head.weight.grad is None for teacher in teachers)


def test_feature_maps_of_the_named_stages_are_compared():
    networks = toy_networks(torch.device("cpu"))
    student = networks.student(M1, toy_state(1)).eval()
    (teacher,) = networks.teachers([M1], [toy_state(2)])
    views, labels = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    settings = Distillation(0.5, 7.0, FALLING)
    found = Distilled(setup_of(student, settings, 4, [teacher], stages=[1, 2])).loss(0, views, labels)
    own, own_maps = student.with_features(views, [1, 2])
    other, other_maps = teacher.with_features(views, [1, 2])
    assert [tuple(m.shape[1:]) for m in own_maps] == [(32, 8, 8), (48, 4, 4)]
    expected = distillation_loss(own, [other], labels, own_maps, [other_maps], settings, 4.0)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_gated_networks_compare_the_maps_of_their_gates():
    # Views of 1 at one position and -1 elsewhere. The student's gate is at its start: a map of ones, Q = 1/4 at each
    # of 16 positions; the teacher's weighs the mean by 50: 2 there and 0 elsewhere. 9/16 + 15/16 = 1.5, times beta.
    student, teacher = GatedToy(1), GatedToy(2)
    teacher.gates[0].convolution.weight.data[0, 0, 3, 3] = 50.0
    views, labels = -torch.ones(2, 3, 4, 4), torch.tensor([0, 1])
    views[..., 1, 2] = 1.0
    settings = Distillation(0.0, 10.0, FALLING)
    with_maps = Distilled(setup_of(student, settings, 4, [teacher], stages=[1], gate=True)).loss(
        0, views, labels
    )
    assert with_maps.item() == pytest.approx(
        Objective(setup_of(student)).loss(0, views, labels).item() + 10 * 1.5, rel=1e-5
    )
    with_maps.backward()
    assert float(student.gates[0].convolution.weight.grad.abs().sum()) > 0
    assert teacher.gates[0].convolution.weight.grad is None


@pytest.mark.parametrize(
    ("warmup", "steps", "ramps"),
    [(0.5, 8, [1 / 4, 1 / 2, 3 / 4, 1, 1, 1, 1, 1]), (20 / 240, 6, [1, 1, 1, 1, 1, 1]), (0.0, 2, [1, 1])],
)
def test_decoupled_weights_rise_over_the_warm_up(batch, warmup, steps, ramps):
    views, labels = batch
    student, teacher = Toy(1), Toy(2)
    settings = Decoupled(1, 8, 4, warmup)
    objective = DecoupledDistilled(setup_of(student, settings, steps, [teacher]))
    found = [objective.loss(step, views, labels).item() for step in range(steps)]
    logits = student(views), teacher(views)
    assert found == pytest.approx(
        [decoupled_loss(*logits, labels, settings, ramp).item() for ramp in ramps], rel=1e-6
    )
    assert len(set(ramps)) == len({round(loss, 6) for loss in found})


def test_peers_learn_from_each_other_and_are_both_trained(batch):
    views, labels = batch
    student, peer = Toy(1), Toy(2)
    objective = MutuallyTaught(setup_of(student, Mutual(Initial(2), 2.0), peer=peer))
    loss = objective.loss(0, views, labels)
    assert loss.item() == mutual_loss(student(views), peer(views), labels, 2.0).item()
    assert objective.trained == [student, peer]
    loss.backward()
    assert all(float(network.head.weight.grad.abs().sum()) > 0 for network in (student, peer))


LOSS = Distillation(0.5, 2.0, FALLING)
TAUGHT = Fit(("D2",), 6, M1, (M1,), LOSS)


@pytest.mark.parametrize(
    ("fit", "kind"),
    [
        (M1, Objective),
        (TAUGHT, Distilled),
        (Fit(("D2",), 6, M1, (M1,), Decoupled(1, 8, 4, 0)), DecoupledDistilled),
        (Fit(("D2",), 6, loss=Mutual(Initial(2), 1.0)), MutuallyTaught),
    ],
)
def test_the_declared_loss_chooses_the_objective(fit, kind):
    objective = made(fit)
    assert type(objective) is kind
    assert objective.trained[0] is objective.student


def made(fit):
    """Return the objective of a fit whose student has the first initial state, teachers and peer the second."""
    networks = toy_networks(torch.device("cpu"))
    first, second = toy_state(1), toy_state(2)
    if fit.gate:
        first, second = with_gates(first, 2), with_gates(second, 2)
    student = networks.student(fit, first)
    teachers = [second] * len(fit.teachers)
    return make_objective(
        toy_setup(fit, toy_data(6, 6, networks.device), networks, student, teachers, second)[0]
    )


def test_maps_are_compared_where_beta_asks_for_it_and_of_gates_where_there_are_any():
    assert made(TAUGHT).stages == [[1, 2], [1, 2]]
    assert not made(TAUGHT).gated
    plain = Fit(("D2",), 6, M1, (M1,), Distillation(0.5, 0.0, FALLING))
    assert made(plain).stages == [[], []]
    gated_m1 = Fit(("D1",), 6, gate=True)
    gated = made(Fit(("D2",), 6, gated_m1, (gated_m1,), LOSS, gate=True))
    assert gated.gated
    assert all(len(network.gates) == 2 for network in (gated.student, *gated.teachers))


def test_a_dense_fit_has_all_its_teachers():
    m2 = Fit(("D2",), 6, M1, (M1,), LOSS)
    assert len(made(Fit(("rest",), 6, m2, (M1, m2), LOSS)).teachers) == 2


def test_a_learned_temperature_is_trained_beside_the_student_and_a_scheduled_one_is_not():
    learned = Distillation(0.5, 0.0, Temperature("learned", 1.0, 21.0))
    objective = made(Fit(("D2",), 6, M1, (M1,), learned))
    assert objective.trained == [objective.student, objective.learned]
    assert len(made(TAUGHT).trained) == 1


@dataclass(frozen=True)
class Halved(LogitLoss):
    function = f"{__name__}:halved"
    weight: float

    def half(self):
        return self.weight / 2


def halved(student_logits, teacher_logits, labels, settings):
    shift = settings.half() if labels.sum() == 0 else settings.weight
    return (student_logits - teacher_logits).square().mean() * shift


def test_a_declared_function_gets_the_fields_of_its_settings_and_no_code_of_theirs(batch):
    objective = made(Fit(("D2",), 6, M1, (M1,), Halved(weight=3.0)))
    views = torch.randn(2, 3, 32, 32)
    distance = (objective.student(views) - objective.teachers[0](views)).square().mean()
    assert objective.loss(0, views, torch.tensor([0, 1])).item() == pytest.approx(3 * distance.item())
    with pytest.raises(AttributeError, match="half"):
        objective.loss(0, views, torch.tensor([0, 0]))


def test_objectives_use_the_fields_of_declarations_alone():
    # Of every loss that the catalogue knows, in whatever module it is declared.
    kinds = [kind for kind in vars(losses).values() if isinstance(kind, type) and is_dataclass(kind)]
    waiting = [Loss]
    while waiting:
        kinds.append(waiting.pop())
        waiting += kinds[-1].__subclasses__()
    known = {field.name for kind in kinds for field in fields(kind)} | {"function"}
    for file in Path(objectives.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                owner = (
                    node.value.attr
                    if isinstance(node.value, ast.Attribute)
                    else getattr(node.value, "id", "")
                )
                if owner in ("loss", "settings", "temperature"):
                    assert node.attr in known, f"{file.name}: {node.attr}"
