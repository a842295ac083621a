"""The points of the curves: the chain and `pooled` on the same labels for as many steps."""

from pathlib import Path

import pytest

from weckd.config import DistillationSettings
from weckd.errors import UserError
from weckd.methods.catalogue import find_method
from weckd.methods.chain import Budget, parse_point, suite_budget
from weckd.methods.fits import Fit
from weckd.suite_file import resolve_suite

CONFIG = Path(__file__).resolve().parents[2] / "config"
S = 40
BUDGET = Budget(S, 3, 10, DistillationSettings(0.5, 2.0, 4.0, 1.0, 3.0), 9, halves=True)
TWO_EACH = (("D1", "D2"), ("D3", "D4"), ("D5", "D6"))
THREE_EACH = (("D1", "D2", "D3"), ("D4", "D5", "D6"), ("D7", "D8", "D9"))
HALVES, WHOLE = (("H1",), ("H2",), ("H3",)), (("D1",), ("D2",), ("D3",))
# The parts of each stage, and steps a stage.
POINTS = {
    "": (WHOLE, S),
    "-15": (HALVES, S),
    "-60": (TWO_EACH, S),
    "-90": (THREE_EACH, S),
    "-x3": (WHOLE, 3 * S),
    "-x5": (WHOLE, 5 * S),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_point_is_the_chain_or_pooled_with_other_labels_or_steps_alone(point):
    parts, steps = POINTS[point]
    loss = find_method("weckd")(BUDGET).fits()[-1].loss
    m1 = Fit(parts[0], steps)
    m2 = Fit(parts[1], steps, m1, (m1,), loss)
    assert find_method(f"weckd{point}")(BUDGET).stages == (
        (m1,),
        (m2,),
        (Fit(parts[2], steps, m2, (m2,), loss),),
    )
    assert find_method(f"pooled{point}")(BUDGET).stages == ((Fit(sum(parts, ()), 3 * steps),),)


def test_each_pair_of_the_suite_has_the_same_labels_and_as_many_steps():
    suite = resolve_suite([CONFIG / "real.yaml", CONFIG / "real-curves.yaml"], {})
    pairs = [name for name in suite.methods if name.startswith("weckd")]
    assert pairs == [f"weckd{point}" for point in POINTS]
    assert set(suite.methods) == {*pairs, *(name.replace("weckd", "pooled") for name in pairs), "single"}
    budget = suite_budget(suite)
    shares = {}
    for name in pairs:
        chain, pooled = (find_method(each)(budget) for each in (name, name.replace("weckd", "pooled")))
        of_chain, of_pooled = (
            [part for fit in each.fits() for part in fit.parts] for each in (chain, pooled)
        )
        assert of_chain == of_pooled
        assert len(set(of_chain)) == len(of_chain)  # no stage sees another's labels
        assert chain.steps() == pooled.steps()
        assert len(chain.fits()) == 3
        shares[name] = sum(5 if part.startswith("H") else 10 for part in of_chain), chain.steps() / 80
    assert shares == {
        "weckd": (30, 3),
        "weckd-15": (15, 3),
        "weckd-60": (60, 3),
        "weckd-90": (90, 3),
        "weckd-x3": (30, 9),
        "weckd-x5": (30, 15),
    }
    roles = {suite.roles[name] for name in suite.methods if parse_point(name)}
    assert (roles, suite.roles["weckd"], suite.roles["pooled"]) == ({"curve"}, "chain", "control")


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("weckd-15", {"halves": False}, "needs halves of the subsets; set split.halves to true"),
        ("pooled-90", {"subset_count": 6}, "needs 9 subsets, the split holds 6; set split.stages to 9"),
        (
            "weckd-40",
            {},
            "40 % in all are 1.33333 times a subset for each of 3 stages (10 %); name a share that gives each half a "
            "subset, or two or more",
        ),
        (
            "pooled-30",
            {},
            "30 % in all are 1 times a subset for each of 3 stages (10 %); name a share that gives each half a subset, "
            "or two or more",
        ),
    ],
)
def test_labels_that_the_split_cannot_give_are_refused(name, changes, message):
    budget = Budget(**{**vars(BUDGET), **changes})
    with pytest.raises(UserError) as refused:
        find_method(name)(budget)
    assert str(refused.value) == f"method {name!r}: {message}"


def test_what_is_no_point_is_no_method():
    for name in ("weckd-x1", "weckd-5", "pooled-x10", "pooled-100", "single-60", "weckd-060"):
        assert parse_point(name) is None
        with pytest.raises(UserError, match=f"no method '{name}'"):
            find_method(name)
    assert parse_point("pooled-4") is None  # pooled on four subsets
