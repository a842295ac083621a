"""`weckd verify` hashes again what prepared data were read from, and says how far it has come."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from weckd.config import suite_json
from weckd.data.watch import DOWNLOADS, OWN, Place, hashed, stamps, write_seen
from weckd.files import file_digest
from weckd.provenance import verify
from weckd.run_files import RunFiles

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))

from small_suite import toy_suite

FILES = ("own/toy_two/no/1.png", "own/toy_two/yes/2.png", "data/toy_two.zip")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return a folder with the least crate of a run, and with what one of its data sets was prepared from."""
    monkeypatch.setenv("WECKD_REVISION", "abc")
    suite = toy_suite()
    (tmp_path / "results/run").mkdir(parents=True)
    (tmp_path / "results/run/suite.json").write_text(suite_json(suite))
    workflow = {"@id": "workflow/Snakefile", "softwareVersion": "abc"}
    known = {"@id": "suite.json", "@type": "File", "sha256": file_digest(tmp_path / "results/run/suite.json")}
    (tmp_path / "results/run/ro-crate-metadata.json").write_text(json.dumps({"@graph": [workflow, known]}))
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    places = {OWN: Place((f"{tmp_path}/own/toy_two",)), DOWNLOADS: Place((f"{tmp_path}/data/toy_two.zip",))}
    prepared = RunFiles(tmp_path / "results/run").prepared(suite, "toy_two")
    write_seen(prepared, {part: hashed(place, stamps(place), None, {}) for part, place in places.items()})
    return tmp_path


def changes(place):
    return verify.changes(RunFiles(place / "results/run"), place)


def test_sources_that_are_what_they_were_are_compared_and_counted(made):
    assert changes(made) == (1 + len(FILES), [])


def test_a_source_that_was_edited_or_is_gone_is_named(made):
    (made / FILES[0]).write_text("another image")
    (made / FILES[1]).unlink()
    (made / FILES[2]).write_text("another archive")
    lines = [
        f"{made}/{name}: {told}" for name, told in zip(FILES, ("changed", "missing", "changed"), strict=True)
    ]
    assert changes(made) == (4, lines)


def test_sources_that_are_not_on_this_machine_are_not_compared(made):
    shutil.rmtree(made / "own")
    assert changes(made) == (2, [])


def test_what_takes_long_says_how_far_it_has_come(made, monkeypatch, capsys):
    monkeypatch.setattr(verify, "_TOLD_SECONDS", 0.0)
    changes(made)
    told = [
        f"[verify] {number} things compared, now {made}/{name}"
        for number, name in enumerate(("results/run/suite.json", *FILES))
    ]
    assert capsys.readouterr().err.splitlines() == [
        *told,
        f"[verify] {made}/results/fits: not there; stored fits are not compared",
    ]
    monkeypatch.setattr(verify, "_TOLD_SECONDS", 60.0)
    changes(made)
    assert (
        capsys.readouterr().err == f"[verify] {made}/results/fits: not there; stored fits are not compared\n"
    )
