"""Which settings make another suite, and which only say how it is run."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
from small_suite import toy_suite

from weckd.committed import refuse_other_suite
from weckd.config import Suite, TuningSettings, neutral_keys
from weckd.errors import UserError

HOW = {
    "seeds_per_job": 3,
    "data_root": "elsewhere",
    "catalogue": "mine.yaml",
    "readings": "full",
    "readings_datasets": ("toy_two",),
    "readings_seeds": 5,
    "keep_weights": ("toy",),
    "tuning": TuningSettings(3, (9,)),
}


@pytest.mark.parametrize("key", [field.name for field in fields(Suite) if field.name not in HOW])
def test_every_setting_that_decides_a_number_is_compared(key):
    suite = toy_suite()
    with pytest.raises(UserError, match=f"ref: made with another {key}: changed, not "):
        refuse_other_suite(suite, replace(suite, **{key: "changed"}), Path("ref"))


@pytest.mark.parametrize("key", HOW)
def test_how_and_from_where_it_is_run_is_not(key):
    suite = toy_suite()
    refuse_other_suite(suite, replace(suite, **{key: HOW[key]}), Path("ref"))


def test_those_are_what_the_suite_declares_neutral():
    assert set(HOW) == neutral_keys(tuned=False)
    tuned = toy_suite(tuned=True)
    with pytest.raises(UserError, match="ref: made with another tuning: "):
        refuse_other_suite(tuned, replace(tuned, tuning=HOW["tuning"]), Path("ref"))
