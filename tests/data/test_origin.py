import json
import os

import pytest

from weckd.data.catalogue import find_dataset
from weckd.data.prepare import Origin, read_origin
from weckd.data.watch import Place
from weckd.errors import UserError

BRAIN = find_dataset("brain_yesno")


def test_a_folder_or_one_below_is_taken(tmp_path):
    (tmp_path / "slices" / "yes").mkdir(parents=True)
    assert read_origin(BRAIN, tmp_path, 64) == Origin(
        tmp_path / "slices", {}, {"own": Place((str(tmp_path),))}
    )
    (tmp_path / "none").mkdir()
    assert read_origin(BRAIN, tmp_path / "none", 64) == Origin(
        tmp_path / "none", {}, {"own": Place((str(tmp_path / "none"),))}
    )


def test_what_fetch_wrote_is_read(tmp_path):
    archives = {"a.zip": {"bytes": 3, "sha256": "00"}}
    looked_in = {"data_root": "/own", "downloads": "data"}
    found = {"dataset": "brain_yesno", "folder": "/data/x", "archives": archives, "looked_in": looked_in}
    (tmp_path / "source.json").write_text(json.dumps(found))
    origin = read_origin(BRAIN, tmp_path / "source.json", 64)
    assert (str(origin.folder), origin.archives) == ("/data/x", archives)
    assert {part: place.roots[:2] for part, place in origin.places.items()} == {
        "own": ("/own/brain_yesno", "/own/brain_yesno.zip"),
        "downloads": ("data/brain_yesno", "data/brain_yesno.zip"),
    }
    with pytest.raises(UserError) as refused:
        read_origin(find_dataset("wbc_zheng"), tmp_path / "source.json", 64)
    assert str(refused.value) == (
        f"{tmp_path}/source.json: tells where brain_yesno lies, not wbc_zheng; name that of wbc_zheng"
    )


def test_anything_else_is_refused(tmp_path):
    with pytest.raises(UserError) as refused:
        read_origin(BRAIN, None, 64)
    assert str(refused.value) == (
        "brain_yesno: needs its images; name their folder, or the source.json of `weckd fetch`, with --source"
    )
    for content in ("", "[]", "{}"):
        (tmp_path / "source.json").write_text(content)
        with pytest.raises(
            UserError, match=r"source.json: neither a folder nor a source.json \(.*weckd fetch`$"
        ):
            read_origin(BRAIN, tmp_path / "source.json", 64)
    with pytest.raises(UserError, match=r"nowhere: neither a folder nor a source.json"):
        read_origin(BRAIN, tmp_path / "nowhere", 64)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError) as refused:
        read_origin(BRAIN, tmp_path / "pipe", 64)
    assert str(refused.value) == (
        f"{tmp_path}/pipe: a pipe, neither a folder nor a source.json; make it with `weckd fetch`"
    )
