"""The declarations against the table of controls: which fits, on which labels, for how many steps."""

import pytest

from weckd.config import DistillationSettings
from weckd.errors import UserError
from weckd.methods.catalogue import METHODS, Budget, find_method
from weckd.methods.recipe import ClassFrequencies, Distillation, Fit, Initial
from weckd.methods.temperature import temperature_at

S = 40
BUDGET = Budget(S, 3, 10, DistillationSettings(0.5, 2.0, 4.0, 1.0, 3.0))
ANNEALED = Distillation(0.5, 2.0, (4.0, 1.0))
CONSTANT = Distillation(0.5, 2.0, (3.0, 3.0))
PLAIN = Distillation(0.5, 0.0, (3.0, 3.0))
M1 = Fit(("D1",), S)
TRAINING = ("D1", "D2", "D3", "rest")


def chain(loss):
    m2 = Fit(("D2",), S, M1, M1 if loss else None, loss)
    m3 = Fit(("D3",), S, m2, m2 if loss else None, loss)
    return ((M1,), (m2,), (m3,))


def ensemble():
    members = (M1, Fit(("D2",), S, Initial(2)), Fit(("D3",), S, Initial(3)))
    return (members[:1], members[:2], members)


def born_again():
    second = Fit(("D1",), S, Initial(2), M1, CONSTANT)
    return ((M1,), (second,), (Fit(("D1",), S, Initial(3), second, CONSTANT),))


EXPECTED = {
    "weckd": chain(ANNEALED),
    "single": ((M1,),),
    "single-long": ((Fit(("D1",), 3 * S),),),
    "pooled": ((Fit(("D1", "D2", "D3"), 3 * S),),),
    "sequential": chain(None),
    "ensemble": ensemble(),
    "one-step": ((M1,), (Fit(("D2", "D3"), 2 * S, M1, M1, CONSTANT),)),
    "chain-plain": chain(PLAIN),
    "born-again": born_again(),
    "full": ((Fit(TRAINING, 3 * S),),),
    "full-converged": ((Fit(TRAINING, 10 * S),),),
    "permuted": ((Fit(TRAINING, 3 * S, permute_labels=True),),),
    "majority": ((ClassFrequencies(TRAINING),),),
}
STEPS = dict.fromkeys(EXPECTED, 3 * S) | {"single": S, "full-converged": 10 * S, "majority": 0}


@pytest.mark.parametrize("name", METHODS)
def test_method_is_declared_as_in_the_table(name):
    method = find_method(name)(BUDGET)
    assert method.name == name
    assert method.stages == EXPECTED[name]
    assert method.steps() == STEPS[name]


def test_parents_come_first_and_equal_fits_are_one():
    fits = list(dict.fromkeys(f for declare in METHODS.values() for f in declare(BUDGET).fits()))
    assert len(fits) == 17
    for fit in fits:
        assert all(fits.index(parent) < fits.index(fit) for parent in fit.parents())
    # 35 S in place of the 40 S that the methods would take apart.
    assert sum(fit.steps for fit in fits) == 35 * S


def test_ingredients_tell_fits_apart():
    fits = {f for declare in METHODS.values() for f in declare(BUDGET).fits()}
    assert len({str(fit.ingredients()) for fit in fits}) == len(fits)


def test_teacher_and_loss_go_together():
    with pytest.raises(ValueError, match="a teacher and a distillation loss, or neither"):
        Fit(("D2",), S, M1, M1)


def test_unknown_method_names_the_known_ones():
    with pytest.raises(UserError, match=r"no method 'wekd'; did you mean 'weckd'\? .*single-long, pooled"):
        find_method("wekd")


def test_temperature_is_linear_in_the_step():
    assert [temperature_at(step, 4, (4.0, 1.0)) for step in range(4)] == [4.0, 3.0, 2.0, 1.0]
    assert [temperature_at(step, 3, (3.0, 3.0)) for step in range(3)] == [3.0, 3.0, 3.0]
    assert temperature_at(0, 1, (4.0, 1.0)) == 4.0
