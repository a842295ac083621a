import hashlib
import json

import pytest
import timm
from safetensors.torch import save_file

from weckd.cli import main
from weckd.data.weights import WeightsFile, read_weights, record_weights, recorded_weights
from weckd.errors import UserError

NAME = "test_resnet.r160_in1k"
HEADER = (
    "# SHA-256 of timm's pretrained weights. `weckd weights` refuses another file. Written by `weckd lock`.\n"
)


@pytest.fixture
def fetched(tmp_path):
    """Return a function that writes weights, and a JSON file as `weckd weights` writes it; it returns that file."""

    def make(name=NAME, content=b"weights"):
        file = tmp_path / f"{name}.safetensors"
        file.write_bytes(content)
        told = {"weights": name, "file": str(file), "sha256": sha256_of(content), "origin": "local file"}
        (tmp_path / f"{name}.json").write_text(json.dumps(told))
        return tmp_path / f"{name}.json"

    return make


def sha256_of(content):
    return hashlib.sha256(content).hexdigest()


def refusal(call, *args):
    with pytest.raises(UserError) as problem:
        call(*args)
    return str(problem.value)


def test_fetched_weights_are_read(fetched, tmp_path):
    fetched()
    expected = WeightsFile(tmp_path / f"{NAME}.safetensors", sha256_of(b"weights"))
    assert read_weights(tmp_path, NAME) == expected


def test_weights_that_were_not_fetched_are_told(tmp_path):
    file = tmp_path / f"{NAME}.json"
    assert refusal(read_weights, tmp_path, NAME) == (
        f"{file}: cannot be read (No such file or directory); make it with `weckd weights`"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", "list indices must be integers or slices, not str"),
        ("{}", "'weights'"),
    ],
)
def test_a_file_that_is_not_of_fetched_weights_is_told(tmp_path, text, problem):
    file = tmp_path / f"{NAME}.json"
    file.write_text(text)
    message = f"{file}: cannot be read ({problem}); make it with `weckd weights`"
    assert refusal(read_weights, tmp_path, NAME) == message


def test_a_file_that_tells_of_other_weights_is_told(fetched, tmp_path):
    fetched().rename(tmp_path / "resnet50.a1_in1k.json")
    assert refusal(read_weights, tmp_path, "resnet50.a1_in1k") == (
        f"{tmp_path}/resnet50.a1_in1k.json: tells of '{NAME}'; make it again with `weckd weights resnet50.a1_in1k`"
    )


def test_weights_that_are_gone_are_told(fetched, tmp_path):
    file = fetched()
    (tmp_path / f"{NAME}.safetensors").unlink()
    assert refusal(read_weights, tmp_path, NAME) == (
        f"{tmp_path}/{NAME}.safetensors: cannot be read (No such file or directory), {file} names it; put it back, or "
        f"make {NAME}.json again with `weckd weights`"
    )


def test_weights_that_have_changed_are_told(fetched, tmp_path):
    file = fetched()
    (tmp_path / f"{NAME}.safetensors").write_bytes(b"others")
    assert refusal(read_weights, tmp_path, NAME) == (
        f"{tmp_path}/{NAME}.safetensors: its SHA-256 is {sha256_of(b'others')[:12]}…, {file} says "
        f"{sha256_of(b'weights')[:12]}…; put the fetched file back, or make {NAME}.json again with `weckd weights`"
    )


def test_what_is_recorded_is_found_again(fetched, tmp_path):
    lock = tmp_path / "weights.lock"
    assert recorded_weights(lock, NAME) is None
    record_weights([fetched(), fetched("resnet50.a1_in1k", b"more")], lock)
    assert lock.read_text() == (
        f"{HEADER}resnet50.a1_in1k: {sha256_of(b'more')}\n{NAME}: {sha256_of(b'weights')}\n"
    )
    record_weights([fetched(content=b"new")], lock)
    assert lock.read_text() == (
        f"{HEADER}resnet50.a1_in1k: {sha256_of(b'more')}\n{NAME}: {sha256_of(b'new')}\n"
    )
    assert recorded_weights(lock, NAME) == sha256_of(b"new")
    assert recorded_weights(lock, "resnet18.a1_in1k") is None


def test_weights_that_have_changed_are_not_recorded(fetched, tmp_path):
    file = fetched()
    (tmp_path / f"{NAME}.safetensors").write_bytes(b"others")
    assert "its SHA-256 is" in refusal(record_weights, [file], tmp_path / "weights.lock")
    assert not (tmp_path / "weights.lock").exists()


def test_a_damaged_record_is_refused(fetched, tmp_path):
    lock = tmp_path / "weights.lock"
    lock.write_text("- a")
    damaged = (
        f"{lock}: must hold an entry for each file of weights; restore it, or remove it and record again"
    )
    assert refusal(recorded_weights, lock, NAME) == damaged
    assert refusal(record_weights, [fetched()], lock) == damaged
    for value in ("[]", "123", "abc"):
        lock.write_text(f"{NAME}: {value}")
        assert refusal(recorded_weights, lock, NAME) == (
            f"{lock}: {NAME}: must be a SHA-256; restore it, or remove the entry and record again"
        )


def test_weights_are_fetched_recorded_and_another_file_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "mine" / "weights" / f"{NAME}.safetensors"
    own.parent.mkdir(parents=True)
    state = timm.create_model("test_resnet").state_dict()
    save_file(state, own)
    command = ["weights", NAME, "--data-root", "mine", "--out", f"data/weights/{NAME}.json"]
    assert main(command) == 0
    weights = read_weights(tmp_path / "data" / "weights", NAME)
    assert weights == WeightsFile(own, sha256_of(own.read_bytes()))
    assert main(["lock", "--weights", f"data/weights/{NAME}.json"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "mine", "weights.lock"]
    assert main(command) == 0
    save_file({key: value + 1 for key, value in state.items()}, own)
    assert main(command) == 1
    assert capsys.readouterr().err == (
        f"weckd: {own}: its SHA-256 is {sha256_of(own.read_bytes())[:12]}…, weights.lock records "
        f"{weights.sha256[:12]}…; replace it by the file that is recorded, or remove its entry from weights.lock if "
        "another version is meant\n"
    )
