"""Where weights come from: an own copy, an earlier download or a new one, and which files are refused."""

import errno
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from imitation import COMMIT, names
from weights_words import KEPT, NAME, REPOSITORY, STORED, another, facts

pytestmark = pytest.mark.usefixtures("no_secret_is_printed")


def test_an_own_copy_comes_first_and_nothing_is_written_beside_it(hub, place, content, sha256):
    hub.hub[REPOSITORY] = b"another file"
    file = place.put(place.root, content)
    assert place.fetched(recorded=sha256) == facts(file, sha256, "local file")
    assert hub.asked == []
    assert names(place.root / "weights") == [file.name]
    assert not place.downloads.exists()


def test_paths_are_absolute(hub, place, content, sha256, monkeypatch, tmp_path):
    place.put(place.root, content)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "root" / "weights" / f"{NAME}.safetensors"
    assert place.fetched(data_root=Path("root")) == facts(file, sha256, "local file")


def test_weights_are_downloaded_from_the_repository_that_timm_names(hub, place, content, sha256, capfd):
    origin = f"hub:{REPOSITORY}@{COMMIT}"
    assert place.fetched() == facts(place.file, sha256, origin)
    assert place.file.read_bytes() == content
    assert names(place.own) == KEPT
    assert hub.asked == [f"https://huggingface.co/{REPOSITORY}/resolve/main/model.safetensors", STORED]
    printed = capfd.readouterr()
    assert printed.out == ""
    size = f"{len(content) / 1e6:,.1f} MB"
    assert printed.err.startswith(f"[{NAME}] downloading model.safetensors ({size}) from hub:{REPOSITORY}\n")
    assert f"[{NAME}] model.safetensors: 100%" in printed.err
    assert "secret" not in printed.err


def test_what_was_downloaded_before_is_used_without_asking_anybody(hub, place):
    first = place.fetched()
    hub.asked.clear()
    assert place.fetched() == first
    assert hub.asked == []


def test_data_root_may_be_the_folder_of_downloads(hub, place):
    first = place.fetched(data_root=place.downloads)
    assert first["origin"] == f"hub:{REPOSITORY}@{COMMIT}"
    assert place.fetched(data_root=place.downloads) == first


def test_two_that_need_the_same_weights_download_once(hub, place):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: place.fetched(), range(2)))
    assert found[0] == found[1]
    assert hub.asked.count(STORED) == 1


def test_a_licence_that_timm_does_not_know_is_left_out(hub, place, content):
    name = "cpubone_b0_bfrobust.r224_in1k"
    place.put(place.root, content).rename(place.root / "weights" / f"{name}.safetensors")
    assert sorted(place.fetched(name)) == ["file", "origin", "sha256", "weights"]


@pytest.mark.parametrize("data_root", [True, False])
def test_a_file_put_where_the_message_says_is_used(hub, place, content, sha256, data_root):
    hub.offline.add("huggingface.co")
    root = place.root if data_root else None
    place.refused(data_root=root)
    file = place.put(root or place.downloads, content)
    assert place.fetched(data_root=root) == facts(file, sha256, "local file")


def test_a_file_put_by_hand_after_a_download_was_lost_is_used(hub, place, content, sha256):
    place.fetched(data_root=None)
    place.out.unlink()
    place.file.unlink()
    hub.offline.add("huggingface.co")
    place.refused(data_root=None)
    assert names(place.own) == [f".{NAME}.lock"]
    place.file.write_bytes(content)
    assert place.fetched(data_root=None) == facts(place.file, sha256, "local file")


def test_a_download_that_has_changed_since_is_made_anew(hub, place, content, capfd):
    first = place.fetched()
    place.file.write_bytes(content[:-1] + b"x")
    assert place.fetched() == first
    assert place.file.read_bytes() == content
    assert hub.asked.count(STORED) == 2
    told = f"[{NAME}] {place.file} is not what was downloaded; it is downloaded again\n"
    assert told in capfd.readouterr().err


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"sha256": 5}'])
def test_a_damaged_note_of_a_download_vouches_for_nothing(hub, place, note):
    first = place.fetched()
    (place.own / f".{NAME}.json").write_text(note)
    assert place.fetched() == first
    assert hub.asked.count(STORED) == 2


def test_an_endpoint_that_cannot_be_taken_apart_is_told(tmp_path):
    import os
    import subprocess
    import sys

    command = [sys.executable, "-m", "weckd", "weights", NAME, "--out", "out.json"]
    variables = {**os.environ, "HF_ENDPOINT": "https://[hub"}
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "weckd: HF_ENDPOINT is no address of a server; write it as https://HOST, or unset it\n",
    )


def test_a_download_that_has_changed_since_never_counts_as_put_by_hand(hub, place, content):
    place.fetched()
    place.out.unlink()
    place.file.write_bytes(content[:-1] + b"x")
    hub.offline.add("huggingface.co")
    assert place.refused() == place.refused()
    assert names(place.own) == [f".{NAME}.lock"]


@pytest.mark.parametrize("folder", ["root", "downloads"])
def test_a_local_file_that_is_not_the_recorded_one_is_refused(hub, place, content, sha256, folder):
    file = place.put(getattr(place, folder), content)
    assert place.refused(recorded="0" * 64) == another(file, sha256, "0" * 64)
    assert hub.asked == []
    assert file.read_bytes() == content


def test_an_earlier_download_that_is_not_the_recorded_one_is_refused(hub, place, sha256):
    place.fetched()
    place.out.unlink()
    assert place.refused(recorded="0" * 64) == another(place.file, sha256, "0" * 64)
    assert place.fetched(recorded=sha256)["sha256"] == sha256


class Trap:
    def __reduce__(self):
        return (print, ("secret",))


@pytest.mark.parametrize("folder", ["root", "downloads"])
@pytest.mark.parametrize("kind", ["half", "pickle"])
def test_a_local_file_that_is_no_whole_safetensors_file_is_refused(hub, place, content, folder, kind):
    written = content[:-100] if kind == "half" else pickle.dumps(Trap())
    file = place.put(getattr(place, folder), written)
    message = place.refused()
    assert message.startswith(f"{file}: no whole safetensors file (")
    assert message.endswith("); replace it by an intact copy")
    assert hub.asked == []
    assert file.read_bytes() == written


def test_a_local_file_that_cannot_be_read_is_told(hub, place, content, monkeypatch):
    def forbidden(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("weckd.data.weights.file_digest", forbidden)
    file = place.put(place.root, content)
    assert place.refused() == (
        f"{file}: cannot be read (Permission denied); give yourself the right to read it, or replace it"
    )


@pytest.mark.parametrize("name", ["test_resnet.a9_in1k", "test_resnet"])
def test_an_unknown_tag_is_told_with_those_of_the_network(hub, place, name):
    assert place.refused(name) == (
        f"backbone.init: timm has no weights {name!r}; use other weights (test_resnet.r160_in1k), or init: random"
    )
    assert hub.asked == []


def test_an_unknown_network_is_told_with_near_names(hub, place):
    message = place.refused("resnt50.a1_in1k")
    assert message.startswith(
        "backbone.init: timm has no weights 'resnt50.a1_in1k'; use other weights (resnet50.a1_in1k, "
    )


def test_nothing_near_an_unknown_name_is_told_too(hub, place):
    assert place.refused("../../x") == (
        "backbone.init: timm has no weights '../../x'; use other weights (timm.list_pretrained() lists them), or "
        "init: random"
    )


def test_weights_that_are_on_no_hub_are_taken_from_an_own_copy_only(hub, place, content):
    name = "gcvit_base.in1k"
    message = place.refused(name)
    assert message.startswith(
        f"backbone.init: timm names no repository to download {name!r} from; use other weights (gcvit_"
    )
    file = place.root / "weights" / f"{name}.safetensors"
    assert message.endswith(f"), or save its safetensors file as {file}")
    place.put(place.root, content).rename(file)
    assert place.fetched(name)["file"] == str(file)
    assert hub.asked == []


def test_a_data_root_that_is_no_folder_is_told(hub, place):
    place.root.rmdir()
    assert place.refused() == (
        f"data_root: {place.root}: no such folder; correct it, or leave it out to download what can be"
    )
    assert hub.asked == []


def test_a_folder_that_cannot_be_written_is_told(hub, place):
    place.downloads.mkdir()
    place.own.write_bytes(b"a file in the way")
    assert place.refused() == (
        f"{place.own}: cannot be written (File exists); a file is in the way; remove it, or choose another folder"
    )
    assert hub.asked == []


def test_what_a_kill_left_behind_is_removed(hub, place):
    place.own.mkdir(parents=True)
    (place.own / f".{NAME}.safetensors.ab12.safetensors").write_bytes(b"half")
    (place.own / f".{NAME}.json").write_text("{}")
    place.fetched()
    assert names(place.own) == KEPT


def test_importing_it_imports_neither_a_client_nor_torch():
    import subprocess
    import sys

    heavy = "{'requests', 'huggingface_hub', 'timm', 'torch', 'safetensors'}"
    code = f"import sys, weckd.data.weights; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
