"""The suite of the leak study, derived from one whose test parts are drawn by group."""

import json
from dataclasses import replace

import pytest
from suite_files import CONFIG

from weckd.config import suite_json
from weckd.errors import UserError
from weckd.study_suites import official_suite, readings_suite
from weckd.suite_file import resolve_suite


def suite(name, **changes):
    return resolve_suite([CONFIG / f"{name}.yaml"], changes)


def test_only_sets_with_a_test_part_of_their_own_and_only_methods_that_are_no_reading():
    grouped = suite("real-small")
    official = official_suite(grouped)
    assert (official.run, official.datasets) == ("real-small-official", ("ear_chile",))
    assert official.methods == tuple(method for method in grouped.methods if "=" not in method)
    assert set(official.roles) == set(official.methods)
    assert official.split == replace(grouped.split, protocol="official")
    assert (official.seeds, official.training) == (grouped.seeds, grouped.training)
    assert official.analysis.families == official.analysis.claims == ()
    assert official.plan_hash not in ("", grouped.plan_hash)


@pytest.mark.parametrize("study", [official_suite, readings_suite])
def test_the_hash_of_a_study_holds_what_is_left_of_the_analysis_plan(study):
    plan, hashes = suite("real-small").analysis, set()
    for changes in ({}, {"alpha": 0.1}, {"metrics": ["balanced_accuracy"]}, {"minimum_seeds": 6}):
        hashes.add(study(suite("real-small", analysis=changes)).plan_hash)
    assert len(hashes) == 4
    fewer = study(suite("real-small", analysis={"families": [], "claims": []}))
    assert plan.families
    assert fewer.plan_hash in hashes  # which a study does not test


def test_readings_are_of_the_first_seeds_where_the_suite_says_how_many():
    assert readings_suite(suite("real")).seeds == (1, 2, 3, 4, 5)
    assert readings_suite(suite("real", seeds=[7, 3], readings_seeds=1)).seeds == (7,)
    whole, some = suite("real-small"), suite("real-small", readings_seeds=2)
    assert readings_suite(whole).seeds == whole.seeds == (1, 2, 3, 4, 5)
    assert (some.run, some.plan_hash) == (whole.run, whole.plan_hash)
    assert json.loads(suite_json(some))["readings_seeds"] == 2
    assert "readings_seeds" not in suite_json(whole)
    with pytest.raises(
        UserError, match="readings_seeds: must be a whole number from 1 to 1000, or null, not 0"
    ):
        suite("real-small", readings_seeds=0)


def test_medmnist_has_official_parts_too():
    assert official_suite(suite("paper")).datasets == ("ear_chile", "blood_cells")


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "phantoms",
            {},
            "leak study: no data set of phantoms has an official test part; name one, such as ear_chile",
        ),
        (
            "paper",
            {"tuned": True},
            "leak study: settings were tuned for the grouped parts; run it with tuned=false",
        ),
        (
            "real-small",
            {"split": {"protocol": "official"}},
            "leak study: compares with grouped test parts; set split.protocol to grouped",
        ),
    ],
)
def test_a_suite_without_a_leak_study_is_refused(name, changes, message):
    with pytest.raises(UserError) as refused:
        official_suite(suite(name, **changes))
    assert str(refused.value) == message
