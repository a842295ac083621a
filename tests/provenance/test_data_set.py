"""What a crate says of a data set of the user's own."""

import sys
from pathlib import Path

from rocrate.rocrate import ROCrate

from weckd.files import write_json
from weckd.provenance.crate import _data_set

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

from small_suite import toy_suite


def test_the_users_own_licence_and_source_reach_the_crate(tmp_path):
    facts = {"licence": "CC BY 4.0", "source": "clinic X", "citation": "Doe 2024", "archives": {}}
    write_json(tmp_path / "toy_two-32px" / "dataset.json", facts)
    crate = ROCrate(version="1.1")
    found = _data_set(crate, toy_suite(catalogue="gone.yaml"), "toy_two", tmp_path)
    assert found["license"]["@id"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert found["description"] == "Source: clinic X. Doe 2024"


def test_what_nobody_states_is_not_made_up(tmp_path):
    found = _data_set(ROCrate(version="1.1"), toy_suite(catalogue="gone.yaml"), "toy_two", tmp_path)
    assert "license" not in found.properties()
