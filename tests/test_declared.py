"""What holds of every declaration of what users write."""

from dataclasses import dataclass
from typing import Annotated

import pytest

from weckd.config import SuiteFile
from weckd.data.catalogue import Dataset
from weckd.declared import NOT_EMPTY, UNIQUE, Bounds, Declared, checked, key_table, plain
from weckd.errors import UserError


@dataclass(frozen=True)
class Inner(Declared):
    """A part."""

    share: Annotated[float, Bounds(gt=0, lt=1)]
    """a share"""
    names: Annotated[tuple[str, ...], NOT_EMPTY, UNIQUE] = ("a",)
    """names"""


@dataclass(frozen=True)
class Outer(Declared):
    """A whole."""

    inner: Inner
    count: int | None = None
    """how many"""


def test_values_become_the_dataclasses_that_declare_them():
    assert checked(Outer, {"inner": {"share": 0.5, "names": ["b"]}}, "here") == Outer(Inner(0.5, ("b",)))
    assert plain(Outer, {"inner": {"names": [2019]}}) == {"inner": {"names": ["2019"]}}
    assert plain(Outer, {"inner": {"names": 2019}, "count": "3"}, int) == {
        "inner": {"names": ["2019"]},
        "count": 3,
    }


def test_each_wrong_key_is_told_once_and_a_text_that_is_no_unicode_too():
    with pytest.raises(UserError) as refused:
        checked(Outer, {"inner": {"names": ["a", 1.5], "shares": 1}, "count": float("nan")}, "here: wrong")
    assert str(refused.value).splitlines() == [
        "here: wrong",
        "  inner.share: is missing; a share",
        "  inner.names.1: must be text, not 1.5 (a word in quotes is text); names",
        "  inner.shares: no such key; did you mean 'share'? Keys here: names, share",
        "  count: must be a whole number, or null, not nan; how many",
    ]
    with pytest.raises(UserError) as refused:
        checked(Outer, {"inner": {"share": 0.5, "names": ["\ud800"]}}, "here: wrong")
    assert str(refused.value) == "here: wrong\n  top level: holds text that is no Unicode"


def test_a_table_of_keys_has_each_key_its_values_and_its_sentence():
    assert key_table(Outer).splitlines()[2:] == [
        "| `count` | a whole number, or null | how many |",
        "| `inner.names` | a list of 1 or more, none twice, each text | names |",
        "| `inner.share` | a number above 0 and below 1 | a share |",
    ]


@pytest.mark.parametrize("kind", [SuiteFile, Dataset])
def test_no_number_that_users_write_is_without_bounds(kind):
    rows = [line.split(" | ") for line in key_table(kind).splitlines()[2:]]
    numbers = [(row[0], row[1]) for row in rows if "number" in row[1]]
    assert numbers
    assert [key for key, value in numbers if not any(char.isdigit() for char in value)] == []


def test_bounds_that_would_be_dropped_are_refused():
    @dataclass(frozen=True)
    class Wrong(Declared):
        names: Annotated[tuple[str, ...], UNIQUE, NOT_EMPTY]

    with pytest.raises(TypeError, match="bounds come before rules"):
        checked(Wrong, {"names": []}, "here")
