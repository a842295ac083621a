"""What is tuned of each method, in which range, and that a value reaches every fit of it."""

from dataclasses import dataclass, replace

import pytest

from weckd.config import DistillationSettings
from weckd.methods import losses
from weckd.methods.catalogue import METHODS, find_method
from weckd.methods.chain import Budget
from weckd.methods.fits import ClassFrequencies, Fit, Initial, Loss, Method, Range
from weckd.methods.losses import (
    Decoupled,
    Distillation,
    FixMatch,
    LogitLoss,
    MeanTeacher,
    Mismatched,
    Mutual,
    Temperature,
)
from weckd.methods.tunables import Tunable, tunables_of, with_values

S = 40
LOSSES = DistillationSettings(0.5, 2.0, 4.0, 1.0, 3.0)
BUDGET = Budget(S, 3, 10, LOSSES, 6)
PEAK = 0.008

RATE = Tunable("learning_rate", 0.001, 0.064, log=True, default=0.008)
ALPHA = Tunable("alpha", 0.05, 0.95, log=False, default=0.5)
FALLING = Tunable("temperature", 1.0, 10.0, log=True, default=4.0)
LEVEL = Tunable("temperature", 1.0, 10.0, log=True, default=3.0)
EXPECTED = {
    "weckd": (RATE, ALPHA, FALLING),
    "single": (RATE,),
    "single-long": (RATE,),
    "pooled": (RATE,),
    "sequential": (RATE,),
    "ensemble": (RATE,),
    "one-step": (RATE, ALPHA, LEVEL),
    "chain-plain": (RATE, ALPHA, LEVEL),
    "chain-dense": (RATE, ALPHA, FALLING),
    "chain-random": (RATE, ALPHA, FALLING),
    "chain-shuffled": (RATE, ALPHA, FALLING),
    "attention-other": (RATE, ALPHA, FALLING),
    "temperature-rising": (RATE, ALPHA, FALLING),
    "chain-fresh-long": (RATE, ALPHA, FALLING),
    "attention-only": (RATE, Tunable("beta", 0.1, 10.0, log=True, default=2.0)),
    "born-again": (RATE, ALPHA, LEVEL),
    "born-again-pooled": (RATE, ALPHA, LEVEL),
    "decoupled": (
        RATE,
        Tunable("others", 1.0, 16.0, log=True, default=8.0),
        Tunable("temperature", 1.0, 10.0, log=True, default=4.0),
    ),
    "mutual": (RATE, Tunable("temperature", 1.0, 10.0, log=True, default=1.0)),
    "snapshot": (RATE,),
    "pseudo-label": (RATE,),
    "noisy-student": (RATE,),
    "mean-teacher": (RATE, Tunable("weight", 1.0, 1000.0, log=True, default=100.0)),
    "fixmatch": (
        RATE,
        Tunable("weight", 0.1, 10.0, log=True, default=1.0),
        Tunable("threshold", 0.5, 0.99, log=False, default=0.95),
    ),
    "full": (RATE,),
    "full-converged": (RATE,),
    "permuted": (),
    "majority": (),
    # Readings: any curve is tuned by its highest temperature; a learned one has CTKD's own bounds.
    "temperature=constant": (RATE, ALPHA, LEVEL),
    "temperature=cosine": (RATE, ALPHA, FALLING),
    "temperature=exponential": (RATE, ALPHA, FALLING),
    "temperature=learned": (RATE, ALPHA),
    "attention=gate": (RATE, ALPHA, FALLING),
    "mixing=additive": (RATE, ALPHA, FALLING),
    "start=fresh,teachers=all-earlier,length=6": (RATE, ALPHA, FALLING),
    "length=1": (RATE,),
    "pooled-4": (RATE,),
}


def method_of(name, **losses):
    return find_method(name)(replace(BUDGET, losses=replace(LOSSES, **losses)))


def tunables(name, **losses):
    """Return a method's tunables by name."""
    return {tunable.name: tunable for tunable in tunables_of(method_of(name, **losses), PEAK)}


def inner_values(name):
    """Return for each tunable a value in its range that is not the committed one."""
    return {tunable.name: (tunable.default + tunable.high) / 2 for tunable in EXPECTED[name]}


def other_chain(values, budget=BUDGET):
    """Return the chain M1 -> M2 -> M3 by hand, with these three values."""
    rate, alpha, temperature = values
    loss = Distillation(alpha, 2.0, Temperature("linear", temperature, 1.0))
    m1 = Fit(("D1",), budget.steps, learning_rate=rate)
    m2 = Fit(("D2",), budget.steps, m1, (m1,), loss, learning_rate=rate)
    return m1, m2, Fit(("D3",), budget.steps, m2, (m2,), loss, learning_rate=rate)


def test_every_method_of_the_catalogue_is_in_the_table():
    assert set(METHODS) <= set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_tunables_of_a_method(name):
    assert tunables_of(method_of(name), PEAK) == EXPECTED[name]


LOSS_KINDS = [kind for kind in vars(losses).values() if isinstance(kind, type) and issubclass(kind, Loss)]


@pytest.mark.parametrize("kind", LOSS_KINDS, ids=lambda kind: kind.__name__)
def test_every_loss_says_what_is_tuned_of_it_by_the_names_of_its_fields(kind):
    assert set(kind.ranges) <= set(kind.__dataclass_fields__)


@pytest.mark.parametrize("name", EXPECTED)
def test_values_reach_every_fit(name):
    # What is committed in the changed method is read from all its fits; two that differ would be refused.
    changed = with_values(method_of(name), inner_values(name))
    assert {tunable.name: tunable.default for tunable in tunables_of(changed, PEAK)} == inner_values(name)
    rate = inner_values(name).get("learning_rate")
    assert all(fit.learning_rate == rate for fit in changed.fits())


@pytest.mark.parametrize("name", EXPECTED)
def test_values_leave_the_shape_of_a_method_as_it_is(name):
    method = method_of(name)
    changed = with_values(method, inner_values(name))
    before, after = method.fits(), changed.fits()
    assert [(fit.parts, fit.steps, fit.gate, fit.unlabelled, fit.permute_labels) for fit in after] == [
        (fit.parts, fit.steps, fit.gate, fit.unlabelled, fit.permute_labels) for fit in before
    ]
    assert [[before.index(parent) for parent in fit.parents()] for fit in before] == [
        [after.index(parent) for parent in fit.parents()] for fit in after
    ]
    assert [
        [isinstance(member, Fit) and before.index(member) for member in stage] for stage in method.stages
    ] == [[isinstance(member, Fit) and after.index(member) for member in stage] for stage in changed.stages]
    assert (changed.name, changed.question, changed.role) == (method.name, method.question, method.role)


@pytest.mark.parametrize("name", EXPECTED)
def test_no_values_give_an_equal_method(name):
    assert with_values(method_of(name), {}) == method_of(name)


@pytest.mark.parametrize("name", EXPECTED)
def test_committed_values_change_nothing_but_that_the_rate_is_written_out(name):
    method = method_of(name)
    settings = {
        tunable.name: tunable.default for tunable in EXPECTED[name] if tunable.name != "learning_rate"
    }
    assert with_values(method, settings) == method


def test_the_three_settings_of_the_chain():
    changed = with_values(method_of("weckd"), {"learning_rate": 0.01, "alpha": 0.25, "temperature": 2.5})
    assert changed.stages == tuple((fit,) for fit in other_chain((0.01, 0.25, 2.5)))


def test_one_setting_alone_leaves_the_others():
    changed = with_values(method_of("weckd"), {"alpha": 0.25})
    assert changed.stages == tuple((fit,) for fit in other_chain((None, 0.25, 4.0)))


def test_tuned_m1_is_one_fit_in_its_method_and_with_the_reference_of_the_same_rate():
    values = {"learning_rate": 0.01, "alpha": 0.25, "temperature": 2.5}
    dense = with_values(method_of("chain-dense"), values)
    m1, m2, m3 = dense.fits()
    assert m3.teachers == (m1, m2)
    assert m3.teachers[0] is m2.start is m2.teachers[0] is dense.stages[0][0]
    assert m3.start is m3.teachers[1] is dense.stages[1][0]
    assert with_values(method_of("single"), {"learning_rate": 0.01}).stages == ((m1,),)


def test_a_level_temperature_stays_level_and_a_falling_one_keeps_its_end():
    level = with_values(method_of("one-step"), {"temperature": 2.5}).fits()[-1]
    assert level.loss.temperature == Temperature("constant", 2.5, 2.5)
    falling = with_values(method_of("temperature=cosine"), {"temperature": 2.5}).fits()[-1]
    assert falling.loss.temperature == Temperature("cosine", 2.5, 1.0)
    rising = with_values(method_of("temperature-rising"), {"temperature": 2.5}).fits()[-1]
    assert rising.loss.temperature == Temperature("linear", 1.0, 2.5)


def test_other_losses_keep_what_is_not_tuned():
    decoupled = with_values(method_of("decoupled"), {"others": 2.0, "temperature": 3.5}).fits()[-1]
    assert decoupled.loss == Decoupled(target=1.0, others=2.0, temperature=3.5, warmup=20 / 240)
    (mutual,) = with_values(method_of("mutual"), {"temperature": 2.0}).fits()
    assert mutual.loss == Mutual(Initial(2), temperature=2.0)
    (mean,) = with_values(method_of("mean-teacher"), {"weight": 5.0}).fits()
    assert mean.loss == MeanTeacher(2, weight=5.0, rampup=40_000 / 150_000, decay=0.99, reach=0.1)
    (fixmatch,) = with_values(method_of("fixmatch"), {"weight": 2.0, "threshold": 0.7}).fits()
    assert fixmatch.loss == FixMatch(2, weight=2.0, threshold=0.7)
    attention = with_values(method_of("attention-only"), {"beta": 0.5}).fits()[-1]
    assert attention.loss == Distillation(0.0, 0.5, Temperature("linear", 4.0, 1.0))


def test_class_shares_stay_as_they_are():
    parts = (*(f"D{number}" for number in range(1, 7)), "rest")
    assert with_values(method_of("majority"), {}).stages == ((ClassFrequencies(parts),),)


@pytest.mark.parametrize(
    ("name", "setting", "known"),
    [
        ("single", "alpha", "learning_rate"),
        ("weckd", "beta", "learning_rate, alpha, temperature"),
        ("attention-only", "alpha", "learning_rate, beta"),
        ("temperature=learned", "temperature", "learning_rate, alpha"),
        ("permuted", "learning_rate", "none"),
        ("majority", "learning_rate", "none"),
    ],
)
def test_what_is_not_tuned_is_refused(name, setting, known):
    with pytest.raises(ValueError) as refusal:
        with_values(method_of(name), {setting: 0.5})
    assert str(refusal.value) == f"method {name}: no setting {setting!r}; known: {known}"


@pytest.mark.parametrize(
    ("losses", "low", "high"),
    [
        ({"temperature_max": 4.0, "temperature_min": 2.0}, 2.0, 10.0),  # it never rises towards its end
        ({"temperature_max": 4.0, "temperature_min": 0.5}, 1.0, 10.0),
        ({"temperature_max": 14.0, "temperature_min": 12.0}, 12.0, 14.0),
        ({"temperature_max": 0.75, "temperature_min": 0.5}, 0.75, 10.0),
        ({"temperature_max": 20.0, "temperature_min": 1.0}, 1.0, 20.0),
        ({"temperature_max": 2.0, "temperature_min": 3.0}, 2.0, 10.0),  # a suite that has it rise
    ],
)
def test_the_highest_temperature_is_looked_for_above_the_lowest_and_around_its_default(losses, low, high):
    expected = Tunable("temperature", low, high, log=True, default=max(losses.values()))
    assert tunables("weckd", **losses)["temperature"] == expected
    assert tunables("temperature-rising", **losses)["temperature"] == expected


@pytest.mark.parametrize(("alpha", "low", "high"), [(0.01, 0.01, 0.95), (1.0, 0.05, 1.0)])
def test_a_range_is_widened_to_hold_the_default(alpha, low, high):
    assert tunables("weckd", alpha=alpha)["alpha"] == Tunable("alpha", low, high, log=False, default=alpha)


def test_a_twin_is_tuned_as_the_chain_is_and_differs_from_it_as_before():
    values = {"learning_rate": 0.01, "alpha": 0.25, "temperature": 2.5}
    m1, m2, m3 = with_values(method_of("weckd"), values).fits()
    random, shuffled, other, long = (
        with_values(method_of(name), values).fits()
        for name in ("chain-random", "chain-shuffled", "attention-other", "chain-fresh-long")
    )
    assert {twin[0] for twin in (random, shuffled, other, long)} == {m1}
    assert random[1:] == (
        replace(m2, teachers=(Initial(1),)),
        replace(m3, start=random[1], teachers=(Initial(1),)),
    )
    assert shuffled[1].loss == Mismatched(0.25, 2.0, Temperature("linear", 2.5, 1.0), other="logits")
    assert other[1].loss == Mismatched(0.25, 2.0, Temperature("linear", 2.5, 1.0), other="maps")
    assert long[2].loss == m3.loss


def test_a_weight_that_the_suite_sets_to_zero_is_not_tuned():
    # The chain without divergence is attention transfer; without that as well it is cross-entropy alone.
    assert list(tunables("weckd", alpha=0.0)) == ["learning_rate", "beta"]
    assert list(tunables("attention-only", beta=0.0)) == ["learning_rate"]


def test_a_tunable_whose_range_lacks_its_default_cannot_be_made():
    with pytest.raises(ValueError) as refusal:
        Tunable("alpha", 0.05, 0.95, log=False, default=0.97)
    assert str(refusal.value) == "alpha: 0.97 is not in 0.05 .. 0.95"


@dataclass(frozen=True)
class Matching(LogitLoss):
    function = "somewhere:matching"
    ranges = {"weight": Range(0.1, 0.9)}  # noqa: RUF012 - as a stranger would write it
    weight: float
    other: float = 7.0


@dataclass(frozen=True)
class Plain(LogitLoss):
    function = "somewhere:plain"
    weight: float


def taught_by_m1(*losses):
    m1 = Fit(("D1",), S)
    students = tuple(Fit((f"D{number}",), S, m1, (m1,), loss) for number, loss in enumerate(losses, start=2))
    return Method("new", "a new loss", "rival", (students,))


def test_a_new_loss_of_logits_may_say_what_is_tuned_of_it():
    method = taught_by_m1(Matching(0.5))
    assert tunables_of(method, PEAK) == (RATE, Tunable("weight", 0.1, 0.9, log=False, default=0.5))
    assert with_values(method, {"weight": 0.25}) == taught_by_m1(Matching(0.25))
    assert "ranges" not in method.fits()[-1].ingredients()["loss"]  # a range decides no fit's identity
    assert tunables_of(taught_by_m1(Plain(0.5)), PEAK) == (RATE,)


def test_fits_that_differ_in_a_setting_share_no_value_of_it():
    with pytest.raises(ValueError) as refusal:
        tunables_of(taught_by_m1(Matching(0.5), Matching(0.6)), PEAK)
    assert str(refusal.value) == "method new: its fits share no weight that could be tuned"


def test_a_rate_that_a_method_declares_is_its_default():
    method = Method("new", "?", "rival", ((Fit(("D1",), S, learning_rate=0.08),),))
    assert tunables_of(method, PEAK) == (Tunable("learning_rate", 0.01, 0.64, log=True, default=0.08),)
