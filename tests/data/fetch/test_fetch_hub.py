"""Transfers from the hub: tried again, refused, with and without a token, on a full disk."""

import errno

import pytest
from imitation import COMMIT, names
from weights_words import ELSEWHERE, NAME, REPOSITORY, STORED, facts, refusal

pytestmark = pytest.mark.usefixtures("no_secret_is_printed")


def test_a_mirror_that_sends_files_itself_will_do(hub, place, sha256):
    hub.mirror = True
    assert place.fetched() == facts(place.file, sha256, f"hub:{REPOSITORY}@{COMMIT}")


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
    remedy = "correct HF_TOKEN or log in again, or use none: these weights are public"
    assert place.refused() == refusal(place, "the hub refuses the token with 401", remedy)
    assert len(hub.asked) == 1


def test_a_token_that_is_none_is_told_but_not_shown(hub, place, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret…")
    remedy = "correct HF_TOKEN or log in again, or use none: these weights are public"
    assert place.refused() == refusal(place, "the token holds characters that no token has", remedy)
    assert hub.asked == []


@pytest.mark.parametrize("content", [b"\xff", None])
def test_a_token_that_cannot_be_read_is_told(hub, place, tmp_path, content):
    token = tmp_path / "home" / "token"
    token.parent.mkdir()
    token.mkdir() if content is None else token.write_bytes(content)
    remedy = "correct HF_TOKEN or log in again, or use none: these weights are public"
    assert place.refused() == refusal(place, "the token of the hub cannot be read", remedy)
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
    remedy = "repair the connection, or HF_ENDPOINT where it is set"
    assert place.refused() == refusal(place, reason, remedy)
    assert len(hub.asked) == 1


def test_a_proxy_of_a_mirror_without_tls_that_asks_for_a_password_is_told(hub, place):
    hub.statuses["model.safetensors"] = (407, 1)
    reason = "huggingface.co answered 407 Proxy Authentication Required"
    remedy = "name the proxy with its user and password in HTTP_PROXY"
    assert place.refused() == refusal(place, reason, remedy)


def test_a_login_page_in_place_of_the_hub_is_told(hub, place):
    hub.no_json.add("model.safetensors")
    remedy = "log in to this network if a browser is asked to, or run again from another network"
    assert place.refused() == refusal(place, "huggingface.co sent a web page in place of the file", remedy)


def test_a_full_disk_is_told_before_the_transfer(hub, place, monkeypatch, capfd):
    usage = type("Usage", (), {"free": 0})
    monkeypatch.setattr("weckd.files.shutil.disk_usage", lambda _: usage)
    size = f"{len(hub.hub[REPOSITORY]) / 1e6:,.0f} MB"
    assert place.refused() == f"{place.own}: needs {size}, 0 MB are free; {ELSEWHERE}"
    assert capfd.readouterr().err == ""


def test_a_disk_that_runs_full_is_told_and_nothing_is_kept(hub, place, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("weckd.data.fetch.hub.save", full)
    assert place.refused() == f"{place.file}: cannot be written (No space left on device); {ELSEWHERE}"
    assert names(place.own) == [f".{NAME}.lock"]
