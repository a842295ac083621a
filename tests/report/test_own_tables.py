"""The tables that the page makes itself: licences, environment, settings, cost."""

import json
from dataclasses import replace
from html import escape

import pytest
from small_suite import toy_suite

from weckd.errors import UserError
from weckd.files import with_sum, write_json
from weckd.manifests import trained_cells
from weckd.report.tables import cost_block, licences_block, machines_block, missing_cells, settings_block
from weckd.run_files import RunFiles


def texts(block):
    return [[cell.text for cell in row] for row in (block.header, *block.rows)]


def change_manifest(run, dataset, change):
    file = run / "manifests" / dataset / "seeds1-5.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_licences_come_from_the_catalogue(tmp_path):
    suite = toy_suite()
    facts = replace(
        suite.facts["toy_two"], key="ear_ohio", title="OtoMatch (Camalan 2020)", modality="otoscopy"
    )
    block = licences_block(
        replace(suite, datasets=("ear_ohio",), facts={"ear_ohio": facts}), RunFiles(tmp_path / "run")
    )
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


def test_data_sets_of_a_catalogue_of_ones_own_keep_what_their_entries_said(tmp_path):
    facts = {"licence": "CC0", "source": "clinic X, <b>2024</b>", "citation": ""}
    write_json(tmp_path / "data" / "toy_two-32px" / "dataset.json", facts)
    block = licences_block(replace(toy_suite(), catalogue="gone.yaml"), RunFiles(tmp_path / "run"))
    three, two, copy = texts(block)[1:]
    assert (two[5], two[6], two[8]) == ("CC0", "clinic X, <b>2024</b>", "-")
    assert block.rows[1][6].html == "clinic X, &lt;b&gt;2024&lt;/b&gt;"
    assert (copy[0], copy[2], copy[7]) == ("toy_copy", "phantom", "toy_three")
    assert three[5] == three[6] == three[8] == copy[5] == "not stated"
    assert block.caption == escape(
        "Licences and sources as the package's catalogue states them. Your own data sets (toy_three, toy_two, "
        "toy_copy): as the entries that their images were prepared by. not stated: those images are not beside this "
        "run."
    )


def test_facts_that_cannot_be_read_are_named(tmp_path):
    write_json(tmp_path / "data" / "toy_two-32px" / "dataset.json", {"licence": "CC0"})
    with pytest.raises(
        UserError, match=r"toy_two-32px/dataset.json: not readable facts \(KeyError\('source'\)\)"
    ):
        licences_block(toy_suite(), RunFiles(tmp_path / "run"))


def test_machines_are_counted_by_cells(run):
    suite = toy_suite()

    def other_card(content):
        content["seeds"]["2"]["cell"] = {
            "device": "cuda 13.0 H200",
            "versions": {"numpy": "2.4.6", "timm": "1.0"},
        }

    change_manifest(run, "toy_two", other_card)
    assert texts(machines_block(suite, trained_cells(suite, run / "manifests"))) == [
        ["device", "threads", "numpy", "timm", "torch", "cells, of 15"],
        ["cpu x86_64 AVX2", "1", "2.4.6", "-", "2.13.0", "14"],
        ["cuda 13.0 H200", "1", "2.4.6", "1.0", "-", "1"],
    ]


def test_cells_without_manifest_are_named_and_not_counted(run):
    suite = toy_suite()
    (run / "manifests" / "toy_two" / "seeds1-5.json").unlink()
    change_manifest(run, "toy_copy", lambda content: content["seeds"].pop("3"))
    cells = trained_cells(suite, run / "manifests")
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
    assert [cell.seed for cell in trained_cells(suite, run / "manifests")] == [1, 2] * 3


def test_a_cell_counts_once_where_seeds_were_batched_otherwise_before(run):
    suite = replace(toy_suite(), seeds_per_job=5)
    folder = run / "manifests" / "toy_two"
    own = json.loads((folder / "seeds1-5.json").read_text())
    older = {seed: {**own["seeds"][seed], "fits": {}} for seed in ("1", "2")}
    for name in ("seeds1-2.json", "seeds0-9.json"):
        write_json(folder / name, with_sum({**own, "seeds": older}))
    cells = [cell for cell in trained_cells(suite, run / "manifests") if cell.dataset == "toy_two"]
    assert sorted(cell.seed for cell in cells) == [1, 2, 3, 4, 5]
    assert all(cell.fits for cell in cells)


def test_a_manifest_that_is_none(run):
    (run / "manifests" / "toy_two" / "seeds1-5.json").write_text('{"seeds": []}')
    with pytest.raises(
        UserError,
        match=r"toy_two/seeds1-5\.json: not a manifest of `weckd train` \('dataset'\); make it again$",
    ):
        trained_cells(toy_suite(), run / "manifests")


def test_settings():
    suite = replace(toy_suite(), exclude_classes={"toy_two": ("maybe", "rare"), "not_in_the_run": ("x",)})
    told = dict(texts(settings_block(suite)))
    assert told["seeds"] == "1, 2, 3, 4, 5"
    assert told["classes left out"] == "toy_two: maybe, rare"
    assert (
        told["split"]
        == "seed 2025, test 0.2, validation 0.15, stage 0.1, stages 3, halves False, protocol grouped"
    )
    assert told["settings of each method"] == "committed, no method is tuned"
    assert told["plan (hash)"] == suite.plan_hash
    tuned = dict(texts(settings_block(replace(suite, tuned=True))))
    assert tuned["settings of each method"] == (
        f"searched for: {suite.tuning.trials} trials each, on seeds {', '.join(map(str, suite.tuning.seeds))}"
    )
