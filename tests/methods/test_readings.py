"""The readings: their names, their number, what each declares and how those that are run are drawn."""

from dataclasses import replace
from itertools import pairwise

import pytest

from weckd.config import BackboneSettings, DistillationSettings
from weckd.errors import UserError
from weckd.methods.chain import (
    REFERENCE,
    WHY_OPEN,
    Budget,
    Reading,
    changes_of_size,
    choices,
    drawn_combinations,
    every_combination,
    is_reading,
    one_change_each,
    parse_reading,
    read_chain,
    reading_name,
)
from weckd.methods.fits import Fit
from weckd.methods.losses import Distillation, Temperature

S = 40
BUDGET = Budget(S, 3, 10, DistillationSettings(0.5, 2.0, 4.0, 1.0, 3.0), 6)
LOSS = Distillation(0.5, 2.0, Temperature("linear", 4.0, 1.0))
M1 = Fit(("D1",), S)
M2 = Fit(("D2",), S, M1, (M1,), LOSS)
M3 = Fit(("D3",), S, M2, (M2,), LOSS)
SINGLE_CHANGES = [
    "start=fresh",
    "teachers=all-earlier",
    "temperature=constant",
    "temperature=cosine",
    "temperature=exponential",
    "temperature=learned",
    "attention=none",
    "attention=gate",
    "mixing=additive",
    "squared=no",
    "subsets=overlapping",
    "length=1",
    "length=2",
    "length=4",
    "length=5",
    "length=6",
    "inference=mean",
]


def declared(reading, budget=BUDGET):
    return read_chain(budget, reading, "name", "question", "reading").stages


def changed(name):
    return declared(parse_reading(name))


def test_choices_begin_with_the_reference():
    assert choices() == {
        "start": ("warm", "fresh"),
        "teachers": ("previous", "all-earlier"),
        "temperature": ("linear", "constant", "cosine", "exponential", "learned"),
        "attention": ("transfer", "none", "gate"),
        "mixing": ("convex", "additive"),
        "squared": ("yes", "no"),
        "subsets": ("disjoint", "overlapping"),
        "length": (3, 1, 2, 4, 5, 6),
        "inference": ("last", "mean"),
        "sizes": ("same", "growing", "shrinking"),
    }
    assert Reading(*(options[0] for options in choices().values())) == REFERENCE
    assert list(WHY_OPEN) == list(choices())


def test_one_change_each_is_every_other_option_once():
    # 1 start, 1 teachers, 4 temperatures, 2 attentions, 1 mixing, 1 squared, 1 subsets, 5 lengths, 1 inference: 17.
    assert [reading_name(reading) for reading in one_change_each()] == SINGLE_CHANGES
    assert len(SINGLE_CHANGES) == 1 + 1 + 4 + 2 + 1 + 1 + 1 + 5 + 1


@pytest.mark.parametrize("name", [*SINGLE_CHANGES, "start=fresh,temperature=learned,length=4,inference=mean"])
def test_a_name_and_its_reading_go_to_and_fro(name):
    assert is_reading(name)
    assert reading_name(parse_reading(name)) == name


def test_the_reference_is_called_weckd():
    assert reading_name(REFERENCE) == "weckd"
    assert not is_reading("weckd")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "begin=fresh",
            "no choice 'begin'; known: start, teachers, temperature, attention, mixing, squared, subsets, length, "
            "inference, sizes",
        ),
        (
            "start=fresh,",
            "no choice ''; known: start, teachers, temperature, attention, mixing, squared, subsets, "
            "length, inference, sizes",
        ),
        ("attention=no", "attention cannot be 'no'; known: transfer, none, gate"),
        ("length=7", "length cannot be '7'; known: 3, 1, 2, 4, 5, 6"),
        ("length=4,start=fresh", "write it as 'start=fresh,length=4'"),
        ("start=fresh,start=fresh", "write it as 'start=fresh'"),
        ("start=warm,length=4", "write it as 'length=4'"),
        ("start=warm", "write it as 'weckd'"),
    ],
)
def test_a_wrong_name_is_refused_with_what_would_be_right(name, message):
    with pytest.raises(UserError) as refusal:
        parse_reading(name)
    assert str(refusal.value) == f"method {name!r}: {message}"


def test_the_reference_is_the_chain():
    assert declared(REFERENCE) == ((M1,), (M2,), (M3,))


def test_a_fresh_start_is_the_initial_state_of_m1():
    m2 = Fit(("D2",), S, teachers=(M1,), loss=LOSS)
    assert changed("start=fresh") == ((M1,), (m2,), (Fit(("D3",), S, teachers=(m2,), loss=LOSS),))


def test_all_earlier_models_teach_in_their_order():
    assert changed("teachers=all-earlier") == ((M1,), (M2,), (replace(M3, teachers=(M1, M2)),))


@pytest.mark.parametrize(
    ("change", "loss"),
    [
        ("temperature=constant", replace(LOSS, temperature=Temperature("constant", 3.0, 3.0))),
        ("temperature=cosine", replace(LOSS, temperature=Temperature("cosine", 4.0, 1.0))),
        ("temperature=exponential", replace(LOSS, temperature=Temperature("exponential", 4.0, 1.0))),
        ("temperature=learned", replace(LOSS, temperature=Temperature("learned", 1.0, 21.0))),
        ("attention=none", replace(LOSS, beta=0.0)),
        ("mixing=additive", replace(LOSS, mixing="additive")),
        ("squared=no", replace(LOSS, squared=False)),
    ],
)
def test_the_loss_changes_in_what_is_named_and_in_nothing_else(change, loss):
    m2 = replace(M2, loss=loss)
    assert changed(change) == ((M1,), (m2,), (Fit(("D3",), S, m2, (m2,), loss),))


def test_gates_are_in_every_model_and_their_maps_weigh_beta():
    m1 = replace(M1, gate=True)
    m2 = Fit(("D2",), S, m1, (m1,), LOSS, gate=True)
    assert changed("attention=gate") == ((m1,), (m2,), (Fit(("D3",), S, m2, (m2,), LOSS, gate=True),))


def test_overlapping_subsets_are_drawn_anew_after_the_first():
    m2 = replace(M2, parts=("E2",))
    assert changed("subsets=overlapping") == ((M1,), (m2,), (Fit(("E3",), S, m2, (m2,), LOSS),))


@pytest.mark.parametrize("length", [1, 2, 4, 5, 6])
def test_a_chain_of_another_length_has_steps_and_a_subset_for_each_model(length):
    stages = changed(f"length={length}")
    assert stages[:3] == ((M1,), (M2,), (M3,))[:length]
    assert [fit.parts for (fit,) in stages] == [(f"D{number}",) for number in range(1, length + 1)]
    assert all(fit.steps == S for (fit,) in stages)
    assert all(fit.teachers == before and fit.start == before[0] for before, (fit,) in pairwise(stages))


def test_the_mean_counts_all_models_up_to_a_stage():
    assert changed("inference=mean") == ((M1,), (M1, M2), (M1, M2, M3))


def test_several_changes_are_declared_together():
    first = Fit(("D1",), S, gate=True)
    loss = replace(LOSS, temperature=Temperature("learned", 1.0, 21.0))
    second = Fit(("E2",), S, teachers=(first,), loss=loss, gate=True)
    found = changed(
        "start=fresh,temperature=learned,attention=gate,subsets=overlapping,length=2,inference=mean"
    )
    assert found == ((first,), (first, second))


def test_the_chain_has_the_suites_length_where_the_reading_leaves_it():
    budget = replace(BUDGET, stages=5)
    assert declared(REFERENCE, budget) == changed("length=5")
    assert len(declared(replace(REFERENCE, length=2), budget)) == 2


def test_a_split_with_too_few_subsets_is_refused():
    with pytest.raises(UserError) as refusal:
        read_chain(
            replace(BUDGET, subset_count=3), replace(REFERENCE, length=5), "length=5", "question", "reading"
        )
    assert str(refusal.value) == (
        "method 'length=5': needs 5 subsets, the split holds 3; set split.stages to 5"
    )


def test_no_two_readings_of_the_grid_declare_the_same_chain():
    # Start, teachers, mixing, squared, subsets and inference have 2 options, temperature 5 and attention 3: 2^6 15 =
    # 960 for each length from 2 to 6, 4800 in all. With two models all earlier ones are the predecessor: 480 fewer.
    # A chain of one is `single` however it is read, and is none of them.
    grid = every_combination()
    assert len(grid) == 4320
    assert REFERENCE in grid
    numbers = {}
    assert len({shape_of(declared(reading), numbers) for reading in grid}) == len(grid)


def shape_of(stages, numbers):
    """Return stages with each fit named by a number of its own (a fit holds its parents, and they theirs)."""

    def number(fit):
        teachers = tuple(number(teacher) for teacher in fit.teachers)
        start = number(fit.start) if isinstance(fit.start, Fit) else fit.start
        key = (fit.parts, fit.steps, start, teachers, fit.loss, fit.gate)
        return numbers.setdefault(key, len(numbers))

    return tuple(tuple(number(fit) for fit in members) for members in stages)


def test_drawn_combinations_differ_from_the_reference_in_two_choices_or_more():
    drawn = drawn_combinations(16, 1)
    assert len(set(drawn)) == 16
    assert all(reading.length == 3 for reading in drawn)
    assert all("," in reading_name(reading) for reading in drawn)
    # Of the 960 chains of three, one is the reference and 12 are single changes.
    assert len(drawn_combinations(10_000, 1)) == 960 - 13


def test_drawn_combinations_are_those_of_their_seed():
    assert drawn_combinations(16, 1) == drawn_combinations(16, 1)
    assert drawn_combinations(16, 1) != drawn_combinations(16, 2)
    assert set(drawn_combinations(16, 1)) < set(drawn_combinations(20, 1))  # more of them change none
    assert [reading_name(reading) for reading in drawn_combinations(2, 1)] == [
        "teachers=all-earlier,temperature=constant,attention=gate,mixing=additive,subsets=overlapping,inference=mean",
        "start=fresh,temperature=constant,attention=none,squared=no,subsets=overlapping",
    ]


SMALL, OWN, LARGE, LARGEST = (BackboneSettings(name, "random") for name in ("s", "m", "l", "xl"))
SIZED = replace(BUDGET, backbone=OWN, backbone_sizes=(SMALL, OWN, LARGE, LARGEST))


def test_a_growing_chain_has_one_size_more_a_stage_from_the_suites_own_and_begins_afresh():
    m1 = Fit(("D1",), S)
    m2 = Fit(("D2",), S, teachers=(m1,), loss=LOSS, backbone=LARGE)
    m3 = Fit(("D3",), S, teachers=(m2,), loss=LOSS, backbone=LARGEST)
    assert declared(parse_reading("start=fresh,sizes=growing"), SIZED) == ((m1,), (m2,), (m3,))


def test_a_shrinking_chain_has_one_size_less_a_stage():
    budget = replace(SIZED, backbone=LARGE)
    stages = declared(parse_reading("start=fresh,sizes=shrinking"), budget)
    assert [fit.backbone for (fit,) in stages] == [None, OWN, SMALL]


def test_sizes_are_run_where_the_suite_names_enough():
    growing, shrinking = (parse_reading(f"start=fresh,sizes={sizes}") for sizes in ("growing", "shrinking"))
    assert changes_of_size(SIZED) == (growing,)
    assert changes_of_size(replace(SIZED, backbone=LARGEST)) == (shrinking,)
    assert changes_of_size(replace(SIZED, backbone_sizes=(SMALL, OWN, LARGE, LARGEST, SMALL)[:2])) == ()
    assert changes_of_size(BUDGET) == ()
    assert not any(reading.sizes != "same" for reading in (*one_change_each(), *every_combination()))


@pytest.mark.parametrize(
    ("name", "budget", "message"),
    [
        (
            "sizes=growing",
            SIZED,
            "a network cannot start from the weights of one of another size; add start=fresh",
        ),
        (
            "start=fresh,sizes=shrinking",
            SIZED,
            "needs 2 networks smaller than the suite's; backbone_sizes names 1",
        ),
        (
            "start=fresh,length=4,sizes=growing",
            SIZED,
            "needs 3 networks larger than the suite's; backbone_sizes names 2",
        ),
        (
            "start=fresh,sizes=growing",
            BUDGET,
            "needs 2 networks larger than the suite's; backbone_sizes names 0",
        ),
    ],
)
def test_sizes_that_the_suite_lacks_are_refused(name, budget, message):
    with pytest.raises(UserError) as refusal:
        read_chain(budget, parse_reading(name), name, "question", "reading")
    assert str(refusal.value) == f"method {name!r}: {message}"
