"""The tables that the page makes itself: licences, environment, settings, cost."""

import json
from dataclasses import replace

import pytest
from small_suite import toy_suite

from weckd.errors import UserError
from weckd.report.cost import cost_block
from weckd.report.environment import machines_block, missing_cells, settings_block
from weckd.report.licences import licences_block
from weckd.report.manifests import trained_cells


def texts(block):
    return [[cell.text for cell in row] for row in (block.header, *block.rows)]


def change_manifest(run, dataset, change):
    file = run / "manifests" / dataset / "seeds1-5.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_licences_come_from_the_catalogue():
    suite = toy_suite()
    facts = replace(
        suite.facts["toy_two"], key="ear_ohio", title="OtoMatch (Camalan 2020)", modality="otoscopy"
    )
    block = licences_block(replace(suite, datasets=("ear_ohio",), facts={"ear_ohio": facts}))
    assert texts(block) == [
        [
            "data set",
            "title",
            "images",
            "modality",
            "classes",
            "licence",
            "source",
            "derived from",
            "citation",
        ],
        [
            "ear_ohio",
            "OtoMatch (Camalan 2020)",
            "real",
            "otoscopy",
            "2",
            "CC BY 4.0",
            "https://doi.org/10.5281/zenodo.4558155",
            "-",
            "Camalan S, Niazi MKK, Moberly AC, Teknos T, Essig G, Elmaraghy C, Taj-Schaal N, Gurcan MN. OtoMatch: "
            "content-based eardrum image retrieval using deep learning. PLOS ONE 15(5), e0232776, 2020",
        ],
    ]
    assert block.caption == "Licences and sources as the package&#x27;s catalogue states them."


def test_data_sets_of_a_catalogue_of_ones_own():
    block = licences_block(replace(toy_suite(), catalogue="mine.yaml"))
    row = texts(block)[3]
    assert (row[0], row[2], row[7]) == ("toy_copy", "phantom", "toy_three")
    assert row[5] == row[6] == row[8] == "not in the package's catalogue"
    assert block.caption.endswith("states them. Your own data sets stand in mine.yaml.")


def test_machines_are_counted_by_cells(run):
    suite = toy_suite()

    def other_card(content):
        content["seeds"]["2"]["cell"] = {
            "device": "cuda 13.0 H200",
            "versions": {"numpy": "2.4.6", "timm": "1.0"},
        }

    change_manifest(run, "toy_two", other_card)
    assert texts(machines_block(suite, trained_cells(suite, run))) == [
        ["device", "threads", "numpy", "timm", "torch", "cells, of 15"],
        ["cpu x86_64 AVX2", "1", "2.4.6", "-", "2.13.0", "14"],
        ["cuda 13.0 H200", "1", "2.4.6", "1.0", "-", "1"],
    ]


def test_cells_without_manifest_are_named_and_not_counted(run):
    suite = toy_suite()
    (run / "manifests" / "toy_two" / "seeds1-5.json").unlink()
    change_manifest(run, "toy_copy", lambda content: content["seeds"].pop("3"))
    cells = trained_cells(suite, run)
    assert missing_cells(suite, cells) == (
        "manifests/toy_two, seeds 1, 2, 3, 4, 5",
        "manifests/toy_copy, seed 3",
    )
    assert texts(cost_block(suite, cells)) == [
        ["data set", "cells", "networks trained", "optimiser steps", "images seen", "diverged fits"],
        ["toy_three", "5", "15", "250", "2,400", "5"],
        ["toy_two", "0", "0", "0", "0", "0"],
        ["toy_copy", "4", "12", "200", "1,920", "4"],
        ["all", "9", "27", "450", "4,320", "9"],
    ]


def test_seeds_outside_the_suite_do_not_count(run):
    suite = replace(toy_suite(), seeds=(1, 2))
    assert [cell.seed for cell in trained_cells(suite, run)] == [1, 2] * 3


def test_a_manifest_that_is_none(run):
    (run / "manifests" / "toy_two" / "seeds1-5.json").write_text('{"seeds": []}')
    with pytest.raises(
        UserError, match=r"toy_two/seeds1-5\.json: not a readable manifest .*; make it again with"
    ):
        trained_cells(toy_suite(), run)


def test_settings():
    suite = replace(toy_suite(), exclude_classes={"toy_two": ("maybe", "rare")})
    told = dict(texts(settings_block(suite)))
    assert told["seeds"] == "1, 2, 3, 4, 5"
    assert told["classes left out"] == "toy_two: maybe, rare"
    assert told["split"] == "seed 2025, test 0.2, validation 0.15, stage 0.1, stages 3, protocol grouped"
    assert told["settings of each method"] == "committed, no method is tuned"
    assert told["plan (hash)"] == suite.plan_hash
    tuned = dict(texts(settings_block(replace(suite, tuned=True))))
    assert tuned["settings of each method"] == (
        f"searched for: {suite.tuning.trials} trials each, on seeds {', '.join(map(str, suite.tuning.seeds))}"
    )
