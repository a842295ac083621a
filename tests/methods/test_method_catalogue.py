"""The declarations against the table of controls: which fits, on which labels, for how many steps."""

import pytest

from weckd.config import BackboneSettings, DistillationSettings
from weckd.errors import UserError
from weckd.methods.catalogue import METHODS, find_method
from weckd.methods.chain import Budget
from weckd.methods.fits import ClassFrequencies, Fit, Initial, Loss, Method
from weckd.methods.losses import Decoupled, Distillation, Mismatched, Mutual, Temperature

S = 40
BUDGET = Budget(S, 3, 10, DistillationSettings(0.5, 2.0, 4.0, 1.0, 3.0), 3)
FALLING, LEVEL = Temperature("linear", 4.0, 1.0), Temperature("constant", 3.0, 3.0)
ANNEALED = Distillation(0.5, 2.0, FALLING)
CONSTANT = Distillation(0.5, 2.0, LEVEL)
M1 = Fit(("D1",), S)
POOLED = ("D1", "D2", "D3")
TRAINING = (*POOLED, "rest")


def chain(loss):
    m2 = Fit(("D2",), S, M1, (M1,) if loss.taught else (), loss)
    m3 = Fit(("D3",), S, m2, (m2,) if loss.taught else (), loss)
    return ((M1,), (m2,), (m3,))


def taught_by_nobody():
    m2 = Fit(("D2",), S, M1, (Initial(1),), ANNEALED)
    return ((M1,), (m2,), (Fit(("D3",), S, m2, (Initial(1),), ANNEALED),))


def fresh_long():
    m2 = Fit(("D2",), S, Initial(1), (M1,), ANNEALED)
    return ((M1,), (m2,), (Fit(("D3",), 3 * S, Initial(1), (m2,), ANNEALED),))


def dense():
    m1, m2, _ = (fit for (fit,) in chain(ANNEALED))
    return ((m1,), (m2,), (Fit(("D3",), S, m2, (m1, m2), ANNEALED),))


def ensemble():
    members = (M1, Fit(("D2",), S, Initial(2)), Fit(("D3",), S, Initial(3)))
    return (members[:1], members[:2], members)


def born_again(parts):
    first = Fit(parts, S)
    second = Fit(parts, S, Initial(2), (first,), CONSTANT)
    return ((first,), (second,), (Fit(parts, S, Initial(3), (second,), CONSTANT),))


def one_step(loss):
    return ((M1,), (Fit(("D2", "D3"), 2 * S, M1, (M1,), loss),))


def snapshot():
    first = Fit(POOLED, S)
    second = Fit(POOLED, S, first)
    third = Fit(POOLED, S, second)
    return ((first,), (first, second), (first, second, third))


EXPECTED = {
    "weckd": chain(ANNEALED),
    "single": ((M1,),),
    "single-long": ((Fit(("D1",), 3 * S),),),
    "pooled": ((Fit(POOLED, 3 * S),),),
    "sequential": chain(Loss()),
    "ensemble": ensemble(),
    "one-step": one_step(CONSTANT),
    "chain-plain": chain(Distillation(0.5, 0.0, LEVEL)),
    "chain-dense": dense(),
    "chain-random": taught_by_nobody(),
    "chain-shuffled": chain(Mismatched(0.5, 2.0, FALLING, other="logits")),
    "attention-other": chain(Mismatched(0.5, 2.0, FALLING, other="maps")),
    "temperature-rising": chain(Distillation(0.5, 2.0, Temperature("linear", 1.0, 4.0))),
    "chain-fresh-long": fresh_long(),
    "attention-only": chain(Distillation(0.0, 2.0, FALLING)),
    "born-again": born_again(("D1",)),
    "born-again-pooled": born_again(POOLED),
    "decoupled": one_step(Decoupled(1.0, 8.0, 4.0, 20 / 240)),
    "mutual": ((Fit(POOLED, 3 * S // 2, loss=Mutual(Initial(2), 1.0)),),),
    "snapshot": snapshot(),
    "full": ((Fit(TRAINING, 3 * S),),),
    "full-converged": ((Fit(TRAINING, 10 * S),),),
    "permuted": ((Fit(TRAINING, 3 * S, permute_labels=True),),),
    "majority": ((ClassFrequencies(TRAINING),),),
}
SEMI_SUPERVISED = ("pseudo-label", "noisy-student", "mean-teacher", "fixmatch")
STEPS = dict.fromkeys([*EXPECTED, *SEMI_SUPERVISED], 3 * S)
STEPS |= {"single": S, "chain-fresh-long": 5 * S, "full-converged": 10 * S, "majority": 0}
DEPLOYED = dict.fromkeys(STEPS, (3 * S,))  # optimiser steps in the weights that predict
DEPLOYED |= {"single": (S,), "born-again": (S,), "born-again-pooled": (S,), "ensemble": (S, S, S)}
DEPLOYED |= {
    "snapshot": (S, 2 * S, 3 * S),
    "mutual": (3 * S // 2,),
    "full-converged": (10 * S,),
    "majority": (),
}
DEPLOYED |= {"pseudo-label": (2 * S,), "noisy-student": (S,)}


def all_fits():
    return list(dict.fromkeys(fit for declare in METHODS.values() for fit in declare(BUDGET).fits()))


def test_these_are_all_the_methods():
    assert set(METHODS) == set(STEPS)


@pytest.mark.parametrize("name", EXPECTED)
def test_method_is_declared_as_in_the_table(name):
    method = find_method(name)(BUDGET)
    assert method.name == name
    assert method.stages == EXPECTED[name]


@pytest.mark.parametrize("name", STEPS)
def test_all_stand_on_equal_steps_but_the_reference_the_bar_and_the_floor(name):
    assert find_method(name)(BUDGET).steps() == STEPS[name]


@pytest.mark.parametrize("name", DEPLOYED)
def test_deployed_steps_are_those_in_the_weights_that_predict(name):
    assert find_method(name)(BUDGET).deployed_steps() == DEPLOYED[name]


@pytest.mark.parametrize(
    ("name", "steps"),
    [("start=fresh", (S,)), ("inference=mean", (S, 2 * S, 3 * S)), ("start=fresh,inference=mean", (S, S, S))],
)
def test_a_fresh_last_model_has_the_steps_of_one_stage(name, steps):
    assert find_method(name)(BUDGET).deployed_steps() == steps


def test_only_the_last_model_tells_a_fresh_chain_from_its_long_twin():
    fresh, long = (find_method(name)(BUDGET).fits() for name in ("start=fresh", "chain-fresh-long"))
    assert fresh[:2] == long[:2]
    assert [fit.steps for fit in long] == [S, S, 3 * S]


def test_two_networks_that_are_trained_at_once_count_twice():
    (fit,) = find_method("mutual")(BUDGET).fits()
    assert (fit.steps, fit.networks) == (60, 2)


def test_roles_say_what_a_method_is_for():
    roles = {}
    for name, declare in METHODS.items():
        roles.setdefault(declare(BUDGET).role, []).append(name)
    assert roles.pop("control") == [
        "single-long",
        "pooled",
        "sequential",
        "ensemble",
        "one-step",
        "chain-plain",
        "chain-dense",
        "chain-random",
        "chain-shuffled",
        "attention-other",
        "temperature-rising",
        "attention-only",
        "born-again",
        "born-again-pooled",
    ]
    assert roles == {
        "chain": ["weckd"],
        "reading": ["chain-fresh-long"],
        "reference": ["single"],
        "rival": ["decoupled", "mutual", "snapshot"],
        "semi-supervised": list(SEMI_SUPERVISED),
        "bar": ["full", "full-converged"],
        "check": ["permuted"],
        "floor": ["majority"],
    }


def test_parents_come_first_and_equal_fits_are_one():
    fits = all_fits()
    for fit in fits:
        assert all(fits.index(parent) < fits.index(fit) for parent in fit.parents())
    # 24 methods of 3 S, one of S, one of 5 S and one of 10 S are 88 S apart. M1 and M2, and S steps on all labels of
    # the stages, are shared by many: 42 fits and 70 S together.
    assert len(fits) == 42
    assert sum(STEPS.values()) == 88 * S
    assert sum(fit.steps * fit.networks for fit in fits) == 70 * S


def test_ingredients_tell_fits_apart():
    fits = all_fits()
    assert len({str(fit.ingredients()) for fit in fits}) == len(fits)


def test_parents_are_the_start_and_the_teachers_in_their_order():
    m2 = Fit(("D2",), S, M1, (M1,), ANNEALED)
    assert M1.parents() == ()
    assert Fit(("D3",), S, m2, (M1, m2), ANNEALED).parents() == (m2, M1, m2)
    assert Fit(("D3",), S, Initial(2), (m2,), ANNEALED).parents() == (m2,)
    assert find_method("chain-dense")(BUDGET).fits() == (M1, m2, Fit(("D3",), S, m2, (M1, m2), ANNEALED))


def test_an_untrained_teacher_is_no_parent_and_its_network_is_like_the_students():
    other = BackboneSettings("resnet50", "random")
    m2 = Fit(("D2",), S, M1, (Initial(1), M1), ANNEALED)
    assert m2.parents() == (M1, M1)
    assert m2.taught_by == (m2, M1)
    assert m2.lineage() == (M1, m2)
    fresh = Fit(("D2",), S, teachers=(Initial(2),), loss=ANNEALED, backbone=other)
    assert fresh.parents() == ()
    assert fresh.taught_by[0].backbone == other
    assert fresh.ingredients()["teachers"] == [{"member": 2}]


@pytest.mark.parametrize(
    ("teachers", "loss"),
    [((M1,), Loss()), ((), ANNEALED), ((), Decoupled(1, 8, 4, 0)), ((M1,), Mutual(Initial(2), 1))],
)
def test_teachers_and_loss_go_together(teachers, loss):
    with pytest.raises(ValueError, match="a fit has teachers and a distillation loss, or neither"):
        Fit(("D2",), S, M1, teachers, loss)


def test_with_more_subsets_than_models_the_rest_of_the_labels_stays_whole():
    budget = Budget(S, 3, 10, BUDGET.losses, 6)
    assert find_method("weckd")(budget).stages == EXPECTED["weckd"]
    assert find_method("pooled")(budget).stages == EXPECTED["pooled"]
    everything = ("D1", "D2", "D3", "D4", "D5", "D6", "rest")
    assert find_method("full")(budget).stages == ((Fit(everything, 3 * S),),)
    assert find_method("majority")(budget).stages == ((ClassFrequencies(everything),),)


@pytest.mark.parametrize("length", [1, 2, 4, 6])
def test_a_pooled_control_has_the_labels_and_the_steps_of_a_chain_of_its_length(length):
    method = find_method(f"pooled-{length}")(Budget(S, 3, 10, BUDGET.losses, 6))
    parts = ("D1", "D2", "D3", "D4", "D5", "D6")[:length]
    assert method.name == f"pooled-{length}"
    if length > 3:
        with pytest.raises(UserError, match=rf"'pooled-{length}': needs {length} subsets, the split holds 3"):
            find_method(f"pooled-{length}")(BUDGET)
    assert method.stages == ((Fit(parts, length * S),),)


def test_a_reading_is_found_by_its_name():
    method = find_method("start=fresh")(BUDGET)
    assert (method.name, method.role, method.question) == (
        "start=fresh",
        "reading",
        "is it start=warm?",
    )
    assert method.steps() == 3 * S
    assert (
        find_method("start=fresh,attention=none")(BUDGET).question == "is it start=warm, attention=transfer?"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "wekd",
            r"no method 'wekd'; did you mean 'weckd'\? Known methods: weckd, single, single-long, pooled",
        ),
        ("pooled-7", r"no method 'pooled-7'; did you mean 'pooled'\?"),
        ("qqq", r"no method 'qqq'\. Known methods: weckd"),
        ("begin=fresh", r"method 'begin=fresh': no choice 'begin'; known: start, teachers, temperature"),
    ],
)
def test_an_unknown_method_names_the_known_ones(name, message):
    with pytest.raises(UserError, match=message):
        find_method(name)


def test_a_fit_cannot_start_from_the_weights_of_another_network():
    first = Fit(("D1",), S, backbone=BackboneSettings("resnet50", "random"))
    with pytest.raises(ValueError, match="a fit starts from the weights of a network like its own"):
        Fit(("D2",), S, first)


def test_a_role_that_no_table_has_a_place_for_is_refused():
    with pytest.raises(
        ValueError, match=r"method mine: role 'rivals' is none of chain, reading, .*, rival, "
    ):
        Method("mine", "question", "rivals", ((Fit(("D1",), S),),))


def test_a_fits_lineage_is_all_that_it_stands_on_once_and_parents_first():
    m1, m2, m3 = find_method("chain-dense")(BUDGET).fits()
    assert m3.lineage() == (m1, m2, m3)
    assert m1.lineage() == (m1,)
