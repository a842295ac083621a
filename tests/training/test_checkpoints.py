"""A fit that is stopped and goes on ends in the bytes of an undisturbed one, whatever ran between or is damaged."""

import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_cell import FITS, M1, REST, STEPS, TRAINING, run, same_bytes, toy_data, toy_state

from weckd.locks import StopRequest
from weckd.training.job import Checkpoints, Progress

IDENTITY = "ab" * 32


class Stopwatch:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def data(networks):
    return toy_data(12, 12, networks.device)


@pytest.fixture
def kept(tmp_path):
    """Return a function that makes the checkpoints of the fit, as each process would, by default after every step."""

    def make(interval=0.0, clock=None):
        more = {"clock": clock} if clock else {}
        return Checkpoints(tmp_path, IDENTITY, interval, StopRequest(), Progress("toy", STEPS), **more)

    return make


def run_until(step, fit, data, networks, checkpoints, number=signal.SIGTERM, training=TRAINING):
    """Run as far as a step in which the process is asked to stop; return its exit status."""
    counted = []

    def on_step():
        counted.append(1)
        if len(counted) == step:
            checkpoints.stop.received = number

    with pytest.raises(SystemExit) as left:
        run(fit, data, networks, checkpoints, on_step, training)
    assert len(counted) == step
    return left.value.code


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_a_fit_that_stops_twice_and_goes_on_gives_the_same_bytes(fit, data, networks, kept):
    whole = run(fit, data, networks)
    assert run_until(3, fit, data, networks, kept(60.0)) == 143
    run(replace(M1, parts=REST), data, networks)  # whatever the networks held is overwritten
    assert run_until(2, fit, data, networks, kept(60.0)) == 143
    run(replace(M1, parts=REST), data, networks)
    again = kept()
    resumed = run(fit, data, networks, again)
    assert again.resumed_at == 5
    assert same_bytes(whole, resumed)
    assert resumed.record["resumed_at"] == 5
    assert resumed.record["steps_run"] == STEPS
    assert "resumed_at" not in whole.record


@pytest.mark.parametrize("fit", [FITS["taught"], FITS["learned temperature"], FITS["mean teacher"]])
def test_captured_steps_stop_and_go_on_and_so_do_eager_ones_behind_them(fit, data, networks, kept, capturing):
    whole = run(fit, data, networks)
    run_until(3, fit, data, networks, kept(60.0), training=capturing)
    run(replace(M1, parts=REST), data, networks)
    run_until(2, fit, data, networks, kept(60.0))
    resumed = run(fit, data, networks, kept(), training=capturing)
    assert resumed.record["resumed_at"] == 5
    assert same_bytes(whole, resumed)


def test_a_network_that_draws_while_it_trains_goes_on_with_the_same_draws(data, networks, kept, monkeypatch):
    network = networks.student(M1, toy_state()).network
    monkeypatch.setattr(network, "drop_rate", 0.5)  # timm's networks drop features where it is not 0
    whole = run(M1, data, networks)
    run_until(3, M1, data, networks, kept())
    torch.rand(7)
    assert same_bytes(whole, run(M1, data, networks, kept()))
    torch.rand(7)
    assert same_bytes(whole, run(M1, data, networks))  # what was drawn before does not matter either
    monkeypatch.setattr(network, "drop_rate", 0.0)
    assert not same_bytes(whole, run(M1, data, networks))


def test_a_request_from_before_its_first_step_is_heeded_after_it(data, networks, kept):
    run_until(1, M1, data, networks, kept())
    first = kept()
    first.stop.received = signal.SIGINT
    with pytest.raises(SystemExit) as left:
        run(M1, data, networks, first)
    assert left.value.code == 130
    assert same_bytes(run(M1, data, networks), run(M1, data, networks, kept()))


def test_a_checkpoint_each_interval_and_one_file_at_a_time(data, networks, kept, tmp_path):
    clock = Stopwatch()
    seen = []

    def on_step():
        seen.append([file.name for file in tmp_path.iterdir()])
        clock.now += 10.0

    run(M1, data, networks, kept(25.0, clock), on_step)
    steps = [[int(name.split("-")[1]) for name in names] for names in seen]
    assert steps == [[], [], [], [3], [3], [3], [6], [6]]
    assert all(name.startswith(IDENTITY[:20] + "-") for names in seen for name in names)


def test_its_seconds_count_those_of_the_processes_before(data, networks, kept):
    clock = Stopwatch()

    def on_step():
        clock.now += 10.0

    first = kept(0.0, clock)
    counted = []

    def then_stop():
        on_step()
        counted.append(1)
        if len(counted) == 3:
            first.stop.received = signal.SIGTERM

    with pytest.raises(SystemExit):
        run(M1, data, networks, first, then_stop)
    again = kept(60.0)
    result = run(M1, data, networks, again)
    assert again.seconds_before == 30.0
    assert 30.0 < result.record["seconds"]["steps"] < 60.0


@pytest.mark.parametrize("damage", ["cut short", "one bit", "empty"])
def test_a_damaged_checkpoint_is_set_aside_and_the_fit_begun_anew(
    damage, data, networks, kept, tmp_path, capsys
):
    run_until(4, M1, data, networks, kept())
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes({"cut short": content[: len(content) // 2], "one bit": content, "empty": b""}[damage])
    result = run(M1, data, networks, kept(60.0))
    assert same_bytes(run(M1, data, networks), result)
    assert "resumed_at" not in result.record
    assert f"checkpoint {file} is damaged: set aside as damaged-{file.name}" in capsys.readouterr().err
    assert [left.name for left in tmp_path.iterdir()] == [f"damaged-{file.name}"]


def test_the_checkpoint_before_a_damaged_one_is_used(data, networks, kept, tmp_path):
    run_until(2, M1, data, networks, kept())
    (early,) = tmp_path.iterdir()
    content = early.read_bytes()
    run_until(3, M1, data, networks, kept())
    (late,) = tmp_path.iterdir()
    assert "-00000005-" in late.name
    early.write_bytes(content)
    late.write_bytes(b"nothing")
    again = kept(60.0)
    assert same_bytes(run(M1, data, networks), run(M1, data, networks, again))
    assert again.resumed_at == 2


def test_discarding_leaves_nothing_of_this_fit_and_all_of_others(data, networks, kept, tmp_path):
    run_until(2, M1, data, networks, kept())
    (tmp_path / f".{IDENTITY[:20]}-00000001-x.safetensors.killed").write_bytes(b"")
    (tmp_path / f"{'cd' * 10}-00000001-x.safetensors").write_bytes(b"")
    kept().discard()
    assert [file.name for file in tmp_path.iterdir()] == [f"{'cd' * 10}-00000001-x.safetensors"]


def test_a_loss_that_is_not_finite_is_found_after_going_on(data, networks, kept, monkeypatch):
    fit = replace(M1, steps=60)
    run_until(10, fit, data, networks, kept(60.0))
    (file,) = kept().folder.iterdir()
    again = kept(60.0)
    steps = []

    def break_it():
        steps.append(1)
        if len(steps) == 5:
            with torch.no_grad():
                networks.student(fit, toy_state()).network.fc.weight.mul_(torch.nan)

    result = run(fit, data, networks, again, break_it)
    assert result.record["status"] == "diverged"
    assert result.record["failed_step"] == 16  # 10 before, 5 more that went well
    assert result.record["steps_run"] == 25
    assert result.record["failed_rate"] == pytest.approx(result.history[15, 1])
    assert np.isnan(result.history[15, 0])
    assert np.isfinite(result.history[:15]).all()
    assert file.exists()  # the job discards it when the fit is stored
