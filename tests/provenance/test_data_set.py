"""What a crate says of a data set of the user's own."""

import sys
from pathlib import Path

from rocrate.rocrate import ROCrate

from weckd.files import file_digest, write_json
from weckd.provenance.crate import _data_set
from weckd.run_files import RunFiles

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

from small_suite import toy_suite


def test_the_users_own_licence_and_source_reach_the_crate(tmp_path):
    prepared = tmp_path / "data/toy_two-32px"
    prepared.mkdir(parents=True)
    files = [prepared / name for name in ("images.npy", "thumbnails.npy", "index.csv")]
    for file in files:
        file.write_bytes(b"whatever was prepared")
    facts = {"key": "toy_two", "licence": "CC BY 4.0", "source": "clinic X", "citation": "Doe 2024"}
    facts |= {"archives": {}, "files": {file.name: file_digest(file) for file in files}}
    write_json(prepared / "dataset.json", facts)
    crate = ROCrate(version="1.1")
    found = _data_set(crate, toy_suite(catalogue="gone.yaml"), "toy_two", RunFiles(tmp_path / "toy"))
    assert found["license"]["@id"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert found["description"] == "Source: clinic X. Doe 2024"


def test_what_nobody_states_is_not_made_up(tmp_path):
    found = _data_set(
        ROCrate(version="1.1"), toy_suite(catalogue="gone.yaml"), "toy_two", RunFiles(tmp_path / "toy")
    )
    assert "license" not in found.properties()
