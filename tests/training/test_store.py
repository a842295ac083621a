import numpy as np
import pytest
from toy_cell import toy_state

from weckd.training.store import find_fit, fit_folder, store_fit

IDENTITY = "ab" * 32
LOGITS = {"validation": np.zeros((2, 3), np.float32), "test": np.arange(12, dtype=np.float32).reshape(4, 3)}
HISTORY = np.array([[1.25, 0.001], [1.0, 0.002]], np.float32)
WEIGHTS = {"w": np.array([1.5, -2.0], np.float32), "n": np.array(7)}


@pytest.fixture
def store(tmp_path):
    store_fit(tmp_path, "set", IDENTITY, {"status": "finished"}, LOGITS, HISTORY, WEIGHTS)
    return tmp_path


def test_round_trip(store):
    fit = find_fit(store, "set", IDENTITY, with_weights=True)
    assert np.array_equal(fit.logits("test"), LOGITS["test"])
    assert fit.logits("test").dtype == np.float32
    assert {key: value.tolist() for key, value in fit.weights().items()} == {"w": [1.5, -2.0], "n": 7}
    assert not fit.diverged
    assert fit.record["identity"] == IDENTITY
    assert [path.name for path in (store / "set").iterdir()] == [IDENTITY[:20]]  # nothing temporary left


def test_weights_come_back_in_their_places_however_they_lie_in_memory(tmp_path):
    # Networks hold their kernels channels last; safetensors alone would write them in that order, and not say so.
    state = toy_state()
    kernels = [value for value in state.values() if value.ndim == 4 and not value.is_contiguous()]
    assert len(kernels) > 5
    weights = {key: value.numpy() for key, value in state.items()}
    store_fit(tmp_path, "set", IDENTITY, {"status": "finished"}, LOGITS, HISTORY, weights)
    found = find_fit(tmp_path, "set", IDENTITY, with_weights=True).weights()
    assert set(found) == set(state)
    assert all(np.array_equal(found[key], value) for key, value in weights.items())
    assert all(found[key].shape == value.shape for key, value in weights.items())


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("finished", "diverged"),
        lambda text: text.replace('"identity": "ab', '"identity": "cd'),
        lambda text: "",
        lambda text: "[]",
    ],
)
def test_a_fit_whose_record_was_edited_or_damaged_is_set_aside(store, change):
    record = fit_folder(store, "set", IDENTITY) / "record.json"
    record.write_text(change(record.read_text()))
    assert find_fit(store, "set", IDENTITY, with_weights=False) is None
    assert [path.name[:28] for path in (store / "set").iterdir()] == [f"damaged-{IDENTITY[:20]}"]


def test_absent_fit(store):
    assert find_fit(store, "set", "cd" * 32, with_weights=False) is None
    assert find_fit(store, "other", IDENTITY, with_weights=False) is None


def test_fit_without_weights_serves_predictions_only(tmp_path):
    store_fit(tmp_path, "set", IDENTITY, {"status": "finished"}, LOGITS, HISTORY, None)
    assert find_fit(tmp_path, "set", IDENTITY, with_weights=False) is not None
    assert find_fit(tmp_path, "set", IDENTITY, with_weights=True) is None


def test_diverged_fit_has_no_weights_and_is_still_a_result(tmp_path):
    nothing = {split: np.full_like(values, np.nan) for split, values in LOGITS.items()}
    store_fit(tmp_path, "set", IDENTITY, {"status": "diverged"}, nothing, HISTORY, None)
    fit = find_fit(tmp_path, "set", IDENTITY, with_weights=True)
    assert fit.diverged
    assert np.isnan(fit.logits("test")).all()


@pytest.mark.parametrize("name", ["test.npy", "weights.safetensors", "record.json"])
def test_damaged_fit_is_set_aside(store, name):
    file = fit_folder(store, "set", IDENTITY) / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    assert find_fit(store, "set", IDENTITY, with_weights=False) is None
    assert not fit_folder(store, "set", IDENTITY).exists()
    aside = [path for path in (store / "set").iterdir() if path.name.startswith(f"damaged-{IDENTITY[:20]}")]
    assert len(aside) == 1
    assert (aside[0] / "test.npy").exists()  # kept for whoever wants to know what happened


def test_the_history_is_kept(store):
    history = np.load(fit_folder(store, "set", IDENTITY) / "history.npy", allow_pickle=False)
    assert history.dtype == np.float32
    assert history.tolist() == [[1.25, np.float32(0.001)], [1.0, np.float32(0.002)]]


def test_what_a_killed_writer_left_is_removed_and_nothing_of_other_fits(store):
    left = store / "set" / f".{IDENTITY[:20]}.killed"
    other = store / "set" / f".{'cd' * 10}.writing"
    for folder in (left, other):
        folder.mkdir()
        (folder / "test.npy").write_bytes(b"half")
    store_fit(store, "set", IDENTITY, {"status": "finished"}, LOGITS, HISTORY, None)
    assert not left.exists()
    assert other.exists()


def test_a_fit_is_replaced_by_the_same_fit(store):
    store_fit(store, "set", IDENTITY, {"status": "finished"}, LOGITS, HISTORY, None)
    assert find_fit(store, "set", IDENTITY, with_weights=True) is None
    assert find_fit(store, "set", IDENTITY, with_weights=False) is not None
