"""Numbers in sentences for people."""

import pytest
from small_suite import toy_suite

from weckd.errors import counted, named
from weckd.tables.captions import overall_n, run_note


@pytest.mark.parametrize(("number", "text"), [(0, "0 data sets"), (1, "1 data set"), (2, "2 data sets")])
def test_one_of_a_thing_is_no_plural(number, text):
    assert counted(number, "data set") == text


def test_what_is_named_is_one_or_several():
    assert named("seed", (7,)) == "seed 7"
    assert named("seed", (1, 2)) == "seeds 1, 2"


def test_captions_and_notes_of_one_seed_on_one_data_set():
    suite = toy_suite(datasets=("toy_two",), seeds=(1,))
    assert overall_n(suite, None) == "toy_two: n not known"
    assert overall_n(suite, (1, 1)) == "toy_two: n = 1 test image in 1 group"
    assert run_note(suite) == "k = 1 seed; plan 0123456789ab"
