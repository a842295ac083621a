import errno
import hashlib
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from imitation import COMMIT, names

from weckd.data.fetch.weights import fetch_weights
from weckd.errors import UserError

NAME = "test_resnet.r160_in1k"
REPOSITORY = f"timm/{NAME}"
STORED = f"https://cas-bridge.xethub.hf.co/{REPOSITORY}?X-Amz-Signature=secret-signature"
KEPT = [f".{NAME}.json", f".{NAME}.lock", f"{NAME}.safetensors"]
ELSEWHERE = "free some space, or choose another disk"


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a safetensors file of the smallest network of timm."""
    import timm
    from safetensors.torch import save_file

    file = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), file)
    return file.read_bytes()


@pytest.fixture
def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def hub(repositories, content, monkeypatch, tmp_path):
    """The hub's imitation; this machine's settings of the hub's client do not count."""
    from huggingface_hub import constants

    template = "https://huggingface.co/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "home" / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    repositories.hub[REPOSITORY] = content
    return repositories


@pytest.fixture(autouse=True)
def no_secret_is_printed(capfd):
    """Whatever happens, neither tokens nor signed addresses are printed."""
    yield
    assert "secret" not in "".join(capfd.readouterr())


@pytest.fixture
def place(tmp_path):
    """Folders of a user, a call of fetch_weights in them, and how it is refused."""
    root, downloads, out = tmp_path / "root", tmp_path / "downloads", tmp_path / "out" / "weights.json"

    def fetched(name=NAME, recorded=None, data_root=root):
        fetch_weights(name, data_root, downloads, recorded, out)
        return json.loads(out.read_text())

    def refused(*args, **kwargs):
        with pytest.raises(UserError) as problem:
            fetched(*args, **kwargs)
        assert not out.exists()
        assert "secret" not in str(problem.value)
        return str(problem.value)

    def put(folder, written):
        (folder / "weights").mkdir(parents=True, exist_ok=True)
        file = folder / "weights" / f"{NAME}.safetensors"
        file.write_bytes(written)
        return file

    return SimpleNamespace(
        root=root,
        downloads=downloads,
        own=downloads / "weights",
        file=downloads / "weights" / f"{NAME}.safetensors",
        out=out,
        fetched=fetched,
        refused=refused,
        put=put,
    )


def facts(file, sha256, origin):
    return {
        "weights": NAME,
        "file": str(file),
        "sha256": sha256,
        "origin": origin,
        "licence": "apache-2.0",
    }


def refusal(place, reason, remedy, root=None):
    return (
        f"{NAME}: cannot be downloaded from hub:{REPOSITORY} ({reason}); {remedy}, or download model.safetensors from "
        f"https://huggingface.co/{REPOSITORY} by hand and save it as {root or place.root}/weights/{NAME}.safetensors"
    )


def another(file, found, recorded):
    return (
        f"{file}: its SHA-256 is {found[:12]}…, weights.lock records {recorded[:12]}…; replace it by the file that is "
        "recorded, or remove its entry from weights.lock if another version is meant"
    )


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


def test_a_mirror_that_sends_files_itself_will_do(hub, place, sha256):
    hub.mirror = True
    assert place.fetched() == facts(place.file, sha256, f"hub:{REPOSITORY}@{COMMIT}")


def test_a_licence_that_timm_does_not_know_is_left_out(hub, place, content):
    name = "cpubone_b0_bfrobust.r224_in1k"
    place.put(place.root, content).rename(place.root / "weights" / f"{name}.safetensors")
    assert sorted(place.fetched(name)) == ["file", "origin", "sha256", "weights"]


@pytest.mark.parametrize("trick", ["broken", "wrong_bytes"])
def test_a_transfer_that_fails_twice_is_made_a_third_time(hub, place, content, trick, capfd):
    getattr(hub, trick)["model.safetensors"] = 2
    place.fetched()
    assert place.file.read_bytes() == content
    assert hub.asked.count(STORED) == 3
    words = {
        "broken": "the connection broke off",
        "wrong_bytes": "model.safetensors came with another SHA-256 than the hub states",
    }
    told = capfd.readouterr().err
    assert f"[{NAME}] {words[trick]}; trying again in 0.01 s (1 of 3 tries failed)\n" in told
    assert f"[{NAME}] {words[trick]}; trying again in 0.02 s (2 of 3 tries failed)\n" in told
    assert "secret" not in told


@pytest.mark.parametrize(
    ("trick", "reason", "remedy"),
    [
        ("broken", "the connection broke off", "run again"),
        (
            "wrong_bytes",
            "model.safetensors came with another SHA-256 than the hub states",
            "run again later",
        ),
    ],
)
def test_a_transfer_that_always_fails_is_told_and_leaves_no_file(hub, place, trick, reason, remedy):
    getattr(hub, trick)["model.safetensors"] = 3
    assert place.refused() == refusal(place, reason, remedy)
    assert hub.asked.count(STORED) == 3
    assert names(place.own) == [f".{NAME}.lock"]


def test_a_hub_in_trouble_is_asked_again(hub, place):
    hub.statuses["model.safetensors"] = (503, 2)
    place.fetched()
    assert hub.asked_for("/model.safetensors") == 3


def test_a_hub_that_stays_in_trouble_is_told(hub, place):
    hub.statuses["model.safetensors"] = (503, 3)
    reason = "huggingface.co answered 503 Service Unavailable"
    assert place.refused() == refusal(place, reason, "run again later")


@pytest.mark.parametrize("host", ["huggingface.co", "cas-bridge.xethub.hf.co"])
@pytest.mark.parametrize("data_root", [True, False])
def test_without_a_network_it_is_told_what_could_not_be_reached_and_what_to_save_where(
    hub, place, host, data_root
):
    hub.offline.add(host)
    root = place.root if data_root else place.downloads
    message = place.refused(data_root=place.root if data_root else None)
    remedy = "connect this machine to the network and run again"
    assert message == refusal(place, f"no connection to {host}", remedy, root)
    assert sum(f"//{host}/" in url for url in hub.asked) == 3


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
    told = f"[{NAME}] {place.file} is not what was downloaded; it is downloaded anew\n"
    assert told in capfd.readouterr().err


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


def test_a_file_of_the_hub_that_is_not_the_recorded_one_is_refused_before_the_transfer(
    hub, place, sha256, capfd
):
    reason = f"its model.safetensors has the SHA-256 {sha256[:12]}…, weights.lock records 000000000000…"
    remedy = "remove its entry from weights.lock if another version is meant"
    assert place.refused(recorded="0" * 64) == refusal(place, reason, remedy)
    assert hub.asked.count(STORED) == 1
    assert capfd.readouterr().err == ""
    assert names(place.own) == [f".{NAME}.lock"]
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

    monkeypatch.setattr("weckd.data.fetch.weights.file_digest", forbidden)
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


def test_a_repository_without_the_file_is_not_asked_twice(hub, place):
    hub.hub.clear()
    reason, remedy = "there is no model.safetensors", "choose the tag of other weights"
    assert place.refused() == refusal(place, reason, remedy)
    assert len(hub.asked) == 1


def test_a_token_goes_to_the_hub_alone(hub, place, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret-token")
    place.fetched()  # the imitation of the storage refuses it
    assert hub.asked.count(STORED) == 1


def test_a_token_that_the_hub_refuses_is_told_but_not_shown(hub, place, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "another-secret")
    remedy = "mend HF_TOKEN or log in anew, or use none: these weights are public"
    assert place.refused() == refusal(place, "the hub refuses the token with 401", remedy)
    assert len(hub.asked) == 1


def test_a_token_that_is_none_is_told_but_not_shown(hub, place, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret…")
    remedy = "mend HF_TOKEN or log in anew, or use none: these weights are public"
    assert place.refused() == refusal(place, "the token holds characters that no token has", remedy)
    assert hub.asked == []


def test_a_token_is_not_sent_where_the_user_forbids_it(hub, place, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "another-secret")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    assert place.fetched()["origin"] == f"hub:{REPOSITORY}@{COMMIT}"


def test_the_hubs_offline_mode_is_obeyed(hub, place, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert place.refused() == refusal(place, "HF_HUB_OFFLINE is set", "unset it")
    assert hub.asked == []


def test_an_answer_that_is_not_the_hubs_is_told(hub, place):
    hub.statuses["model.safetensors"] = (200, 1)
    reason = "the answer states no commit and SHA-256 of model.safetensors, as the hub does"
    remedy = "mend the connection, or HF_ENDPOINT where it is set"
    assert place.refused() == refusal(place, reason, remedy)
    assert len(hub.asked) == 1


def test_a_full_disk_is_told_before_the_transfer(hub, place, monkeypatch, capfd):
    usage = type("Usage", (), {"free": 0})
    monkeypatch.setattr("weckd.files.shutil.disk_usage", lambda _: usage)
    size = f"{len(hub.hub[REPOSITORY]) / 1e6:,.0f} MB"
    assert place.refused() == f"{place.own}: needs {size}, 0 MB are free; {ELSEWHERE}"
    assert capfd.readouterr().err == ""


def test_a_disk_that_runs_full_is_told_and_nothing_is_kept(hub, place, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("weckd.data.fetch.hub.progress_bar", full)
    assert place.refused() == f"{place.file}: cannot be written (No space left on device); {ELSEWHERE}"
    assert names(place.own) == [f".{NAME}.lock"]


def test_a_folder_that_cannot_be_written_is_told(hub, place):
    place.downloads.mkdir()
    place.own.write_bytes(b"a file in the way")
    assert place.refused() == (
        f"{place.own}: cannot be written (File exists); give yourself the right to write there, or choose another "
        "folder"
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
    code = f"import sys, weckd.data.fetch.weights; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
