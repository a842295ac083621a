import json

import pytest
from PIL import Image

from weckd.data.catalogue import ClassEntry, Dataset, SourceFolder
from weckd.data.prepare import Origin, prepare
from weckd.data.recorded import as_recorded, record, recorded_archives
from weckd.data.weights import recorded_weights
from weckd.errors import UserError

DATASET = Dataset(
    key="mine",
    title="Mine",
    modality="otoscopy",
    layout="class-folders",
    groups="near-duplicates",
    classes=(ClassEntry("a", "a", "a"), ClassEntry("b", "b", "b")),
    folders=(SourceFolder("", ""),),
)


@pytest.fixture
def prepared(tmp_path):
    """Return a folder, prepared from two images that one archive held."""
    for name, colour in (("a", 10), ("b", 200)):
        (tmp_path / "files" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (colour, 0, 0)).save(tmp_path / "files" / name / "1.png")
    archives = {"mine.zip": {"bytes": 3, "sha256": "ab" * 32}}
    prepare(DATASET, Origin(tmp_path / "files", archives), 16, tmp_path / "prepared")
    return tmp_path / "prepared"


def test_what_is_recorded_is_found_again(prepared, tmp_path):
    lock = tmp_path / "datasets.lock"
    assert as_recorded(lock, [prepared]) == {"mine": None}
    assert recorded_archives(lock, "mine") == {}
    record([prepared], lock)
    assert as_recorded(lock, [prepared]) == {"mine": True}
    assert recorded_archives(lock, "mine") == {"mine.zip": "ab" * 32}
    assert recorded_archives(lock, "other") == {}
    before = lock.read_bytes()
    record([prepared], lock)
    assert lock.read_bytes() == before


def test_another_image_or_another_pixel_is_told(prepared, tmp_path):
    lock = tmp_path / "datasets.lock"
    record([prepared], lock)
    facts = json.loads((prepared / "dataset.json").read_text())
    (prepared / "dataset.json").write_text(json.dumps({**facts, "fingerprint": "0"}))
    assert as_recorded(lock, [prepared]) == {"mine": False}
    (prepared / "dataset.json").write_text(json.dumps(facts))
    index = (prepared / "index.csv").read_text()
    (prepared / "index.csv").write_text(index.replace("a/1.png", "a/2.png"))
    assert as_recorded(lock, [prepared]) == {"mine": False}
    # Another size has hashes of its own.
    (prepared / "dataset.json").write_text(json.dumps({**facts, "image_size": 32}))
    assert as_recorded(lock, [prepared]) == {"mine": None}
    record([prepared], lock)
    assert as_recorded(lock, [prepared]) == {"mine": True}


def test_an_empty_record_holds_nothing(prepared, tmp_path):
    lock = tmp_path / "datasets.lock"
    lock.write_text("# nothing\n")
    assert recorded_archives(lock, "mine") == {}
    assert as_recorded(lock, [prepared]) == {"mine": None}


def test_phantoms_are_not_recorded(prepared, tmp_path):
    facts = json.loads((prepared / "dataset.json").read_text())
    (prepared / "dataset.json").write_text(json.dumps({**facts, "phantom": True}))
    record([prepared], tmp_path / "datasets.lock")
    assert as_recorded(tmp_path / "datasets.lock", [prepared]) == {"mine": None}


def test_a_damaged_record_is_refused(prepared, tmp_path):
    lock = tmp_path / "datasets.lock"
    lock.write_text("- a")
    with pytest.raises(UserError, match=r"datasets.lock: must hold an entry for each data set"):
        as_recorded(lock, [prepared])
    for entry in (
        "[]",
        "5",
        "",
        "{archives: {}}",
        "{archives: [], sizes: {}}",
        "{archives: {a.zip: 5}, sizes: {}}",
        "{archives: {}, sizes: {32: [a]}}",
        "{archives: {}, sizes: {32: {arrays: a}}}",
    ):
        lock.write_text(f"mine: {entry}")
        for call in (
            lambda: as_recorded(lock, [prepared]),
            lambda: recorded_archives(lock, "mine"),
            lambda: record([prepared], lock),
        ):
            with pytest.raises(UserError) as refused:
                call()
            assert str(refused.value) == (
                f"{lock}: mine: must hold SHA-256 below archives and below sizes; restore it, or remove the entry and "
                "record again"
            )
    lock.write_text("a: [")
    with pytest.raises(UserError, match=r"datasets.lock: not valid YAML: while parsing a flow node"):
        record([prepared], lock)
    with pytest.raises(UserError, match=r"dataset.json: cannot be read .*; make it with `weckd prepare`"):
        record([tmp_path], tmp_path / "none.lock")


@pytest.mark.parametrize("read", [recorded_archives, recorded_weights])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"mine: {archives: {}, sizes: {}}\nmine: {}\n",
            "not valid YAML: key 'mine' is given twice (line 2)",
        ),
        (b"m\xfcne: {}\n", "not UTF-8 text (byte 1); save it as UTF-8"),
    ],
)
def test_a_record_that_loses_entries_or_is_no_text_is_refused(tmp_path, read, content, told):
    (tmp_path / "some.lock").write_bytes(content)
    with pytest.raises(UserError) as refused:
        read(tmp_path / "some.lock", "mine")
    assert str(refused.value) == f"{tmp_path}/some.lock: {told}"
